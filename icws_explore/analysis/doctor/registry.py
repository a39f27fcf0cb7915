"""The rules, and which of their findings count in the end.

A rule is a function of the facts that yields evidence. The decorators `session_rule` and `capture_rule` add
what is the same in all its findings: severity, the SDK's behaviour, the fix, the source.

The most specific cause wins. A rule names the rules that it ``explains``: `absorb` drops their findings on the
same sessions. A rule of last resort is explained by every error and warning; it makes sure that no session
ends badly without a finding.

`merge` makes one finding of all that have the same id. It describes the first session and names the others,
and it adds the explanations that differ in more than numbers and quotations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

from .facts import CaptureFacts, SessionFacts
from .finding import SEVERITIES, Finding, Severity, sessions_text

# Groups of ids for ``explains``.
OPENING: Final = ("OPEN_TIMEOUT", "ON_OPEN_TRAP", "GATEWAY_NOT_REGISTERED")  # ws_open has no effect
ACKS: Final = ("NO_ACKS", "ACK_INTERVAL_MISMATCH", "ACK_DEFAULTS_SKEW", "ACKS_WITHHELD")  # no acks, or nothing
UPWARD: Final = ("ON_MESSAGE_TRAP", "LOST_UP", "REORDERED_RELAY")  # the canister misses a message
KEEP_ALIVES: Final = ("NO_KEEPALIVE", "KEEPALIVE_LATE")  # the canister misses the keep-alives
FORGOTTEN: Final = ("UPGRADE_WIPE", "PRINCIPAL_TAKEOVER")  # the canister does not know the client any more
DOWNWARD: Final = ("SEQUENCE_GAP_DOWN", "SEQUENCE_DUPLICATE_DOWN", "SEQUENCE_SWAP_DOWN")
CUTS: Final = ("POLLER_DEAD", "GATEWAY_RESTART", "PROXY_IDLE", "LIFETIME_LIMIT", "SUBPROTOCOL")  # the other side ends
REFUSED: Final = (*OPENING, *ACKS, *UPWARD, *KEEP_ALIVES)  # a replica refuses what the client sends


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a rule saw: frame numbers, and an explanation. ``sessions`` are the sessions concerned.

    ``severity``, ``fix`` and ``sdk`` (what the SDK does) replace the rule's in this one case.
    """

    frames: tuple[int, ...]
    explanation: str
    sessions: tuple[str | None, ...] = ()
    severity: Severity | None = None
    fix: str | None = None
    sdk: str | None = None


SessionCheck = Callable[[SessionFacts], Iterable[Evidence]]
CaptureCheck = Callable[[CaptureFacts], Iterable[Evidence]]


@dataclass(frozen=True, slots=True)
class Rule:
    """``check`` looks at a whole recording. The texts are those of `Finding`.

    ``explains_ends`` False: an error of this rule does not explain why a session ended.
    """

    id: str
    severity: Severity
    sdk_behaviour: str
    fix: str
    source: str
    explains: tuple[str, ...]
    check: CaptureCheck
    is_last_resort: bool = False
    explains_ends: bool = True

    def findings(self, facts: CaptureFacts) -> Iterator[Finding]:
        """The rule's evidence as findings."""
        for evidence in self.check(facts):
            yield Finding(
                self.id,
                evidence.severity or self.severity,
                tuple(sorted(set(evidence.frames))),
                evidence.explanation,
                evidence.sdk or self.sdk_behaviour,
                evidence.fix or self.fix,
                self.source,
                evidence.sessions,
            )


RULES: Final[dict[str, Rule]] = {}


def capture_rule(
    rule_id: str,
    *,
    severity: Severity = "error",
    sdk: str,
    fix: str,
    source: str,
    explains: Iterable[str] = (),
    last_resort: bool = False,
    explains_ends: bool = True,
) -> Callable[[CaptureCheck], CaptureCheck]:
    """Register a rule that looks at all sessions of a recording at once. Its evidence names the sessions.

    Raises ValueError if there is a rule of that id.
    """

    def register(check: CaptureCheck) -> CaptureCheck:
        if rule_id in RULES:
            raise ValueError(f"there is already a rule {rule_id}")
        RULES[rule_id] = Rule(rule_id, severity, sdk, fix, source, tuple(explains), check, last_resort, explains_ends)
        return check

    return register


