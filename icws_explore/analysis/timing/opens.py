"""How long sessions take to open, compared with the client's limit of 60 s.

The client counts from its ws_open to the canister's OpenMessage (ic-websocket-js 0.5.0, ic-websocket.ts).
The time is split into the way to the canister, which no frame reports, the wait in the canister's queue,
and the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol.constants import OPEN_TIMEOUT_MS

from .instants import SessionInstants
from .skew import skew_of

if TYPE_CHECKING:
    import pandas as pd

OPEN_LIMIT_S: Final = OPEN_TIMEOUT_MS / 1000


def open_table(sessions: Sequence[SessionInstants]) -> pd.DataFrame:
    """Return one row per session. Times are seconds since the capture's first frame, durations are seconds.

    ``handshake_s``, ``asked_s`` (ws_open) and ``opened_s`` are on the capture's clock, ``made_s`` and
    ``certified_s`` of the OpenMessage are on the network's. ``latency_s`` is the time from asked to opened,
    ``limit_s`` is 60, ``margin_s`` the remaining time. The latency has three parts: ``up_s`` (asked to made,
    inferred from the estimated skew, between ``up_min_s`` and ``up_max_s``), ``waited_s`` (made to certified)
    and ``down_s`` (certified to opened, inferred: the rest). ``outcome`` is "open", "timed out" (nothing within
    60 s), "ended" (closed before) or "waiting".
    """
    import pandas as pd

    rows = [_row(session) for session in sessions]
    columns = [
        "session", "handshake_s", "asked_s", "made_s", "certified_s", "opened_s", "latency_s", "limit_s", "margin_s",
        "up_s", "up_min_s", "up_max_s", "waited_s", "down_s", "outcome",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _row(session: SessionInstants) -> dict[str, Any]:
    nan = float("nan")
    asked = nan if session.asked is None else session.asked.at
    opened = session.opened
    row = {
        "session": session.session,
        "handshake_s": nan if session.handshake is None else session.handshake,
        "asked_s": asked,
        "limit_s": OPEN_LIMIT_S,
        "outcome": outcome(session),
    }
    if opened is None:
        return row
    certified = nan if opened.certified is None else opened.certified
    skew = skew_of(session)
    latency = opened.at - asked
    up, waited = opened.made + skew.estimate_s - asked, certified - opened.made
    return row | {
        "made_s": opened.made,
        "certified_s": certified,
        "opened_s": opened.at,
        "latency_s": latency,
        "margin_s": OPEN_LIMIT_S - latency,
        "up_s": up,
        "up_min_s": max(0.0, opened.made + skew.min_s - asked),
        "up_max_s": opened.made + skew.max_s - asked,
        "waited_s": waited,
        "down_s": latency - up - waited,
    }


def outcome(session: SessionInstants) -> str:
    """Return the outcome of the opening, from the frames so far."""
    started = session.asked.at if session.asked is not None else session.handshake
    if session.opened is not None and (started is None or session.opened.at - started <= OPEN_LIMIT_S):
        return "open"
    until = session.last if session.ended is None else session.ended.at
    if started is not None and until - started >= OPEN_LIMIT_S:
        return "timed out"
    return "waiting" if session.ended is None else "ended"
