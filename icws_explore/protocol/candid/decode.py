"""Decoding Candid messages, strictly and at a bounded cost.

A message is read in two steps. Its head (magic number, type table, types of the arguments) becomes a `Plan`. The
plan makes a reader function for each pair of wire type and expected type when the first value of that pair is
read, so the work depends on the values and not on the size of the type table. Then the functions read the values.

`decode` applies the specification's coercion: what an expected type does not name is checked and dropped, what is
missing and optional becomes None. Fields of a record come in the order in which the expected type declares them.

Messages of a session begin with the same few heads, so the plans of small heads are kept. A head says itself
where it ends. A message that begins with the bytes of a known head therefore has that head.

Limits: limits.py. Source: Candid specification, "Deserialisation" and "Coercion".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import CandidError, count_of
from . import types, value_readers
from .limits import MAX_HEAD, MAX_HEADS, MAX_READERS
from .names import known_names, label_of, names_of
from .reader import STACK_USED_UP, Fault, Mismatch, Reader
from .subtyping import is_subtype
from .text import brief_text, printable
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
from .value_readers import SCALARS, Part, Read, read_func, read_future, read_principal, read_service, vector_of
from .wire import Entry, Table, WireTypes, read_table

_NULL_CODES: Final = (NULL.opcode, RESERVED.opcode)


class Plan:
    """The readers for messages with one head. ``names`` labels the fields that no expected type declares."""

    def __init__(self, table: Table, names: Mapping[int, str]) -> None:
        self.table = table
        self.names = names
        self._made: dict[tuple[int, Type | None], Read] = {}
        self._parts: dict[int, list[Part]] = {}
        self._types = WireTypes(table, names)
        self._refusing: set[Read] = set()  # the readers that no value fits

    @property
    def size(self) -> int:
        """The number of readers made so far."""
        return len(self._made)

    def reader(self, ref: int, expected: Type | None) -> Read:
        """The function that reads a value of wire type ``ref`` as ``expected`` (None: as it is)."""
        key = (ref, expected)
        read = self._made.get(key)
        if read is None:
            read = self._made[key] = self._as_is(ref) if expected is None else self._as(ref, resolve(expected))
        return read

    def type(self, ref: int) -> Type:
        """The type that ``ref`` stands for, with the plan's names for its labels."""
        return self._types.type(ref)

    def parts(self, ref: int) -> list[Part]:
        """The fields or cases of the record or variant ``ref`` as they are on the wire, with their keys."""
        parts = self._parts.get(ref)
        if parts is None:
            fields = self.table.entries[ref].fields
            keys = field_keys([self.names.get(number, number) for number, _ in fields])
            parts = self._parts[ref] = [(key, inner, None) for key, (_, inner) in zip(keys, fields, strict=True)]
        return parts

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
                parts = self.parts(ref)
                return value_readers.record(parts, [key for key, _, _ in parts if key is not None], self.reader)
            case types.VARIANT_CODE:
                return self._variant(entry, self.parts(ref))
            case types.FUNC_CODE:
                return read_func
            case types.SERVICE_CODE:
                return read_service
        return read_future

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
            return value_readers.discarded(self.reader(ref, None))
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
        if _is_endless(expected):
            return self._mismatch(ref, expected)
        return self._present(ref, expected.inner, wraps=wraps)

    def _as_record(self, ref: int, expected: Record) -> Read:
        wanted = {field.id: (key, field.type) for key, field in expected.by_id}
        parts = _matched(self.table.entries[ref], wanted)
        given = {number for number, _ in self.table.entries[ref].fields}
        for number, (key, type_) in wanted.items():
            if number not in given and not takes_null(type_):
                missing = f"the field {printable(key)} is missing, and {brief_text(type_)} is not optional"
                return self._mismatch(ref, expected, missing)
        return value_readers.record(parts, expected.keys, self.reader)

    def _as_reference(self, ref: int, expected: Type) -> Read:
        read = read_func if self.table.code(ref) == FUNC_CODE else read_service
        refuse = self._mismatch(ref, expected)
        fits: bool | None = None

        def checked(reader: Reader, depth: int) -> Any:
            nonlocal fits
            if fits is None:  # compared once, and charged: the sender chooses the size of the types
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
        return value_readers.opt(lambda: self._present(inner, expected, wraps=wraps))

    def _present(self, inner: int, expected: Type | None, *, wraps: bool) -> Read:
        content = self.reader(inner, expected)
        if content in self._refusing:
            return value_readers.present_of_other_type(self.reader(inner, None))
        return value_readers.present(content, lambda: self.reader(inner, None), wraps=wraps)

    def _vec(self, inner: int, expected: Type | None) -> Read:
        element = PRIM_BY_OPCODE[inner] if inner < 0 else None
        wanted = element if expected is None else resolve(expected)
        if element is not None and wanted == element:
            at_once = vector_of(element)
            if at_once is not None:
                return value_readers.vec_at_once(at_once, is_blob=element == NAT8)
        return value_readers.vec(inner, expected, self.reader, is_blob=wanted == NAT8)

    def _variant(self, entry: Entry, parts: Sequence[Part]) -> Read:
        return value_readers.variant(parts, lambda index: label_of(entry.fields[index][0], self.names), self.reader)


def _matched(entry: Entry, wanted: Mapping[int, tuple[str, Type]]) -> list[Part]:
    """The fields on the wire, with the keys and types that are expected of them."""
    parts: list[Part] = []
    for number, inner in entry.fields:
        key, type_ = wanted.get(number, (None, None))
        parts.append((key, inner, type_))
    return parts


