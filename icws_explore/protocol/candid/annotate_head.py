"""Annotates the head of a Candid message: every opcode, field id and index of the type table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .composites import label_of
from .node import CandidNode
from .reader import Fault, Reader
from .types import ANNOTATIONS, FUNC_CODE, OPT_CODE, PRIM_BY_OPCODE, RECORD_CODE, SERVICE_CODE, VARIANT_CODE, VEC_CODE
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
