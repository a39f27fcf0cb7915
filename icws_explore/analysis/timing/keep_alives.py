"""Each ack and the keep-alive that answers it, compared with the limit of 60 s.

Rule (CDK 0.4.1, timers.rs): 60 s after an ack, the canister removes every client whose last keep-alive
arrived before that ack. The window opens at the ack's timestamp, on the canister's clock, and the
keep-alive must arrive within it. No frame shows the arrival, so it is inferred.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from icws_explore.protocol.constants import KEEP_ALIVE_TIMEOUT_MS
from icws_explore.protocol.service_messages import CloseReason

from .instants import Received, Sent, SessionInstants
from .skew import Skew, skew_of

if TYPE_CHECKING:
    import pandas as pd

KEEP_ALIVE_LIMIT_S: Final = KEEP_ALIVE_TIMEOUT_MS / 1000

Outcome = Literal["in time", "timed out", "sent", "ended", "waiting", "missed"]


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The window of one ack. Delays are in seconds; None if there is no keep-alive or the delay is unknown.

    ``seen_s`` is the time from the receipt of the ack to the sending of the keep-alive, on this side. The
    other delays count from the ack's timestamp on the canister's clock: the keep-alive was sent after
    ``sent_s`` and arrived after ``arrived_s``. The arrival is inferred from the time that ws_open took, and
    lies between ``arrived_min_s`` and ``arrived_max_s`` (infinite if nothing later was received).
    """

    session: str | None
    ack: Received
    answer: Sent | None
    seen_s: float | None
    sent_s: float | None
    arrived_s: float | None
    arrived_min_s: float | None
    arrived_max_s: float | None
    outcome: Outcome
    limit_s: float = KEEP_ALIVE_LIMIT_S


def keep_alives(
    session: SessionInstants, *, limit_s: float = KEEP_ALIVE_LIMIT_S, skew: Skew | None = None
) -> Iterator[KeepAlive]:
    """Yield the window of each ack. ``limit_s`` is the canister's keep-alive time-out in seconds."""
    skew = skew_of(session) if skew is None else skew
    acks = session.acks
    answers = [sent for sent in session.sent if sent.kind == "keep_alive"]
    for number, ack in enumerate(acks):
        following = acks[number + 1] if number + 1 < len(acks) else None
        answer = next(
            (a for a in answers if a.frame > ack.frame and (following is None or a.frame < following.frame)), None
        )
        due = ack.made + limit_s
        timed_out = next((m for m in session.received if _says_timed_out(m) and m.made >= due), None)
        if timed_out is not None and following is not None:
            timed_out = timed_out if timed_out.made < following.made else None
        survived = any(m.made > due and m.close_reason is None for m in session.received)
        sent_s = arrived = least = most = None
        if answer is not None:
            sent_s = answer.at - skew.estimate_s - ack.made
            least = max(0.0, answer.at - skew.max_s - ack.made)
            most = _latest_arrival(answer, session, ack)
            if timed_out is not None:
                least = max(least, limit_s)
            elif survived:
                most = min(most, limit_s)
            arrived = _estimate(session, answer, ack, least, most)
        yield KeepAlive(
            session.session,
            ack,
            answer,
            None if answer is None else answer.at - ack.at,
            sent_s,
            arrived,
            least,
            most,
            _outcome(session, answer, due + skew.estimate_s, timed_out=timed_out is not None, survived=survived),
            limit_s,
        )


def _says_timed_out(message: Received) -> bool:
    return message.close_reason is CloseReason.KEEP_ALIVE_TIMEOUT


def _latest_arrival(answer: Sent, session: SessionInstants, ack: Received) -> float:
    """Return the time of the first later ack that covers the keep-alive; it had arrived by then."""
    number = answer.sequence_num
    if number is None:
        return float("inf")
    covered = (a.made for a in session.acks if a.frame > answer.frame and (a.acks or 0) >= number)
    return next(covered, float("inf")) - ack.made


def _estimate(session: SessionInstants, answer: Sent, ack: Received, least: float, most: float) -> float | None:
    """Estimate the arrival: as long a way as that of ws_open (the skew cancels out), within the bounds."""
    if session.asked is None or session.opened is None:
        return None
    way_up = session.opened.made - session.asked.at
    return max(least, min(most, answer.at + way_up - ack.made))


def _outcome(session: SessionInstants, answer: Sent | None, due: float, *, timed_out: bool, survived: bool) -> Outcome:
    """``due`` is on the capture's clock."""
    if timed_out:
        return "timed out"
    if survived:
        return "in time"
    if answer is not None:
        return "sent"
    if session.last >= due:
        return "missed"
    return "waiting" if session.ended is None else "ended"


def keep_alive_table(sessions: Sequence[SessionInstants], *, limit_s: float = KEEP_ALIVE_LIMIT_S) -> pd.DataFrame:
    """Return one row per ack. Times are seconds since the capture's first frame, delays are seconds.

    ``ack_made_s`` is on the network's clock, ``ack_received_s`` and ``sent_s`` are on the capture's.
    ``delay_seen_s`` is the time from receiving the ack to sending the keep-alive, on this side.
    ``delay_sent_s`` and ``delay_arrived_s`` (with ``delay_arrived_min_s`` and ``delay_arrived_max_s``) count
    from the ack's timestamp, as the canister counts against ``limit_s``. They are inferred, the first with
    the estimated skew, the others because no frame shows the arrival. ``margin_s`` is the limit minus the
    estimated arrival. ``outcome`` is "in time" (the canister kept the session), "timed out" (the canister
    said so), "sent" (nothing was received since), "missed" (none was sent), "waiting", or "ended" (with the
    session).
    """
    import pandas as pd

    rows = []
    for session in sessions:
        for window in keep_alives(session, limit_s=limit_s):
            answer = window.answer
            rows.append(
                {
                    "session": window.session,
                    "ack_frame": window.ack.frame,
                    "frame": None if answer is None else answer.frame,
                    "sequence_num": None if answer is None else answer.sequence_num,
                    "ack_made_s": window.ack.made,
                    "ack_received_s": window.ack.at,
                    "sent_s": None if answer is None else answer.at,
                    "delay_seen_s": window.seen_s,
                    "delay_sent_s": window.sent_s,
                    "delay_arrived_s": window.arrived_s,
                    "delay_arrived_min_s": window.arrived_min_s,
                    "delay_arrived_max_s": window.arrived_max_s,
                    "limit_s": window.limit_s,
                    "margin_s": None if window.arrived_s is None else window.limit_s - window.arrived_s,
                    "outcome": window.outcome,
                }
            )
    floats = [
        "ack_made_s", "ack_received_s", "sent_s", "delay_seen_s", "delay_sent_s", "delay_arrived_s",
        "delay_arrived_min_s", "delay_arrived_max_s", "limit_s", "margin_s",
    ]  # fmt: skip
    columns = ["session", "ack_frame", "frame", "sequence_num", *floats, "outcome"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype(dict.fromkeys(floats, "float64") | {"frame": "Int64", "sequence_num": "UInt64"})
