"""The steps of a verification as rows, for text and HTML alike.

A step passed (✓), failed (✗) or was not checked (–): an earlier step failed, or a fact is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from icws_explore.analysis.envelopes import EnvelopeVerdict
from icws_explore.analysis.verify import MessageVerdict
from icws_explore.protocol.steps import Step, first_failure

from .facts import Weight
from .formatting import all_of, count, elide, one_line

Verdict: TypeAlias = MessageVerdict | EnvelopeVerdict

MAX_SHOWN: Final = 2048  # bytes or characters of one side in full
_WHOLE: Final = 12  # bytes of a side that need no shortening
_ONE_LINE: Final = 120  # characters of a side that need no shortening


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two values that a step compared: ``short`` for one line, ``full`` if that is not the whole value."""

    short: str
    full: str | None = None


@dataclass(frozen=True, slots=True)
class StepRow:
    """The cells of one step. ``outcome`` says the mark in words."""

    name: str
    mark: str
    outcome: str
    detail: str
    expected: Side | None
    actual: Side | None

    @property
    def sides(self) -> list[tuple[str, Side]]:
        """The compared values with their names; equal values are given once."""
        if self.expected is not None and self.expected == self.actual:
            return [("both", self.expected)]
        # A signature is not compared with what it signs: the two are different bytes also if it is valid.
        names = ("signed", "sig") if self.name == "signature" else ("expected", "found")
        named = zip(names, (self.expected, self.actual), strict=True)
        return [(name, side) for name, side in named if side is not None]


def step_rows(steps: Iterable[Step]) -> list[StepRow]:
    return [
        StepRow(one_line(s.step), mark(s.ok), outcome(s.ok), one_line(s.detail), _side(s.expected), _side(s.actual))
        for s in steps
    ]


def mark(ok: bool | None) -> str:
    return {True: "✓", False: "✗", None: "–"}[ok]


def outcome(ok: bool | None) -> str:
    return {True: "passed", False: "failed", None: "not checked"}[ok]


def _side(value: bytes | str | None) -> Side | None:
    if value is None:
        return None
    if isinstance(value, str):
        text = one_line(value[: MAX_SHOWN + 1])
        return Side(text) if len(text) <= _ONE_LINE else Side(f"{text[:80]}…{text[-39:]}", text)
    short = elide(value, _WHOLE)
    if len(value) <= _WHOLE:
        return Side(short)
    more = "" if len(value) <= MAX_SHOWN else f"… (the first {MAX_SHOWN} of {len(value)} bytes)"
    return Side(short, f"0x{value[:MAX_SHOWN].hex()}{more}")


def about(verdict: Verdict) -> tuple[str, str]:
    """What was verified: the key of a canister message, or the method of a client's request."""
    if isinstance(verdict, EnvelopeVerdict):
        return "method", one_line(verdict.method or "") or "none"
    return "key", one_line(verdict.key) or "none"


def verdict_line(verdict: Verdict) -> str:
    """A verification in one line: verified, or the step that failed or could not be checked."""
    failed = verdict.failure
    if failed is not None:
        return f"✗ frame {verdict.frame}: {failed.step} failed: {one_line(failed.detail)}"
    if verdict.ok:
        return f"✓ frame {verdict.frame}: verified, {steps_summary(verdict.steps)}"
    unchecked = next(step for step in verdict.steps if step.ok is None)
    return f"– frame {verdict.frame}: not checked, {unchecked.step}: {one_line(unchecked.detail)}"


def steps_summary(steps: Sequence[Step]) -> str:
    """How the steps of a verification without a failure ended: "all 9 steps passed"."""
    unchecked = [step.step for step in steps if step.ok is None]
    if unchecked:
        return f"{count(len(steps) - len(unchecked), 'step')} passed, {', '.join(unchecked)} not checked"
    return f"{all_of(len(steps), 'step')} passed"


def steps_heading(what: str, steps: Sequence[Step]) -> tuple[str, Weight]:
    """The verdict on ``what`` in one line, and its weight."""
    failure = first_failure(steps)
    if failure is not None:
        return f"✗ {what}: {failure.step} failed", "bad"
    if not any(step.ok for step in steps):
        return f"– {what}: not checked", "note"
    return f"✓ {what}: {steps_summary(steps)}", "good"
