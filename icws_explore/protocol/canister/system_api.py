"""What a canister sees of its replica, and what a replica asks of a canister.

Shaped like the System API of the interface specification ("The IC System API"), so that a canister
written in Python and one given as Wasm can stand in the same place. `host.CanisterHost` runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..principal import Principal


class Trap(Exception):  # noqa: N818 -- the specification's word; it never leaves a host
    """The canister stops here: what it did since the last commit point is undone, the call is rejected."""


class MethodNotFound(Exception):  # noqa: N818
    """The canister has no method of that name for that kind of call. ``kind`` is "update" or "query"."""

    def __init__(self, kind: str, method: str) -> None:
        self.kind = kind
        self.method = method
        super().__init__(f"Canister has no {kind} method '{method}'")


class SystemApi(Protocol):
    """The replica's side. Times and delays are nanoseconds; a time is since the epoch."""

    def time_ns(self) -> int: ...

    def caller(self) -> Principal:
        """Who made the call; in init the controller, in a timer the canister itself."""

    def canister_id(self) -> Principal: ...

    def set_certified_data(self, data: bytes) -> None:
        """At most 32 bytes, which the next certificates vouch for. Traps in a query."""

    def data_certificate(self) -> bytes | None:
        """The certificate over the certified data; None in an update and in a timer."""

    def set_timer(self, delay_ns: int, callback: Callable[[], None]) -> int: ...

    def set_timer_interval(self, interval_ns: int, callback: Callable[[], None]) -> int: ...

    def clear_timer(self, timer_id: int) -> None:
        """Forget a timer; one that is not there is no error."""

    def commit(self) -> None:
        """A commit point, which an ``await`` is on the Internet Computer: a later trap rolls back to here.

        A trap behind a commit point surfaces as reject code 4 instead of 5, because what awaited
        passes the error on (the Motoko runtime; seen in the traces of its CDK).
        """

    def print(self, text: str) -> None: ...


class CanisterCode(Protocol):
    """The canister's side: a Wasm module's exports and its memory."""

    def init(self) -> None:
        """canister_init, and canister_post_upgrade too. May raise Trap."""

    def update(self, method: str, arg: bytes) -> bytes:
        """The Candid reply. Raises Trap and MethodNotFound. Query methods may be called as updates."""

    def query(self, method: str, arg: bytes) -> bytes:
        """The Candid reply; whatever it changes is thrown away. Raises Trap and MethodNotFound."""

    def snapshot(self) -> Any:
        """The whole memory as a value: later changes do not reach it. Taken at every call, so keep it cheap."""

    def restore(self, state: Any) -> None:
        """Back to a snapshot, which stays usable for another restore."""

    @property
    def candid_interface(self) -> str:
        """The .did text, as a canister publishes it in its candid:service metadata."""


CanisterFactory = Callable[[SystemApi], CanisterCode]
