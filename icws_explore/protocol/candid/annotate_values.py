"""Annotates the values of a Candid message: each with its parts, down to lengths and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any, Final

from .node import CandidNode
from .plan import Plan
from .reader import Fault, Reader
from .readers import FIXED, Read, read_func, read_principal, read_service
from .text import brief_text
from .types import (
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
)
from .wire import Entry

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
