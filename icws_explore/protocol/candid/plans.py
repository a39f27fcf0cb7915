"""Keeps the plans of heads that were seen before: a session's messages begin with the same few.

The head of a message (magic number, type table, argument types) ends where its own bytes say, so a
message that begins with a known head has that head. Only small heads are kept, and not many, for a
stranger chooses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .names import known_names
from .plan import Plan
from .reader import Reader
from .wire import read_table

MAX_HEAD: Final = 2048  # bytes
MAX_KEPT: Final = 64  # heads
MAX_READERS: Final = 1000  # in one plan: expected types come and go as .did texts are read again


class _Heads:
    """What is kept, by length, so that a message is compared with one head of each length."""

    def __init__(self) -> None:
        self.by_length: dict[int, dict[bytes, tuple[Plan, int]]] = {}  # head → plan, what reading it cost

    def find(self, reader: Reader) -> Plan | None:
        for length, heads in self.by_length.items():
            found = heads.get(reader.data[:length])
            if found is not None and found[0].size <= MAX_READERS:
                reader.pos = length
                reader.charge(found[1])
                return found[0]
        return None

    def keep(self, head: bytes, plan: Plan, cost: int) -> None:
        kept = self.by_length
        if sum(map(len, kept.values())) >= MAX_KEPT:
            kept = {}
        # A new dict each time: another thread (the lab's) may be walking through the old one.
        self.by_length = {**kept, len(head): {**kept.get(len(head), {}), head: (plan, cost)}}


_HEADS: Final = _Heads()


def plan_for(reader: Reader, names: Mapping[int, str] | None) -> Plan:
    """Reads the head; the plan for its values. Only those with the protocol's own ``names`` (None) are kept.

    Raises Fault.
    """
    if names is not None:
        return Plan(read_table(reader), names)
    plan = _HEADS.find(reader)
    if plan is None:
        before = reader.left
        plan = Plan(read_table(reader), known_names())
        if reader.pos <= MAX_HEAD:
            _HEADS.keep(reader.data[: reader.pos], plan, before - reader.left)
    return plan
