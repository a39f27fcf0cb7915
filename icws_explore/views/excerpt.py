"""Which rows of a long list a report shows: the first, the last, and those around the evidence."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def excerpt(total: int, evidence: Iterable[int], *, limit: int, around: int = 3) -> list[range]:
    """At most ``limit`` of the rows 0 to ``total``, as ranges in order that do not touch.

    The rows ``around`` each piece of evidence come first, in the order given, in up to half of the limit (all
    of it where the limit is small); head and tail share what is left.
    """
    if total <= limit:
        return [range(total)] if total else []
    chosen: set[int] = set()
    for row in evidence:
        near = set(range(max(0, row - around), min(total, row + around + 1)))
        if len(chosen | near) > max(limit // 2, 2 * around + 1):
            break
        chosen |= near
    for row in _from_both_ends(total):
        if len(chosen) >= limit:
            break
        chosen.add(row)
    return _ranges(chosen)


def _from_both_ends(total: int) -> Iterable[int]:
    """0, the last, 1, the last but one, …"""
    for step in range((total + 1) // 2):
        yield step
        yield total - 1 - step


def _ranges(rows: Collection[int]) -> list[range]:
    found: list[range] = []
    for row in sorted(rows):
        if found and found[-1].stop == row:
            found[-1] = range(found[-1].start, row + 1)
        else:
            found.append(range(row, row + 1))
    return found


def gaps(ranges: Iterable[range], total: int) -> list[int]:
    """How many rows are left out before each range, and behind the last one."""
    at, found = 0, []
    for part in ranges:
        found.append(part.start - at)
        at = part.stop
    return [*found, total - at]
