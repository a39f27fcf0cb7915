"""What a replay finds: where a recorded party first did something else than the real one would have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from icws_explore.protocol.client.events import ClientEvent

Party = Literal["client", "gateway"]
# close: ended, or did not end; content: sent something else; unasked: sent what nothing called for;
# silence: did not send what was due.
Kind = Literal["close", "content", "unasked", "silence"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """``frame`` is the capture's number of the frame that shows it; ``step`` names the field or the proof step.

    ``expected`` is what ic-websocket-js 0.5.0 (or gateway 1.4.6) does there, ``recorded`` what the
    capture has instead; each is one line.
    """

    party: Party
    frame: int
    kind: Kind
    step: str
    expected: str
    recorded: str

    def __str__(self) -> str:
        return f"frame {self.frame}: the real {self.party} {self.expected}, the recorded one {self.recorded}"


@dataclass(frozen=True, slots=True)
class PredictedClose:
    """The close that the real SDK makes: code, reason, and the frame at which (or before which) it decides so.

    ``t`` is that instant in seconds since the epoch, ``error`` the SDK's text for its user or its
    console, ``step`` the proof step that failed, or "" where it was no proof.
    """

    code: int
    reason: str
    frame: int
    t: float
    error: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """What the client's machine did at a frame. ``by_timer``: a timer fired before it."""

    frame: int
    events: tuple[ClientEvent, ...]
    by_timer: bool = False
