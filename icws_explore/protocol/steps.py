"""One step of a verification: what was compared, with the bytes on both sides.

Verifying a canister message, an envelope or a certificate is a walk; every view, command and rule
shows the same list of steps, so nothing is checked in one place and explained in another.

What a check says: holds, fails, or cannot be judged, and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .errors import VerificationError


@dataclass(frozen=True, slots=True)
class Step:
    """``ok`` is None where the step could not be judged (an earlier one failed, or a fact is missing).

    ``expected`` and ``actual`` are the two sides that were compared, as bytes or as text; both are
    None for a step that compares nothing. ``detail`` is one line for a person.
    """

    step: str
    ok: bool | None
    detail: str
    expected: bytes | str | None = None
    actual: bytes | str | None = None


def first_failure(steps: Iterable[Step]) -> Step | None:
    """The step that explains why the whole is invalid: the first that failed."""
    return next((step for step in steps if step.ok is False), None)


def passed(steps: Iterable[Step]) -> bool:
    """Every step was judged and holds."""
    return all(step.ok for step in steps)


def require(steps: Iterable[Step]) -> None:
    """Raise VerificationError for the first step that does not hold."""
    for step in steps:
        if not step.ok:
            raise VerificationError(step.step, step.detail)


class Verdict(NamedTuple):
    """``ok`` is None where a fact is missing that the check needs; ``detail`` is one line for a person."""

    ok: bool | None
    detail: str
