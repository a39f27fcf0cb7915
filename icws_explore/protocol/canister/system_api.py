"""The interfaces between a canister and its replica, in both directions.

They follow the System API of the interface specification ("The IC System API"), so that `host.CanisterHost`
can run canisters written in Python as well as Wasm (`lab.wasm`). Outcomes of calls are defined here, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from ..principal import Principal

SYSTEM_TRANSIENT: Final = 2  # not executed; may succeed later
DESTINATION_INVALID: Final = 3  # there is no such canister
CANISTER_REJECT: Final = 4  # the canister passed an error on
CANISTER_ERROR: Final = 5  # the canister trapped, has no such method, or has no code


@dataclass(frozen=True, slots=True)
class Reply:
    """``data`` is the reply's Candid; empty for an install or an upgrade."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """``code`` is the specification's reject code, ``error_code`` the replica's error code.

    ``cause`` is the exception that became a trap, if the canister's code did not raise Trap itself.
    """

    code: int
    text: str
    error_code: str
    cause: BaseException | None = None


Outcome: TypeAlias = Reply | Reject


class Trap(Exception):  # noqa: N818 -- the specification's word; a host never lets it out
    """The canister aborts: its changes since the last commit point are undone, and the call is rejected."""


class MethodNotFound(Exception):  # noqa: N818
    """The canister has no such method for that kind of call. ``kind`` is "update" or "query"."""

    def __init__(self, kind: str, method: str) -> None:
        self.kind = kind
        self.method = method
        super().__init__(f"Canister has no {kind} method '{method}'")


class CallRejected(Exception):  # noqa: N818 -- an outcome, which a host turns into a Reject
    """The code ends the call with this reject. ``undoes``: the changes since the last commit point are undone."""

    def __init__(self, code: int, text: str, error_code: str, *, undoes: bool) -> None:
        self.code = code
        self.error_code = error_code
        self.undoes = undoes
        super().__init__(text)


class SystemApi(Protocol):
    """The replica's side. Times and delays are nanoseconds; times are since the epoch."""

    def time_ns(self) -> int: ...

    def caller(self) -> Principal:
        """The caller; the controller in init, and the canister itself in a timer."""

    def canister_id(self) -> Principal: ...

    def subnet_id(self) -> Principal: ...

    def root_key(self) -> bytes:
        """The network's root key, DER."""

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

    def roll_back(self) -> None:
        """Undo the changes since the last commit point: of the code, of certified data and of timers."""

    def call(self, callee: Principal, method: str, arg: bytes) -> Outcome:
        """Call another canister, or this one, and wait for the answer. Call `commit` before and after it.

        In a query it calls a query.
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


@runtime_checkable
class Upgradable(Protocol):
    """Code with a memory that outlives an upgrade. Other code starts anew with `CanisterCode.init`."""

    def pre_upgrade(self) -> Any:
        """canister_pre_upgrade. Returns what the next code gets. May raise Trap."""

    def post_upgrade(self, kept: Any) -> None:
        """canister_post_upgrade, with what the code before it kept; None if that keeps nothing. May raise Trap."""


class Inspecting(Protocol):
    """Code that looks at calls from outside before they are accepted."""

    def inspect_message(self, method: str, arg: bytes) -> bool:
        """canister_inspect_message: whether the call is accepted. All changes are discarded. May raise Trap."""


CanisterFactory = Callable[[SystemApi], CanisterCode]
