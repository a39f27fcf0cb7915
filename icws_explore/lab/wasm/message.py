"""What one execution of a canister's code is for: a `Message`, the call that it belongs to, the calls that it makes."""

from __future__ import annotations

from dataclasses import dataclass, field

from icws_explore.protocol.canister import CallRejected, Outcome
from icws_explore.protocol.principal import Principal

from .signatures import Kind


@dataclass(slots=True)
class CallContext:
    """A call to the canister, until it is answered. Calls that the canister makes meanwhile belong to it.

    ``outcome`` is the answer, ``trap`` the last trap in a callback, which is the answer if there is no other.
    """

    caller: Principal
    method: str = ""
    outcome: Outcome | None = None
    trap: CallRejected | None = None
    instructions: int = 0


@dataclass(slots=True)
class Callback:
    """A function of the canister's table, and the number that it gets."""

    function: int
    env: int


@dataclass(slots=True)
class OutgoingCall:
    """A call that the canister makes."""

    callee: bytes
    method: str
    on_reply: Callback
    on_reject: Callback
    on_cleanup: Callback | None = None
    arg: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Message:
    """One execution. ``arg`` is the argument, or the reply that a callback gets.

    ``is_pure``: it has read nothing but its argument and the canister's state.
    """

    kind: Kind
    context: CallContext
    arg: bytes = b""
    reject_code: int = 0
    reject_text: bytes = b""
    reply: bytearray = field(default_factory=bytearray)
    calls: list[OutgoingCall] = field(default_factory=list)
    new_call: OutgoingCall | None = None
    accepted: bool = False
    is_pure: bool = True
