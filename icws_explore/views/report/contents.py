"""What a report says: the HTML page and the Markdown text are two ways of writing it down.

The sequence of a session in lines: who said what to whom, what each ack covers, where the order breaks.

It is the sequence diagram as text, so that it can be read on a phone, copied, and pasted into an issue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from icws_explore.analysis.decode import DecodedFrame, Kind
from icws_explore.analysis.doctor import Finding, Findings
from icws_explore.analysis.envelopes import EnvelopeVerdict
from icws_explore.analysis.flow import Bracket, Step, flow
from icws_explore.analysis.network_calls import NetworkCall
from icws_explore.analysis.recording import Summary, summarise
from icws_explore.analysis.redaction.pseudonyms import Pseudonyms
from icws_explore.analysis.timing.timing import Timing
from icws_explore.analysis.verify import MessageVerdict
from icws_explore.capture import Capture

from ..facts import Fact, summary_facts
from ..kinds import LOOKS
from ..rows import excerpt, gaps, one_line, seconds
from .limits import LimitRow, duration

MAX_SESSIONS: Final = 3  # whose sequence and figures are shown: those that a finding is about, else the first ones

# "redacted" is without payloads and other private words, "anonymous" without principals as well.
Privacy = Literal["shown", "redacted", "anonymous"]
Answer = tuple[str, str]  # one line, and its weight: good, note, bad


@dataclass(frozen=True, slots=True)
class SessionContents:
    """One session: its frames, its numbers, and which findings are about it."""

    name: str | None
    frames: Sequence[DecodedFrame]
    summary: Summary
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """``capture`` is what the figures are drawn from. ``unverified`` says why nothing was verified; "" if it was."""

    title: str
    answer: Answer
    capture: Capture
    frames: Sequence[DecodedFrame]
    sessions: Sequence[SessionContents]
    summary: Summary
    findings: Findings
    verdicts: Sequence[MessageVerdict]
    requests: Sequence[EnvelopeVerdict]
    calls: Sequence[NetworkCall]
    timing: Timing
    unverified: str
    replay: Sequence[str]
    limits: Sequence[LimitRow]
    pace: Sequence[Fact]
    recorded: Sequence[Fact]
    made_with: Sequence[Fact]
    privacy: Privacy = "shown"
    names: Pseudonyms | None = None

    def published(self, text: str) -> str:
        """A finished page or text as it may leave: with principals under other names, where that is asked."""
        return text if self.names is None else self.names.apply(text)

    @property
    def withheld(self) -> str:
        """What the reader does not see, in a line; "" where nothing is withheld."""
        if self.privacy == "shown":
            return ""
        names = "; principals are under other names" if self.privacy == "anonymous" else ""
        return (
            "application messages are shown by type and size, bytes by their number; hashes, words that are not the "
            f"protocol's own, and parts of URLs are left out{names}. All was judged before."
        )

    @property
    def start(self) -> float:
        """The first frame's time, in seconds since the epoch."""
        return self.frames[0].frame.t if self.frames else 0.0

    @property
    def evidence(self) -> list[int]:
        """The frames that findings name, those of the worst finding first."""
        return list(dict.fromkeys(number for finding in self.findings for number in finding.frames))

    @property
    def in_detail(self) -> list[SessionContents]:
        """The sessions to show in full."""
        return sorted(self.sessions, key=lambda session: not session.findings)[:MAX_SESSIONS]

    @property
    def in_short(self) -> list[Fact]:
        """What happened in numbers, and whether the real client and gateway would have done the same."""
        replay = [Fact("replay", one_line(line), "note" if "not as " in line else "") for line in self.replay]
        return [*summary_facts(self.summary), *replay]

    @property
    def checks(self) -> list[Fact]:
        """Verification in numbers: how many proofs and requests hold, and which steps fail how often."""
        if self.unverified:
            return [Fact("canister messages", self.unverified, "note"), *_checked("client's requests", self.requests)]
        return [*_checked("canister messages", self.verdicts), *_checked("client's requests", self.requests)]


