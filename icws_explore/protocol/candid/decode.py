"""Decoding Candid messages, strictly and within bounds (specification, "Deserialisation").

Limits on what a peer may ask for, all in reader.py and table.py: nesting (256 values), values (4 for
each byte of input plus 4096, skipped ones included), type table and argument list (10 000 each),
numbers (14 000 bits). Fields of a record come in the order the expected type declares them.

Decides how a value of a wire type is read at an expected type (specification, "Coercion").

A pair of types is looked at when its first value is read, so the work is bounded by the values, not
by the type table that a stranger sent.

Keeps the plans of heads that were seen before: a session's messages begin with the same few.

The head of a message (magic number, type table, argument types) ends where its own bytes say, so a
message that begins with a known head has that head. Only small heads are kept, and not many, for a
stranger chooses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import CandidError
from . import readers, types
from .names import known_names, names_of
from .reader import Fault, Mismatch, Reader
from .readers import SCALARS, Part, Read, label_of, read_func, read_future, read_principal, read_service, vector_of
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
from .wire import Entry, Table, WireTypes, read_table

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
                return readers.record(parts, [key for key, _, _ in parts if key is not None], self.reader)
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
            return readers.discarded(self.reader(ref, None))
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
        return readers.record(parts, expected.keys, self.reader)

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
        return readers.opt(lambda: self._present(inner, expected, wraps=wraps))

    def _present(self, inner: int, expected: Type | None, *, wraps: bool) -> Read:
        content = self.reader(inner, expected)
        if content in self._refusing:
            return readers.hopeless(self.reader(inner, None))
        return readers.present(content, lambda: self.reader(inner, None), wraps=wraps)

    def _vec(self, inner: int, expected: Type | None) -> Read:
        element = PRIM_BY_OPCODE[inner] if inner < 0 else None
        if element is not None and (expected is None or resolve(expected) == element):
            at_once = vector_of(element)
            if at_once is not None:
                return readers.vec_at_once(at_once, paid=element != NAT8)
        return readers.vec(inner, expected, self.reader)

    def _variant(self, entry: Entry, parts: Sequence[Part]) -> Read:
        return readers.variant(parts, lambda index: label_of(entry.fields[index][0], self.names), self.reader)


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


MAX_HEAD: Final = 2048  # bytes
MAX_KEPT: Final = 64  # heads
MAX_READERS: Final = 1000  # in one plan: expected types come and go as .did texts are read again


class _Heads:
    """What is kept, by length, so that a message is compared with one head of each length."""

    def __init__(self) -> None:
        self.by_length: dict[int, dict[bytes, tuple[Plan, int]]] = {}  # head → plan, what reading it cost

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
        if sum(map(len, kept.values())) >= MAX_KEPT:
            kept = {}
        # A new dict each time: another thread (the lab's) may be walking through the old one.
        self.by_length = {**kept, len(head): {**kept.get(len(head), {}), head: (plan, cost)}}


_HEADS: Final = _Heads()


def plan_for(reader: Reader, names: Mapping[int, str] | None) -> Plan:
    """Reads the head; the plan for its values. Only those with the protocol's own ``names`` (None) are kept.

    Raises Fault.
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


STACK_USED_UP: Final = "is nested too deep for the stack that is left"


def decode(data: bytes, types: Sequence[Type] | None = None, *, names: Mapping[int, str] | None = None) -> list[Any]:
    """The values in ``data``, as many as ``types`` has.

    With ``types`` the specification's coercion applies: missing optional fields and arguments are
    None, unknown fields and further arguments are checked and dropped, nat decodes as int, an option
    whose content does not fit is None. Without, values come as they are on the wire, and fields are
    labelled by ``names`` (field id → name; the protocol's by default) or as ``_<id>_``.

    Raises CandidError, with the offset and the path to the value, for anything else.
    """
    reader = _reader(data)
    with _Border(reader):
        return _values(reader, plan_for(reader, names), types)


def decode_typed(data: bytes, *, names: Mapping[int, str] | None = None) -> list[tuple[Type, Any]]:
    """Type and value of each argument as they are on the wire. Raises CandidError."""
    reader = _reader(data)
    with _Border(reader):
        plan = plan_for(reader, names)
        values = _values(reader, plan, None)
        return [(plan.type(ref), value) for ref, value in zip(plan.table.args, values, strict=True)]


def refusal(data: bytes, types: Sequence[Type]) -> Fault | None:
    """Why `decode` would refuse ``data`` at ``types``: reason, offset and path, innermost step first."""
    reader = _reader(data)
    try:
        _values(reader, plan_for(reader, None), types)
    except Fault as fault:
        return fault
    except RecursionError:
        return Fault(STACK_USED_UP, reader.pos)
    return None


def _reader(data: bytes) -> Reader:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise CandidError("Candid", f"is bytes, not {type(data).__name__}")
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
        raise Fault(f"{reader.end - reader.pos} bytes too many behind the values", reader.pos)
    return values


def _path_text(inside_out: list[str | int]) -> str:
    steps = [str(step)[:60] for step in reversed(inside_out)]
    if len(steps) > 12:
        steps[6:-4] = ["…"]
    return ".".join(steps)


class _Border:
    """Turns a Fault into CandidError, and the last resort of a nearly used-up stack as well."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Fault):
            what = f"Candid value {_path_text(error.path)}" if error.path else "Candid"
            raise CandidError(what, error.reason, error.offset) from None
        if isinstance(error, RecursionError):
            raise CandidError("Candid", STACK_USED_UP, self._reader.pos) from None
