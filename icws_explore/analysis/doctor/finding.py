"""What the doctor reports: findings, checks that could not be made, and sockets that were left out.

A result has three states. It failed if there are findings of severity error or warning. It passed if there
are none and everything was checked. Otherwise something was not checked, and `Unchecked` says what would
check it.

The functions at the end write numbers, durations and session names for the explanations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from icws_explore.capture import Capture

Severity = Literal["info", "warning", "error"]
State = Literal["passed", "failed", "not checked"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")  # the worst first
NOTHING_WRONG: Final = "nothing is wrong"
NOTHING_FOUND: Final = "nothing wrong was found"
REDACTED: Final = "redacted"  # in place of a protocol's name: the file holds no messages, only what each was


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause. ``id`` is a row of the catalogue of misbehaviours, ``frames`` are numbers in the recording.

    ``explanation`` says what happened in this recording, ``sdk_behaviour`` how ic-websocket-js 0.5.0 reacts,
    ``fix`` what to change, ``source`` where the rule comes from. ``sessions`` are the sessions concerned, as
    the recording names them; there are none for a finding that needs no recording.
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
        """The object that `icws doctor --json` prints."""
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


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A check that could not be made: ``what`` it is, ``why`` it was not made, and ``how`` to make it.

    ``sessions`` are the sessions concerned; none means the whole recording.
    """

    what: str
    why: str
    how: str
    sessions: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        return f"{self.what}: {self.why}. {self.how}"

    def to_json(self) -> dict[str, Any]:
        """The object that `icws doctor --json` prints."""
        return {"what": self.what, "why": self.why, "how": self.how, "sessions": list(self.sessions)}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A socket that speaks another protocol. ``protocol`` is which one, as far as its first messages show.

    It is "redacted" if the file holds a description in place of each message.
    """

    session: str | None
    protocol: str

    def __str__(self) -> str:
        name = "the socket" if self.session is None else f"session {self.session}"
        if self.protocol == REDACTED:
            return f"{name} was left out: the file was redacted and does not hold its messages"
        return f"{name} was left out: it speaks another protocol ({self.protocol})"

    def to_json(self) -> dict[str, Any]:
        """The object that `icws doctor --json` prints."""
        return {"session": self.session, "protocol": self.protocol}


class Findings(list[Finding]):
    """A list of findings, the worst first. A notebook draws it.

    ``unchecked`` lists the checks that could not be made, ``left_out`` the sockets that speak another protocol.
    ``capture`` holds the frames that findings name; None for findings that need no recording.
    """

    capture: Capture | None
    unchecked: tuple[Unchecked, ...]
    left_out: tuple[LeftOut, ...]

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        *,
        unchecked: Iterable[Unchecked] = (),
        left_out: Iterable[LeftOut] = (),
        capture: Capture | None = None,
    ) -> None:
        super().__init__(findings)
        self.capture = capture
        self.unchecked = tuple(unchecked)
        self.left_out = tuple(left_out)

    def add(self, other: Findings) -> None:
        """Append the findings of another list, and what it could not check or left out."""
        self.extend(other)
        self.unchecked += other.unchecked
        self.left_out += other.left_out
        self.capture = other.capture if self.capture is None else self.capture

    @property
    def ids(self) -> tuple[str, ...]:
        """Each id once, in order."""
        return tuple(dict.fromkeys(finding.id for finding in self))

    @property
    def has_errors(self) -> bool:
        """Whether a finding has the severity error."""
        return any(finding.severity == "error" for finding in self)

    @property
    def state(self) -> State:
        """failed with an error or a warning, else not checked if a check is missing, else passed."""
        if any(finding.severity != "info" for finding in self):
            return "failed"
        return "not checked" if self.unchecked else "passed"

    @property
    def conclusion(self) -> str:
        """The last line of the report: how many findings there are, and whether everything was checked."""
        counts = [
            count(number, severity)
            for severity in ("error", "warning")
            if (number := sum(finding.severity == severity for finding in self))
        ]
        missing = f"{count(len(self.unchecked), 'check')} could not be made" if self.unchecked else ""
        if counts:
            return "; ".join([", ".join(counts), *([missing] if missing else [])])
        return f"{NOTHING_FOUND}, but {missing}" if missing else NOTHING_WRONG

    def __str__(self) -> str:
        """A line for each finding, each missing check and each socket that was left out; the conclusion last."""
        lines = [
            *map(str, self),
            *(f"not checked: {unchecked}" for unchecked in self.unchecked),
            *map(str, self.left_out),
        ]
        return "\n".join([*lines, self.conclusion])


# What to record next if only the network's own answer tells two causes apart.
RECORD_NETWORK: Final = (
    "To tell them apart, record the network side as well: run icws tap … --network URL, and point the gateway at the "
    "tap's second address."
)


def count(number: int, noun: str) -> str:
    """1 message, 2 messages: ``noun`` in the plural that ends in s, unless ``number`` is 1."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """A duration (seconds) with the digits that a person needs: 4 ms, 0.31 s, 4.2 s, 330 s."""
    size = abs(value)
    if size < 0.0995:
        return f"{value * 1000:.2g} ms"
    if size >= 100:
        return f"{value:.0f} s"
    return f"{value:.1f} s" if size >= 1 else f"{value:.2f} s"


def numbers(values: Sequence[int], limit: int = 8) -> str:
    """The values as a list in words: 1, 2 and 3. Only the first ``limit`` are listed, the others counted."""
    shown = [str(value) for value in values[:limit]]
    if len(values) > limit:
        return f"{', '.join(shown)} and {len(values) - limit} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def names(sessions: Sequence[str | None], limit: int = 8) -> str:
    """The names of sessions. Only the first ``limit`` are listed, the others counted."""
    shown = ", ".join(str(name) for name in sessions[:limit])
    return f"{shown} and {len(sessions) - limit} more" if len(sessions) > limit else shown


def sessions_text(sessions: Sequence[str | None], limit: int = 10) -> str:
    """``session 1`` or ``sessions 1, 2``."""
    return f"session{'s' if len(sessions) > 1 else ''} {names(sessions, limit)}"
