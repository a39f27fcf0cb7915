"""What the parts and values of a Candid message say, in the protocol's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from icws_explore.protocol import candid
from icws_explore.protocol.constants import NS_PER_S

from .meanings import (
    Context,
    client_nonce_meaning,
    instant,
    last_incoming_meaning,
    sequence_meaning,
    service_meaning,
    time_meaning,
)

# An application's nat64 or int called timestamp is told as an instant when it lies in these years.
_SINCE_NS: Final = 1_000_000_000 * NS_PER_S  # 2001
_UNTIL_NS: Final = 4_102_444_800 * NS_PER_S  # 2100

_CASES: Final[Mapping[str, str]] = {
    "OpenMessage": "the session is open",
    "AckMessage": "what the canister has received so far",
    "KeepAliveMessage": "the client is still there, and what it has received so far",
    "CloseMessage": "the canister has ended the session",
    "WrongSequenceNumber": "the client's message was not the next one",
    "InvalidServiceMessage": "the client sent a service message that only a canister sends",
    "KeepAliveTimeout": "the client did not answer an ack in time",
    "ClosedByApplication": "the canister's application wanted it",
}
_FIELDS: Final[Mapping[str, Callable[[Any, Context], str]]] = {
    "sequence_num": sequence_meaning,
    "timestamp": time_meaning,
    "is_service_message": service_meaning,
    "client_nonce": client_nonce_meaning,
    "last_incoming_sequence_num": last_incoming_meaning,
    "gateway_principal": lambda _value, _context: "the gateway that the client is connected to, as its handshake said",
    "client_principal": lambda _value, _context: "who the client is",
    "client_key": lambda _value, _context: "whose session it is",
    "content": lambda _value, _context: "the message itself",
    "reason": lambda _value, _context: "why the canister closed",
}
_PART_WORDS: Final[Mapping[str, str]] = {
    "magic": "what every Candid message begins with",
    "types": "the types that the values are written in",
    "args": "how many values follow, and of which types",
    "types.count": "entries in the type table",
    "args.count": "values",
}
_LAST: Final[Mapping[str, str]] = {"length": "how many follow", "count": "how many follow", "of": "what is inside"}


def protocol_meaning(name: str, part: candid.CandidNode, context: Context) -> str:
    """A value of the protocol's own messages; ``name`` is the last step of its path."""
    explain = _FIELDS.get(name)
    return _CASES.get(name, "") if explain is None else explain(part.value, context)


def app_meaning(name: str, part: candid.CandidNode, context: Context) -> str:
    """A value of an application, of which nothing is known but its name."""
    value = part.value
    if name == "timestamp" and isinstance(value, int) and _SINCE_NS <= value <= _UNTIL_NS:
        return f"as nanoseconds: {time_meaning(value, context)}"
    if name == "timestamp" and isinstance(value, int) and _SINCE_NS <= value * NS_PER_S <= _UNTIL_NS:
        return f"as seconds: {instant(value * NS_PER_S)}"
    return ""


def part_meaning(part: candid.CandidNode) -> str:
    """A length, an opcode, a field id …: how the message is written."""
    last = part.path.rpartition(".")[2]
    match part.type:
        case "opcode":
            return f"defines a type: {part.meaning}"
        case "field id":
            unknown = part.meaning.startswith("_") and part.meaning.endswith("_")
            return "hash of a name that is not known" if unknown else f"hash of the name {part.meaning}"
        case "field":
            return "a field of it"
        case "type" if part.children:
            return f"type {last}, as others refer to it"
        case "type":
            return "its type"
        case "index":
            return f"case {part.value}: {part.meaning}"
        case "unread":
            return f"not read: {part.end - part.start} bytes"
    return part.meaning or _PART_WORDS.get(part.path) or _LAST.get(last, "")
