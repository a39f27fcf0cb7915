"""Decodes the frames of a capture through every layer, down to the application's value.

A frame that cannot be decoded is a result as well: it has the kind "malformed", the error, and everything
that the outer layers gave. Nothing here raises for the contents of a frame. `decode_frames` gives fresh
objects that the caller may change; `shared_frames` decodes each frame once for all readers.

Gateway 1.4.6 drops the connection of a client that closes and sends no close frame of its own. A 1006
after the client's close is therefore the normal end of a session, not a lost connection; `OwnCloses` tells
the two apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from icws_explore.capture import Capture, Frame
from icws_explore.capture.upgrade import Upgrade
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import OpenArgs, decode_message_args, decode_open_args
from icws_explore.protocol.cbor import has_indefinite_lengths, loads
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import ArgumentValueError, DecodeError, DidError
from icws_explore.protocol.messages import CanisterMessage, Handshake, WebsocketMessage
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    KeepAliveMessage,
    OpenMessage,
    ServiceMessage,
    decode_service,
)


def control_text(frame: Frame, *, is_after_own_close: bool = False) -> str:
    """Describe a frame that is neither binary nor text. `OwnCloses` tells ``is_after_own_close``."""
    match frame.op:
        case "close":
            return _close_text(frame, is_after_own_close)
        case "request":
            return f"the gateway asks the network: {frame.reason}"
        case "response" if (upgrade := Upgrade.of(frame)) is not None:
            answer = f"HTTP {upgrade.status}" if upgrade.status else "no answer"
            return f"the WebSocket to {upgrade.url} did not open: {upgrade.error_code or answer}"
        case "response":
            return f"the network answers HTTP {frame.code}: {frame.reason}"
        case _:
            return f"WebSocket {frame.op}, {len(frame.data)} bytes"


def _close_text(frame: Frame, is_after_own: bool) -> str:
    if frame.code == CloseCode.ABNORMAL_CLOSURE and is_after_own:
        return "the connection ended after the client's close (1006)"
    if frame.code == CloseCode.ABNORMAL_CLOSURE:
        return "the connection was lost (1006)"
    by = "the gateway's side" if frame.direction == "in" else "the client"
    code = "no code" if frame.code in (None, CloseCode.NO_STATUS_RCVD) else str(frame.code)
    return f"closed by {by}: {code}" + (f" {frame.reason!r}" if frame.reason else "")


class OwnCloses:
    """The sessions that their clients have closed, among the frames seen so far."""

    def __init__(self, frames: Iterable[Frame] = ()) -> None:
        self._closed: set[str | None] = set()
        for frame in frames:
            self.see(frame)

    def see(self, frame: Frame) -> bool:
        """Take the next frame. Returns whether it is a close that follows the client's own close."""
        if frame.op != "close":
            return False
        if frame.session in self._closed:
            return True
        if frame.direction == "out" and frame.code != CloseCode.ABNORMAL_CLOSURE:
            self._closed.add(frame.session)
        return False


MAX_KEPT: Final = 128 * 1024 * 1024  # bytes of payload whose decoded frames are cached; they take three times that

Kind = Literal[
    "handshake", "open_request", "message", "keep_alive", "open", "ack", "close", "app", "malformed", "control"
]


def check_kind(kind: str) -> Kind:
    """Return ``kind`` if frames have such a kind. Raises ArgumentValueError."""
    for known in get_args(Kind):
        if kind == known:
            return cast("Kind", known)
    raise ArgumentValueError(f"kind must be one of {', '.join(get_args(Kind))}, not {kind!r}")


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A frame and everything that could be read from it; layers that it does not have are None.

    ``number`` counts the capture's frames from 0. ``value`` is the application's message as Python data;
    ``has_value`` distinguishes a null from no value. ``error`` is the first fault of a "malformed" frame or
    of an application message that does not have the declared type.
    """

    number: int
    frame: Frame
    kind: Kind
    summary: str
    sequence_num: int | None = None
    handshake: Handshake | None = None
    envelope: Envelope | None = None
    open_args: OpenArgs | None = None
    canister_message: CanisterMessage | None = None
    message: WebsocketMessage | None = None
    service: ServiceMessage | None = None
    value: Any = None
    has_value: bool = False
    error: DecodeError | None = None

    def __post_init__(self) -> None:
        # A raised error keeps its stack and all local variables alive: three times the size of the frame.
        if self.error is not None:
            self.error.__traceback__ = self.error.__cause__ = self.error.__context__ = None

    @property
    def size(self) -> int:
        """The size of the frame's payload in bytes."""
        return len(self.frame.data)

    @property
    def indefinite_layers(self) -> tuple[str, ...]:
        """The CBOR layers of the frame that use indefinite lengths: "frame", "content", "cert" and "tree".

        IC4J writes such CBOR. Agents and the gateway read it, but some of them refuse strings in chunks: see
        protocol/cbor.py.
        """
        if self.frame.op != "binary":
            return ()
        layers = {"frame": self.frame.data}
        if self.canister_message is not None:
            layers |= {name: getattr(self.canister_message, name) for name in ("content", "cert", "tree")}
        return tuple(name for name, data in layers.items() if has_indefinite_lengths(data))

    def to_json(self) -> dict[str, Any]:
        """The frame as `icws show --json` prints it. ``t`` is in seconds since the epoch, ``size`` in bytes."""
        return {
            "frame": self.number,
            "t": self.frame.t,
            "direction": self.frame.direction,
            "kind": self.kind,
            "sequence_num": self.sequence_num,
            "size": self.size,
            "summary": self.summary,
        }

    def as_python(self) -> str:
        """Python code that rebuilds the frame byte for byte as the variable ``frame``, with its imports."""
        from .python_text import frame_code

        return frame_code(self.frame)


