"""How far this side's clock is from the network's, as far as one side can tell: an interval, never a number.

``skew_s`` is the capture's clock minus the network's: positive when this side is ahead. What bounds it:

- from above: a certified message was received after its certificate was made, so the skew is at most
  receipt minus certificate time (the shortest way down is the tightest bound);
- from below: the canister can only answer what was sent before, so the skew is at least the sending
  of ws_open minus the OpenMessage's timestamp, and the sending of n minus the timestamp of an ack of n;
- from ``ingress_expiry``: a replica takes a call only while its own clock is before the expiry and
  not more than 5.5 min before it (interface specification, "Ingress expiry"; 5 min and 30 s of drift).
  Wide bounds, but they need nothing certified to be fresh.

The two clocks are taken to run at the same speed. Bounds that contradict each other say that one of
them was set or drifted while the session ran.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from icws_explore.protocol.constants import INGRESS_DRIFT_S, INGRESS_WINDOW_S

from .instants import Received, Sent, SessionInstants

if TYPE_CHECKING:
    import pandas as pd

_RESOLUTION_S: Final = 1e-6  # what a frame's time, a float since the epoch, can tell

Source = Literal["certificate", "timestamp", "OpenMessage", "ack", "expiry"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One frame's word on the skew: it is at most, or at least, ``skew_s`` seconds."""

    frame: int
    at: float
    source: Source
    bound: Literal["min", "max"]
    skew_s: float


@dataclass(frozen=True, slots=True)
class Skew:
    """The capture's clock minus the network's, in seconds; a bound that nothing gives is infinite.

    ``estimate_s`` is 0 where the bounds allow it (most clocks are set by NTP, and the way up takes
    longer than the way down, so their middle would be a worse guess), else their middle or the one
    bound there is. It is never off by more than ``error_s``.
    """

    min_s: float
    max_s: float
    min_by: Evidence | None = None
    max_by: Evidence | None = None

    @property
    def is_consistent(self) -> bool:
        """False: the bounds contradict each other, a clock was set or drifted in mid-session."""
        return self.min_s <= self.max_s + _RESOLUTION_S

    @property
    def estimate_s(self) -> float:
        if self.min_s <= 0 <= self.max_s:
            return 0.0
        if self.min_by is not None and self.max_by is not None:
            return (self.min_s + self.max_s) / 2
        return self.min_s if self.min_s > 0 else self.max_s

    @property
    def error_s(self) -> float:
        return max(abs(self.estimate_s - self.min_s), abs(self.max_s - self.estimate_s))


def skew_of(session: SessionInstants) -> Skew:
    """The tightest bounds that a session's frames give."""
    low: Evidence | None = None
    high: Evidence | None = None
    for evidence in skew_evidence(session):
        if evidence.bound == "min" and (low is None or evidence.skew_s > low.skew_s):
            low = evidence
        elif evidence.bound == "max" and (high is None or evidence.skew_s < high.skew_s):
            high = evidence
    least = float("-inf") if low is None else low.skew_s
    most = float("inf") if high is None else high.skew_s
    return Skew(least, most, low, high)


def skew_evidence(session: SessionInstants) -> Iterator[Evidence]:
    """Every bound, in the order of the frames that give it."""
    newest = _NewestCovered(session.numbered)
    opened = session.opened
    for message in session.received:
        if message.certified is not None:
            yield Evidence(message.frame, message.at, "certificate", "max", message.at - message.certified)
        yield Evidence(message.frame, message.at, "timestamp", "max", message.at - message.made)
        source: Source
        if message.acks is not None:
            answered, source = newest.up_to(message.acks, message.frame), "ack"
        elif message is opened:
            answered, source = session.asked, "OpenMessage"
        else:
            continue
        if answered is None:
            continue
        yield Evidence(message.frame, message.at, source, "min", answered.at - message.made)
        yield from _by_expiry(message, answered)


def _by_expiry(message: Received, answered: Sent) -> Iterator[Evidence]:
    """The call was taken between its sending and the answer's receipt, while its expiry was in the window."""
    if answered.expires is None:
        return
    window = INGRESS_WINDOW_S + INGRESS_DRIFT_S
    yield Evidence(answered.frame, answered.at, "expiry", "min", answered.at - answered.expires)
    yield Evidence(answered.frame, answered.at, "expiry", "max", message.at - (answered.expires - window))


class _NewestCovered:
    """Finds, for acks in order, the message covered that was sent last: each sent frame is looked at once."""

    def __init__(self, numbered: list[Sent]) -> None:
        self._waiting = list(reversed(numbered))
        self._newest: Sent | None = None

    def up_to(self, number: int, frame: int) -> Sent | None:
        """The one with the highest number up to ``number`` that was sent before ``frame``."""
        while self._waiting and self._waiting[-1].frame < frame:
            sent = self._waiting[-1]
            assert sent.sequence_num is not None
            if sent.sequence_num > number:
                break
            self._newest = self._waiting.pop()
        return self._newest


def skew_table(sessions: list[SessionInstants]) -> pd.DataFrame:
    """A row a session. ``skew_min_s``, ``skew_max_s`` and ``skew_s`` (`Skew.estimate_s`): seconds, this side minus the
    network; ``client_clock_s``: the client's own stamps minus the capture's clock (0 unless behind a tap);
    ``min_by`` and ``max_by`` name what bounds it; ``consistent`` is False when the bounds cross."""
    import pandas as pd

    rows = []
    for session in sessions:
        skew = skew_of(session)
        stamps = sorted(sent.stamped - sent.at for sent in session.sent if sent.stamped is not None)
        rows.append(
            {
                "session": session.session,
                "skew_s": skew.estimate_s,
                "skew_min_s": skew.min_s,
                "skew_max_s": skew.max_s,
                "min_by": None if skew.min_by is None else skew.min_by.source,
                "max_by": None if skew.max_by is None else skew.max_by.source,
                "consistent": skew.is_consistent,
                "client_clock_s": stamps[len(stamps) // 2] if stamps else float("nan"),
            }
        )
    columns = [
        "session", "skew_s", "skew_min_s", "skew_max_s", "min_by", "max_by", "consistent", "client_clock_s",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
