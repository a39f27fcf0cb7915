"""The difference between this side's clock and the network's, as an interval.

``skew_s`` is the capture's clock minus the network's; it is positive if this side is ahead. Three kinds of
evidence bound it:

- From above: a message is received after its certificate was made, so the skew is at most the receipt minus
  the certificate time. The fastest message gives the tightest bound.
- From below: the canister can only answer what was sent before, so the skew is at least the sending of
  ws_open minus the OpenMessage's timestamp, and the sending of message n minus the timestamp of an ack of n.
- By ``ingress_expiry``: a replica accepts a call only if its own clock is before the expiry, and at most
  5.5 min before it (interface specification, "Ingress expiry"; 5 min plus 30 s of drift). These bounds are
  wide, but they need no fresh certificate.

Both clocks are assumed to run at the same speed. Contradicting bounds mean that a clock was set or drifted
during the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from icws_explore.protocol.constants import INGRESS_DRIFT_S, INGRESS_WINDOW_S

from .instants import Received, Sent, SessionInstants

if TYPE_CHECKING:
    import pandas as pd

_RESOLUTION_S: Final = 1e-6  # resolution of a frame's time, a float in seconds since the epoch

Source = Literal["certificate", "timestamp", "OpenMessage", "ack", "expiry"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One frame's bound on the skew: at most, or at least, ``skew_s`` seconds."""

    frame: int
    at: float
    source: Source
    bound: Literal["min", "max"]
    skew_s: float


@dataclass(frozen=True, slots=True)
class Skew:
    """The capture's clock minus the network's, in seconds. A bound without evidence is infinite.

    ``estimate_s`` is 0 if the bounds allow it: most clocks are set by NTP, and the way to the canister takes
    longer than the way back, so the middle would be a worse guess. Otherwise it is the middle, or the only
    bound. Its error is at most ``error_s``.
    """

    min_s: float
    max_s: float
    min_by: Evidence | None = None
    max_by: Evidence | None = None

    @property
    def is_consistent(self) -> bool:
        """Whether the bounds agree. If not, a clock was set or drifted during the session."""
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
    """Return the tightest bounds from a session's frames. They are kept until it has further frames."""
    seen = len(session.sent), len(session.received)
    if session.known_skew is None or session.known_skew[0] != seen:
        session.known_skew = seen, _tightest(session)
    skew: Skew = session.known_skew[1]
    return skew


def _tightest(session: SessionInstants) -> Skew:
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
    """Yield every bound, in the order of the frames."""
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
    """Yield the bounds of an accepted call: it was accepted while its expiry was within the window."""
    if answered.expires is None:
        return
    window = INGRESS_WINDOW_S + INGRESS_DRIFT_S
    yield Evidence(answered.frame, answered.at, "expiry", "min", answered.at - answered.expires)
    yield Evidence(answered.frame, answered.at, "expiry", "max", message.at - (answered.expires - window))


class _NewestCovered:
    """Finds the last covered message for acks in order. Each sent frame is visited once."""

    def __init__(self, numbered: list[Sent]) -> None:
        self._waiting = list(reversed(numbered))
        self._newest: Sent | None = None

    def up_to(self, number: int, frame: int) -> Sent | None:
        """Return the message with the highest number up to ``number`` that was sent before ``frame``."""
        while self._waiting and self._waiting[-1].frame < frame:
            sent = self._waiting[-1]
            assert sent.sequence_num is not None
            if sent.sequence_num > number:
                break
            self._newest = self._waiting.pop()
        return self._newest


def skew_table(sessions: list[SessionInstants]) -> pd.DataFrame:
    """Return one row per session.

    ``skew_min_s``, ``skew_max_s`` and ``skew_s`` (`Skew.estimate_s`) are in seconds, this side minus the
    network. ``client_clock_s`` is the client's timestamps minus the capture's clock (0 unless recorded by a
    tap). ``min_by`` and ``max_by`` name the evidence. ``consistent`` is False if the bounds contradict.
    """
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