def application_type(capture: Capture) -> candid.Type | None:
    """Return the declared type of application messages, or None if the capture names no readable type."""
    if capture.info.app_type is None:
        return None
    try:
        return candid.parse_type(capture.info.app_type)
    except DidError:
        return None


def decode_frames(capture: Capture, *, start: int = 0) -> Iterator[DecodedFrame]:
    """Decode the frames from number ``start`` on. Each is a fresh object that the caller may modify."""
    app_type = application_type(capture)
    closes = OwnCloses(capture.frames[:start])
    for number in range(start, len(capture.frames)):
        frame = capture.frames[number]
        yield decode_frame(frame, number=number, app_type=app_type, is_after_own_close=closes.see(frame))


def decode_at(capture: Capture, number: int) -> DecodedFrame:
    """Decode frame ``number``; negative numbers count from the end. Raises IndexError."""
    frame = capture.frames[number]
    index = number if number >= 0 else len(capture.frames) + number
    is_after = frame.op == "close" and OwnCloses(capture.frames[:index]).see(frame)
    return decode_frame(frame, number=index, app_type=application_type(capture), is_after_own_close=is_after)


@dataclass(slots=True)
class _Kept:
    """The cached frames of a capture, for one application type. ``size`` is the bytes of their payloads."""

    app_type: str | None
    parsed: candid.Type | None
    frames: dict[int, DecodedFrame] = field(default_factory=dict)
    size: int = 0


def shared_frames(capture: Capture, *, start: int = 0) -> Iterator[DecodedFrame]:
    """Like `decode_frames`, but each frame is decoded once and shared. Do not modify the frames or hand them on.

    A live session appends frames and an edit may replace one, so a cached result is used only for the very
    frame object that it was made from.
    """
    kept = capture.kept
    if not isinstance(kept, _Kept) or kept.app_type != capture.info.app_type:
        kept = capture.kept = _Kept(capture.info.app_type, application_type(capture))
    closes = OwnCloses(capture.frames[:start])
    for number in range(start, len(capture.frames)):
        frame = capture.frames[number]
        known = kept.frames.get(number)
        is_after = closes.see(frame)
        text = control_text(frame, is_after_own_close=is_after) if frame.op == "close" else None
        if known is None or known.frame is not frame or (text is not None and text != known.summary):
            dropped = 0 if known is None else known.size
            known = decode_frame(frame, number=number, app_type=kept.parsed, is_after_own_close=is_after)
            if kept.size - dropped + known.size <= MAX_KEPT:
                kept.frames[number] = known
                kept.size += known.size - dropped
        yield known


def kept_frames(capture: Capture) -> Mapping[int, DecodedFrame]:
    """The frames that `shared_frames` has decoded for the capture's type of messages, by number.

    One is stale if its frame is not the capture's, or if it is a close.
    """
    kept = capture.kept
    return kept.frames if isinstance(kept, _Kept) and kept.app_type == capture.info.app_type else {}


def decode_frame(
    frame: Frame, *, number: int = 0, app_type: candid.Type | None = None, is_after_own_close: bool = False
) -> DecodedFrame:
    """Decode one frame. Never raises for its contents. `OwnCloses` tells ``is_after_own_close``."""
    if frame.op not in ("binary", "text"):
        return DecodedFrame(number, frame, "control", control_text(frame, is_after_own_close=is_after_own_close))
    if frame.op == "text":
        shown = frame.data[:60].decode("utf-8", "replace")
        text = f"text frame {shown!r}: the protocol uses binary frames only"
        return DecodedFrame(number, frame, "malformed", text)
    decode = _decode_out if frame.direction == "out" else _decode_in
    try:
        return decode(number, frame, app_type)
    except DecodeError as error:
        return _malformed(number, frame, error)


