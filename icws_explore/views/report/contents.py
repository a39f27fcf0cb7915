"""The contents of a report, which the HTML page and the Markdown text write down in two ways.

`gather` fills in `Contents`. Of a long recording, a report shows only a part: the frames around the evidence of a
finding, and the sequence of a session, a row for each frame. This module selects it, so both forms show the same.
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

from ..facts import Fact, Weight, summary_facts
from ..formatting import duration, one_line, seconds
from ..kinds import LOOKS
from ..limits import LimitRow
from ..mermaid import lost_text
from ..rows import Part, excerpt

MAX_SESSIONS: Final = 3  # that are shown in full: those with findings first

# "redacted" leaves out payloads and other private words; "anonymous" replaces principals as well.
Privacy = Literal["shown", "redacted", "anonymous"]
Answer = tuple[str, Weight]


@dataclass(frozen=True, slots=True)
class SessionContents:
    """One session: its frames, its summary, and the ids of the findings about it."""

    name: str | None
    frames: Sequence[DecodedFrame]
    summary: Summary
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a report says.

    ``answer`` is the whole report in one line, with its weight. ``capture`` is what the figures are drawn from.
    ``unverified`` says why nothing was verified, and is empty if it was. ``replay`` has a line for each way in which
    the real client or gateway would have continued a session, and ``replay_agrees`` says whether they would have
    done what was recorded.
    """

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
    replay_agrees: bool
    limits: Sequence[LimitRow]
    pace: Sequence[Fact]
    recorded: Sequence[Fact]
    made_with: Sequence[Fact]
    privacy: Privacy = "shown"
    names: Pseudonyms | None = None

    def published(self, text: str) -> str:
        """A finished page or text as it may leave the machine: with pseudonyms for principals, if that was asked."""
        return text if self.names is None else self.names.apply(text)

    @property
    def withheld(self) -> str:
        """What a redacted report leaves out, in one line. Empty if nothing is left out."""
        if self.privacy == "shown":
            return ""
        names = "; principals are replaced by other names" if self.privacy == "anonymous" else ""
        return (
            "application messages are given by type and size, bytes by their number; hashes, texts that are not the "
            f"protocol's own, and parts of URLs are left out{names}. Everything was checked before."
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
    def summary_facts(self) -> list[Fact]:
        """What happened, counted, and what the real client and gateway would have done."""
        weight: Weight = "" if self.replay_agrees else "note"
        return [*summary_facts(self.summary), *(Fact("replay", one_line(line), weight) for line in self.replay)]

    @property
    def checks(self) -> list[Fact]:
        """The verification, counted: how many messages and requests passed, and at which steps others failed."""
        if self.unverified:
            return [Fact("canister messages", self.unverified, "note"), *_checked("client requests", self.requests)]
        return [*_checked("canister messages", self.verdicts), *_checked("client requests", self.requests)]


def session_contents(frames: Sequence[DecodedFrame], findings: Sequence[Finding]) -> list[SessionContents]:
    """The sessions in the order of their first frames, with the findings that name them."""
    by_name: dict[str | None, list[DecodedFrame]] = {}
    for decoded in frames:
        if not decoded.frame.is_http:
            by_name.setdefault(decoded.frame.session, []).append(decoded)
    named: dict[str | None, list[str]] = {}
    for finding in findings:
        for session in finding.sessions:
            named.setdefault(session, []).append(finding.id)
    return [
        SessionContents(name, of_session, summarise(of_session), tuple(named.get(name, ())))
        for name, of_session in by_name.items()
    ]


def _checked(what: str, verdicts: Sequence[MessageVerdict] | Sequence[EnvelopeVerdict]) -> list[Fact]:
    if not verdicts:
        return []
    passed = sum(verdict.ok for verdict in verdicts)
    failed = Counter(verdict.failure.step for verdict in verdicts if verdict.failure is not None)
    unchecked = len(verdicts) - passed - failed.total()
    parts = [f"{passed} of {len(verdicts)} passed"]
    parts += [f"{number} failed at {step}" for step, number in failed.most_common()]
    parts += [f"{unchecked} not checked"] if unchecked else []
    return [Fact(what, ", ".join(parts), "bad" if failed else "note" if unchecked else "good")]


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """One frame of a sequence. ``source`` and ``target`` are client, gateway or canister.

    ``beside`` is a remark: what an ack covers, when a message was made, or what is wrong with its number
    (``is_fault``). ``is_evidence`` means that a finding names this frame.
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


def session_sequence(
    frames: Sequence[DecodedFrame], evidence: Collection[int], *, limit: int, start: float | None = None
) -> list[Part[SequenceRow]]:
    """At most ``limit`` rows of one session: its ends, and what is around the ``evidence`` (frame numbers).

    Times count from ``start`` (seconds since the epoch), by default from the session's first frame.
    """
    whole = flow(frames)
    later = 0.0 if start is None or not frames else frames[0].frame.t - start
    row_of = {step.frame: row for row, step in enumerate(whole.steps)}
    near = [row_of[number] for number in evidence if number in row_of]
    named = set(evidence)
    notes = {bracket.by: _covers(bracket) for bracket in whole.brackets}
    return [
        part.map(lambda row: _sequence_row(whole.steps[row], notes.get(row, ""), named, later))
        for part in excerpt(len(whole.steps), near, limit=limit)
    ]


def _sequence_row(step: Step, covers: str, evidence: Collection[int], later: float) -> SequenceRow:
    made = "" if step.made_s is None or step.fault_text else f"made {duration(step.made_s)} before"
    lost = lost_text(step) if step.lost else ""
    return SequenceRow(
        number=step.frame,
        at=seconds(step.at_s + later),
        kind=step.kind,
        source=step.source,
        target=step.target,
        sequence="" if step.sequence_num is None else str(step.sequence_num),
        text=one_line(step.text),
        beside=one_line(", ".join(part for part in (lost or step.fault_text, covers, made) if part)),
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
