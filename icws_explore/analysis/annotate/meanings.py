"""What a value means, in one line for a person: times relative to the frame's, principals, sequence numbers.

Each function takes a value of any type and returns an empty text if it is not of the type that the field has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from icws_explore.protocol import candid
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import parse_message_key
from icws_explore.protocol.principal import Principal

from .limits import MAX_KEY

_MAX_NS: Final = 253_402_300_799 * NS_PER_S  # the last second of the year 9999, where datetime ends


@dataclass(frozen=True, slots=True)
class Context:
    """Facts about a frame that are not in its bytes.

    ``at_ns``: when it was sent or received, in ns since 1970. ``sent``: whether the client sent it. ``app_type``: the
    type of application messages.
    """

    at_ns: int
    sent: bool
    app_type: candid.Type | None = None


Explain = Callable[[Any, Context], str]


def instant(ns: int) -> str:
    """``2026-11-23 11:20:00.250 UTC``, without a fraction of zero. ``ns`` is nanoseconds since 1970."""
    if not 0 <= ns <= _MAX_NS:
        return "not a date: out of range"
    moment = datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")
    fraction = ns % NS_PER_S
    return f"{moment}{f'.{fraction // 1_000_000:03d}' if fraction else ''} UTC"


def span(ns: int) -> str:
    """A duration of ``ns`` nanoseconds: ``3 min 58 s``, ``12 ms``, ``2 d 3 h``."""
    ns = abs(ns)
    if ns < NS_PER_S:
        return f"{ns / 1_000_000:.3g} ms"
    if ns < 60 * NS_PER_S:
        return f"{ns / NS_PER_S:.4g} s"
    seconds = round(ns / NS_PER_S)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


def time_meaning(ns: Any, context: Context) -> str:
    """An instant, with its distance to the time of the frame."""
    if not _is_number(ns):
        return ""
    difference = ns - context.at_ns
    verb = "it was sent" if context.sent else "it was received"
    if abs(difference) < 1_000:  # ns; the frame's time is a float of seconds, which is no more precise
        return f"{instant(ns)}, when {verb}"
    side = "after" if difference > 0 else "before"
    return f"{instant(ns)}, {span(difference)} {side} {verb}"


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``11th``."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _sides(context: Context) -> tuple[str, str]:
    """The sender and the receiver of the message."""
    return ("client", "canister") if context.sent else ("canister", "client")


def sequence_meaning(number: Any, context: Context) -> str:
    """A sequence number. They count from 1 and include service messages."""
    if not _is_number(number):
        return ""
    sender, _ = _sides(context)
    if number == 0:
        return f"not a valid number: the {sender}'s first message has 1"
    return f"the {sender}'s {ordinal(number)} message"


def last_incoming_meaning(number: Any, context: Context) -> str:
    """The number in an ack or a keep-alive."""
    if not _is_number(number):
        return ""
    sender, other = _sides(context)
    up_to = f"the {other}'s messages up to the {ordinal(number)}" if number else f"no message of the {other} yet"
    return f"the {sender} has received {up_to}"


def service_meaning(flag: Any, context: Context) -> str:
    if not isinstance(flag, bool):
        return ""
    libraries = "SDK to CDK" if context.sent else "CDK to SDK"
    return f"a service message, from {libraries}" if flag else "an application message"


def client_nonce_meaning(number: Any, _context: Context) -> str:
    return "chosen at random by the client, for this session" if _is_number(number) else ""


def method_meaning(name: Any, _context: Context) -> str:
    """The canister's method that is called."""
    return _METHODS.get(name, "not a method that clients and gateways call") if isinstance(name, str) else ""


_METHODS: Final[Mapping[str, str]] = {
    "ws_open": "opens the session",
    "ws_message": "gives the canister a message",
    "ws_close": "ends a session (a gateway's call)",
    "ws_get_messages": "asks for the canister's messages (a gateway's query)",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64


def principal_meaning(raw: Any, _context: Context) -> str:
    if not isinstance(raw, bytes):
        return ""
    try:
        return Principal(raw).text + (" (anonymous)" if raw == Principal.ANONYMOUS.raw else "")
    except DecodeError as error:
        return f"not a principal: {error.reason}"


def key_meaning(text: Any, _context: Context) -> str:
    """The gateway and the nonce in a message key."""
    try:
        gateway, nonce = parse_message_key(str(text)[:MAX_KEY])
    except DecodeError as error:
        return error.reason
    return f"message {nonce} of gateway {gateway.short}"


def public_key_meaning(der: Any, _context: Context) -> str:
    if not isinstance(der, bytes):
        return ""
    kind = next((name for prefix, name in _KEY_KINDS.items() if der.startswith(prefix)), "unknown")
    return f"{kind} key, DER; its principal is {Principal.self_authenticating(der).text}"


_KEY_KINDS: Final[Mapping[bytes, str]] = {
    bytes.fromhex("302a300506032b6570"): "Ed25519",
    bytes.fromhex("3056301006072a8648ce3d020106052b8104000a"): "secp256k1",
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107"): "P-256",
    bytes.fromhex("303c300c060a2b0601040183b8430102"): "canister signature",
    bytes.fromhex("308182301d060d2b0601040182dc7c0503010201060c2b0601040182dc7c05030201"): "BLS12-381",
}


def always(text: str) -> Explain:
    """The same meaning for every value."""
    return lambda _value, _context: text