def _malformed(
    number: int,
    frame: Frame,
    error: DecodeError,
    envelope: Envelope | None = None,
    outer: CanisterMessage | None = None,
    message: WebsocketMessage | None = None,
) -> DecodedFrame:
    """A frame with a fault, and the layers around it."""
    return DecodedFrame(
        number,
        frame,
        "malformed",
        str(error),
        None if message is None else message.sequence_num,
        envelope=envelope,
        canister_message=outer,
        message=message,
        error=error,
    )


def _decode_in(number: int, frame: Frame, app_type: candid.Type | None) -> DecodedFrame:
    value = loads(frame.data, what=CanisterMessage.WHAT)
    if isinstance(value, dict) and "gateway_principal" in value:
        try:
            handshake = Handshake.from_cbor(value)
        except DecodeError:
            pass  # not a handshake, so it must be a canister message
        else:
            text = f"gateway {handshake.gateway_principal.short}"
            return DecodedFrame(number, frame, "handshake", text, handshake=handshake)
    outer = CanisterMessage.from_cbor(value)
    try:
        message = WebsocketMessage.decode(outer.content)
    except DecodeError as error:
        return _malformed(number, frame, error, outer=outer)
    return _content(number, frame, message, app_type, None, outer)


def _decode_out(number: int, frame: Frame, app_type: candid.Type | None) -> DecodedFrame:
    envelope = Envelope.decode_frame(frame.data)
    method = envelope.content.get("method_name")
    arg = envelope.content.get("arg")
    if method not in ("ws_open", "ws_message") or not isinstance(arg, bytes):
        fault = DecodeError("envelope", f"calls {str(method)[:40]!r}, which is neither ws_open nor ws_message")
        return _malformed(number, frame, fault, envelope)
    try:
        if method == "ws_open":
            args = decode_open_args(arg)
            summary = f"ws_open, client nonce {args.client_nonce}"
            return DecodedFrame(number, frame, "open_request", summary, envelope=envelope, open_args=args)
        message = decode_message_args(arg)
    except DecodeError as error:
        return _malformed(number, frame, error, envelope)
    return _content(number, frame, message, app_type, envelope, None)


def _content(
    number: int,
    frame: Frame,
    message: WebsocketMessage,
    app_type: candid.Type | None,
    envelope: Envelope | None,
    outer: CanisterMessage | None,
) -> DecodedFrame:
    """Decode the innermost layer: a service message or an application message."""
    kind: Kind = "app" if frame.direction == "in" else "message"
    service: ServiceMessage | None = None
    value: Any = None
    has_value = False
    fault: DecodeError | None = None
    if message.is_service_message:
        try:
            service = decode_service(message.content)
        except DecodeError as error:
            return _malformed(number, frame, error, envelope, outer, message)
        kind, summary = describe_service(service)
    else:
        try:
            values = candid.decode(message.content, None if app_type is None else [app_type])
        except DecodeError as error:
            fault, summary = error, f"{len(message.content)} bytes: {error}"
        else:
            value, has_value = values[0] if values else None, bool(values)
            summary = value_text(value)
    return DecodedFrame(
        number,
        frame,
        kind,
        summary,
        message.sequence_num,
        envelope=envelope,
        canister_message=outer,
        message=message,
        service=service,
        value=value,
        has_value=has_value,
        error=fault,
    )


def describe_service(service: ServiceMessage) -> tuple[Kind, str]:
    """The kind and the summary of the frame that carries a service message."""
    match service:
        case OpenMessage(client_key=key):
            return "open", f"opened for {key.client_principal.short}, nonce {key.client_nonce}"
        case AckMessage(last_incoming_sequence_num=last):
            return "ack", f"the canister has received up to {last}"
        case KeepAliveMessage(last_incoming_sequence_num=last):
            return "keep_alive", f"the client has received up to {last}"
        case CloseMessage(reason=reason):
            return "close", f"the canister closed: {reason}"


def value_text(value: Any, limit: int = 100) -> str:
    """Show an application value on one line of at most ``limit`` characters."""
    text = " ".join(_plain(value, 4).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plain(value: Any, depth: int) -> str:
    """Like repr, but bytes are hexadecimal and long containers are cut."""
    if type(value) is int:
        return str(value)
    if isinstance(value, bytes):
        return f"0x{value[:32].hex()}{'…' if len(value) > 32 else ''}"
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        items = value.items() if len(value) <= 12 else list(value.items())[:12]
        parts = [f"{key}: {_plain(item, depth - 1)}" for key, item in items]
        return "{" + ", ".join(parts) + (", …" if len(value) > 12 else "") + "}"
    if isinstance(value, (list, tuple)):
        parts = [_plain(item, depth - 1) for item in value[:12]]
        return "[" + ", ".join(parts) + (", …" if len(value) > 12 else "") + "]"
    if isinstance(value, str):
        return repr(value if len(value) <= 200 else value[:200] + "…")
    return str(value)
