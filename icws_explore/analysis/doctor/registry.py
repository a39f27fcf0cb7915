"""The rules, each with what never changes about it, and which of their findings count in the end.

A rule is a small function of the facts that yields evidence. The most specific cause wins: a rule
says which others it ``explains``, and their findings on the same sessions are absorbed by its own.

What follows from other things: the ids that a more specific cause on the same session absorbs.

One finding in many sessions: which of their explanations tell another story, and not the same with other numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

from .facts import CaptureFacts, SessionFacts
from .finding import SEVERITIES, Finding, Severity, names

# ws_open came to nothing.
OPENING: Final = ("OPEN_TIMEOUT", "ON_OPEN_TRAP", "GATEWAY_NOT_REGISTERED")
# No acks come, or nothing at all.
ACKS: Final = ("NO_ACKS", "ACK_INTERVAL_MISMATCH", "ACK_DEFAULTS_SKEW", "ACKS_WITHHELD")
# The canister misses a message, and says so with the next one.
UPWARD: Final = ("ON_MESSAGE_TRAP", "LOST_UP", "REORDERED_RELAY")
# The canister misses the keep-alives.
KEEP_ALIVES: Final = ("NO_KEEPALIVE", "KEEPALIVE_LATE")
# A replica refuses what the client sends.
REFUSED: Final = (*OPENING, *ACKS, *UPWARD, *KEEP_ALIVES)


MAX_STORIES: Final = 3  # told of one finding
MAX_COMPARED: Final = 50  # explanations that differ in a word; more are not looked at
_MAX_WORDS: Final = 80  # of each
_SAME: Final = 0.5  # the share of words that two tellings of one story have in common at least
_VARYING: Final = re.compile(r"\"[^\"]*\"|'[^']*'|\S*\d\S*|\S*-\S*-\S*|[^\w\s]")  # quotes, numbers, principals, marks


def other_stories(first: str, others: Iterable[str]) -> list[int]:
    """The places in ``others`` of what differs in kind from ``first`` and from each other; at most two."""
    told = [_words(first)]
    seen = {told[0]}
    found: list[int] = []
    for place, text in enumerate(others):
        words = _words(text)
        if words in seen:
            continue
        seen.add(words)
        if not any(_is_same(words, other) for other in told):
            told.append(words)
            found.append(place)
        if len(told) == MAX_STORIES or len(seen) > MAX_COMPARED:
            break
    return found


def _words(text: str) -> tuple[str, ...]:
    """What stays the same in a story from session to session."""
    return tuple(_VARYING.sub(" ", text).lower().split()[:_MAX_WORDS])


def _is_same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _SAME


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a rule saw: frame numbers, and what happened in words. ``sessions``: whom it is about.

    ``severity`` is that of the rule, unless this one case is less certain.
    """

    frames: tuple[int, ...]
    explanation: str
    sessions: tuple[str | None, ...] = ()
    severity: Severity | None = None


SessionCheck = Callable[[SessionFacts], Iterable[Evidence]]
CaptureCheck = Callable[[CaptureFacts], Iterable[Evidence]]


@dataclass(frozen=True, slots=True)
class Rule:
    """``check`` looks at a whole capture; see `Finding` for the texts."""

    id: str
    severity: Severity
    sdk_behaviour: str
    fix: str
    source: str
    explains: tuple[str, ...]
    check: CaptureCheck

    def findings(self, facts: CaptureFacts) -> Iterator[Finding]:
        for it in self.check(facts):
            frames = tuple(sorted(set(it.frames)))
            severity = it.severity or self.severity
            yield Finding(
                self.id, severity, frames, it.explanation, self.sdk_behaviour, self.fix, self.source, it.sessions
            )


RULES: Final[dict[str, Rule]] = {}


def capture_rule(
    rule_id: str, *, severity: Severity = "error", sdk: str, fix: str, source: str, explains: Iterable[str] = ()
) -> Callable[[CaptureCheck], CaptureCheck]:
    """Register a rule that looks at all sessions of a capture at once; its evidence names its sessions."""

    def register(check: CaptureCheck) -> CaptureCheck:
        if rule_id in RULES:
            raise ValueError(f"there is a rule {rule_id} already")
        RULES[rule_id] = Rule(rule_id, severity, sdk, fix, source, tuple(explains), check)
        return check

    return register


def session_rule(
    rule_id: str, *, severity: Severity = "error", sdk: str, fix: str, source: str, explains: Iterable[str] = ()
) -> Callable[[SessionCheck], SessionCheck]:
    """Register a rule that looks at one session at a time."""

    def register(check: SessionCheck) -> SessionCheck:
        def each(facts: CaptureFacts) -> Iterator[Evidence]:
            for session in facts.sessions:
                for it in check(session):
                    yield replace(it, sessions=(session.name,))

        capture_rule(rule_id, severity=severity, sdk=sdk, fix=fix, source=source, explains=explains)(each)
        return check

    return register


def absorb(findings: Iterable[Finding]) -> list[Finding]:
    """Those that no other finding on the same sessions explains."""
    found = list(findings)
    return [it for it in found if not any(_explains(other, it) for other in found)]


def _explains(one: Finding, other: Finding) -> bool:
    return other.id in RULES[one.id].explains and set(other.sessions) <= set(one.sessions)


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each id: what happened in several sessions is told of the first, and the others are named.

    Where another session tells another story, that is told as well; at most three in all.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.id, []).append(finding)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[Finding]) -> Finding:
    first = min(group, key=lambda it: SEVERITIES.index(it.severity))
    if len(group) == 1:
        return first
    frames = tuple(sorted({frame for it in group for frame in it.frames}))
    sessions = tuple(dict.fromkeys(name for it in group for name in it.sessions))
    elsewhere = [it for it in group if not set(it.sessions) & set(first.sessions)]
    different = [elsewhere[at] for at in other_stories(first.explanation, (it.explanation for it in elsewhere))]
    told_of = {name for it in (first, *different) for name in it.sessions}
    others = [name for name in sessions if name not in told_of]
    told = [first.explanation]
    told += [f"The same finding in {_sessions(others)}."] if others else []
    told += [f"In {_sessions(it.sessions)} it shows otherwise: {it.explanation}" for it in different]
    return Finding(
        first.id,
        first.severity,
        frames,
        " ".join(told),
        first.sdk_behaviour,
        first.fix,
        first.source,
        sessions,
    )


def _sessions(found: Sequence[str | None]) -> str:
    return f"session{'s' if len(found) > 1 else ''} {names(found, 10)}"
