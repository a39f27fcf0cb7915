"""The results of a replay: the first difference from the real party, and the close that the SDK makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from icws_explore.protocol.client.events import ClientEvent

Party = Literal["client", "gateway"]
# close: ended or did not end; content: sent something else; unasked: sent something without a reason;
# silence: did not send something that was due.
Kind = Literal["close", "content", "unasked", "silence"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference of a recorded party from the real one.

    ``frame`` is the number of the frame that shows it, ``step`` the field or the proof step. ``expected``
    says what ic-websocket-js 0.5.0 (or gateway 1.4.6) does, ``recorded`` what the capture has; each is one
    line.
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
    """The close that the real SDK makes: code, reason, and the frame at or before which it decides to close.

    ``t`` is that instant in seconds since the epoch, ``error`` the SDK's text for its user or its console,
    ``step`` the failed proof step, or "" if no proof failed.
    """

    code: int
    reason: str
    frame: int
    t: float
    error: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """The events of the client's machine at a frame. ``by_timer`` says that a timer fired before the frame."""

    frame: int
    events: tuple[ClientEvent, ...]
    by_timer: bool = False