def session_contents(frames: Sequence[DecodedFrame], findings: Sequence[Finding]) -> list[SessionContents]:
    """The sessions in the order of their first frames, and which findings name them."""
    by_name: dict[str | None, list[DecodedFrame]] = {}
    for decoded in frames:
        if not decoded.frame.is_http:
            by_name.setdefault(decoded.frame.session, []).append(decoded)
    named: dict[str | None, list[str]] = {}
    for finding in findings:
        for session in finding.sessions:
            named.setdefault(session, []).append(finding.id)
    return [SessionContents(name, mine, summarise(mine), tuple(named.get(name, ()))) for name, mine in by_name.items()]


def _checked(what: str, verdicts: Sequence[MessageVerdict] | Sequence[EnvelopeVerdict]) -> list[Fact]:
    if not verdicts:
        return []
    valid = sum(verdict.ok for verdict in verdicts)
    failing = Counter(verdict.failure.step for verdict in verdicts if verdict.failure is not None)
    unjudged = len(verdicts) - valid - failing.total()
    parts = [f"{valid} of {len(verdicts)} hold"]
    parts += [f"{count} fail at {step}" for step, count in failing.most_common()]
    parts += [f"{unjudged} not judged"] if unjudged else []
    return [Fact(what, ", ".join(parts), "bad" if failing else "note" if unjudged else "")]


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """One frame. ``source`` and ``target`` are client, gateway or canister; ``beside`` is what is said of it besides.

    ``is_evidence``: a finding names this frame. ``is_fault``: ``beside`` says what is wrong with its number.
    """

    number: int
    at: str
    kind: Kind
    source: str
    target: str
    sequence: str
    text: str
    beside: str
    is_fault: bool
    is_evidence: bool

    @property
    def glyph(self) -> str:
        return LOOKS[self.kind].glyph

    @property
    def way(self) -> str:
        return f"{self.source} → {self.target}"


@dataclass(frozen=True, slots=True)
class SequencePart:
    """Rows without a gap; ``left_out`` rows before them are not shown."""

    left_out: int
    rows: tuple[SequenceRow, ...]


@dataclass(frozen=True, slots=True)
class SessionSequence:
    """One session's sequence; ``left_out`` rows behind the last part are not shown."""

    parts: tuple[SequencePart, ...]
    left_out: int


def sequence(
    frames: Sequence[DecodedFrame], evidence: Collection[int], *, limit: int, start: float | None = None
) -> SessionSequence:
    """At most ``limit`` rows of one session's frames: its ends, and what is around the ``evidence`` (frame numbers).

    Times count from ``start`` (seconds since the epoch), by default from the session's first frame.
    """
    whole = flow(frames)
    later = 0.0 if start is None or not frames else frames[0].frame.t - start
    row_of = {step.frame: row for row, step in enumerate(whole.steps)}
    chosen = excerpt(len(whole.steps), [row_of[number] for number in evidence if number in row_of], limit=limit)
    left = gaps(chosen, len(whole.steps))
    named = set(evidence)
    notes = {bracket.by: _covers(bracket) for bracket in whole.brackets}
    parts = [
        SequencePart(before, tuple(_row(whole.steps[i], notes.get(i, ""), named, later) for i in part))
        for before, part in zip(left, chosen, strict=False)
    ]
    return SessionSequence(tuple(parts), left[-1])


def _row(step: Step, covers: str, evidence: Collection[int], later: float) -> SequenceRow:
    made = "" if step.made_s is None or step.fault_text else f"made {duration(step.made_s)} before"
    beside = ", ".join(part for part in (step.fault_text, covers, made) if part)
    return SequenceRow(
        number=step.frame,
        at=seconds(step.at_s + later),
        kind=step.kind,
        source=step.source,
        target=step.target,
        sequence="" if step.sequence_num is None else str(step.sequence_num),
        text=one_line(step.text),
        beside=one_line(beside),
        is_fault=step.fault is not None,
        is_evidence=step.frame in evidence,
    )


def _covers(bracket: Bracket) -> str:
    """``covers 3–5 (oldest 12.3 s)``"""
    if bracket.first is None:
        return "covers nothing new"
    numbers = f"{bracket.first}" if bracket.first == bracket.last else f"{bracket.first}–{bracket.last}"
    waited = "" if bracket.oldest_s is None else f" (oldest {duration(bracket.oldest_s)})"
    return f"covers {numbers}{waited}"
