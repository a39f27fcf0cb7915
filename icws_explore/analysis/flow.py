"""A session as a sequence of steps between parties, as a sequence diagram draws it.

Each step is one frame. Its sequence number is checked against the order of its direction (gap, duplicate,
swap), and each ack and keep-alive is a bracket over the steps that it covers and no earlier one did.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from icws_explore.capture import Direction
from icws_explore.protocol.constants import FIRST_SEQUENCE_NUM, NS_PER_S
from icws_explore.protocol.service_messages import AckMessage, KeepAliveMessage

from .decode import DecodedFrame, Kind

Party = Literal["client", "gateway", "canister"]
Fault = Literal["gap", "duplicate", "swap", "late"]


@dataclass(frozen=True, slots=True)
class Step:
    """One frame. ``at_s`` is in seconds since the session's first frame.

    ``made_s`` is how many seconds before its receipt the canister made the message. ``fault`` is what is wrong with
    its sequence number, and ``fault_text`` says so in words: a "swap" came right after its successor, a "late" one
    later than that. ``lost`` are the numbers that are missing ahead of it and that never came in the whole session.
    """

    frame: int
    at_s: float
    kind: Kind
    source: Party
    target: Party
    sequence_num: int | None
    text: str
    made_s: float | None = None
    fault: Fault | None = None
    fault_text: str = ""
    lost: tuple[range, ...] = ()

    @property
    def direction(self) -> Direction:
        return "out" if self.source == "client" else "in"


@dataclass(frozen=True, slots=True)
class Bracket:
    """The steps that an ack or a keep-alive covers and no earlier one did: ``rows`` of the flow. ``by`` is its own row.

    ``number`` is the sequence number that it confirms. ``first`` and ``last`` are the lowest and the highest number
    of the covered steps, ``oldest_s`` is how many seconds the first of them had waited.
    """

    kind: Literal["ack", "keep_alive"]
    by: int
    rows: tuple[int, ...]
    number: int
    first: int | None
    last: int | None
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Steps in the order of the frames, brackets in the order of their acks.

    ``before`` and ``after`` count the steps that were left out at either end.
    """

    steps: tuple[Step, ...]
    brackets: tuple[Bracket, ...]
    before: int = 0
    after: int = 0


def flow(frames: Sequence[DecodedFrame], *, start: int = 0, stop: int | None = None) -> Flow:
    """The flow of one session's frames, of which the steps ``start`` to ``stop`` (counted from 0) are kept.

    Order and brackets are worked out over the whole session before anything is left out.
    """
    origin = frames[0].frame.t if frames else 0.0
    steps = _judged([_step(decoded, origin) for decoded in frames], frames)
    brackets = list(_brackets(frames, steps))
    end = len(steps) if stop is None else min(stop, len(steps))
    begin = min(max(start, 0), end)
    kept = [_shifted(bracket, begin, end) for bracket in brackets if begin <= bracket.by < end]
    return Flow(tuple(steps[begin:end]), tuple(kept), begin, len(steps) - end)


def _shifted(bracket: Bracket, begin: int, end: int) -> Bracket:
    rows = tuple(row - begin for row in bracket.rows if begin <= row < end)
    return replace(bracket, by=bracket.by - begin, rows=rows)


def _step(decoded: DecodedFrame, origin: float) -> Step:
    outward = decoded.frame.direction == "out"
    through = decoded.canister_message is not None or decoded.envelope is not None
    far: Party = "canister" if through else "gateway"
    made = None
    if decoded.message is not None and not outward:
        made = decoded.frame.t - decoded.message.timestamp_ns / NS_PER_S
    return Step(
        decoded.number,
        decoded.frame.t - origin,
        decoded.kind,
        "client" if outward else far,
        far if outward else "client",
        decoded.sequence_num,
        decoded.summary,
        made,
    )


def _judged(steps: Sequence[Step], frames: Sequence[DecodedFrame]) -> list[Step]:
    """The steps with what is wrong with their numbers. After a gap the count continues from the number that came."""
    whole = any(decoded.kind in ("open_request", "open") for decoded in frames)
    expected: dict[Direction, int | None] = dict.fromkeys(("out", "in"), FIRST_SEQUENCE_NUM if whole else None)
    seen: dict[Direction, set[int]] = {"out": set(), "in": set()}
    came: dict[Direction, list[int]] = {
        side: sorted({n for step in steps if step.direction == side and (n := step.sequence_num) is not None})
        for side in seen
    }
    last: dict[Direction, int] = {}
    judged = []
    for step in steps:
        number, side = step.sequence_num, step.direction
        if number is None:
            judged.append(step)
            continue
        due = expected[side]
        fault: Fault | None = None
        text = ""
        lost: tuple[range, ...] = ()
        if due is not None and number > due:
            missing = str(due) if number == due + 1 else f"{due}–{number - 1}"
            fault, text = "gap", f"gap: {missing} missing"
            lost = tuple(_never_came(due, number, came[side]))
        elif number in seen[side]:
            fault, text = "duplicate", f"duplicate of {number}"
        elif due is not None and number < due:
            fault = "swap" if last.get(side) == number + 1 else "late"
            text = f"swapped: {number} after {last.get(side)}" if fault == "swap" else f"late: {due} expected"
        judged.append(replace(step, fault=fault, fault_text=text, lost=lost))
        seen[side].add(number)
        last[side] = number
        expected[side] = number + 1 if due is None else max(due, number + 1)
    return judged


def _never_came(start: int, stop: int, came: Sequence[int]) -> Iterable[range]:
    """The numbers from ``start`` up to ``stop`` that are not among those that ``came``, which are sorted."""
    for number in [*came[bisect_left(came, start) : bisect_left(came, stop)], stop]:
        if number > start:
            yield range(start, number)
        start = number + 1


def _brackets(frames: Sequence[DecodedFrame], steps: Sequence[Step]) -> Iterable[Bracket]:
    covered: dict[Direction, int] = {"out": 0, "in": 0}
    waiting: dict[Direction, list[int]] = {"out": [], "in": []}
    for row, (decoded, step) in enumerate(zip(frames, steps, strict=True)):
        match decoded.service:
            case AckMessage(last_incoming_sequence_num=number):
                yield _bracket("ack", row, steps, waiting["out"], number)
                covered["out"] = max(covered["out"], number)
            case KeepAliveMessage(last_incoming_sequence_num=number):
                yield _bracket("keep_alive", row, steps, waiting["in"], number)
                covered["in"] = max(covered["in"], number)
        side = step.direction
        if step.sequence_num is not None and step.sequence_num > covered[side]:
            waiting[side].append(row)


def _bracket(
    kind: Literal["ack", "keep_alive"], by: int, steps: Sequence[Step], waiting: list[int], number: int
) -> Bracket:
    """The bracket of the ack in row ``by``. What it covers is taken out of ``waiting``."""
    rows = tuple(row for row in waiting if (steps[row].sequence_num or 0) <= number)
    waiting[:] = [row for row in waiting if row not in rows]
    numbers = [steps[row].sequence_num or 0 for row in rows]
    oldest = steps[by].at_s - steps[rows[0]].at_s if rows else None
    return Bracket(kind, by, rows, number, min(numbers, default=None), max(numbers, default=None), oldest)
