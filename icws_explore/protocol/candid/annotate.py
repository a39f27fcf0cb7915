"""A Candid message explained byte by byte, as a tree of `Node`: head, type table, arguments, values.

The values are as they are on the wire; expected types only give names to the fields. The functions that read are
those of decoding, so a message is refused here for the same reason and at the same byte as there. But the parts
before the fault are in the tree, and the rest is a leaf with the reason.

Paths: ``magic``, ``types.t0.client_key.id``, ``args.0``, and for the first value ``0.client_key.client_nonce``.
Lengths, tags and indices are nodes of their own: ``0.name.length``. A text, a blob or a principal without content has
no ``content`` or ``bytes`` node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

from ..node import Node
from .decode import Plan, excess_bytes, refusal
from .limits import MAX_ARGS, MAX_LEVELS, MAX_NODES, MAX_NUMBERS, MAX_TABLE, NODES_FREE, NODES_PER_BYTE
from .names import label_of, names_of
from .reader import STACK_USED_UP, Fault, Reader
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
from .value_readers import FIXED, Read, no_case, read_func, read_principal, read_service
from .wire import MAGIC, Entry, Table, check_methods, no_magic, read_entry, read_ref

_CONSTRUCTORS: Final = {
    OPT_CODE: "opt", VEC_CODE: "vec", RECORD_CODE: "record", VARIANT_CODE: "variant",
    FUNC_CODE: "func", SERVICE_CODE: "service",
}  # fmt: skip
_ANNOTATION: Final = {code: name for name, code in ANNOTATIONS.items()}


class _Head:
    """Reads the head. ``at`` is the path of the part that is read now, ``left`` the number of nodes still allowed."""

    def __init__(self, reader: Reader, names: Mapping[int, str], left: int) -> None:
        self.left = left
        self.at = "magic"
        self._reader = reader
        self._names = names

    def read(self, into: list[Node]) -> Table:
        """Adds the nodes of the head to ``into``. Raises Fault, after the nodes before the fault were added."""
        reader = self._reader
        if reader.data[:4] != MAGIC:
            raise no_magic(reader)
        reader.pos = 4
        self._leaf(into, "magic", "magic number", 0, "DIDL")
        table = Table()
        self._types(into, table)
        self.at = "types"
        check_methods(table)
        self._arguments(into, table)
        table.end = reader.pos
        return table

    def _types(self, into: list[Node], table: Table) -> None:
        reader = self._reader
        node = self._open(into, "types", "type table")
        size = self._count(node, "types.count", "the type table's length", 2, "types")
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
                _Definition(self, reader.data, size).read(entry, table.entries[-1])
                entry.end = reader.pos
            elif rest is None:
                rest = start
        if rest is not None:
            node.children.append(Node("types.rest", "types", rest, reader.pos, None, "and more"))
        node.end = reader.pos

    def _arguments(self, into: list[Node], table: Table) -> None:
        reader = self._reader
        node = self._open(into, "args", "types of the values")
        count = self._count(node, "args.count", "the number of values", 1, "values")
        if count > MAX_ARGS:
            raise Fault(f"the message has {count} values, more than {MAX_ARGS}", node.start)
        reader.charge(count)
        args = []
        for index in range(count):
            self.at = f"args.{index}"
            start = reader.pos
            args.append(read_ref(reader, len(table.entries)))
            self._leaf(node.children, self.at, "type", start, _type_name(args[-1]))
        table.args = tuple(args)
        node.end = reader.pos

    def _open(self, into: list[Node], path: str, kind: str, start: int | None = None) -> Node:
        begin = self._reader.pos if start is None else start
        into.append(Node(path, kind, begin, begin))
        self.left -= 1
        return into[-1]

    def _count(self, node: Node, path: str, what: str, least_size: int, counted: str) -> int:
        self.at = path
        start = self._reader.pos
        count = self._reader.items(what, least_size)
        self._leaf(node.children, path, "count", start, count, counted)
        node.end = self._reader.pos
        return count

    def _leaf(self, into: list[Node], path: str, kind: str, start: int, value: Any, meaning: str = "") -> None:
        into.append(Node(path, kind, start, self._reader.pos, value, meaning))
        self.left -= 1

    def label(self, number: int) -> str:
        return label_of(number, self._names)


class _Definition:
    """Reads the parts of one definition of the type table, which is known to be well-formed."""

    def __init__(self, head: _Head, data: bytes, size: int) -> None:
        self._head = head
        self._reader = Reader(data)
        self._size = size

    def read(self, node: Node, entry: Entry) -> None:
        reader = self._reader
        reader.pos = entry.start
        reader.type_code("opcode")
        constructor = _CONSTRUCTORS.get(entry.code, "a type of a later version")
        self._leaf(node, "opcode", "opcode", entry.start, entry.code, constructor)
        match entry.code:
            case _ if entry.code in (OPT_CODE, VEC_CODE):
                self._type(node, "of")
            case _ if entry.code in (RECORD_CODE, VARIANT_CODE):
                self._count(node, "count", "fields" if entry.code == RECORD_CODE else "cases")
                self._fields(node, entry)
            case _ if entry.code == FUNC_CODE:
                self._func(node, entry)
            case _ if entry.code == SERVICE_CODE:
                self._count(node, "count", "methods")
                self._methods(node, entry)
        if reader.pos < entry.end:  # the content of a future type, or parts beyond the number of nodes
            start, reader.pos = reader.pos, entry.end
            self._leaf(node, "rest", "types", start, None, "and more")

    def _fields(self, node: Node, entry: Entry) -> None:
        for number, _ in entry.fields:
            if self._head.left <= 0:
                return
            field = self._part(node, self._head.label(number), "field")
            start = self._reader.pos
            self._leaf(field, "id", "field id", start, self._reader.count("id"), self._head.label(number))
            self._type(field, "type")
            field.end = self._reader.pos

    def _methods(self, node: Node, entry: Entry) -> None:
        for name, _ in entry.methods:
            if self._head.left <= 0:
                return
            method = self._part(node, name, "method")
            start = self._reader.pos
            self._leaf(method, "name", "text", start, self._reader.text("name"))
            self._type(method, "type")
            method.end = self._reader.pos

    def _func(self, node: Node, entry: Entry) -> None:
        for word, types in (("args", entry.args), ("results", entry.results)):
            self._count(node, f"{word}.count", "arguments" if word == "args" else word)
            for index in range(len(types)):
                if self._head.left <= 0:
                    return
                self._type(node, f"{word}.{index}")
        self._count(node, "annotations.count", "annotations")
        for index in range(len(entry.annotations)):
            start = self._reader.pos
            code = self._reader.byte("annotation")
            self._leaf(node, f"annotations.{index}", "annotation", start, code, _ANNOTATION[code])

    def _part(self, node: Node, name: str, kind: str) -> Node:
        start = self._reader.pos
        node.children.append(Node(f"{node.path}.{name}", kind, start, start))
        self._head.left -= 1
        return node.children[-1]

    def _count(self, node: Node, name: str, counted: str) -> None:
        start = self._reader.pos
        self._leaf(node, name, "count", start, self._reader.count(name), counted)

    def _type(self, node: Node, name: str) -> None:
        start = self._reader.pos
        self._leaf(node, name, "type", start, _type_name(read_ref(self._reader, self._size)))

    def _leaf(self, node: Node, name: str, kind: str, start: int, value: Any, meaning: str = "") -> None:
        node.children.append(Node(f"{node.path}.{name}", kind, start, self._reader.pos, value, meaning))
        self._head.left -= 1


def _type_name(ref: int) -> str:
    return f"t{ref}" if ref >= 0 else PRIM_BY_OPCODE[ref].name


class _Values:
    """Reads values. ``at`` is the path of the value that is read now, ``left`` the number of nodes still allowed."""

    def __init__(self, reader: Reader, plan: Plan, left: int) -> None:
        self.left = left
        self.at = "0"
        self._reader = reader
        self._plan = plan
        self._texts: dict[int, str] = {}
        self._inside: Mapping[int, Callable[[Node, int, int], None]] = {
            OPT_CODE: self._opt,
            VEC_CODE: self._vec,
            RECORD_CODE: self._record,
            VARIANT_CODE: self._variant,
            FUNC_CODE: self._func,
            SERVICE_CODE: lambda node, _ref, _depth: self._identifier(node, read_service),
            PRINCIPAL.opcode: lambda node, _ref, _depth: self._identifier(node, read_principal),
            TEXT.opcode: self._text,
        }

    def value(self, into: list[Node], ref: int, path: str, depth: int) -> None:
        """Adds the node of the next value, of wire type ``ref``. Raises Fault, after the parts before the fault."""
        self.at = path
        start = self._reader.pos
        node = Node(path, self._type_text(ref), start, start)
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

    def _opt(self, node: Node, ref: int, depth: int) -> None:
        start = self._reader.pos
        tag = self._reader.byte("opt")
        if tag > 1:
            raise Fault(f"opt is {tag}, not 0 or 1", start)
        self._leaf(node, "tag", "byte", start, tag, "some" if tag else "none")
        if tag:
            self._reader.charge(1)
            self.value(node.children, self._entry(ref).inner, f"{node.path}.some", depth + 1)

    def _vec(self, node: Node, ref: int, depth: int) -> None:
        inner = self._entry(ref).inner
        start = self._reader.pos
        name = PRIM_BY_OPCODE[inner].name if inner < 0 else ""
        count = self._count(node, "length", "the length of a vec", "bytes" if name == NAT8.name else "elements")
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

    def _record(self, node: Node, ref: int, depth: int) -> None:
        parts = self._plan.parts(ref)
        self._reader.charge(len(parts))
        for index, (key, inner, _) in enumerate(parts):
            if self.left <= 0:
                self._rest(node, [inner for _, inner, _ in parts[index:]], depth)
                return
            self.value(node.children, inner, f"{node.path}.{key}", depth + 1)

    def _variant(self, node: Node, ref: int, depth: int) -> None:
        parts = self._plan.parts(ref)
        self._reader.charge(1)
        start = self._reader.pos
        index = self._reader.count("a variant's case")
        if index >= len(parts):
            raise Fault(no_case(index, len(parts)), start)
        key, inner, _ = parts[index]
        self._leaf(node, "case", "index", start, index, str(key))
        self.value(node.children, inner, f"{node.path}.{key}", depth + 1)

    def _text(self, node: Node, ref: int, _depth: int) -> None:
        start = self._reader.pos
        self._count(node, "length", "text", "bytes")
        self._content(node, "text", start, self._plan.reader(ref, None))

    def _func(self, node: Node, _ref: int, _depth: int) -> None:
        start = self._reader.pos
        node.value = read_func(self._reader, 0)  # checks all of it, before its parts get nodes
        self._reader.pos = start + 1
        self._leaf(node, "tag", "byte", start, 1, "a public method")
        service = Node(f"{node.path}.service", "principal", start + 1, start + 1)
        node.children.append(service)
        self._identifier(service, read_principal)
        service.end = self._reader.pos
        name = Node(f"{node.path}.method", "text", service.end, service.end)
        node.children.append(name)
        self._text(name, TEXT.opcode, 0)
        name.end = self._reader.pos

    def _identifier(self, node: Node, read: Read) -> None:
        start = self._reader.pos
        node.value = read(self._reader, 0)  # checks all of it, before its parts get nodes
        end = self._reader.pos
        self._reader.pos = start + 1
        self._leaf(node, "tag", "byte", start, 1, "transparent")
        self._count(node, "length", "principal", "bytes")
        start, self._reader.pos = self._reader.pos, end
        if start < end:
            self._leaf(node, "bytes", "bytes", start, self._reader.data[start:end])

    def _rest(self, node: Node, inner: Iterable[int], depth: int) -> None:
        """Reads and checks the values for which no nodes are left. They get one leaf together."""
        start = self._reader.pos
        number = 0
        for ref in inner:
            self._plan.reader(ref, None)(self._reader, depth + 1)
            number += 1
        self._leaf(node, "rest", "values", start, None, f"and {number} more")

    def _content(self, node: Node, kind: str, start: int, read: Read) -> None:
        """Adds the content behind a length. ``read`` reads both again, from ``start``."""
        begin, self._reader.pos = self._reader.pos, start
        node.value = read(self._reader, 0)
        if begin < self._reader.pos:
            self._leaf(node, "content", kind, begin, node.value)

    def _count(self, node: Node, name: str, what: str, counted: str) -> int:
        start = self._reader.pos
        count = self._reader.count(what)
        self._leaf(node, name, "count", start, count, counted)
        return count

    def _leaf(self, node: Node, name: str, kind: str, start: int, value: Any, meaning: str = "") -> None:
        node.children.append(Node(f"{node.path}.{name}", kind, start, self._reader.pos, value, meaning))
        self.left -= 1

    def _entry(self, ref: int) -> Entry:
        return self._plan.table.entries[ref]

    def _type_text(self, ref: int) -> str:
        text = self._texts.get(ref)
        if text is None:
            text = self._texts[ref] = brief_text(self._plan.type(ref), 60)
        return text


def annotate(
    data: bytes,
    types: Sequence[Type] | None = None,
    *,
    names: Mapping[int, str] | None = None,
    max_nodes: int = MAX_NODES,
) -> Node:
    """The parts of the message ``data`` as a tree whose leaves cover all of its bytes. Never raises.

    ``types`` gives names to the fields (``names``, field id → name, does so as well). If a well-formed message does
    not fit ``types``, the ``fault`` of the value's node says why; for a missing value it is the root's.

    Time and memory are bounded like those of decoding. The tree has at most ``max_nodes`` nodes, fewer for a short
    message (NODES_PER_BYTE), and a few more that sum up the rest.
    """
    labels = names_of(types or ()) if names is None else names
    root = Node("", "Candid", 0, len(data))
    reader = Reader(bytes(data))
    head = _Head(reader, labels, min(max_nodes, NODES_FREE + NODES_PER_BYTE * len(data)))
    at = "magic"
    try:
        try:
            table = head.read(root.children)
        finally:
            at = head.at
        values = _Values(reader, Plan(table, labels), head.left)
        try:
            for index, ref in enumerate(table.args):
                values.value(root.children, ref, str(index), 0)
        finally:
            at = values.at
        if reader.pos != reader.end:
            at = "rest"
            raise excess_bytes(reader)
    except Fault as fault:
        _close(root, at, fault.reason, fault.offset)
    except RecursionError:
        _close(root, at, STACK_USED_UP, reader.pos)
    else:
        if types is not None:
            _judge(root, data, types)
    return root


def _close(root: Node, path: str, reason: str, offset: int) -> None:
    """Adds a leaf for the bytes that were not read, with the reason."""
    for node in reversed(list(root.walk())):  # unfinished nodes end with their last part
        if node.children and node is not root:
            node.end = node.children[-1].end
    start = root.children[-1].end if root.children else 0
    root.children.append(Node(f"{path}.unread", "unread", start, root.end, fault=reason, fault_at=offset))


def _judge(root: Node, data: bytes, types: Sequence[Type]) -> None:
    """Sets the fault of the value that does not fit its expected type, if there is one."""
    fault = refusal(data, types)
    if fault is None:
        return
    path = ".".join(str(step) for step in reversed(fault.path))
    there = (node for node in root.walk() if node.start == fault.offset and node.path.replace(".some", "") == path)
    node = next(there, root)  # a missing value has no node
    node.fault, node.fault_at = fault.reason, fault.offset
