"""A field of a frame: what it is called, what it says, and exactly which bytes say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

MAX_SHOWN: Final = 64  # bytes of a value in JSON; the byte range tells where the whole is


@dataclass(slots=True)
class Node:
    """``start`` and ``end`` are byte offsets within the frame; the leaves of a tree tile it.

    ``path`` leads from the frame to the field, in the protocol's names, dots between. ``type`` is
    that of the encoding ("bytes(32)", "nat64"), ``value`` Python data (None for structure),
    ``meaning`` one line for a person. ``fault`` says what is wrong at this very place.
    """

    path: str
    type: str
    start: int
    end: int
    value: Any = None
    meaning: str = ""
    children: list[Node] = field(default_factory=list)
    fault: str | None = None

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
        """The first node with this path, or whose path ends in it: ``find("ingress_expiry")``."""
        return next((n for n in self.walk() if n.path == path or n.path.endswith("." + path)), None)

    def first_fault(self) -> Node | None:
        """The node of the lowest offset at which something is wrong."""
        faulty = [node for node in self.walk() if node.fault]
        return min(faulty, key=lambda node: node.start) if faulty else None

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
        return shown | ({"fault": self.fault} if self.fault else {})


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= MAX_SHOWN else value[:MAX_SHOWN].hex() + "…"
    if value is None or isinstance(value, (str, bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)  # JSON readers have doubles
    return str(value)
