"""Every byte of a Candid message with its name: magic number, type table, argument types, values.

Values come as they are on the wire, with the labels that the expected types declare. The readers are
those of decoding, so what is annotated is what is decoded, and what is refused is refused alike; but
here the reason stands in the tree beside what could be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from .annotate_head import HeadWalk
from .annotate_values import ValueWalk
from .decode import STACK_USED_UP, refusal
from .names import names_of
from .node import CandidNode
from .plan import Plan
from .reader import Fault, Reader
from .types import Type

MAX_NODES: Final = 5000  # parts told apart; what a larger message has more is one node


def annotate(
    data: bytes,
    types: Sequence[Type] | None = None,
    *,
    names: Mapping[int, str] | None = None,
    max_nodes: int = MAX_NODES,
) -> CandidNode:
    """The parts of the message ``data`` as a tree whose leaves tile it. Nothing is raised for what ``data`` holds.

    ``types`` gives names to fields (so does ``names``: field id → name), and where a well-formed
    message does not fit them, the node of that value says so in ``fault``. Work and memory are
    bounded as decoding's are, and the tree by ``max_nodes`` (a little more, for what sums up the rest).
    """
    labels = names_of(types or ()) if names is None else names
    root = CandidNode("", "Candid", 0, len(data))
    reader = Reader(bytes(data))
    head = HeadWalk(reader, labels, max_nodes)
    at = "magic"
    try:
        try:
            table = head.walk(root.children)
        finally:
            at = head.at
        values = ValueWalk(reader, Plan(table, labels), head.left)
        try:
            for index, ref in enumerate(table.args):
                values.value(root.children, ref, str(index), 0)
        finally:
            at = values.at
        if reader.pos != reader.end:
            at = "rest"
            raise Fault(f"{reader.end - reader.pos} bytes too many behind the values", reader.pos)
    except Fault as fault:
        _close(root, at, fault.reason, fault.offset)
    except RecursionError:
        _close(root, at, STACK_USED_UP, reader.pos)
    else:
        if types is not None:
            _judge(root, data, types)
    return root


def _close(root: CandidNode, path: str, reason: str, offset: int) -> None:
    """A leaf over what was not read, with the reason."""
    for node in reversed(list(root.walk())):  # those that were open end with what they have
        if node.children and node is not root:
            node.end = node.children[-1].end
    start = root.children[-1].end if root.children else 0
    root.children.append(CandidNode(f"{path}.unread", "unread", start, root.end, fault=reason, fault_at=offset))


def _judge(root: CandidNode, data: bytes, types: Sequence[Type]) -> None:
    """Marks the value that does not fit its expected type, if one does not."""
    fault = refusal(data, types)
    if fault is None:
        return
    path = ".".join(str(step) for step in reversed(fault.path))
    there = (node for node in root.walk() if node.start == fault.offset and node.path.replace(".some", "") == path)
    node = next(there, root)  # a missing value is nowhere
    node.fault, node.fault_at = fault.reason, fault.offset
