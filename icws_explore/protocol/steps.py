"""One step of a verification: what was compared, and with what result.

Verifying a canister message, an envelope or a certificate gives a list of steps. The machines, the
views, the commands and the doctor all use this same list, so what is checked and what is shown cannot
differ. A `Verdict` is the result of a single check within a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Step:
    """``ok`` is None if the step was not checked: an earlier step failed, or a fact is missing.

    ``expected`` and ``actual`` are the two sides that were compared, as bytes or as text. Both are
    None for a step that compares nothing. ``detail`` is one line for a person.
    """

    step: str
    ok: bool | None
    detail: str
    expected: bytes | str | None = None
    actual: bytes | str | None = None


def first_failure(steps: Iterable[Step]) -> Step | None:
    """The first step that failed, which explains why the whole is invalid; None if none failed."""
    return next((step for step in steps if step.ok is False), None)


def passed(steps: Iterable[Step]) -> bool:
    """Whether every step was checked and passed."""
    return all(step.ok for step in steps)


class Verdict(NamedTuple):
    """``ok`` is None if a fact that the check needs is missing. ``detail`` is one line for a person."""

    ok: bool | None
    detail: str
