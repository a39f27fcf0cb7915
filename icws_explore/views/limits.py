"""The time-outs of a recording against their limits, and its pace: ack interval, clocks, latencies.

The timing analysis says which time-outs ran and when. This module counts them over all sessions, and finds the run that
came closest to each limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from icws_explore.analysis.timing.acks import AckInterval
from icws_explore.analysis.timing.timing import Timing
from icws_explore.protocol.constants import MAX_CERTIFICATE_AGE_S

from . import text
from .facts import Fact, Weight, order_facts
from .formatting import count, duration, one_line
from .html import TEXT_WIDTH, View, render, view_of
from .time_outs import Outcome, TimeOut, TimeOutName, time_outs

_NAMES: Final[dict[TimeOutName, str]] = {
    "open": "OpenMessage after ws_open",
    "ack": "ack after the first message that waits for one",
    "keep_alive": "keep-alive after an ack",
}
_OUTCOMES: Final[dict[Outcome, str]] = {
    "missed": "missed",
    "met": "met",
    "ended": "cut short by the end of the session",
    "running": "still running at the end of the recording",
}
_PARTS: Final = (
    ("waited", "canister to certificate"),
    ("delay", "certificate to receipt"),
)
_QUANTILES: Final = (("median", "p50_s"), ("95 %", "p95_s"), ("longest", "max_s"))
HEADS: Final = ("time-out", "limit", "outcome", "longest", "left", "when")
NO_LIMITS: Final = "no time-out started"


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit. ``longest`` and ``left`` are of the closest call that was met, and ``where`` says when that was.

    ``weight`` is "bad" where the limit was missed, else "".
    """

    name: str
    limit: str
    outcome: str
    longest: str
    left: str
    where: str
    weight: Weight = ""


def timing_view(timing: Timing) -> View:
    """The limits as a table, then the facts about the pace."""
    limits, pace = limit_rows(timing), [*order_facts(timing.capture, are_drawn=False), *pace_facts(timing)]
    body = render("timing.html.j2", limits=limits, heads=HEADS, empty=NO_LIMITS, pace=pace)
    facts = [*map(limit_fact, limits)] or [Fact("time-outs", NO_LIMITS)]
    return view_of(body, text.plain(text.facts_lines([*facts, *pace], width=TEXT_WIDTH)))


def limit_fact(row: LimitRow) -> Fact:
    """A limit on one line."""
    closest = (
        f"; longest {row.longest}, {row.left}{'' if row.left.endswith('over') else ' left'}" if row.longest else ""
    )
    where = f", {row.where}" if row.where else ""
    return Fact(row.name, f"limit {row.limit}: {row.outcome}{closest}{where}", row.weight)


def limit_rows(timing: Timing) -> list[LimitRow]:
    """A row for each limit that applied: opening, acks, keep-alives, the age of certificates."""
    runs = [(session.session, run) for session in timing.sessions for run in time_outs(session)]
    several = len(timing.sessions) > 1
    rows = []
    for name in _NAMES:
        of_this_name = [(session if several else None, run) for session, run in runs if run.name == name]
        if of_this_name:
            rows.append(_row(name, of_this_name))
    return [*rows, *_certificates(timing, several=several)]


def _row(name: TimeOutName, runs: Sequence[tuple[str | None, TimeOut]]) -> LimitRow:
    missed = [(session, run) for session, run in runs if run.outcome == "missed"]
    met = [(run.end - run.start, session, run) for session, run in runs if run.outcome == "met" and run.end is not None]
    closest = max(met, key=lambda each: each[0], default=None)
    shown = missed[0] if missed else None if closest is None else closest[1:]
    return LimitRow(
        _NAMES[name],
        " or ".join(f"{limit:g} s" for limit in sorted({run.limit_s for _, run in runs})),
        _counts(runs),
        "" if closest is None else duration(closest[0]),
        "" if closest is None else _left(closest[2].limit_s - closest[0]),
        "" if shown is None else _at(shown[1].start, shown[0]),
        "bad" if missed else "",
    )


def _counts(runs: Sequence[tuple[str | None, TimeOut]]) -> str:
    """How often each outcome occurred: ``1 missed, 3 met``."""
    counts = {outcome: sum(run.outcome == outcome for _, run in runs) for outcome in _OUTCOMES}
    return ", ".join(f"{number} {_OUTCOMES[outcome]}" for outcome, number in counts.items() if number)


def _certificates(timing: Timing, *, several: bool) -> Iterator[LimitRow]:
    known = timing.certificates.dropna(subset="age_s")
    if known.empty:
        return
    ages = known["age_s"].abs()
    worst = known.iloc[int(ages.to_numpy().argmax())]
    age = float(worst["age_s"])
    outside = int((ages > MAX_CERTIFICATE_AGE_S).sum())
    session = f", session {worst['session']}" if several else ""
    yield LimitRow(
        "age of a certificate on receipt",
        f"± {MAX_CERTIFICATE_AGE_S:g} s",
        f"{outside} of {len(known)} outside" if outside else f"{len(known)} within",
        duration(age),
        _left(MAX_CERTIFICATE_AGE_S - abs(age)),
        one_line(f"frame {worst['frame']}{session}"),
        "bad" if outside else "",
    )


def pace_facts(timing: Timing) -> list[Fact]:
    """What is measured and has no limit: the ack interval, the difference of the clocks, latencies."""
    facts = [Fact("ack interval", _interval(timing.ack_interval()))]
    skew = timing.skew()
    if math.isfinite(skew.min_s) and math.isfinite(skew.max_s):
        if skew.is_consistent:
            bounds = f"the client's clock is between {signed(skew.min_s)} and {signed(skew.max_s)} ahead of the network"
            facts.append(Fact("clocks", bounds))
        else:
            wrong = "the bounds on the clock skew contradict each other: a clock was set, or drifts"
            facts.append(Fact("clocks", wrong, "note"))
    parts = timing.latencies.to_dict("index")
    for part, name in _PARTS:
        row = parts[part]
        if row["count"]:
            times = ", ".join(f"{quantile} {duration(float(row[key]))}" for quantile, key in _QUANTILES)
            facts.append(Fact(name, f"{times}{' (inferred)' if row['inferred'] else ''}"))
    return facts


def _interval(seen: AckInterval) -> str:
    if seen.estimate_s is None:
        known = "unknown: only one ack came" if seen.ticks == 1 else "unknown: no ack came"
        return known + (f"; longer than {duration(seen.min_s)}" if seen.min_s > 0 else "")
    missing = f", {count(seen.missing, 'ack')} missing between them" if seen.missing else ""
    return f"{duration(seen.estimate_s)}, from {count(seen.ticks, 'ack')}{missing}"


def _left(value: float) -> str:
    """What was left of a limit, in seconds, or by how much it was exceeded."""
    return duration(value) if value >= 0 else f"{duration(-value)} over"


def _at(start_s: float, session: str | None) -> str:
    named = "" if session is None else f", session {session}"
    return one_line(f"started at {start_s:.1f} s{named}")


def signed(value: float) -> str:
    """Seconds with a sign, to three digits."""
    return f"{value:+.3f} s" if abs(value) < 10 else f"{value:+.1f} s"
