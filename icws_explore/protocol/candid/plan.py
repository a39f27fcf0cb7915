"""Turns (type on the wire, expected type) into functions that read values.

Source: Candid specification, "Coercion". A pair is compiled when its first value is read, so the work
is bounded by the values, not by the type table, and recursive types need no special care. Each
function pays for the values inside it before it reads them, and knows how deep it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .reader import MAX_DEPTH, Fault, Mismatch, Reader
from .scalars import SCALARS, Read, read_func, read_future, read_principal, read_service, vector_of
from .subtyping import is_subtype
from .table import Table
from .text import brief_text
from .types import (
    FUNC_CODE,
    NULL,
    OPT_CODE,
    PRIM_BY_OPCODE,
    RECORD_CODE,
    RESERVED,
    SERVICE_CODE,
    VARIANT_CODE,
    VEC_CODE,
    Func,
    Future,
    Opt,
    Prim,
    Record,
    Service,
    Type,
    Variant,
    Vec,
    field_keys,
    resolve,
    takes_null,
)
from .values import Some

_NULL_CODES: Final = (NULL.opcode, RESERVED.opcode)


class Plan:
    """Readers for one message. ``names`` gives labels to fields that no expected type declares."""

    def __init__(self, table: Table, names: Mapping[int, str]) -> None:
        self.table = table
        self.names = names
        self._made: dict[tuple[int, Type | None], Read] = {}
        self._refusing: set[Read] = set()  # those that fit no value, whatever it is

    def reader(self, ref: int, expected: Type | None) -> Read:
        """A function that reads a value of wire type ``ref`` as ``expected`` (None: as it is)."""
        key = (ref, expected)
        read = self._made.get(key)
        if read is None:
            read = self._made[key] = self._as_is(ref) if expected is None else self._as(ref, resolve(expected))
        return read

    # as it is on the wire

    def _as_is(self, ref: int) -> Read:
        if ref < 0:
            return SCALARS[PRIM_BY_OPCODE[ref].name]
        entry = self.table.entries[ref]
        match entry.code:
            case c if c == OPT_CODE:
                return self._opt(entry.inner, None, wraps=self._may_be_none(entry.inner))
            case c if c == VEC_CODE:
                return self._vec(entry.inner, None)
            case c if c == RECORD_CODE:
                labels = field_keys([self.names.get(number, number) for number, _ in entry.fields])
                as_is: list[tuple[str, int, Type | None]] = [
                    (key, inner, None) for key, (_, inner) in zip(labels, entry.fields, strict=True)
                ]
                return self._record(as_is, dict.fromkeys(labels))
            case c if c == VARIANT_CODE:
                labels = field_keys([self.names.get(number, number) for number, _ in entry.fields])
                return self._variant([(key, inner, None) for key, (_, inner) in zip(labels, entry.fields, strict=True)])
            case c if c == FUNC_CODE:
                return read_func
            case c if c == SERVICE_CODE:
                return read_service
        return read_future

    def _may_be_none(self, ref: int) -> bool:
        return ref in _NULL_CODES or self.table.code(ref) == OPT_CODE

    # as an expected type

    def _as(self, ref: int, expected: Type) -> Read:
        code = self.table.code(ref)
        if isinstance(expected, Prim):
            return self._as_prim(ref, code, expected)
        if isinstance(expected, Opt):
            return self._as_opt(ref, code, expected)
        if isinstance(expected, Vec) and code == VEC_CODE:
            return self._vec(self.table.entries[ref].inner, expected.inner)
        if isinstance(expected, Record) and code == RECORD_CODE:
            return self._as_record(ref, expected)
        if isinstance(expected, Variant) and code == VARIANT_CODE:
            return self._as_variant(ref, expected)
        if isinstance(expected, (Func, Service)) and code in (FUNC_CODE, SERVICE_CODE):
            return self._as_reference(ref, expected)
        if isinstance(expected, Future) and code == expected.opcode:
            return read_future
        return self._mismatch(ref, expected)

    def _as_prim(self, ref: int, code: int, expected: Prim) -> Read:
        if expected.opcode == ref or (expected.name == "int" and ref == -3):
            return SCALARS[PRIM_BY_OPCODE[ref].name]
        if expected.name == "reserved":
            return _discard(self.reader(ref, None))
        if expected.name == "principal" and code == SERVICE_CODE:
            return read_principal
        return self._mismatch(ref, expected)

    def _as_opt(self, ref: int, code: int, expected: Opt) -> Read:
        if ref in _NULL_CODES:
            return SCALARS["null"]
        wraps = takes_null(expected.inner)
        if code == OPT_CODE:
            return self._opt(self.table.entries[ref].inner, expected.inner, wraps=wraps)
        if ref < 0 and PRIM_BY_OPCODE[ref].name == "empty":
            return SCALARS["empty"]
        if _endless(expected):
            return self._mismatch(ref, expected)
        return self._present(ref, expected.inner, wraps=wraps)

    def _as_record(self, ref: int, expected: Record) -> Read:
        wanted = {each.id: (key, each.type) for key, each in expected.by_id}
        steps: list[tuple[str, int, Type | None]] = []
        for number, inner in self.table.entries[ref].fields:
            if number in wanted:
                key, type_ = wanted.pop(number)
                steps.append((key, inner, type_))
            else:
                steps.append(("", inner, None))  # skipped; checked all the same
        for key, type_ in wanted.values():
            if not takes_null(type_):
                return self._mismatch(
                    ref, expected, f"the field {key} is missing, and {brief_text(type_)} is not optional"
                )
        return self._record(steps, dict.fromkeys(expected.keys))

    def _as_variant(self, ref: int, expected: Variant) -> Read:
        wanted = {each.id: (key, each.type) for key, each in expected.by_id}
        cases: list[tuple[str, int, Type | None]] = []
        for number, inner in self.table.entries[ref].fields:
            key, type_ = wanted.get(number, (None, None))
            cases.append(("", number, None) if key is None else (key, inner, type_))
        return self._variant(cases)

    def _as_reference(self, ref: int, expected: Type) -> Read:
        read = read_func if self.table.code(ref) == FUNC_CODE else read_service
        refuse = self._mismatch(ref, expected)
        fits: bool | None = None

        def checked(reader: Reader, depth: int) -> Any:
            nonlocal fits
            if fits is None:  # once, and paid for: the work is in the types, which the wire chooses
                fits = is_subtype(self.table.type(ref, self.names), expected, reader.charge)
            return read(reader, depth) if fits else refuse(reader, depth)

        return checked

    def _mismatch(self, ref: int, expected: Type, reason: str | None = None) -> Read:
        if ref < 0 and PRIM_BY_OPCODE[ref].name == "empty":
            return SCALARS["empty"]

        text = reason

        def refuse(reader: Reader, _depth: int) -> Any:
            nonlocal text
            if text is None:
                wire = brief_text(self.table.type(ref, self.names))
                text = f"{wire} where {brief_text(expected)} is expected"
            raise Mismatch(text, reader.pos)

        self._refusing.add(refuse)
        return refuse

    # composites

    def _opt(self, inner: int, expected: Type | None, *, wraps: bool) -> Read:
        content: Read | None = None

        def read(reader: Reader, depth: int) -> Any:
            nonlocal content
            tag = reader.byte("opt")
            if tag == 0:
                return None
            if tag != 1:
                raise Fault(f"opt is {tag}, not 0 or 1", reader.pos - 1)
            if content is None:
                content = self._present(inner, expected, wraps=wraps)
            return content(reader, depth)

        return read

    def _present(self, inner: int, expected: Type | None, *, wraps: bool) -> Read:
        """The content of a present option; what does not fit the expected type becomes None."""
        content = self.reader(inner, expected)
        hopeless = content in self._refusing
        as_is = self.reader(inner, None) if hopeless else content

        def read(reader: Reader, depth: int) -> Any:
            if depth >= MAX_DEPTH:
                _too_deep(reader)
            reader.left -= 1
            if reader.left < 0:
                reader.charge(0)
            start = reader.pos
            if hopeless:
                as_is(reader, depth + 1)
                return None
            try:
                value = content(reader, depth + 1)
            except Mismatch:
                reader.pos = start
                self.reader(inner, None)(reader, depth + 1)  # to its end, and it must be well-formed
                return None
            return Some(value) if wraps else value

        return read

    def _vec(self, inner: int, expected: Type | None) -> Read:
        wanted = None if expected is None else resolve(expected)
        fixed = None
        if inner < 0 and wanted in (None, PRIM_BY_OPCODE[inner]):
            fixed = vector_of(PRIM_BY_OPCODE[inner])
        is_blob = inner == -5 and fixed is not None
        element: Read | None = None

        def read(reader: Reader, depth: int) -> Any:
            nonlocal element
            if depth >= MAX_DEPTH:
                _too_deep(reader)
            count = reader.count("the length of a vec")
            if fixed is not None:
                if not is_blob:
                    reader.charge(count)
                return fixed(reader, count)
            reader.charge(count)
            if element is None:
                element = self.reader(inner, expected)
            values: list[Any] = []
            add = values.append
            try:
                for _ in range(count):
                    add(element(reader, depth + 1))
            except Fault as fault:
                fault.path.append(len(values))
                raise
            return values

        return read

    def _record(self, plan: list[tuple[str, int, Type | None]], empty: dict[str, Any]) -> Read:
        steps: list[tuple[str, Read]] = []
        cost = max(len(plan), len(empty))

        def read(reader: Reader, depth: int) -> Any:
            if depth >= MAX_DEPTH:
                _too_deep(reader)
            reader.left -= cost
            if reader.left < 0:
                reader.charge(0)
            if len(steps) != len(plan):
                steps[:] = [(key, self.reader(inner, expected)) for key, inner, expected in plan]
            depth += 1
            values = empty.copy()
            key = ""
            try:
                for key, content in steps:
                    if key:
                        values[key] = content(reader, depth)
                    else:
                        content(reader, depth)
            except Fault as fault:
                fault.path.append(key)
                raise
            return values

        return read

    def _variant(self, plan: list[tuple[str, int, Type | None]]) -> Read:
        cases: list[Read | None] = [None] * len(plan)

        def read(reader: Reader, depth: int) -> Any:
            if depth >= MAX_DEPTH:
                _too_deep(reader)
            reader.left -= 1
            if reader.left < 0:
                reader.charge(0)
            at = reader.pos
            index = reader.count("a variant's case")
            if index >= len(plan):
                raise Fault(f"case {index} of a variant that has {len(plan)}", at)
            key, inner, expected = plan[index]
            if not key:
                raise Mismatch(f"the case {self.names.get(inner, f'_{inner}_')} is not an expected one", at)
            content = cases[index]
            if content is None:
                content = cases[index] = self.reader(inner, expected)
            try:
                return {key: content(reader, depth + 1)}
            except Fault as fault:
                fault.path.append(key)
                raise

        return read


def _discard(read: Read) -> Read:
    def discard(reader: Reader, depth: int) -> None:
        read(reader, depth)

    return discard


def _endless(expected: Type) -> bool:
    """Whether it is options all the way down (``type O = opt O``), so that no value can be wrapped in it."""
    seen: set[Type] = set()
    while isinstance(expected, Opt):
        if expected in seen:
            return True
        seen.add(expected)
        expected = resolve(expected.inner)
    return False


def _too_deep(reader: Reader) -> None:
    raise Fault(f"values are nested more than {MAX_DEPTH} deep", reader.pos)
