"""The fields of one frame, layer by layer, for text and HTML alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any, Final

from icws_explore.analysis.decode import DecodedFrame, value_text
from icws_explore.analysis.redaction.pseudonyms import Withheld
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError, MessageError, PrincipalError
from icws_explore.protocol.keys.delegation import SignedDelegation
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage, parse_message_key
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, KeepAliveMessage, ServiceMessage
from icws_explore.protocol.wording import time_text

from .formatting import distance, elide, one_line, shorten

MAX_FULL: Final = 4096  # bytes or characters of a field that are shown on demand
_MAX_TEXT: Final = 200  # characters of a text on one line
_MAX_BYTES: Final = 20  # bytes on one line
_MAX_FIELDS: Final = 20  # unknown fields of a request
_MAX_TARGETS: Final = 20  # canisters of a delegation
_SERVICE_MEANINGS: Final[Mapping[type[ServiceMessage], str]] = {
    AckMessage: "the last message that the canister received",
    KeepAliveMessage: "the last message that the client received",
}


@dataclass(frozen=True, slots=True)
class Field:
    """``value`` takes a line or a few. ``full`` is the whole value if ``value`` is shortened."""

    name: str
    value: str
    meaning: str = ""
    full: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The fields of one layer. ``fault`` marks the group that says what does not decode."""

    title: str
    fields: tuple[Field, ...]
    fault: bool = False


def frame_groups(decoded: DecodedFrame) -> list[Group]:
    """Every layer that could be read, from the socket inwards. Never raises for what the frame holds."""
    return list(_groups(decoded))


def _groups(decoded: DecodedFrame) -> Iterator[Group]:
    yield _socket(decoded)
    if decoded.handshake is not None:
        meaning = "the gateway's identity; the client repeats it in ws_open"
        yield Group("handshake", (Field("gateway_principal", str(decoded.handshake.gateway_principal), meaning),))
    if decoded.envelope is not None:
        yield from _envelope(decoded.envelope, decoded.frame.t)
    if decoded.canister_message is not None:
        yield _canister_message(decoded.canister_message)
    if decoded.open_args is not None:
        args = decoded.open_args
        fields = [Field("client_nonce", str(args.client_nonce), "a random number for this session")]
        if args.gateway_principal is not None:
            fields.append(Field("gateway_principal", str(args.gateway_principal)))
        yield Group("argument of ws_open", tuple(fields))
    if decoded.message is not None:
        yield _message(decoded.message, decoded.frame.t)
    if decoded.service is not None:
        yield _service(decoded.service)
    if decoded.has_value:
        text = one_line(value_text(decoded.value, MAX_FULL))
        yield Group("application message", (_text("value", text),))
    if decoded.error is not None:
        yield _fault(decoded)


def direction_text(decoded: DecodedFrame) -> str:
    """Who sent a frame."""
    return "sent by the client" if decoded.frame.direction == "out" else "received by the client"


def _socket(decoded: DecodedFrame) -> Group:
    frame = decoded.frame
    fields = [
        Field("direction", frame.direction, direction_text(decoded)),
        Field("t", time_text(frame.t_ns)),
        Field("op", frame.op),
    ]
    if frame.op == "close":
        fields.append(Field("code", "none" if frame.code is None else str(frame.code)))
        fields.append(Field("reason", one_line(frame.reason or "none")))
    if frame.session is not None:
        fields.append(Field("session", one_line(frame.session)))
    if frame.did is not None:
        fields.append(Field("did", one_line(frame.did), "what a tap did to this frame"))
    fields.append(_bytes("data", frame.data))
    if frame.far is not None:
        fields.append(_bytes("far", frame.far))
    return Group("frame", tuple(fields))


def _envelope(envelope: Envelope, sent_s: float) -> Iterator[Group]:
    content = envelope.content
    names: list[str] = [name for name in _CONTENT_ORDER if name in content]
    names += [name for name in content if name not in _CONTENT_ORDER][:_MAX_FIELDS]
    fields = [_content_field(name, content[name], sent_s) for name in names]
    yield Group("call", (*fields, _request_id(envelope)))
    signature = [_optional("sender_pubkey", envelope.sender_pubkey), _optional("sender_sig", envelope.sender_sig)]
    chain = envelope.sender_delegation or ()
    if not chain:
        signature.append(Field("sender_delegation", "none", "the sender's own key signs"))
    yield Group("signature", tuple(signature))
    for number, link in enumerate(chain, 1):
        yield _delegation(number, len(chain), link, sent_s)


_CONTENT_ORDER: Final = ("request_type", "canister_id", "method_name", "sender", "ingress_expiry", "nonce", "arg")


