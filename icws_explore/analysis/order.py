"""Frames whose times contradict their order.

Frames are stored in the order in which they passed, so the times of a session never go back unless a clock
was set or the recording was edited. Views name such frames and leave them out of figures.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from icws_explore.capture import Capture, Frame


def out_of_order(capture: Capture) -> list[int]:
    """The numbers of the frames that have to be left out so that times go forward in every session.

    Of all choices it is one with the fewest frames: where one frame came "too late", only that frame is
    named, not those after it. HTTP frames of the network side count as one more session.
    """
    return misplaced((number, frame) for number, frame in enumerate(capture.frames))


def misplaced(frames: Iterable[tuple[int, Frame]]) -> list[int]:
    """As `out_of_order`, of some frames with their numbers."""
    by_session: dict[tuple[bool, str | None], tuple[list[int], list[float]]] = {}
    for number, frame in frames:
        key = frame.is_http, frame.session
        numbers, times = by_session.get(key) or by_session.setdefault(key, ([], []))
        numbers.append(number)
        times.append(frame.t)
    return sorted(numbers[index] for numbers, times in by_session.values() for index in left_out(times))


def left_out(times: Sequence[float]) -> list[int]:
    """The positions outside of a longest run of ``times`` that never decreases. O(n log n)."""
    if all(before <= after for before, after in pairwise(times)):
        return []
    tails: list[float] = []  # tails[k]: the smallest time that a run of k + 1 can end in
    ends: list[int] = []  # where that time is
    before: list[int] = []  # the position ahead of each in its run, -1 for none
    for position, time in enumerate(times):
        length = bisect_right(tails, time)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [time]
        ends[length : length + 1] = [position]
    kept = set()
    at = ends[-1]
    while at >= 0:
        kept.add(at)
        at = before[at]
    return [position for position in range(len(times)) if position not in kept]
