"""Frames and recordings as Python code that rebuilds them byte for byte.

Each layer is written as the call that encodes it, if that gives the very same bytes; everything else is written in
hexadecimal. The code begins with the imports that it needs, so it can be pasted into a notebook or a script. It
contains no private key, because no frame does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, get_args

from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import decode_message_args, decode_open_args, encode_message_args, encode_open_args
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.keys.delegation import SignedDelegation
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseReason, ServiceMessage, decode_service, encode_service

WIDTH: Final = 100
MAX_TYPE: Final = 2_000  # characters of a type; a longer one is not written out
MAX_NESTING: Final = 30  # brackets in brackets; Python's own parser ends at 200
_INDENT: Final = "    "
_ROOT: Final = "icws_explore"
_HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    _ROOT: ("Frame", "Principal", "Recording", "candid"),
    f"{_ROOT}.capture": ("Capture", "ClockInfo", "SessionInfo"),
    f"{_ROOT}.protocol.arguments": ("encode_message_args", "encode_open_args"),
    f"{_ROOT}.protocol.envelope": ("Envelope",),
    f"{_ROOT}.protocol.keys.delegation": ("Delegation", "SignedDelegation"),
    f"{_ROOT}.protocol.messages": ("CanisterMessage", "ClientKey", "Handshake", "WebsocketMessage"),
    f"{_ROOT}.protocol.service_messages": (
        *sorted(["CloseReason", *(kind.__name__ for kind in get_args(ServiceMessage))]),
        "encode_service",
    ),
}
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class _Call:
    """``open`` items ``close``, on one line if it fits. An item is a text with its prefix, such as a keyword."""

    open: str
    items: tuple[tuple[str, _Text], ...]
    close: str


_Text = str | _Call


def frame_code(frame: Frame) -> str:
    """Code that rebuilds a frame, as the variable ``frame``."""
    return _code("frame", _frame(frame))


def recording_code(capture: Capture) -> str:
    """Code that rebuilds a recording, as the variable ``recording``.

    What could not be read of its file (``notes``) is left out.
    """
    info = _info(capture.info)
    frames = _Call("[", tuple(("", _frame(frame)) for frame in capture.frames), "]")
    return _code("recording", _call("Recording", _call("Capture", info, frames)))


def _code(variable: str, text: _Call) -> str:
    used = _names(text)
    lines = []
    for home, names in _HOMES.items():
        if imported := [name for name in names if name in used]:
            lines.append(f"from {home} import {', '.join(imported)}")
    return "\n".join([*lines, "", f"{variable} = {_laid_out(text, '', len(variable) + 3)}"]) + "\n"


def _names(text: _Call) -> set[str]:
    """The first name of each part of an expression. Literals of strings begin with a quote, so they have none."""
    found = set()
    todo: list[_Text] = [text]
    while todo:
        part = todo.pop()
        if isinstance(part, _Call):
            todo.extend(item for _, item in part.items)
            todo.extend(prefix for prefix, _ in part.items)
            part = part.open
        if name := _NAME.match(part):
            found.add(name[0])
    return found


def _laid_out(text: _Text, indent: str, used: int = 0) -> str:
    flat = _flat(text)
    if isinstance(text, str) or len(indent) + used + len(flat) <= WIDTH:
        return flat
    inner = indent + _INDENT
    lines = [f"{inner}{prefix}{_laid_out(item, inner, len(prefix) + 1)},\n" for prefix, item in text.items]
    return f"{text.open}\n{''.join(lines)}{indent}{text.close}"


def _flat(text: _Text) -> str:
    if isinstance(text, str):
        return text
    items = ", ".join(prefix + _flat(item) for prefix, item in text.items)
    trailing = "," if text.open == "(" and len(text.items) == 1 else ""
    return f"{text.open}{items}{trailing}{text.close}"


def _call(name: str, *args: _Text, **named: _Text) -> _Call:
    items = [("", arg) for arg in args] + [(f"{key}=", value) for key, value in named.items()]
    return _Call(f"{name}(", tuple(items), ")")


def _method(on: _Text, call: str) -> _Text:
    """``on.call()``"""
    if isinstance(on, str):
        return f"{on}.{call}"
    return _Call(on.open, on.items, f"{on.close}.{call}")


def _frame(frame: Frame) -> _Call:
    named: dict[str, _Text] = {"data": _data(frame)} if frame.data else {}
    for name in ("code", "reason", "session", "did", "far"):
        if getattr(frame, name) is not None:
            named[name] = _literal(getattr(frame, name))
    return _call("Frame", _literal(frame.t), repr(frame.direction), repr(frame.op), **named)


def _info(info: SessionInfo) -> _Call:
    named: dict[str, _Text] = {}
    default = SessionInfo()
    for name in SessionInfo.__dataclass_fields__:
        value = getattr(info, name)
        if value != getattr(default, name):
            is_clock = name == "clock"
            named[name] = _call("ClockInfo", repr(value.kind), repr(value.scale)) if is_clock else _literal(value)
    return _call("SessionInfo", **named)


def _data(frame: Frame) -> _Text:
    """The frame's payload as the call that encodes it."""
    if frame.op != "binary":
        return _literal(frame.data)
    ways: tuple[Callable[[bytes], _Text | None], ...] = (
        (_envelope,) if frame.direction == "out" else (_handshake, _canister_message)
    )
    return _first(ways, frame.data)


