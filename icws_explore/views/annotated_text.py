"""The annotated tree of a frame as text: offset, size, first bytes and meaning of every field, for 80 columns.

Each field has a line. Parts that only encode a value (field names, CBOR heads, lengths, type tables) are
left out, unless every byte is asked for; then the lines of the leaves together cover the whole frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.text import Text

from icws_explore.analysis.annotate import Node
from icws_explore.analysis.decode import DecodedFrame
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.wording import time_text

from .facts import Fact
from .fields import direction_text
from .formatting import count, one_line, shorten
from .text import WIDTH, cut, facts_lines, frame_title, hanging_lines

MAX_BYTES: Final = 6  # of a field, in the column of bytes
MAX_VALUE: Final = 160  # characters
MAX_LINES: Final = 2_000  # a frame of the protocol has a few hundred
MAX_INDENT: Final = 24  # cells
_BYTES_WIDTH: Final = 2 * MAX_BYTES + 1
_FIELD_COLUMN: Final = 17 + _BYTES_WIDTH  # cells to the left of a field's name, and two more for wrapped lines


def annotated_frame_lines(
    decoded: DecodedFrame, root: Node, *, width: int = WIDTH, every_byte: bool = False
) -> Iterator[Text]:
    """A few lines of facts about a frame, then its annotated tree ``root``."""
    yield frame_title(decoded)
    yield from facts_lines(_facts(decoded), width=width)
    if decoded.frame.data:
        yield Text()
        yield from annotated_lines(root, decoded.frame.data, width=width, every_byte=every_byte)


def _facts(decoded: DecodedFrame) -> list[Fact]:
    frame = decoded.frame
    facts = [
        Fact("summary", one_line(decoded.summary) or "nothing", "bad" if decoded.error else ""),
        Fact("time", f"{time_text(frame.t_ns)}, {direction_text(decoded)}"),
        Fact("size", f"{count(decoded.size, 'byte')}, WebSocket {frame.op}"),
    ]
    if decoded.sequence_num is not None:
        facts.insert(1, Fact("sequence", str(decoded.sequence_num)))
    if decoded.indefinite_layers:
        facts.append(Fact("encoding", f"CBOR with indefinite lengths in: {', '.join(decoded.indefinite_layers)}"))
    if frame.session is not None:
        facts.append(Fact("session", one_line(frame.session)))
    if decoded.envelope is not None:
        facts.append(_request_id(decoded.envelope))
    return facts


def _request_id(envelope: Envelope) -> Fact:
    try:
        return Fact("request id", f"0x{envelope.request_id.hex()}, the hash of the content; it is signed")
    except IcwsError as error:
        return Fact("request id", f"cannot be computed: {one_line(str(error))}", "bad")


def annotated_lines(root: Node, data: bytes, *, width: int = WIDTH, every_byte: bool = False) -> Iterator[Text]:
    """The annotated tree of the frame ``data``. With ``every_byte`` every leaf has a line."""
    yield Text(f"{'offset':>7} {'size':>5}  {'bytes':<{_BYTES_WIDTH}}  field", style="bold")
    for number, (node, depth) in enumerate(_shown(root, every_byte)):
        if number == MAX_LINES:
            yield Text("… and more: `icws show --frame N --json` prints the whole tree", style="italic")
            break
        yield from _lines(node, depth, data, width)
    fault = root.first_fault()
    if fault is not None:
        body = f"first fault at byte {fault.fault_offset}, in {one_line(fault.path) or 'the frame'}: "
        yield from hanging_lines(
            Text("! ", style="bold red"), body + one_line(fault.fault or ""), width, style="bold red"
        )


def annotated_text(root: Node, data: bytes, *, width: int = WIDTH, every_byte: bool = False) -> str:
    return "\n".join(line.plain for line in annotated_lines(root, data, width=width, every_byte=every_byte))


def _shown(root: Node, every_byte: bool) -> Iterator[tuple[Node, int]]:
    """The nodes that have a line, with their depth. A node that only wraps another has none."""
    todo = [(node, "", 0) for node in reversed(root.children)] or [(root, "frame", 0)]
    while todo:
        node, above, depth = todo.pop()
        wraps = bool(node.children) and (not node.path or (not every_byte and _is_inner(node, above)))
        if not wraps and (every_byte or not is_encoding(node)):
            yield node, depth
            depth += 1
        if every_byte or not (node.type in _WHOLE or _is_blob_of_bytes(node)):
            todo.extend((child, node.path, depth) for child in reversed(node.children))


_TYPE_TABLES: Final = ("type table", "types of the values")
_WHOLE: Final = ("text", "principal", *_TYPE_TABLES)
_TREE_FORKS: Final = ("fork", "labeled", "leaf", "pruned")
_ALWAYS: Final = ("tag 55799", "rest", "unread", "type table")


def is_encoding(node: Node) -> bool:
    """Whether a node only says how a value is encoded. Readers who look for values do not need it."""
    if node.fault or node.type in _ALWAYS or node.path.endswith((":rest", ":value", ".unread")):
        return False
    return ":" in node.path


def _is_inner(node: Node, above: str) -> bool:
    """Whether a node is inside a field that has a line already, or a fork of a hash tree."""
    return node.path == above or node.type in _TREE_FORKS or node.path.endswith(":value")


def _is_blob_of_bytes(node: Node) -> bool:
    """Whether a node is a blob without any structure inside."""
    return node.type.startswith("blob") and [child.type for child in node.children] in (["count"], ["count", "bytes"])


def _lines(node: Node, depth: int, data: bytes, width: int) -> Iterator[Text]:
    indent = " " * min(2 * depth, MAX_INDENT)
    size = node.end - node.start
    head = Text(f"{node.start:>7} {size:>5}  ", style="bright_black")
    head.append(f"{_bytes(data, node):<{_BYTES_WIDTH}}  ", style="default")
    head.append(f"{indent}{one_line(_name(node))}", style="cyan" if not node.fault else "bold red")
    body = _body(node)
    if not body:
        yield cut(head, width)
        return
    head.append(" ")
    yield from hanging_lines(head, body, width, indent=_FIELD_COLUMN + len(indent))


def _name(node: Node) -> str:
    """The last step of a node's path; within a hash tree the path of labels."""
    if not node.path:
        return "frame"
    step = node.path.rpartition(".")[2]
    if "tree" in node.path.partition(":")[0].split("."):
        return _in_tree(node.path)
    return "value" if step.endswith(":value") else step.lstrip(":").replace(":", " ")


