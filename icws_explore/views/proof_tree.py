"""A hash tree as people look at it: which part is on the way to what is proved, and what each node says.

The figure and the card draw the same nodes. A node is lit where one of the looked-up paths runs
through it; of a tree with many values the parts that no path runs through are folded into one node.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from icws_explore.analysis.annotate.tree_layer import label_text
from icws_explore.protocol import leb128
from icws_explore.protocol.certificate.ranges import decode_ranges, ranges_text
from icws_explore.protocol.certificate.texts import key_text, time_text
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.hashtree import Empty, Fork, HashTree, Labeled, Leaf

from .rows import elide, one_line

Kind = Literal["fork", "label", "leaf", "pruned", "empty", "folded"]
Path = tuple[bytes, ...]

MAX_ROWS: Final = 40  # leaves that are drawn; the others are folded
MAX_FULL: Final = 2048  # bytes of a label or a value that are shown when all of it is asked for
WORD: Final = range(3, 17)  # bytes of a value that is shown as text where it can be: no number, no hash
MAX_LABEL: Final = 22  # characters of a label on one line


@dataclass(slots=True)
class ProofNode:
    """``text`` fits a line, ``full`` is all of it; ``digest`` is the 32-byte hash of the node."""

    kind: Kind
    text: str
    full: str
    digest: bytes
    lit: bool = False
    children: list[ProofNode] = field(default_factory=list)

    def walk(self) -> Iterator[ProofNode]:
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    @property
    def rows(self) -> int:
        """How many nodes below it, or it itself, have nothing below them."""
        return sum(not node.children for node in self.walk())


def proof_tree(tree: HashTree, paths: Sequence[Path] = (), *, max_rows: int = MAX_ROWS) -> ProofNode:
    """``tree`` with the way to each of ``paths`` lit. Bounded: beyond ``max_rows`` what is not lit is folded."""
    root = _node(tree, (), frozenset(paths))
    if root.rows > max_rows:
        _fold(root)
    return root


def _node(tree: HashTree, path: Path, wanted: frozenset[Path]) -> ProofNode:
    match tree:
        case Fork(left, right):
            below = [_node(left, path, wanted), _node(right, path, wanted)]
            return ProofNode("fork", "", "", tree.digest, any(child.lit for child in below), below)
        case Labeled(label, inner):
            here = (*path, label)
            child = _node(inner, here, wanted)
            full = one_line(label_text(label[:MAX_FULL], path)) + ("…" if len(label) > MAX_FULL else "")
            lit = child.lit or here in wanted
            return ProofNode("label", short_label(full), full, tree.digest, lit, [child])
        case Leaf(value):
            short, full = leaf_texts(path, value)
            return ProofNode("leaf", short, full, tree.digest, path in wanted)
        case Empty():
            return ProofNode("empty", "empty", "nothing is here", tree.digest)
        case _:
            return ProofNode("pruned", f"pruned {tree.digest[:4].hex()}…", f"pruned: {tree.digest.hex()}", tree.digest)


def _fold(root: ProofNode) -> None:
    """Fold what no path runs through; on the lit ways a single value beside them stays."""
    for node in root.walk():
        if node.lit:
            node.children = [child if child.lit or child.rows == 1 else _folded(child) for child in node.children]
        elif node is root:
            node.children = [_folded(child) for child in node.children]


def _folded(node: ProofNode) -> ProofNode:
    if node.rows == 1:
        return node
    text = f"{node.rows} more, not shown"
    return ProofNode("folded", text, f"{text}: no path that was asked for runs through them", node.digest)


def short_label(text: str) -> str:
    """A label on one line: of a long one both ends, which is where keys and principals differ."""
    return text if len(text) <= MAX_LABEL else f"{text[:8]}…{text[-(MAX_LABEL - 9) :]}"


def leaf_texts(path: Path, value: bytes) -> tuple[str, str]:
    """What the value at ``path`` says, short and in full. Source: interface spec, "The system state tree"."""
    bytes_in_full = f"0x{value[:MAX_FULL].hex()}" + ("" if len(value) <= MAX_FULL else f"… ({len(value)} bytes)")
    short = elide(value, 6)
    last = path[-1] if path else b""
    try:
        if last == b"time":
            time = time_text(leb128.decode(value))
            return time, f"{time} ({bytes_in_full})"
        if last == b"public_key":
            return f"key {key_text(value)}", bytes_in_full
        if last == b"canister_ranges" or path[:1] == (b"canister_ranges",):
            ranges = decode_ranges(value)
            return f"{len(ranges)} canister range{'' if len(ranges) == 1 else 's'}", ranges_text(ranges[:200])
    except DecodeError as error:
        return f"{short}, unreadable", f"{bytes_in_full}: {one_line(str(error))}"
    if last in (b"status", b"reject_message", b"error_code"):
        text = one_line(value[:MAX_FULL].decode("utf-8", "replace"))
        return short_label(text), text
    if len(value) in WORD and value.isascii() and (word := value.decode("ascii")).isprintable():
        return f"'{word}'", f"'{word}' ({bytes_in_full})"
    return short, bytes_in_full
