"""A named range of bytes: the node of a tree that explains a message byte by byte.

`candid.annotate` makes such a tree of a Candid message, `analysis.annotate.annotate_frame` of a whole frame.
The leaves of a tree cover its bytes without gaps and overlaps: every byte belongs to exactly one leaf.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

MAX_SHOWN: Final = 64  # bytes of a value in JSON; the byte range shows where all of it is


@dataclass(slots=True)
class Node:
    """One part of a message, and the parts in it.

    ``path`` leads from the root to the part, with dots between the steps. ``type`` is the type in the encoding
    ("bytes(32)", "nat64"). ``start`` and ``end`` are byte offsets from the beginning of the root. ``value`` is
    Python data (None for a part that only contains others), ``meaning`` one line for a person. ``fault`` says what
    is wrong in this part; ``fault_at`` is the offset of the byte where it shows, None if that is ``start``.
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
        """The last step of the path."""
        return self.path.rpartition(".")[2]

    @property
    def is_leaf(self) -> bool:
        return not self.children

    @property
    def fault_offset(self) -> int:
        """The offset of the byte where ``fault`` shows."""
        return self.start if self.fault_at is None else self.fault_at

    def walk(self) -> Iterator[Node]:
        """This node and all nodes below it, in the order of their bytes."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def leaves(self) -> Iterator[Node]:
        """The nodes without children. A value without bytes, such as null, is an empty leaf."""
        return (node for node in self.walk() if not node.children)

    def at_path(self, path: str) -> Node | None:
        """The first node with exactly this path."""
        return next((node for node in self.walk() if node.path == path), None)

    def find(self, path: str) -> Node | None:
        """The node with this path, else the first value whose path ends in it: ``find("ingress_expiry")``.

        Parts of the encoding have a colon in their path. Only an ending with a colon finds them.
        """
        exact = self.at_path(path)
        if exact is not None:
            return exact
        ending, has_colon = "." + path, ":" in path
        return next((n for n in self.walk() if n.path.endswith(ending) and (has_colon or ":" not in n.path)), None)

    def way_to(self, wanted: Node) -> list[Node]:
        """The nodes from this one down to ``wanted``, including both; empty if it is not below this one."""
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
        """The node whose fault shows at the lowest offset."""
        faulty = [node for node in self.walk() if node.fault is not None]
        return min(faulty, key=lambda node: node.fault_offset) if faulty else None

    def at(self, offset: int) -> Node | None:
        """The leaf that contains the byte at ``offset``."""
        return next((leaf for leaf in self.leaves() if leaf.start <= offset < leaf.end), None)

    def to_json(self) -> dict[str, Any]:
        """The node as `icws show --frame N --json` prints it. Long byte values are cut; the range is complete."""
        shown = {
            "path": self.path,
            "type": self.type,
            "value": _plain(self.value),
            "meaning": self.meaning,
            "start": self.start,
            "end": self.end,
            "leaf": self.is_leaf,
        }
        return shown | ({"fault": self.fault, "fault_at": self.fault_offset} if self.fault is not None else {})


def one_a_range(root: Node) -> Iterator[Node]:
    """The nodes of a tree in the order of their bytes, but only one of several nodes with the same byte range.

    For readers of JSON, who can then tell leaves by their ranges alone. Of nodes with the same range, the one with
    a name of its own is kept, and it has the fault of the others. Ranges of no bytes are not merged. Beside a leaf that
    was merged from a value and its parts, they come where they are: before it or after it.
    """
    stack: list[tuple[Node, bool]] = [(root, False)]  # whether the node is a row already
    while stack:
        node, is_row = stack.pop()
        if is_row:
            yield node
            continue
        chain = [node]
        while (same := _child_of_same_range(chain[-1])) is not None:
            chain.append(same)
        named = next((node for node in chain if ":" not in node.name), chain[0])
        faulty = next((node for node in chain if node.fault is not None), named)
        below = [child for node in chain for child in node.children if not any(child is link for link in chain)]
        parts = [child for child in below if child.start < child.end or named.start == named.end]
        row = replace(named, children=parts, fault=faulty.fault, fault_at=faulty.fault_at)
        below.sort(key=lambda child: (child.start, child.end))
        ahead = [] if parts else [child for child in below if child.end == row.start < row.end]
        behind = below[len(ahead) :]
        stack.extend((child, False) for child in reversed(behind))
        stack.append((row, True))
        stack.extend((child, False) for child in reversed(ahead))


def _child_of_same_range(node: Node) -> Node | None:
    if node.start == node.end:
        return None
    return next((child for child in node.children if (child.start, child.end) == (node.start, node.end)), None)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= MAX_SHOWN else value[:MAX_SHOWN].hex() + "…"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # JSON has no NaN and no infinity
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)  # many JSON readers keep numbers as doubles
    return str(value)
