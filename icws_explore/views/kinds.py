"""How each kind of frame looks in every view: glyph, marker, colour and lane.

A kind is recognised by its glyph (text, HTML) or marker (figures) and by its name as well as by its
colour, so every view can be read in greyscale and by a colour-blind reader. The light colours are those of
Okabe and Ito, darkened until text in them has a contrast of 4.5 on white; the dark ones have it on #16191d.
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

    ``lane`` is the party that causes the frame; None means the party that sent it over the socket.
    """

    kind: Kind
    glyph: str
    marker: str
    light: str
    dark: str
    terminal: str
    lane: Lane | None


LOOKS: Final[Mapping[Kind, Look]] = {
    look.kind: look
    for look in (
        # No glyph that a system font may replace with an emoji.
        Look("handshake", "◆", "D", "#57606a", "#b4bcc6", "bright_black", "gateway"),
        Look("open_request", "▷", ">", "#7a4fbf", "#c4a7ff", "magenta", "client"),
        Look("open", "◁", "<", "#7a4fbf", "#c4a7ff", "magenta", "canister"),
        Look("message", "●", "o", "#0066a5", "#66b8f0", "blue", "client"),
        Look("app", "■", "s", "#b04a00", "#f0955a", "yellow", "canister"),
        Look("ack", "▲", "^", "#007a5a", "#43c9a0", "green", "canister"),
        Look("keep_alive", "▼", "v", "#a23b78", "#eb9bc8", "bright_magenta", "client"),
        Look("close", "⊗", "X", "#24292f", "#f0f3f6", "bold", "canister"),
        Look("control", "│", "|", "#57606a", "#b4bcc6", "bright_black", None),
        Look("malformed", "?", "$?$", "#b3261e", "#ff8a80", "bold red", None),
    )
}


def lane_of(decoded: DecodedFrame) -> Lane:
    """The party that causes a frame. A control or malformed frame belongs to the side that sent it over the socket."""
    by_direction: Lane = "client" if decoded.frame.direction == "out" else "gateway"
    return LOOKS[decoded.kind].lane or by_direction