def session_rule(
    rule_id: str,
    *,
    severity: Severity = "error",
    sdk: str,
    fix: str,
    source: str,
    explains: Iterable[str] = (),
    last_resort: bool = False,
) -> Callable[[SessionCheck], SessionCheck]:
    """Register a rule that looks at one session at a time. Raises ValueError if there is a rule of that id."""

    def register(check: SessionCheck) -> SessionCheck:
        def each(facts: CaptureFacts) -> Iterator[Evidence]:
            for session in facts.sessions:
                for evidence in check(session):
                    yield replace(evidence, sessions=(session.name,))

        capture_rule(
            rule_id, severity=severity, sdk=sdk, fix=fix, source=source, explains=explains, last_resort=last_resort
        )(each)
        return check

    return register


def absorb(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that no other finding on the same sessions explains."""
    whole = [(finding, frozenset(finding.sessions)) for finding in findings]
    by_session: dict[str | None, _ById] = {}
    everywhere: _ById = {}
    for finding, sessions in whole:
        for group in (everywhere, *(by_session.setdefault(name, {}) for name in sessions)):
            group.setdefault(finding.id, []).append((finding, sessions))
    return [
        finding
        for finding, sessions in whole
        if not any(
            sessions <= theirs and _explains(other, finding)
            for rule, others in (by_session[finding.sessions[0]] if finding.sessions else everywhere).items()
            if _may_explain(RULES[rule], RULES[finding.id])
            for other, theirs in others
        )
    ]


_ById = dict[str, list[tuple[Finding, frozenset[str | None]]]]  # findings and their sessions, by the rule's id


def _may_explain(cause: Rule, effect: Rule) -> bool:
    """Whether a finding of the one rule can explain a finding of the other."""
    return effect.id in cause.explains or effect.is_last_resort


def _explains(one: Finding, other: Finding) -> bool:
    """Whether the rule of ``one`` explains findings of the rule of ``other``."""
    cause, effect = RULES[one.id], RULES[other.id]
    if other.id in cause.explains:
        return True
    is_cause = one.severity != "info" and cause.explains_ends and not cause.is_last_resort
    return effect.is_last_resort and is_cause


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each id; see the module's docstring."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.id, []).append(finding)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[Finding]) -> Finding:
    first = min(group, key=lambda finding: SEVERITIES.index(finding.severity))
    if len(group) == 1:
        return first
    frames = tuple(sorted({frame for finding in group for frame in finding.frames}))
    sessions = tuple(dict.fromkeys(name for finding in group for name in finding.sessions))
    here = set(first.sessions)
    elsewhere = [finding for finding in group if here.isdisjoint(finding.sessions)]
    places = different_explanations(first.explanation, (finding.explanation for finding in elsewhere))
    different = [elsewhere[at] for at in places]
    described = {name for finding in (first, *different) for name in finding.sessions}
    others = [name for name in sessions if name not in described]
    texts = [first.explanation]
    texts += [f"The same happened in {sessions_text(others)}."] if others else []
    texts += [f"In {sessions_text(finding.sessions)}: {finding.explanation}" for finding in different]
    return replace(first, frames=frames, explanation=" ".join(texts), sessions=sessions)


MAX_EXPLANATIONS: Final = 3  # in one finding
MAX_COMPARED: Final = 50  # explanations that differ in a word; the rest is not compared
_MAX_WORDS: Final = 80  # of each
_SAME: Final = 0.5  # the least share of words that two wordings of one explanation have in common
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_HAS_DIGIT: Final = re.compile(r"\d")
_MARKS: Final = re.compile(r"[^\w\s]")


def different_explanations(first: str, others: Iterable[str]) -> list[int]:
    """The places in ``others`` of explanations that differ in kind from ``first`` and from each other; at most two.

    Two explanations are the same in kind if they share half of their words, apart from quotations, numbers
    and principals.
    """
    kept = [_fixed_words(first)]
    seen = {kept[0]}
    found: list[int] = []
    for place, text in enumerate(others):
        words = _fixed_words(text)
        if words in seen:
            continue
        seen.add(words)
        if not any(_is_same(words, other) for other in kept):
            kept.append(words)
            found.append(place)
        if len(kept) == MAX_EXPLANATIONS or len(seen) > MAX_COMPARED:
            break
    return found


def _fixed_words(text: str) -> tuple[str, ...]:
    """The words of an explanation that do not vary from session to session, in time linear to ``text``."""
    words = (word for word in _QUOTED.sub(" ", text).split() if not _varies(word))
    return tuple(_MARKS.sub(" ", " ".join(words)).lower().split()[:_MAX_WORDS])


def _varies(word: str) -> bool:
    """Whether a word may be a number, a time, an address or a principal."""
    return word.count("-") > 1 or _HAS_DIGIT.search(word) is not None


def _is_same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _SAME
