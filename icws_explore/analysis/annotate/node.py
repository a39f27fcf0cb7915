"""A field of a frame: what it is called, what it says, and exactly which bytes say it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

MAX_SHOWN: Final = 64  # bytes of a value in JSON; the byte range tells where the whole is


@dataclass(slots=True)
class Node:
    """``start`` and ``end`` are byte offsets within the frame; the leaves of a tree tile it.

    What lies in a frame's Candid comes from `candid.CandidNode`, which knows its message only.

    ``path`` leads from the frame to the field, in the protocol's names, dots between. ``type`` is
    that of the encoding ("bytes(32)", "nat64"), ``value`` Python data (None for structure),
    ``meaning`` one line for a person. ``fault`` says what is wrong at this place, and ``fault_at``
    at which byte of the frame exactly, where that is not ``start``.
    """

    path: str
    type: str
    start: int
    end: int
    value: Any = None
    meaning: str = ""
    children: list[Node] = field(default_factory=list)
    fault: str | None = None
    fault_at: int | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def is_leaf(self) -> bool:
        return not self.children

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of their bytes."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def leaves(self) -> Iterator[Node]:
        return (node for node in self.walk() if node.is_leaf)

    def find(self, path: str) -> Node | None:
        """The node with this path, else the first value whose path ends in it: ``find("ingress_expiry")``.

        How a value is written (what has a colon in its path) is found by an ending with a colon only.
        """
        exact = next((node for node in self.walk() if node.path == path), None)
        if exact is not None:
            return exact
        ending, parts = "." + path, ":" in path
        return next((n for n in self.walk() if n.path.endswith(ending) and (parts or ":" not in n.path)), None)

    def way_to(self, wanted: Node) -> list[Node]:
        """From this node down to ``wanted``, both included; empty when it is not below."""
        way: list[Node] = []
        todo = [(self, 0)]
        while todo:
            node, depth = todo.pop()
            del way[depth:]
            way.append(node)
            if node is wanted:
                return way
            todo.extend((child, depth + 1) for child in reversed(node.children))
        return []

    def first_fault(self) -> Node | None:
        """The node of the lowest offset at which something is wrong."""
        faulty = [node for node in self.walk() if node.fault]
        return min(faulty, key=lambda node: node.fault_offset) if faulty else None

    @property
    def fault_offset(self) -> int:
        """The byte of the frame at which ``fault`` shows."""
        return self.start if self.fault_at is None else self.fault_at

    def at(self, offset: int) -> Node | None:
        """The leaf that holds the byte at ``offset``."""
        return next((leaf for leaf in self.leaves() if leaf.start <= offset < leaf.end), None)

    def to_json(self) -> dict[str, Any]:
        """As `icws show --frame N --json` prints it; long bytes are cut, their range is whole."""
        shown = {
            "path": self.path,
            "type": self.type,
            "value": _plain(self.value),
            "meaning": self.meaning,
            "start": self.start,
            "end": self.end,
            "leaf": self.is_leaf,
        }
        return shown | ({"fault": self.fault, "fault_at": self.fault_offset} if self.fault else {})


def one_a_range(root: Node) -> Iterator[Node]:
    """The tree's nodes in the order of their bytes, of nodes over the very same bytes only one.

    A tag in a map in nothing but itself is one field to a reader of JSON, who can then tell leaves by
    their ranges alone. The one that has a name of its own speaks for the others, and tells their fault.
    """
    stack = [root]
    while stack:
        chain = [stack.pop()]
        while (same := _same_range(chain[-1])) is not None:
            chain.append(same)
        named = next((node for node in chain if ":" not in node.path.rpartition(".")[2]), chain[0])
        faulty = next((node for node in chain if node.fault is not None), named)
        below = [child for node in chain for child in node.children if not any(child is link for link in chain)]
        parts = [child for child in below if child.start < child.end or named.start == named.end]
        yield replace(named, children=parts, fault=faulty.fault, fault_at=faulty.fault_at)
        below.sort(key=lambda child: (child.start, child.end))
        stack.extend(reversed(below))


def _same_range(node: Node) -> Node | None:
    """The child over the same bytes; of nothing, or of a part, there is none."""
    if node.start == node.end:
        return None
    return next((child for child in node.children if (child.start, child.end) == (node.start, node.end)), None)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= MAX_SHOWN else value[:MAX_SHOWN].hex() + "…"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # JSON has no word for the others
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)  # JSON readers have doubles
    return str(value)