def _content_field(name: str, value: Any, sent_s: float) -> Field:
    label = one_line(str(name))[:60]
    if name in ("canister_id", "sender") and isinstance(value, bytes):
        try:
            return Field(label, str(Principal(value)))
        except PrincipalError as error:
            return Field(label, elide(value), one_line(str(error)))
    if name == "ingress_expiry" and isinstance(value, int):
        return Field(label, time_text(value), distance(value, sent_s, "sent"))
    if isinstance(value, bytes):
        return _bytes(label, value)
    return _text(label, one_line(value if isinstance(value, str) else value_text(value, MAX_FULL)))


def _request_id(envelope: Envelope) -> Field:
    if isinstance(envelope.content.get("arg"), Withheld):
        return Field("request_id", "‹hash›", "withheld, because the argument could be guessed from it")
    try:
        return Field("request_id", f"0x{envelope.request_id.hex()}", "the hash of the fields above; it is signed")
    except IcwsError as error:
        return Field("request_id", "cannot be computed", one_line(str(error)))


def _delegation(number: int, links: int, link: SignedDelegation, sent_s: float) -> Group:
    inner = link.delegation
    return Group(
        f"delegation {number} of {links}",
        (
            _bytes("pubkey", inner.pubkey),
            Field("expiration", time_text(inner.expiration_ns), distance(inner.expiration_ns, sent_s, "sent")),
            Field("targets", targets_text(inner.targets)),
            _bytes("signature", link.signature),
        ),
    )


def targets_text(targets: tuple[Principal, ...] | None) -> str:
    """The canisters that a delegation is valid for."""
    if targets is None:
        return "every canister"
    more = f", and {len(targets) - _MAX_TARGETS} more" if len(targets) > _MAX_TARGETS else ""
    return (", ".join(map(str, targets[:_MAX_TARGETS])) or "none") + more


def _canister_message(outer: CanisterMessage) -> Group:
    try:
        gateway, nonce = parse_message_key(outer.key)
        key = Field("key", one_line(outer.key), f"message {nonce} for gateway {gateway.short}")
    except MessageError as error:
        key = Field("key", one_line(outer.key[:200]), one_line(str(error)))
    return Group(
        "canister message",
        (
            key,
            _bytes("content", outer.content),
            _bytes("cert", outer.cert, "the network's certificate of the canister's certified data"),
            _bytes("tree", outer.tree, "the canister's witness for this key"),
        ),
    )


def _message(message: WebsocketMessage, frame_s: float) -> Group:
    kind = "a service message" if message.is_service_message else "an application message"
    return Group(
        "WebsocketMessage",
        (
            *_client_key(message.client_key),
            Field("sequence_num", str(message.sequence_num)),
            Field("timestamp", time_text(message.timestamp_ns), distance(message.timestamp_ns, frame_s, "this frame")),
            Field("is_service_message", str(message.is_service_message).lower(), kind),
            _bytes("content", message.content),
        ),
    )


def _client_key(key: ClientKey) -> tuple[Field, ...]:
    return Field("client_principal", str(key.client_principal)), Field("client_nonce", str(key.client_nonce))


def _service(service: ServiceMessage) -> Group:
    fields: list[Field] = []
    for each in dataclass_fields(service):
        value = getattr(service, each.name)
        if isinstance(value, ClientKey):
            fields += _client_key(value)
        else:
            fields.append(Field(each.name, one_line(str(value)), _SERVICE_MEANINGS.get(type(service), "")))
    return Group(type(service).__name__, tuple(fields))


def _fault(decoded: DecodedFrame) -> Group:
    error = decoded.error
    assert error is not None
    fields = [Field("layer", one_line(error.what)), Field("fault", one_line(error.reason))]
    if error.offset is not None:
        fields.append(Field("at byte", str(error.offset), f"of the {one_line(error.what)}"))
    return Group("does not decode", tuple(fields), fault=True)


def _optional(name: str, value: bytes | None) -> Field:
    return Field(name, "none") if value is None else _bytes(name, value)


def _bytes(name: str, data: bytes, meaning: str = "") -> Field:
    if isinstance(data, Withheld):
        return Field(name, str(data), meaning)
    short = elide(data, _MAX_BYTES)
    if len(data) <= _MAX_BYTES:
        return Field(name, short, meaning)
    more = "" if len(data) <= MAX_FULL else f"… (the first {MAX_FULL} of {len(data)} bytes)"
    return Field(name, short, meaning, f"0x{data[:MAX_FULL].hex()}{more}")


def _text(name: str, text: str) -> Field:
    short = shorten(text, _MAX_TEXT)
    return Field(name, short, full=None if short == text else text[:MAX_FULL])