def _first(ways: Sequence[Callable[[bytes], _Text | None]], data: bytes) -> _Text:
    """``data`` in the first way that gives the same bytes, else in hexadecimal."""
    for way in ways:
        try:
            text = way(data)
        except IcwsError:
            continue  # of another kind, or in a form that our encoders do not write
        if text is not None:
            return text
    return _literal(data)


def _handshake(data: bytes) -> _Text | None:
    handshake = Handshake.decode(data)
    if handshake.encode() != data:
        return None
    return _method(_call("Handshake", _literal(handshake.gateway_principal)), "encode()")


def _canister_message(data: bytes) -> _Text | None:
    message = CanisterMessage.decode(data)
    if message.encode() != data:
        return None
    named = {
        "key": _literal(message.key),
        "content": _first((_message_cbor,), message.content),
        "cert": _literal(message.cert),
        "tree": _literal(message.tree),
    }
    return _method(_call("CanisterMessage", **named), "encode()")


def _message_cbor(data: bytes) -> _Text | None:
    message = WebsocketMessage.decode(data)
    for tagged in (True, False):
        if message.encode(tagged) == data:
            return _method(_message(message), f"encode(tagged={tagged})")
    return None


def _message(message: WebsocketMessage) -> _Call:
    ways = (_service, _application) if message.is_service_message else (_application,)
    return _call(
        "WebsocketMessage",
        client_key=_client_key(message.client_key),
        sequence_num=_literal(message.sequence_num),
        timestamp_ns=_literal(message.timestamp_ns),
        is_service_message=_literal(message.is_service_message),
        content=_first(ways, message.content),
    )


def _client_key(key: ClientKey) -> _Call:
    return _call("ClientKey", _literal(key.client_principal), _literal(key.client_nonce))


def _service(data: bytes) -> _Text | None:
    message = decode_service(data)
    for inner_first in (True, False):
        if encode_service(message, inner_first=inner_first) == data:
            options: dict[str, _Text] = {} if inner_first else {"inner_first": "False"}
            return _call("encode_service", _service_message(message), **options)
    return None


def _service_message(message: ServiceMessage) -> _Text:
    return _call(type(message).__name__, *(_service_value(getattr(message, each.name)) for each in fields(message)))


def _service_value(value: Any) -> _Text:
    match value:
        case ClientKey():
            return _client_key(value)
        case CloseReason():
            return f"CloseReason.{value.name}"
        case _:
            return _literal(value)


