"""What a table shows of each frame, without the objects that hold a frame's layers.

A table of a long recording needs a kind, a number, a line and a value of each frame. Messages are read by the same
decoders as in `decode`, but nothing of their layers is kept, which costs two thirds of the time and none of the memory.
Every other frame, and every frame with a fault, is decoded as for any other view.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from icws_explore.capture import Capture, Frame
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import decode_message_args
from icws_explore.protocol.cbor import loads
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import decode_service

from .decode import (
    DecodedFrame,
    Kind,
    OwnCloses,
    application_type,
    decode_frame,
    describe_service,
    kept_frames,
    value_text,
)


class Cells(NamedTuple):
    """The cells of one frame. ``value`` is the application's message, which the caller may change, else None."""

    kind: Kind
    sequence_num: int | None
    summary: str
    value: Any = None


def frame_cells(capture: Capture, frames: Sequence[Frame]) -> Iterator[Cells]:
    """Yield the cells of ``frames``, the first frames of ``capture``. What is decoded already is not decoded again."""
    kept = kept_frames(capture)
    app_type = application_type(capture)
    types = None if app_type is None else [app_type]
    closes = OwnCloses()
    for number, frame in enumerate(frames):
        if frame.op == "close":
            yield cells_of(decode_frame(frame, is_after_own_close=closes.see(frame)))
        elif (known := kept.get(number)) is not None and known.frame is frame:
            yield cells_of(known)
        else:
            yield _message_cells(frame, types) or cells_of(decode_frame(frame, app_type=app_type))


def cells_of(decoded: DecodedFrame) -> Cells:
    """The cells of a frame that is decoded already. The value is copied, because other views share the frame."""
    return Cells(decoded.kind, decoded.sequence_num, decoded.summary, _own(decoded.value))


def _message_cells(frame: Frame, types: Sequence[candid.Type] | None) -> Cells | None:
    """The cells of a message of either side; None for a fault, and for all that is no message."""
    if frame.op != "binary":
        return None
    kind: Kind
    try:
        if frame.direction == "out":
            kind, message = "message", _sent(frame.data)
        else:
            kind, message = "app", _received(frame.data)
        if message is None:
            return None
        if message.is_service_message:
            return Cells(*_service(message))
        values = candid.decode(message.content, types)
    except DecodeError:
        return None
    value = values[0] if values else None
    return Cells(kind, message.sequence_num, value_text(value), value)


def _sent(data: bytes) -> WebsocketMessage | None:
    content = Envelope.decode_frame(data).content
    arg = content.get("arg")
    return decode_message_args(arg) if content.get("method_name") == "ws_message" and isinstance(arg, bytes) else None


def _received(data: bytes) -> WebsocketMessage | None:
    value = loads(data, what=CanisterMessage.WHAT)
    if isinstance(value, dict) and "gateway_principal" in value:  # it may be a handshake
        return None
    return CanisterMessage.from_cbor(value).message


def _service(message: WebsocketMessage) -> tuple[Kind, int, str]:
    kind, summary = describe_service(decode_service(message.content))
    return kind, message.sequence_num, summary


def _own(value: Any) -> Any:
    if type(value) is dict:
        return {key: _own(item) for key, item in value.items()}
    if type(value) is list:
        return [_own(item) for item in value]
    return value if type(value) in _FROZEN else copy.deepcopy(value)


_FROZEN: Final = frozenset((str, int, float, bool, bytes, type(None), Principal))
