"""How each kind of frame looks in every view: glyph, marker, colour and lane, and what it is for.

A kind is recognised by its glyph (text, HTML) or marker (figures) and by its name as well as by its
colour, so every view can be read in greyscale. The colours themselves stay apart for a colour-blind reader too: in
each theme any two differ by at least 16 in CIELAB, as seen with normal sight and in simulations of protanopia,
deuteranopia and tritanopia. Text in them has a contrast of 4.5 on the paper of its theme.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from icws_explore.analysis.decode import DecodedFrame, Kind
from icws_explore.capture import Direction

Lane = Literal["client", "gateway", "canister"]
LANES: Final[tuple[Lane, ...]] = ("client", "gateway", "canister")

ARROWS: Final[Mapping[Direction, str]] = {"out": "→", "in": "←"}  # the client is on the left


@dataclass(frozen=True, slots=True)
class Look:
    """``marker`` is matplotlib's, ``light`` and ``dark`` are the colours of the two themes, ``terminal`` is rich's.

    ``lane`` is the party that causes the frame; None means the party that sent it over the socket. ``about`` says in
    sentences what such a frame is for.
    """

    kind: Kind
    glyph: str
    marker: str
    light: str
    dark: str
    terminal: str
    lane: Lane | None
    about: str


# fmt: off
LOOKS: Final[Mapping[Kind, Look]] = {
    look.kind: look
    for look in (
        # No glyph that a system font may replace with an emoji.
        Look(
            "handshake", "◆", "D", "#444f59", "#8c919a", "bright_black", "gateway",
            "The gateway speaks first. It sends its principal, which names its queue of messages in the canister. "
            "Nothing proves this frame. The client only repeats the principal in its next frame.",
        ),
        Look(
            "open_request", "▷", ">", "#7858cf", "#9da4fa", "magenta", "client",
            "The client asks the canister to open a session. The frame is a signed call of ws_open. The gateway "
            "posts it to the network unchanged; if it changed a byte, the signature would no longer fit.",
        ),
        Look(
            "open", "◁", "<", "#7858cf", "#9da4fa", "magenta", "canister",
            "The canister says that the session is open. This is its first message, so its sequence number is 1. "
            "The message, the certificate and the witness travel in one frame.",
        ),
        Look(
            "message", "●", "o", "#46589e", "#a5d6ff", "blue", "client",
            "The client sends a message of the application. The frame is a signed call of ws_message, with a "
            "sequence number that is one higher than the last.",
        ),
        Look(
            "app", "■", "s", "#b04a00", "#f8976d", "yellow", "canister",
            "The canister sends a message of the application. The gateway fetched it from the canister's queue, "
            "with a certificate and a witness. The client verifies both before it uses the message.",
        ),
        Look(
            "ack", "▲", "^", "#227a53", "#43c9a0", "green", "canister",
            "The canister says up to which sequence number it has received the client's messages. It sends an ack "
            "once per ack interval. The client must answer with a keep-alive within 60 s.",
        ),
        Look(
            "keep_alive", "▼", "v", "#b44685", "#e997d0", "bright_magenta", "client",
            "The client answers an ack, and says up to which sequence number it has received the canister's "
            "messages. It is the only sign of life that the canister counts.",
        ),
        Look(
            "close", "⊗", "X", "#24292f", "#f0f3f6", "bold", "canister",
            "The canister ends the session, and says why. Its proof is the same as that of any other message.",
        ),
        Look(
            "control", "│", "|", "#444f59", "#8c919a", "bright_black", None,
            "A frame of the WebSocket itself. IC WebSocket says nothing in it.",
        ),
        Look(
            "malformed", "?", "$?$", "#c10738", "#e36f6c", "bold red", None,
            "This frame does not follow the protocol. Everything that could be read is explained. The field with "
            "the fault is marked, and says what is wrong.",
        ),
    )
}
# fmt: on


def lane_of(decoded: DecodedFrame) -> Lane:
    """The party that causes a frame. A control or malformed frame belongs to the side that sent it over the socket."""
    by_direction: Lane = "client" if decoded.frame.direction == "out" else "gateway"
    return LOOKS[decoded.kind].lane or by_direction
