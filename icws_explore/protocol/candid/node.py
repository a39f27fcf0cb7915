"""A part of a Candid message: what it is called, what it says, and which bytes say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class CandidNode:
    """What `annotate` makes of a message; the leaves of a whole tree tile it.

    ``start`` and ``end`` are byte offsets in the message.
    ``path`` leads to the part: ``types.t0.client_key`` in the type table, ``args.0`` among the
    types of the arguments, ``0.client_key.client_nonce`` among the values. ``value`` is Python data,
    None for what has children; ``meaning`` a word for a person. Where reading stopped, the leaf over
    the unread rest has the reason in ``fault`` and the offset of the fault in ``fault_at``.
    """

    path: str
    type: str
    start: int
    end: int
    value: Any = None
    meaning: str = ""
    children: list[CandidNode] = field(default_factory=list)
    fault: str | None = None
    fault_at: int | None = None

    def walk(self) -> Iterator[CandidNode]:
        """This node and all below it, in the order of their bytes."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def leaves(self) -> Iterator[CandidNode]:
        """The nodes without children; a null has no bytes, so its leaf is empty."""
        return (node for node in self.walk() if not node.children)

    def find(self, path: str) -> CandidNode | None:
        """The first node with this very path."""
        return next((node for node in self.walk() if node.path == path), None)

    def first_fault(self) -> CandidNode | None:
        """Where something is wrong."""
        return next((node for node in self.walk() if node.fault is not None), None)
