"""Every byte of a Candid message with its name: magic number, type table, argument types, values.

Values come as they are on the wire, with the labels that the expected types declare. The readers are
those of decoding, so what is annotated is what is decoded, and what is refused is refused alike; but
here the reason stands in the tree beside what could be read.

Annotates the head of a Candid message: every opcode, field id and index of the type table.

Annotates the values of a Candid message: each with its parts, down to lengths and tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

from .decode import STACK_USED_UP, Plan, refusal
from .names import names_of
from .node import CandidNode
from .reader import Fault, Reader
from .readers import FIXED, Read, label_of, read_func, read_principal, read_service
from .text import brief_text
from .types import (
    ANNOTATIONS,
    FUNC_CODE,
    NAT8,
    OPT_CODE,
    PRIM_BY_OPCODE,
    PRINCIPAL,
    RECORD_CODE,
    SERVICE_CODE,
    TEXT,
    VARIANT_CODE,
    VEC_CODE,
    Type,
)
from .wire import MAGIC, MAX_ARGS, MAX_TABLE, Entry, Table, check_methods, read_entry, read_ref

_WORDS: Final = {
    OPT_CODE: "opt", VEC_CODE: "vec", RECORD_CODE: "record", VARIANT_CODE: "variant",
    FUNC_CODE: "func", SERVICE_CODE: "service",
}  # fmt: skip
_ANNOTATION: Final = {code: name for name, code in ANNOTATIONS.items()}


class HeadWalk:
    """``at`` is the path of what is being read, ``left`` how many more nodes there may be."""

    def __init__(self, reader: Reader, names: Mapping[int, str], left: int) -> None:
        self.left = left
        self.at = "magic"
        self._reader = reader
        self._names = names

    def walk(self, into: list[CandidNode]) -> Table:
        """Adds the nodes of the head to ``into``; what cannot be read is raised as Fault, after what can."""
        reader = self._reader
        if reader.data[:4] != MAGIC:
            raise Fault("does not begin with DIDL", 0)
        reader.pos = 4
        self._leaf(into, "magic", "magic number", 0, "DIDL")
        table = Table()
        self._types(into, table)
        self.at = "types"
        check_methods(table)
        self._arguments(into, table)
        table.end = reader.pos
        return table

    def _types(self, into: list[CandidNode], table: Table) -> None:
        reader = self._reader
        node = self._open(into, "types", "type table")
        size = self._count(node, "types.count", "the type table's length", 2)
        if size > MAX_TABLE:
            raise Fault(f"the type table has {size} entries, more than {MAX_TABLE}", node.start)
        reader.charge(size)
        rest: int | None = None
        for index in range(size):
            self.at = f"types.t{index}"
            start = reader.pos
            table.entries.append(read_entry(reader, size))
            if self.left > 0:
                entry = self._open(node.children, self.at, "type", start)
                _EntryWalk(self, reader.data, size).walk(entry, table.entries[-1])
                entry.end = reader.pos
            elif rest is None:
                rest = start
        if rest is not None:
            node.children.append(CandidNode("types.rest", "types", rest, reader.pos, None, "and more"))
        node.end = reader.pos

    def _arguments(self, into: list[CandidNode], table: Table) -> None:
        reader = self._reader
        node = self._open(into, "args", "types of the values")
        count = self._count(node, "args.count", "the number of values", 1)
        if count > MAX_ARGS:
            raise Fault(f"{count} values are more than {MAX_ARGS}", node.start)
        reader.charge(count)
        args = []
        for index in range(count):
            self.at = f"args.{index}"
            start = reader.pos
            args.append(read_ref(reader, len(table.entries)))
            self._leaf(node.children, self.at, "type", start, _type_name(args[-1]))
        table.args = tuple(args)
        node.end = reader.pos

    def _open(self, into: list[CandidNode], path: str, kind: str, start: int | None = None) -> CandidNode:
        begin = self._reader.pos if start is None else start
        into.append(CandidNode(path, kind, begin, begin))
        self.left -= 1
        return into[-1]

    def _count(self, node: CandidNode, path: str, what: str, least_size: int) -> int:
        self.at = path
        start = self._reader.pos
        count = self._reader.items(what, least_size)
        self._leaf(node.children, path, "count", start, count)
        node.end = self._reader.pos
        return count

    def _leaf(self, into: list[CandidNode], path: str, kind: str, start: int, value: Any) -> None:
        into.append(CandidNode(path, kind, start, self._reader.pos, value))
        self.left -= 1

    def label(self, number: int) -> str:
        """A field id as people may know it."""
        return label_of(number, self._names)


class _EntryWalk:
    """The parts of one definition, which is known to be well-formed."""

    def __init__(self, head: HeadWalk, data: bytes, size: int) -> None:
        self._head = head
        self._reader = Reader(data)
        self._size = size

    def walk(self, node: CandidNode, entry: Entry) -> None:
        reader = self._reader
        reader.pos = entry.start
        reader.type_code("opcode")
        self._leaf(node, "opcode", "opcode", entry.start, entry.code, _WORDS.get(entry.code, "of a later Candid"))
        match entry.code:
            case _ if entry.code in (OPT_CODE, VEC_CODE):
                self._type(node, "of")
            case _ if entry.code in (RECORD_CODE, VARIANT_CODE):
                self._count(node, "count")
                self._fields(node, entry)
            case _ if entry.code == FUNC_CODE:
                self._func(node, entry)
            case _ if entry.code == SERVICE_CODE:
                self._count(node, "count")
                self._methods(node, entry)
        if reader.pos < entry.end:  # a future type's content, or what there was no room for
            start, reader.pos = reader.pos, entry.end
            self._leaf(node, "rest", "types", start, None, "and more")

    def _fields(self, node: CandidNode, entry: Entry) -> None:
        for number, _ in entry.fields:
            if self._head.left <= 0:
                return
            field = self._part(node, self._head.label(number), "field")
            start = self._reader.pos
            self._leaf(field, "id", "field id", start, self._reader.count("id"), self._head.label(number))
            self._type(field, "type")
            field.end = self._reader.pos

    def _methods(self, node: CandidNode, entry: Entry) -> None:
        for name, _ in entry.methods:
            if self._head.left <= 0:
                return
            method = self._part(node, name, "method")
            start = self._reader.pos
            self._leaf(method, "name", "text", start, self._reader.text("name"))
            self._type(method, "type")
            method.end = self._reader.pos

    def _func(self, node: CandidNode, entry: Entry) -> None:
        for word, types in (("args", entry.args), ("results", entry.results)):
            self._count(node, f"{word}.count")
            for index in range(len(types)):
                if self._head.left <= 0:
                    return
                self._type(node, f"{word}.{index}")
        self._count(node, "annotations.count")
        for index in range(len(entry.annotations)):
            start = self._reader.pos
            code = self._reader.byte("annotation")
            self._leaf(node, f"annotations.{index}", "annotation", start, code, _ANNOTATION[code])

    def _part(self, node: CandidNode, name: str, kind: str) -> CandidNode:
        start = self._reader.pos
        node.children.append(CandidNode(f"{node.path}.{name}", kind, start, start))
        self._head.left -= 1
        return node.children[-1]

    def _count(self, node: CandidNode, name: str) -> None:
        start = self._reader.pos
        self._leaf(node, name, "count", start, self._reader.count(name))

    def _type(self, node: CandidNode, name: str) -> None:
        start = self._reader.pos
        self._leaf(node, name, "type", start, _type_name(read_ref(self._reader, self._size)))

    def _leaf(self, node: CandidNode, name: str, kind: str, start: int, value: Any, meaning: str = "") -> None:
        node.children.append(CandidNode(f"{node.path}.{name}", kind, start, self._reader.pos, value, meaning))
        self._head.left -= 1


def _type_name(ref: int) -> str:
    return f"t{ref}" if ref >= 0 else PRIM_BY_OPCODE[ref].name


MAX_LEVELS: Final = 64  # nested nodes; a value below is one leaf
MAX_NUMBERS: Final = 64  # elements of a vector of numbers; a longer one is one leaf


class ValueWalk:
    """``at`` is the path of what is being read, ``left`` how many more nodes there may be."""

    def __init__(self, reader: Reader, plan: Plan, left: int) -> None:
        self.left = left
        self.at = "0"
        self._reader = reader
        self._plan = plan
        self._texts: dict[int, str] = {}
        self._inside: Mapping[int, Callable[[CandidNode, int, int], None]] = {
            OPT_CODE: self._opt,
            VEC_CODE: self._vec,
            RECORD_CODE: self._record,
            VARIANT_CODE: self._variant,
            FUNC_CODE: self._func,
            SERVICE_CODE: lambda node, _ref, _depth: self._identifier(node, read_service),
            PRINCIPAL.opcode: lambda node, _ref, _depth: self._identifier(node, read_principal),
            TEXT.opcode: self._text,
        }

    def value(self, into: list[CandidNode], ref: int, path: str, depth: int) -> None:
        """Adds the node of the value of wire type ``ref`` that comes next. Raises Fault, after what can be read."""
        self.at = path
        start = self._reader.pos
        node = CandidNode(path, self._type_text(ref), start, start)
        into.append(node)
        self.left -= 1
        inside = self._inside.get(self._plan.table.code(ref)) if depth < MAX_LEVELS else None
        try:
            if inside is None:
                node.value = self._plan.reader(ref, None)(self._reader, depth)
            else:
                inside(node, ref, depth)
        except Fault:
            if not node.children:
                into.pop()
            raise
        node.end = self._reader.pos

    def _opt(self, node: CandidNode, ref: int, depth: int) -> None:
        start = self._reader.pos
        tag = self._reader.byte("opt")
        if tag > 1:
            raise Fault(f"opt is {tag}, not 0 or 1", start)
        self._leaf(node, "tag", "byte", start, tag, "some" if tag else "none")
        if tag:
            self._reader.charge(1)
            self.value(node.children, self._entry(ref).inner, f"{node.path}.some", depth + 1)

    def _vec(self, node: CandidNode, ref: int, depth: int) -> None:
        inner = self._entry(ref).inner
        start = self._reader.pos
        count = self._count(node, "length", "the length of a vec")
        name = PRIM_BY_OPCODE[inner].name if inner < 0 else ""
        if inner == NAT8.opcode or (name in FIXED and count > MAX_NUMBERS):
            kind = "bytes" if inner == NAT8.opcode else f"{count} × {name}"
            self._content(node, kind, start, self._plan.reader(ref, None))
            return
        self._reader.charge(count)
        for index in range(count):
            if self.left <= 0:
                self._rest(node, repeat(inner, count - index), depth)
                return
            self.value(node.children, inner, f"{node.path}.{index}", depth + 1)

    def _record(self, node: CandidNode, ref: int, depth: int) -> None:
        parts = self._plan.parts(self._entry(ref))
        self._reader.charge(len(parts))
        for index, (key, inner, _) in enumerate(parts):
            if self.left <= 0:
                self._rest(node, [inner for _, inner, _ in parts[index:]], depth)
                return
            self.value(node.children, inner, f"{node.path}.{key}", depth + 1)

    def _variant(self, node: CandidNode, ref: int, depth: int) -> None:
        parts = self._plan.parts(self._entry(ref))
        self._reader.charge(1)
        start = self._reader.pos
        index = self._reader.count("a variant's case")
        if index >= len(parts):
            raise Fault(f"case {index} of a variant that has {len(parts)}", start)
        key, inner, _ = parts[index]
        self._leaf(node, "case", "index", start, index, str(key))
        self.value(node.children, inner, f"{node.path}.{key}", depth + 1)

    def _text(self, node: CandidNode, ref: int, _depth: int) -> None:
        start = self._reader.pos
        self._count(node, "length", "text")
        self._content(node, "text", start, self._plan.reader(ref, None))

    def _func(self, node: CandidNode, _ref: int, _depth: int) -> None:
        start = self._reader.pos
        node.value = read_func(self._reader, 0)  # refuses what is wrong, before it is told apart
        self._reader.pos = start + 1
        self._leaf(node, "tag", "byte", start, 1, "a public method")
        service = CandidNode(f"{node.path}.service", "principal", start + 1, start + 1)
        node.children.append(service)
        self._identifier(service, read_principal)
        service.end = self._reader.pos
        name = CandidNode(f"{node.path}.method", "text", service.end, service.end)
        node.children.append(name)
        self._text(name, TEXT.opcode, 0)
        name.end = self._reader.pos

    def _identifier(self, node: CandidNode, read: Read) -> None:
        start = self._reader.pos
        node.value = read(self._reader, 0)  # refuses what is wrong, before it is told apart
        end = self._reader.pos
        self._reader.pos = start + 1
        self._leaf(node, "tag", "byte", start, 1, "transparent")
        self._count(node, "length", "principal")
        start, self._reader.pos = self._reader.pos, end
        self._leaf(node, "bytes", "bytes", start, self._reader.data[start:end])

    def _rest(self, node: CandidNode, inner: Iterable[int], depth: int) -> None:
        """What there are no more nodes for: read and checked, and one leaf."""
        start = self._reader.pos
        number = 0
        for ref in inner:
            self._plan.reader(ref, None)(self._reader, depth + 1)
            number += 1
        self._leaf(node, "rest", "values", start, None, f"and {number} more")

    def _content(self, node: CandidNode, kind: str, start: int, read: Read) -> None:
        """What follows a length that was read already: ``read`` reads both again, from ``start``."""
        begin, self._reader.pos = self._reader.pos, start
        node.value = read(self._reader, 0)
        self._leaf(node, "content", kind, begin, node.value)

    def _count(self, node: CandidNode, name: str, what: str) -> int:
        start = self._reader.pos
        count = self._reader.count(what)
        self._leaf(node, name, "count", start, count)
        return count

    def _leaf(self, node: CandidNode, name: str, kind: str, start: int, value: Any, meaning: str = "") -> None:
        node.children.append(CandidNode(f"{node.path}.{name}", kind, start, self._reader.pos, value, meaning))
        self.left -= 1

    def _entry(self, ref: int) -> Entry:
        return self._plan.table.entries[ref]

    def _type_text(self, ref: int) -> str:
        text = self._texts.get(ref)
        if text is None:
            text = self._texts[ref] = brief_text(self._plan.type(ref), 60)
        return text


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