def _is_endless(expected: Type) -> bool:
    """Whether the type consists of options without end (``type O = opt O``), so that no value can be wrapped in it."""
    seen: set[Type] = set()
    while isinstance(expected, Opt):
        if expected in seen:
            return True
        seen.add(expected)
        expected = resolve(expected.inner)
    return False


class _Heads:
    """The kept plans, by the length of their heads: a message is compared with the heads of each length at once."""

    def __init__(self) -> None:
        self.by_length: dict[int, dict[bytes, tuple[Plan, int]]] = {}  # head → plan, and what reading it cost

    def find(self, reader: Reader) -> Plan | None:
        for length, heads in self.by_length.items():
            found = heads.get(reader.data[:length])
            if found is not None and found[0].size <= MAX_READERS:
                reader.pos = length
                reader.charge(found[1])
                return found[0]
        return None

    def keep(self, head: bytes, plan: Plan, cost: int) -> None:
        kept = self.by_length
        if sum(map(len, kept.values())) >= MAX_HEADS:
            kept = {}
        # A new dict each time, because another thread (the lab's) may be iterating over the old one.
        self.by_length = {**kept, len(head): {**kept.get(len(head), {}), head: (plan, cost)}}


_HEADS: Final = _Heads()


def plan_for(reader: Reader, names: Mapping[int, str] | None) -> Plan:
    """The plan for the message in ``reader``, which is then at the first value. Raises Fault.

    Only plans with the protocol's own names (``names`` is None) are kept.
    """
    if names is not None:
        return Plan(read_table(reader), names)
    plan = _HEADS.find(reader)
    if plan is None:
        before = reader.left
        plan = Plan(read_table(reader), known_names())
        if reader.pos <= MAX_HEAD:
            _HEADS.keep(reader.data[: reader.pos], plan, before - reader.left)
    return plan


def decode(data: bytes, types: Sequence[Type] | None = None, *, names: Mapping[int, str] | None = None) -> list[Any]:
    """The values in ``data``, as many as ``types`` has.

    With ``types`` the specification's coercion applies: missing optional fields and arguments are None, unknown
    fields and further arguments are checked and dropped, a nat decodes as int, an option whose content does not fit
    is None. Without ``types`` the values are as they are on the wire, and fields are labelled by ``names`` (field
    id → name; default: the protocol's names) or as ``_<id>_``.

    Raises CandidError, with the byte offset and the path to the value, for anything else.
    """
    reader = _reader(data)
    try:
        return _values(reader, plan_for(reader, names), types)
    except (Fault, RecursionError) as error:
        raise _refused(reader, error) from None


def decode_typed(data: bytes, *, names: Mapping[int, str] | None = None) -> list[tuple[Type, Any]]:
    """The type and the value of each argument as they are on the wire. ``names`` as in `decode`. Raises CandidError."""
    reader = _reader(data)
    try:
        plan = plan_for(reader, names)
        values = _values(reader, plan, None)
        return [(plan.type(ref), value) for ref, value in zip(plan.table.args, values, strict=True)]
    except (Fault, RecursionError) as error:
        raise _refused(reader, error) from None


def refusal(data: bytes, types: Sequence[Type]) -> Fault | None:
    """The fault for which `decode` would refuse ``data`` at ``types``; None if it would not."""
    reader = _reader(data)
    try:
        _values(reader, plan_for(reader, None), types)
    except Fault as fault:
        return fault
    except RecursionError:
        return Fault(STACK_USED_UP, reader.pos)
    return None


def excess_bytes(reader: Reader) -> Fault:
    """The fault of a message that goes on after its last value."""
    return Fault(f"{count_of(reader.end - reader.pos, 'byte')} too many after the last value", reader.pos)


def _reader(data: bytes) -> Reader:
    if type(data) is bytes:
        return Reader(data)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise CandidError("Candid", f"a message is bytes, not {type(data).__name__}")
    return Reader(bytes(data))


def _values(reader: Reader, plan: Plan, types: Sequence[Type] | None) -> list[Any]:
    table = plan.table
    values: list[Any] = []
    index = 0
    try:
        for index, ref in enumerate(table.args):
            if types is None:
                values.append(plan.reader(ref, None)(reader, 0))
            elif index < len(types):
                values.append(plan.reader(ref, types[index])(reader, 0))
            else:
                plan.reader(ref, None)(reader, 0)
        for index in range(len(table.args), len(types or ())):
            if types is not None and not takes_null(types[index]):
                raise Fault(f"the value is missing, and {brief_text(types[index])} is not optional", reader.pos)
            values.append(None)
    except Fault as fault:
        fault.path.append(index)
        raise
    if reader.pos != reader.end:
        raise excess_bytes(reader)
    return values


def _path_text(innermost_first: list[str | int]) -> str:
    steps = [printable(str(step)[:60]) for step in reversed(innermost_first)]
    if len(steps) > 12:
        steps[6:-4] = ["…"]
    return ".".join(steps)


def _refused(reader: Reader, error: Fault | RecursionError) -> CandidError:
    """What the caller of a decoder sees of a fault, or of a stack that is used up."""
    if isinstance(error, Fault):
        what = f"Candid value {_path_text(error.path)}" if error.path else "Candid"
        return CandidError(what, error.reason, error.offset)
    return CandidError("Candid", STACK_USED_UP, reader.pos)
