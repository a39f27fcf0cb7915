"""What became of the sessions of a load. Results of parts add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from icws_explore.analysis.fleet.spread import Spread

MOST_REASONS: Final = 50  # different ones; the others are counted as OTHERS
REASON: Final = 200  # characters of a reason, which a peer may have written
OTHERS: Final = "other reasons"
FINISHED: Final = "closed by icws load (1000)"


@dataclass(slots=True)
class LoadResult:
    """Times are in real seconds.

    ``failed`` are sessions that did not open, ``ended`` are those that did, both by reason. ``answered`` of ``sent``
    messages had an answer: the application's next message. ``round_trip_s`` counts from the moment at which a message
    was due, so a generator that is late does not hide what its users would feel; ``lag_s`` is how late it was.
    """

    opened: int = 0
    sent: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    opening_s: Spread = field(default_factory=Spread)
    round_trip_s: Spread = field(default_factory=Spread)
    lag_s: Spread = field(default_factory=Spread)

    def failure(self, reason: str) -> None:
        """Count a session that did not open."""
        _count(self.failed, reason)

    def end(self, reason: str) -> None:
        """Count the end of a session."""
        _count(self.ended, reason)

    @property
    def is_bad(self) -> bool:
        """Whether a session did not open, or was not ended by the load."""
        return bool(self.failed) or any(reason != FINISHED for reason in self.ended)

    def merge(self, other: Self) -> None:
        """Add another result."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, Spread):
                mine.merge(theirs)
            elif isinstance(mine, Counter):
                for reason, number in theirs.items():
                    _count(mine, reason, number)
            else:
                setattr(self, each.name, mine + theirs)

    def to_json(self) -> dict[str, Any]:
        """The numbers that `icws load --json` prints: percentiles of the spreads in milliseconds."""
        found: dict[str, Any] = {"opened": self.opened, "sent": self.sent, "answered": self.answered}
        found |= {"failed": dict(self.failed.most_common()), "ended": dict(self.ended.most_common())}
        for name in ("opening", "round_trip", "lag"):
            spread: Spread = getattr(self, f"{name}_s")
            for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
                value = spread.at(share)
                found[f"{name}_{label}_ms"] = None if value is None else round(value * 1000, 3)
        return found


def _count(reasons: Counter[str], reason: str, number: int = 1) -> None:
    text = reason if len(reason) <= REASON else f"{reason[: REASON - 1]}…"
    reasons[text if text in reasons or len(reasons) < MOST_REASONS else OTHERS] += number
