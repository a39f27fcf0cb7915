"""The sequence of a session in lines: who said what to whom, what each ack covers, where the order breaks.

It is the sequence diagram as text, so that it can be read on a phone, copied, and pasted into an issue.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from icws_explore.analysis.decode import DecodedFrame, Kind
from icws_explore.analysis.flow import Bracket, Step, flow

from ..excerpt import excerpt, gaps
from ..kinds import LOOKS
from ..rows import one_line, seconds
from .limits import duration


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
