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

    from ..table import Table


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
    def messages(self) -> Table:
        """One row per numbered message: sent, certified, received, acked. See `message_table`."""
        return _table(message_table(self.sessions))

    @cached_property
    def acks(self) -> Table:
        """One row per ack: what it covers, how old that was, spacing. See `acks.ack_table`."""
        return _table(ack_table(self.sessions))

    @cached_property
    def keep_alives(self) -> Table:
        """One row per ack: the keep-alive's delay on either side. See `keep_alives.keep_alive_table`."""
        return _table(keep_alive_table(self.sessions, limit_s=self.keep_alive_timeout_s))

    @cached_property
    def opens(self) -> Table:
        """One row per session: how long it took to open. See `opens.open_table`."""
        return _table(open_table(self.sessions))

    @cached_property
    def certificates(self) -> Table:
        """One row per certified message: age and gateway delay. See `certificates.certificate_table`."""
        return _table(certificate_table(self.sessions))

    @cached_property
    def latencies(self) -> Table:
        """Percentiles of each part of the way. See `certificates.latency_table`."""
        return _table(latency_table(self.sessions, certificates=self.certificates))

    @cached_property
    def skews(self) -> Table:
        """One row per session: this side's clock against the network's. See `skew.skew_table`."""
        return _table(skew_table(self.sessions))

    def skew(self, session: str | None = None) -> Skew:
        """Return the skew of one session, by default the first."""
        chosen = next((one for one in self.sessions if session is None or one.session == session), None)
        return Skew(float("-inf"), float("inf")) if chosen is None else skew_of(chosen)

    def ack_interval(self, *, lateness_s: float = TIMER_LATENESS_S) -> AckInterval:
        """Return the canister's ack interval, derived from the timestamps of its acks. See `acks.ack_interval`."""
        return ack_interval(self.sessions, lateness_s=lateness_s)

    def countdown(self, now_s: float | None = None) -> Table:
        """What was left at ``now_s`` to each time-out. See `countdown.countdown`."""
        return _table(countdown(self.capture, now_s))

    def __repr__(self) -> str:
        messages = sum(len(session.numbered) + len(session.received) for session in self.sessions)
        sessions = "1 session" if len(self.sessions) == 1 else f"{len(self.sessions)} sessions"
        return f"<Timing of {sessions}: {messages} messages, {len(self.acks)} acks>"


def _table(frame: pd.DataFrame) -> Table:
    """The same table, as a notebook draws it."""
    from ..table import Table

    return Table(frame)


def timing(capture: Capture, *, session: str | None = None) -> Timing:
    """Return the timing tables of ``capture``, of all its sessions or of the named one."""
    return Timing(capture, session=session)
