"""All timing tables of a recording in one place.

Times are seconds since the first frame, durations are seconds, both on the recording's clock (real, scaled
or virtual). A value that one side cannot observe is marked as inferred and comes with bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from icws_explore.capture import Capture

from ..decode import DecodedFrame
from .acks import TIMER_LATENESS_S, AckInterval, ack_interval, ack_table
from .certificates import certificate_table, latency_table
from .countdown import countdown
from .instants import Instants, SessionInstants, instants
from .keep_alives import KEEP_ALIVE_LIMIT_S, keep_alive_table
from .messages import message_table
from .opens import open_table
from .skew import Skew, skew_of, skew_table

if TYPE_CHECKING:
    import pandas as pd


class Timing:
    """The timing tables of a capture as it is now. Make a new object for later frames of a live session.

    ``session`` selects one session; by default the tables cover all. ``keep_alive_timeout_s`` is the
    canister's keep-alive time-out in seconds, which no frame contains.
    """

    def __init__(
        self,
        capture: Capture,
        *,
        frames: Iterable[DecodedFrame] | None = None,
        session: str | None = None,
        keep_alive_timeout_s: float = KEEP_ALIVE_LIMIT_S,
    ) -> None:
        self.capture = capture
        self.keep_alive_timeout_s = keep_alive_timeout_s
        self._instants: Instants = instants(capture, frames)
        named = self._instants.sessions
        self.sessions: list[SessionInstants] = (
            list(named.values()) if session is None else [named[session]] if session in named else []
        )

    @cached_property
    def messages(self) -> pd.DataFrame:
        """One row per numbered message: sent, certified, received, acked. See `message_table`."""
        return message_table(self.sessions)

    @cached_property
    def acks(self) -> pd.DataFrame:
        """One row per ack: what it covers, how old that was, spacing. See `ack_table`."""
        return ack_table(self.sessions)

    @cached_property
    def keep_alives(self) -> pd.DataFrame:
        """One row per ack: the delay of its keep-alive on both sides. See `keep_alives.keep_alive_table`."""
        return keep_alive_table(self.sessions, limit_s=self.keep_alive_timeout_s)

    @cached_property
    def opens(self) -> pd.DataFrame:
        """One row per session: how long it took to open. See `opens.open_table`."""
        return open_table(self.sessions)

    @cached_property
    def certificates(self) -> pd.DataFrame:
        """One row per certified message: age and gateway delay. See `certificates.certificate_table`."""
        return certificate_table(self.sessions)

    @cached_property
    def latencies(self) -> pd.DataFrame:
        """Percentiles of each part of a message's path. See `certificates.latency_table`."""
        return latency_table(self.sessions)

    @cached_property
    def skews(self) -> pd.DataFrame:
        """One row per session: this side's clock compared with the network's. See `skew.skew_table`."""
        return skew_table(self.sessions)

    def skew(self, session: str | None = None) -> Skew:
        """Return the skew of one session, by default the first."""
        chosen = next((one for one in self.sessions if session is None or one.session == session), None)
        return Skew(float("-inf"), float("inf")) if chosen is None else skew_of(chosen)

    def ack_interval(self, *, lateness_s: float = TIMER_LATENESS_S) -> AckInterval:
        """Return the canister's ack interval, derived from the timestamps of its acks. See `acks.ack_interval`."""
        return ack_interval(self.sessions, lateness_s=lateness_s)

    def countdown(self, now_s: float | None = None) -> pd.DataFrame:
        """Return the time left to each time-out at ``now_s`` (seconds). See `countdown.countdown`."""
        return countdown(self.capture, now_s)

    def __repr__(self) -> str:
        messages = sum(len(session.numbered) + len(session.received) for session in self.sessions)
        sessions = "1 session" if len(self.sessions) == 1 else f"{len(self.sessions)} sessions"
        return f"<Timing of {sessions}: {messages} messages, {len(self.acks)} acks>"


def timing(capture: Capture, *, session: str | None = None) -> Timing:
    """Return the timing tables of ``capture``, of all its sessions or of the named one."""
    return Timing(capture, session=session)
