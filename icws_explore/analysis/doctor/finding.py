"""What the doctor says: one thing that is wrong, the evidence, and what to change.

How the doctor names numbers, times and sessions in its explanations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Severity = Literal["info", "warning", "error"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")  # the worst first


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause. ``id`` is a row of the catalogue of misbehaviours, ``frames`` are numbers in the capture.

    ``explanation`` is what happened in this very session; ``sdk_behaviour`` what ic-websocket-js 0.5.0
    does about it; ``fix`` what to change; ``source`` where the rule comes from. ``sessions`` are the
    sessions that it is about, as the capture names them; none for a finding without a recording.
    """

    id: str
    severity: Severity
    frames: tuple[int, ...]
    explanation: str
    sdk_behaviour: str
    fix: str
    source: str
    sessions: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        where = (
            f", frame{'s' if len(self.frames) > 1 else ''} {', '.join(map(str, self.frames))}" if self.frames else ""
        )
        return f"{self.id} ({self.severity}{where}): {self.explanation} Fix: {self.fix}"

    def to_json(self) -> dict[str, Any]:
        """As `icws doctor --json` prints it."""
        return {
            "id": self.id,
            "severity": self.severity,
            "frames": list(self.frames),
            "sessions": list(self.sessions),
            "explanation": self.explanation,
            "sdk_behaviour": self.sdk_behaviour,
            "fix": self.fix,
            "source": self.source,
        }


class Findings(list[Finding]):
    """A list of findings, the worst first; of a type of its own, so that a notebook can draw it."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Each id once, in order."""
        return tuple(dict.fromkeys(finding.id for finding in self))

    def __str__(self) -> str:
        """What happened and what to change, in lines; all of it is in the members."""
        return "\n".join(map(str, self)) or "nothing is wrong as far as the recording tells"

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self)


# What to record next where only the network's own words would tell two causes apart.
RECORD_NETWORK: Final = (
    "To tell, record the network side too: icws tap … --network URL, with the gateway pointed at the tap's second "
    "address."
)


def seconds(value: float) -> str:
    """A duration, as precise as one reads it: 4 ms, 0.31 s, 4.2 s, 330 s."""
    size = abs(value)
    if size < 0.0995:
        return f"{value * 1000:.2g} ms"
    if size >= 100:
        return f"{value:.0f} s"
    return f"{value:.1f} s" if size >= 1 else f"{value:.2f} s"


def numbers(values: Sequence[int], limit: int = 8) -> str:
    """1, 2 and 3; of many, the first ones."""
    shown = [str(value) for value in values[:limit]]
    if len(values) > limit:
        return f"{', '.join(shown)} and {len(values) - limit} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def names(sessions: Sequence[str | None], limit: int = 8) -> str:
    """Sessions by their names in the capture."""
    shown = ", ".join(str(name) for name in sessions[:limit])
    return f"{shown} and {len(sessions) - limit} more" if len(sessions) > limit else shown