def _application(data: bytes) -> _Text | None:
    typed = candid.decode_typed(data)
    types, values = [type_ for type_, _ in typed], [value for _, value in typed]
    texts = [candid.type_text(type_) for type_ in types]
    if sum(map(len, texts)) > MAX_TYPE or _nesting(values) > MAX_NESTING:
        return None
    read_back = [candid.parse_type(text) for text in texts]
    for inner_first in (False, True):
        if candid.encode(read_back, values, inner_first=inner_first) == data:
            options: dict[str, _Text] = {"inner_first": "True"} if inner_first else {}
            parsed = _list([_call("candid.parse_type", repr(text)) for text in texts])
            return _call("candid.encode", parsed, _literal(values), **options)
    return None


def _nesting(value: Any) -> int:
    """How deeply containers are nested."""
    deepest = 0
    todo = [(value, 0)]
    while todo:
        at, depth = todo.pop()
        deepest = max(deepest, depth)
        inner = at.values() if isinstance(at, dict) else [at.value] if isinstance(at, candid.Some) else at
        if isinstance(at, (dict, list, tuple, candid.Some)):
            todo.extend((item, depth + 1) for item in inner)
    return deepest


def _envelope(data: bytes) -> _Text | None:
    envelope = Envelope.decode_frame(data)
    if envelope.encode_frame() != data:
        return None
    fields = {name: _content_field(name, value) for name, value in envelope.content.items()}
    named: dict[str, _Text] = {"content": _dict(fields)}
    if envelope.sender_pubkey is not None:
        named["sender_pubkey"] = _literal(envelope.sender_pubkey)
    if envelope.sender_sig is not None:
        named["sender_sig"] = _literal(envelope.sender_sig)
    if envelope.sender_delegation is not None:
        named["sender_delegation"] = _Call("(", tuple(("", _link(link)) for link in envelope.sender_delegation), ")")
    return _method(_call("Envelope", **named), "encode_frame()")


def _content_field(name: str, value: Any) -> _Text:
    if name == "arg" and isinstance(value, bytes):
        return _first((_open_args, _message_args), value)
    if name in ("sender", "canister_id") and isinstance(value, bytes):
        try:
            return f"{_literal(Principal(value))}.raw"
        except IcwsError:
            return _literal(value)
    return _literal(value)


def _open_args(data: bytes) -> _Text | None:
    args = decode_open_args(data)
    if encode_open_args(args.client_nonce, args.gateway_principal) != data:
        return None
    return _call("encode_open_args", _literal(args.client_nonce), _literal(args.gateway_principal))


def _message_args(data: bytes) -> _Text | None:
    message = decode_message_args(data)
    return _call("encode_message_args", _message(message)) if encode_message_args(message) == data else None


def _link(link: SignedDelegation) -> _Call:
    inner = link.delegation
    args = [_literal(inner.pubkey), _literal(inner.expiration_ns)]
    if inner.targets is not None:
        args.append(_literal(inner.targets))
    return _call("SignedDelegation", _call("Delegation", *args), _literal(link.signature))


def _dict(fields: Mapping[str, _Text]) -> _Call:
    return _Call("{", tuple((f"{name!r}: ", value) for name, value in fields.items()), "}")


def _list(items: Sequence[_Text]) -> _Call:
    return _Call("[", tuple(("", item) for item in items), "]")


def _literal(value: Any) -> _Text:
    """A value of CBOR or Candid as a Python expression."""
    match value:
        case bytes():
            return f"bytes.fromhex({value.hex()!r})"
        case float() if not math.isfinite(value):
            return f"float({str(value)!r})"
        case Principal():
            return f"Principal.from_text({value.text!r})"
        case candid.Some():
            return _call("candid.Some", _literal(value.value))
        case candid.ServiceRef():
            return _call("candid.ServiceRef", _literal(value.principal))
        case candid.FuncRef():
            return _call("candid.FuncRef", _literal(value.principal), repr(value.method))
        case dict():
            return _Call("{", tuple((f"{_flat(_literal(key))}: ", _literal(item)) for key, item in value.items()), "}")
        case list():
            return _list([_literal(item) for item in value])
        case tuple():
            return _Call("(", tuple(("", _literal(item)) for item in value), ")")
    return repr(value)
