"""A whole frame, annotated from its first byte to its last."""

from __future__ import annotations

from typing import Final

from icws_explore.capture import Frame
from icws_explore.protocol import candid
from icws_explore.protocol.constants import NS_PER_S

from .layers import Layers
from .meanings import Context
from .node import Node
from .shapes import CANISTER_MESSAGE, ENVELOPE_FRAME, HANDSHAKE, Shape

MAX_TEXT: Final = 64 * 1024  # bytes of a text frame that are shown
FRAME_SHAPE: Final = Shape({**HANDSHAKE.fields, **ENVELOPE_FRAME.fields, **CANISTER_MESSAGE.fields})


def annotate_frame(frame: Frame, *, app_type: candid.Type | None = None) -> Node:
    """The tree of ``frame``'s fields. Its leaves tile the frame: no gap, no overlap.

    What does not decode is a leaf with the reason in ``fault``; nothing is raised for what the
    frame holds. ``app_type`` names the fields of application messages.
    """
    data = frame.data
    root = Node("", f"frame({len(data)})", 0, len(data))
    if frame.op != "binary":
        text = data[:MAX_TEXT].decode("utf-8", "replace")
        root.children = [Node(frame.op, frame.op, 0, len(data), text, f"WebSocket {frame.op}")] if data else []
        return root
    context = Context(round(frame.t * NS_PER_S), frame.direction == "out", app_type)
    if data:
        root.children = Layers(data, context).cbor("", 0, len(data), FRAME_SHAPE)
    else:
        root.fault = "an empty frame"
    return root