def _in_tree(path: str) -> str:
    """A path within a hash tree without its forks: ``canister/bnz7o…-cai/certified_data``."""
    below = path.rpartition("tree.")[2].partition(":")[0]
    steps = [step for step in below.split(".") if step not in ("left", "right", "leaf")]
    if steps[-1:] == ["pruned"]:
        return "pruned"
    return "/".join(step if len(step) <= 24 else f"{step[:5]}…{step[-4:]}" for step in steps) or "leaf"


def _body(node: Node) -> str:
    parts = [] if node.value is None or (node.children and not _has_own_value(node)) else [_value(node.value)]
    if node.children and node.type not in ("text", "principal"):
        parts.insert(0, f"({one_line(_brief(node.type))})")
    if node.meaning and not (node.children and node.type in _TYPE_TABLES):
        parts.append(one_line(node.meaning))
    if node.fault:
        parts.append(f"✗ {one_line(node.fault)}")
    return "  ".join(parts)


def _has_own_value(node: Node) -> bool:
    return node.type in ("text", "principal") or _is_blob_of_bytes(node)


def _brief(kind: str) -> str:
    return kind.split(" {", maxsplit=1)[0] if " {" in kind else kind


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        text = f"{len(value)} bytes" if len(value) > MAX_BYTES else f"0x{value.hex()}"
    elif isinstance(value, str):
        text = repr(value)
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, Principal):
        text = value.text
    else:
        text = str(value)
    return shorten(one_line(text), MAX_VALUE)


def _bytes(data: bytes, node: Node) -> str:
    shown = data[node.start : min(node.end, node.start + MAX_BYTES)].hex()
    return shown + ("…" if node.end - node.start > MAX_BYTES else "")
