"""The interfaces between a canister and its replica, in both directions.

They follow the System API of the interface specification ("The IC System API"), so that `host.CanisterHost`
can run canisters written in Python as well as Wasm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..principal import Principal


class Trap(Exception):  # noqa: N818 -- the specification's word; a host never lets it out
    """The canister aborts: its changes since the last commit point are undone, and the call is rejected."""


class MethodNotFound(Exception):  # noqa: N818
    """The canister has no such method for that kind of call. ``kind`` is "update" or "query"."""

    def __init__(self, kind: str, method: str) -> None:
        self.kind = kind
        self.method = method
        super().__init__(f"Canister has no {kind} method '{method}'")


class SystemApi(Protocol):
    """The replica's side. Times and delays are nanoseconds; times are since the epoch."""

    def time_ns(self) -> int: ...

    def caller(self) -> Principal:
        """The caller; the controller in init, and the canister itself in a timer."""

    def canister_id(self) -> Principal: ...

    def set_certified_data(self, data: bytes) -> None:
        """Set at most 32 bytes that the next certificates certify. Traps in a query."""

    def data_certificate(self) -> bytes | None:
        """The certificate of the certified data; None in an update and in a timer."""

    def set_timer(self, delay_ns: int, callback: Callable[[], None]) -> int: ...

    def set_timer_interval(self, interval_ns: int, callback: Callable[[], None]) -> int: ...

    def clear_timer(self, timer_id: int) -> None:
        """Cancel a timer. An unknown id is no error."""

    def commit(self) -> None:
        """A commit point, as an ``await`` is on the Internet Computer: a later trap rolls back to here.

        A trap after a commit point gives reject code 4 instead of 5, because the awaiting code passes the
        error on (the Motoko runtime; seen in the traces of its CDK).
        """

    def print(self, text: str) -> None: ...


class CanisterCode(Protocol):
    """The canister's side: the exports and the memory of a Wasm module."""

    def init(self) -> None:
        """canister_init, and also canister_post_upgrade. May raise Trap."""

    def update(self, method: str, arg: bytes) -> bytes:
        """The reply's Candid. Raises Trap and MethodNotFound. Query methods may be called as updates."""

    def query(self, method: str, arg: bytes) -> bytes:
        """The reply's Candid. All changes are discarded. Raises Trap and MethodNotFound."""

    def snapshot(self) -> Any:
        """The whole memory, unaffected by later changes. It is taken at every call, so it must be cheap."""

    def restore(self, state: Any) -> None:
        """Go back to a snapshot. The snapshot can be restored again."""

    @property
    def candid_interface(self) -> str:
        """The .did text, as a canister publishes it in its candid:service metadata."""


CanisterFactory = Callable[[SystemApi], CanisterCode]
