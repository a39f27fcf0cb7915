"""Timing against its limits, and the pace of a session, as a report tells them: the closest call of each time-out.

What ran when is the timing's to say; here it is counted over all sessions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from icws_explore.analysis.timing.acks import AckInterval
from icws_explore.analysis.timing.timing import Timing
from icws_explore.protocol.constants import MAX_CERTIFICATE_AGE_S

from ..facts import Fact
from ..figures.timeline import Bar, BarName, Outcome, bars_of
from ..rows import one_line

_NAMES: Final[dict[BarName, str]] = {
    "open": "OpenMessage after ws_open",
    "ack": "AckMessage after the first message without one",
    "keep_alive": "keep-alive after an ack",
}
_OUTCOMES: Final[dict[Outcome, str]] = {
    "missed": "missed",
    "met": "met",
    "ended": "cut short by the end",
    "running": "still running at the end",
}
_PARTS: Final = (
    ("waited", "from the canister's call to the certificate"),
    ("delay", "from the certificate to its receipt"),
)


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit. ``longest`` and ``left`` are of the closest call that was met; ``where`` says when that was.

    ``weight`` is "bad" where the limit was missed, else "".
    """

    name: str
    limit: str
    outcome: str
    longest: str
    left: str
    where: str
    weight: str = ""


def limit_rows(timing: Timing) -> list[LimitRow]:
    """A row a limit that applied: the opening, acks, keep-alives, the age of certificates."""
    bars = [(session.session, bar) for session in timing.sessions for bar in bars_of(session)]
    several = len(timing.sessions) > 1
    rows = []
    for name in _NAMES:
        mine = [(session if several else None, bar) for session, bar in bars if bar.name == name]
        if mine:
            rows.append(_row(name, mine))
    return [*rows, *_certificates(timing, several=several)]


def _row(name: BarName, bars: list[tuple[str | None, Bar]]) -> LimitRow:
    missed = [it for it in bars if it[1].outcome == "missed"]
    took = [(it[1].end - it[1].start, it) for it in bars if it[1].outcome == "met" and it[1].end is not None]
    longest = max(took, key=lambda it: it[0], default=None)
    worst = missed[0] if missed else None if longest is None else longest[1]
    return LimitRow(
        _NAMES[name],
        _limits([bar.limit_s for _, bar in bars]),
        _counts(bars),
        "" if longest is None else duration(longest[0]),
        "" if longest is None else duration(longest[1][1].limit_s - longest[0]),
        "" if worst is None else _at(worst[1].start, worst[0]),
        "bad" if missed else "",
    )


def _counts(bars: list[tuple[str | None, Bar]]) -> str:
    """``3 met``, ``1 missed, 3 met, 1 cut short by the end``."""
    counts = {outcome: sum(bar.outcome == outcome for _, bar in bars) for outcome in _OUTCOMES}
    return ", ".join(f"{count} {_OUTCOMES[outcome]}" for outcome, count in counts.items() if count)


def _limits(limits_s: list[float]) -> str:
    return " or ".join(f"{limit:g} s" for limit in sorted(set(limits_s)))


def _certificates(timing: Timing, *, several: bool) -> Iterator[LimitRow]:
    known = [row for row in timing.certificates.to_dict("records") if not math.isnan(row["age_s"])]
    if not known:
        return
    worst = max(known, key=lambda row: abs(row["age_s"]))
    age = float(worst["age_s"])
    outside = sum(abs(row["age_s"]) > MAX_CERTIFICATE_AGE_S for row in known)
    session = f", session {worst['session']}" if several else ""
    yield LimitRow(
        "age of a certificate on receipt",
        f"± {MAX_CERTIFICATE_AGE_S:g} s",
        f"{outside} of {len(known)} outside" if outside else f"{len(known)} within",
        duration(age),
        duration(MAX_CERTIFICATE_AGE_S - abs(age)),
        one_line(f"frame {worst['frame']}{session}"),
        "bad" if outside else "",
    )


def pace_facts(timing: Timing) -> list[Fact]:
    """What is measured and has no limit of its own: the ack interval, the clocks, the way down."""
    facts = [Fact("ack interval", _interval(timing.ack_interval()))]
    skew = timing.skew()
    if math.isfinite(skew.min_s) and math.isfinite(skew.max_s):
        bounds = f"this side is between {signed(skew.min_s)} and {signed(skew.max_s)} ahead of the network"
        wrong = "" if skew.is_consistent else "the bounds contradict each other: a clock was set, or drifts"
        facts.append(Fact("clocks", wrong or bounds, "note" if wrong else ""))
    parts = timing.latencies.to_dict("index")
    for part, words in _PARTS:
        row = parts[part]
        if row["count"]:
            times = ", ".join(f"{name} {duration(float(row[key]))}" for name, key in _QUANTILES)
            facts.append(Fact(words, f"{times}{' (inferred)' if row['inferred'] else ''}"))
    return facts


_QUANTILES: Final = (("median", "p50_s"), ("95 %", "p95_s"), ("longest", "max_s"))


def _interval(seen: AckInterval) -> str:
    if seen.estimate_s is None:
        known = "not known from one ack" if seen.ticks == 1 else "not known: no ack came"
        return known + (f"; longer than {duration(seen.min_s)}" if seen.min_s > 0 else "")
    missing = f", {seen.missing} missing between them" if seen.missing else ""
    return f"{duration(seen.estimate_s)} by {seen.ticks} acks{missing}"


def _at(start_s: float, session: str | None) -> str:
    named = "" if session is None else f", session {session}"
    return one_line(f"from {start_s:.1f} s on{named}")


def duration(value: float) -> str:
    """Seconds, as precise as one reads them."""
    size = abs(value)
    return f"{value:.3f} s" if size < 10 else f"{value:.1f} s"


def signed(value: float) -> str:
    """Seconds with a sign."""
    return f"{value:+.3f} s" if abs(value) < 10 else f"{value:+.1f} s"
