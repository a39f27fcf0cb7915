"""The replica's side of the System API for one installed canister, and what the replica keeps for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from ..principal import Principal
from .alarms import Alarms
from .system_api import Trap

MAX_CERTIFIED_DATA: Final = 32  # bytes
CallKind = Literal["install", "update", "query", "timer"]


class System:
    """A `SystemApi`. The host enters a call before the canister's code runs; times are ns since the epoch.

    What a call may do depends on its kind (interface specification, "Overview of imports"): only a
    query sees a certificate, and a query sets neither certified data nor timers.
    """

    def __init__(
        self,
        canister_id: Principal,
        *,
        certified_data: bytes,
        certify: Callable[[bytes], bytes] | None,
        on_print: Callable[[int, str], None] | None,
    ) -> None:
        self.certified_data = certified_data
        self.alarms = Alarms()
        self.on_commit: Callable[[], None] = _nothing
        self._canister_id = canister_id
        self._certify = certify
        self._on_print = on_print
        self._kind: CallKind = "install"
        self._caller = Principal.MANAGEMENT
        self._now_ns = 0

    def enter(self, kind: CallKind, caller: Principal, now_ns: int) -> None:
        self._kind, self._caller, self._now_ns = kind, caller, now_ns

    def snapshot(self) -> tuple[bytes, Alarms]:
        return self.certified_data, self.alarms.copy()

    def restore(self, saved: tuple[bytes, Alarms]) -> None:
        self.certified_data, self.alarms = saved[0], saved[1].copy()

    def time_ns(self) -> int:
        return self._now_ns

    def caller(self) -> Principal:
        return self._caller

    def canister_id(self) -> Principal:
        return self._canister_id

    def set_certified_data(self, data: bytes) -> None:
        self._not_in_a_query("set_certified_data")
        if len(data) > MAX_CERTIFIED_DATA:
            raise Trap(f"certified data of {len(data)} bytes; {MAX_CERTIFIED_DATA} are the most")
        self.certified_data = data

    def data_certificate(self) -> bytes | None:
        if self._kind != "query" or self._certify is None:
            return None
        return self._certify(self.certified_data)

    def set_timer(self, delay_ns: int, callback: Callable[[], None]) -> int:
        self._not_in_a_query("set_timer")
        return self.alarms.set(self._now_ns, delay_ns, callback, repeats=False)

    def set_timer_interval(self, interval_ns: int, callback: Callable[[], None]) -> int:
        self._not_in_a_query("set_timer_interval")
        return self.alarms.set(self._now_ns, interval_ns, callback, repeats=True)

    def clear_timer(self, timer_id: int) -> None:
        self.alarms.clear(timer_id)

    def commit(self) -> None:
        self._not_in_a_query("commit")
        self.on_commit()

    def print(self, text: str) -> None:
        if self._on_print is not None:
            self._on_print(self._now_ns, text)

    def _not_in_a_query(self, what: str) -> None:
        if self._kind == "query":
            raise Trap(f"{what} cannot be called in a query")


def _nothing() -> None:
    pass
