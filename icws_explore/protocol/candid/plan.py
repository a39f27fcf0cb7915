"""Decides how a value of a wire type is read at an expected type (specification, "Coercion").

A pair of types is looked at when its first value is read, so the work is bounded by the values, not
by the type table that a stranger sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from . import composites, types
from .composites import Part, label_of
from .names import names_of
from .reader import Mismatch, Reader
from .readers import SCALARS, Read, read_func, read_future, read_principal, read_service, vector_of
from .subtyping import is_subtype
from .text import brief_text
from .types import (
    EMPTY,
    FUNC_CODE,
    INT,
    NAT,
    NAT8,
    NULL,
    OPT_CODE,
    PRIM_BY_OPCODE,
    PRINCIPAL,
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
from .wire import Entry, Table, WireTypes

_NULL_CODES: Final = (NULL.opcode, RESERVED.opcode)


class Plan:
    """Readers for one message. ``names`` gives labels to fields that no expected type declares."""

    def __init__(self, table: Table, names: Mapping[int, str]) -> None:
        self.table = table
        self.names = names
        self._made: dict[tuple[int, Type | None], Read] = {}
        self._types = WireTypes(table, names)
        self._refusing: set[Read] = set()  # those that fit no value, whatever it is

    @property
    def size(self) -> int:
        """How many readers it has made."""
        return len(self._made)

    def reader(self, ref: int, expected: Type | None) -> Read:
        """A function that reads a value of wire type ``ref`` as ``expected`` (None: as it is)."""
        key = (ref, expected)
        read = self._made.get(key)
        if read is None:
            read = self._made[key] = self._as_is(ref) if expected is None else self._as(ref, resolve(expected))
        return read

    def type(self, ref: int) -> Type:
        """The type behind a reference, with the plan's names for its labels."""
        return self._types.type(ref)

    def _as_is(self, ref: int) -> Read:
        if ref < 0:
            return SCALARS[PRIM_BY_OPCODE[ref].name]
        entry = self.table.entries[ref]
        match entry.code:
            case types.OPT_CODE:
                return self._opt(entry.inner, None, wraps=self._may_be_none(entry.inner))
            case types.VEC_CODE:
                return self._vec(entry.inner, None)
            case types.RECORD_CODE:
                parts = self.parts(entry)
                return composites.record(parts, [key for key, _, _ in parts if key is not None], self.reader)
            case types.VARIANT_CODE:
                return self._variant(entry, self.parts(entry))
            case types.FUNC_CODE:
                return read_func
            case types.SERVICE_CODE:
                return read_service
        return read_future

    def parts(self, entry: Entry) -> list[Part]:
        """The fields or cases of a record or variant as they are on the wire, with their keys."""
        keys = field_keys([self.names.get(number, number) for number, _ in entry.fields])
        return [(key, inner, None) for key, (_, inner) in zip(keys, entry.fields, strict=True)]

    def _may_be_none(self, ref: int) -> bool:
        return ref in _NULL_CODES or self.table.code(ref) == OPT_CODE

    def _as(self, ref: int, expected: Type) -> Read:
        code = self.table.code(ref)
        match expected:
            case Prim():
                return self._as_prim(ref, code, expected)
            case Opt():
                return self._as_opt(ref, code, expected)
            case Vec() if code == VEC_CODE:
                return self._vec(self.table.entries[ref].inner, expected.inner)
            case Record() if code == RECORD_CODE:
                return self._as_record(ref, expected)
            case Variant() if code == VARIANT_CODE:
                wanted = {field.id: (key, field.type) for key, field in expected.by_id}
                entry = self.table.entries[ref]
                return self._variant(entry, _matched(entry, wanted))
            case Func() | Service() if code in (FUNC_CODE, SERVICE_CODE):
                return self._as_reference(ref, expected)
            case Future() if code == expected.opcode:
                return read_future
        return self._mismatch(ref, expected)

    def _as_prim(self, ref: int, code: int, expected: Prim) -> Read:
        if expected.opcode == ref or (expected == INT and ref == NAT.opcode):
            return SCALARS[PRIM_BY_OPCODE[ref].name]
        if expected == RESERVED:
            return composites.discarded(self.reader(ref, None))
        if expected == PRINCIPAL and code == SERVICE_CODE:
            return read_principal
        return self._mismatch(ref, expected)

    def _as_opt(self, ref: int, code: int, expected: Opt) -> Read:
        if ref in _NULL_CODES:
            return SCALARS["null"]
        if ref == EMPTY.opcode:
            return SCALARS["empty"]
        wraps = takes_null(expected.inner)
        if code == OPT_CODE:
            return self._opt(self.table.entries[ref].inner, expected.inner, wraps=wraps)
        if _endless(expected):
            return self._mismatch(ref, expected)
        return self._present(ref, expected.inner, wraps=wraps)

    def _as_record(self, ref: int, expected: Record) -> Read:
        wanted = {field.id: (key, field.type) for key, field in expected.by_id}
        parts = _matched(self.table.entries[ref], wanted)
        given = {number for number, _ in self.table.entries[ref].fields}
        for number, (key, type_) in wanted.items():
            if number not in given and not takes_null(type_):
                missing = f"the field {key} is missing, and {brief_text(type_)} is not optional"
                return self._mismatch(ref, expected, missing)
        return composites.record(parts, expected.keys, self.reader)

    def _as_reference(self, ref: int, expected: Type) -> Read:
        read = read_func if self.table.code(ref) == FUNC_CODE else read_service
        refuse = self._mismatch(ref, expected)
        fits: bool | None = None

        def checked(reader: Reader, depth: int) -> Any:
            nonlocal fits
            if fits is None:  # once, and paid for: the work is in the types, which the wire chooses
                fits = is_subtype(self.type(ref), expected, reader.charge)
            return read(reader, depth) if fits else refuse(reader, depth)

        return checked

    def _mismatch(self, ref: int, expected: Type, reason: str | None = None) -> Read:
        if ref == EMPTY.opcode:
            return SCALARS["empty"]
        text = reason

        def refuse(reader: Reader, _depth: int) -> Any:
            nonlocal text
            if text is None:
                names = {**self.names, **names_of([expected])}
                wire = brief_text(self.table.type(ref, names))
                text = f"{wire} where {brief_text(expected)} is expected"
            raise Mismatch(text, reader.pos)

        self._refusing.add(refuse)
        return refuse

    def _opt(self, inner: int, expected: Type | None, *, wraps: bool) -> Read:
        return composites.opt(lambda: self._present(inner, expected, wraps=wraps))

    def _present(self, inner: int, expected: Type | None, *, wraps: bool) -> Read:
        content = self.reader(inner, expected)
        if content in self._refusing:
            return composites.hopeless(self.reader(inner, None))
        return composites.present(content, lambda: self.reader(inner, None), wraps=wraps)

    def _vec(self, inner: int, expected: Type | None) -> Read:
        element = PRIM_BY_OPCODE[inner] if inner < 0 else None
        if element is not None and (expected is None or resolve(expected) == element):
            at_once = vector_of(element)
            if at_once is not None:
                return composites.vec_at_once(at_once, paid=element != NAT8)
        return composites.vec(inner, expected, self.reader)

    def _variant(self, entry: Entry, parts: Sequence[Part]) -> Read:
        return composites.variant(parts, lambda index: label_of(entry.fields[index][0], self.names), self.reader)


def _matched(entry: Entry, wanted: Mapping[int, tuple[str, Type]]) -> list[Part]:
    """The wire's fields with the keys and types that are wanted of them."""
    parts: list[Part] = []
    for number, inner in entry.fields:
        key, type_ = wanted.get(number, (None, None))
        parts.append((key, inner, type_))
    return parts


def _endless(expected: Type) -> bool:
    """Whether it is options all the way down (``type O = opt O``), so that no value can be wrapped in it."""
    seen: set[Type] = set()
    while isinstance(expected, Opt):
        if expected in seen:
            return True
        seen.add(expected)
        expected = resolve(expected.inner)
    return False
