"""A verification as rows: what the text and the HTML of a walk both say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from icws_explore.analysis.envelopes import EnvelopeVerdict
from icws_explore.analysis.verify import MessageVerdict
from icws_explore.protocol.steps import Step

from .rows import elide, one_line

Verdict: TypeAlias = MessageVerdict | EnvelopeVerdict

MAX_SHOWN: Final = 2048  # bytes of one side that are shown when all of it is asked for


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two things that a step compared: on one line, and in full where that elides."""

    short: str
    full: str | None = None


@dataclass(frozen=True, slots=True)
class StepRow:
    """``outcome`` is the mark as a word, for who cannot see it."""

    name: str
    mark: str
    outcome: str
    detail: str
    expected: Side | None
    actual: Side | None

    @property
    def sides(self) -> list[tuple[str, Side]]:
        """What was compared, each side under its name; the same on both sides, once."""
        if self.expected is not None and self.expected == self.actual:
            return [("both", self.expected)]
        named = (("expected", self.expected), ("found", self.actual))
        return [(name, side) for name, side in named if side is not None]


def step_rows(steps: Iterable[Step]) -> list[StepRow]:
    return [
        StepRow(one_line(s.step), mark(s.ok), outcome(s.ok), one_line(s.detail), side(s.expected), side(s.actual))
        for s in steps
    ]


def mark(ok: bool | None) -> str:
    """✓ holds, ✗ fails, – not judged."""
    return {True: "✓", False: "✗", None: "–"}[ok]


def outcome(ok: bool | None) -> str:
    return {True: "holds", False: "fails", None: "not judged"}[ok]


def side(value: bytes | str | None) -> Side | None:
    if value is None:
        return None
    if isinstance(value, str):
        text = one_line(value[: MAX_SHOWN + 1])
        return Side(text) if len(text) <= 120 else Side(f"{text[:80]}…{text[-39:]}", text)
    short = elide(value)
    if len(value) <= 12:
        return Side(short)
    more = "" if len(value) <= MAX_SHOWN else f"… ({len(value)} bytes, the first {MAX_SHOWN} shown)"
    return Side(short, f"0x{value[:MAX_SHOWN].hex()}{more}")


def about(verdict: Verdict) -> tuple[str, str]:
    """Which message of the canister, or which call of the client, the walk is over."""
    if isinstance(verdict, EnvelopeVerdict):
        return "method", one_line(verdict.method or "") or "none"
    return "key", one_line(verdict.key) or "none"


def verdict_line(verdict: Verdict) -> str:
    """The whole walk in a line: verified, or the step that says why not."""
    failed = verdict.failure
    if failed is not None:
        return f"✗ frame {verdict.frame}: {failed.step} fails: {one_line(failed.detail)}"
    if verdict.ok:
        left = [step.step for step in verdict.steps if step.ok is None]
        judged = (
            f"the {len(verdict.steps)} steps hold" if not left else f"{', '.join(left)} not judged, the others hold"
        )
        return f"✓ frame {verdict.frame}: verified, {judged}"
    unjudged = next(step for step in verdict.steps if step.ok is None)
    return f"– frame {verdict.frame}: not judged, {unjudged.step}: {one_line(unjudged.detail)}"
