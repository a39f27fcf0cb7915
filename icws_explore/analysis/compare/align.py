"""Two sessions side by side: which event of the one is which event of the other.

Each stream is aligned by itself (`difflib`, after what both have in common at either end is taken off): by what the
events say and their sequence numbers if no more events match without the numbers, else by what they say. What is
left over is paired where both have something of the same kind in the same place (altered), or where the same event
stands elsewhere (moved). The rest has no counterpart.

The rows are in the order of the first session; events that only the second has stand where they came there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, get_args

from .events import Event, Stream

_LARGE: Final = 4_000_000  # pairs of events that are compared exactly; beyond, frequent events are no landmarks


@dataclass(frozen=True, slots=True)
class Pair:
    """An event of the first session and its counterpart in the second; None where there is none.

    ``moved`` says that both say the same, at another place among the others.
    """

    one: Event | None
    other: Event | None
    moved: bool = False

    @property
    def is_altered(self) -> bool:
        """Whether both are of the same kind and say something else."""
        return self.one is not None and self.other is not None and self.one.token != self.other.token


def align(one: Sequence[Event], other: Sequence[Event]) -> list[Pair]:
    """The events of both sessions in pairs."""
    pairs: list[Pair] = []
    for stream in get_args(Stream):
        pairs += _stream(
            [event for event in one if event.stream == stream], [event for event in other if event.stream == stream]
        )
    return _in_order(pairs)


def _stream(one: Sequence[Event], other: Sequence[Event]) -> list[Pair]:
    mine, theirs = (Counter(event.token for event in events) for events in (one, other))
    numbered = _aligned(one, other, _with_number)
    if sum(_is_match(pair) for pair in numbered) >= (mine & theirs).total():
        return numbered
    said = _aligned(one, other, _said)
    return max(numbered, said, key=lambda pairs: sum(_is_match(pair) for pair in pairs))


def _is_match(pair: Pair) -> bool:
    return pair.one is not None and pair.other is not None and not pair.moved and not pair.is_altered


def _said(event: Event) -> Hashable:
    return event.token


def _with_number(event: Event) -> Hashable:
    return event.token, event.decoded.sequence_num


def _aligned(one: Sequence[Event], other: Sequence[Event], key: Callable[[Event], Hashable]) -> list[Pair]:
    """The pairs of one stream, by what ``key`` gives."""
    ahead = _common(one, other, key)
    rest, others = one[ahead:], other[ahead:]
    behind = _common(rest[::-1], others[::-1], key)
    middle, middles = rest[: len(rest) - behind], others[: len(others) - behind]
    return [
        *map(Pair, one[:ahead], other[:ahead]),
        *_middle(middle, middles, key),
        *map(Pair, rest[len(middle) :], others[len(middles) :]),
    ]


def _common(one: Sequence[Event], other: Sequence[Event], key: Callable[[Event], Hashable]) -> int:
    """How many events both begin with."""
    found = 0
    for mine, theirs in zip(one, other, strict=False):
        if key(mine) != key(theirs):
            break
        found += 1
    return found


def _middle(one: Sequence[Event], other: Sequence[Event], key: Callable[[Event], Hashable]) -> Iterator[Pair]:
    if not one or not other:
        yield from (Pair(event, None) for event in one)
        yield from (Pair(None, event) for event in other)
        return
    is_large = len(one) * len(other) > _LARGE
    matcher = SequenceMatcher(None, list(map(key, one)), list(map(key, other)), autojunk=is_large)
    blocks: list[tuple[Sequence[Event], Sequence[Event]]] = []
    for tag, start, stop, start_other, stop_other in matcher.get_opcodes():
        if tag == "equal":
            yield from map(Pair, one[start:stop], other[start_other:stop_other])
        else:
            blocks.append((one[start:stop], other[start_other:stop_other]))
    yield from _left_over(blocks, key)


def _left_over(
    blocks: Sequence[tuple[Sequence[Event], Sequence[Event]]], key: Callable[[Event], Hashable]
) -> Iterator[Pair]:
    """Pairs of what the alignment left: moved where the same event is elsewhere, altered in the same place."""
    elsewhere: dict[Hashable, list[Event]] = defaultdict(list)
    for _, others in reversed(blocks):
        for event in reversed(others):
            elsewhere[key(event)].append(event)
    moved: set[int] = set()
    for ones, _ in blocks:
        for event in ones:
            if same := elsewhere.get(key(event)):
                theirs = same.pop()
                moved |= {id(event), id(theirs)}
                yield Pair(event, theirs, moved=True)
    for ones, others in blocks:
        mine = [event for event in ones if id(event) not in moved]
        waiting: dict[str, list[Event]] = defaultdict(list)
        for event in reversed(others):
            if id(event) not in moved:
                waiting[event.decoded.kind].append(event)
        for event in mine:
            same = waiting[event.decoded.kind]
            yield Pair(event, same.pop() if same else None)
        yield from (Pair(None, event) for kind in waiting.values() for event in kind)


def _in_order(pairs: Sequence[Pair]) -> list[Pair]:
    mine = sorted((pair for pair in pairs if pair.one is not None), key=lambda pair: pair.one.frame if pair.one else 0)
    theirs = sorted(
        (pair for pair in pairs if pair.one is None), key=lambda pair: pair.other.frame if pair.other else 0
    )
    rows: list[Pair] = []
    at = 0
    for pair in mine:
        if pair.other is not None and not pair.moved:
            while at < len(theirs) and _frame(theirs[at]) < pair.other.frame:
                rows.append(theirs[at])
                at += 1
        rows.append(pair)
    return [*rows, *theirs[at:]]


def _frame(pair: Pair) -> int:
    assert pair.other is not None
    return pair.other.frame
