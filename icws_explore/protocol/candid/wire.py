"""The head of a Candid message: magic number, type table, types of the arguments.

Source: Candid specification, "Binary Format", T, I and B. Everything that can be wrong with a table
is found here, before any value is read; entries keep their byte range for annotated views.

Writes the head of a Candid message: the smallest type table for the given types.

Types that mean the same share an entry, also recursive ones: entries are told apart by refinement
(first by constructor and labels, then by the classes of what is inside, until nothing changes).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..errors import DidError
from .names import inner_types
from .reader import Fault, Reader
from .types import (
    ANNOTATIONS,
    FUNC_CODE,
    OPT_CODE,
    PRIM_BY_OPCODE,
    RECORD_CODE,
    SERVICE_CODE,
    VARIANT_CODE,
    VEC_CODE,
    Field,
    Func,
    Future,
    Opt,
    Prim,
    Record,
    Ref,
    Service,
    Type,
    Variant,
    Vec,
    resolve,
)

MAGIC: Final = b"DIDL"
MAX_TABLE: Final = 5_000  # entries; what a service's whole interface needs is some hundred
_NAME: Final = re.compile(r"t[0-9]{1,9}\Z")
MAX_ARGS: Final = 1_000
_ANNOTATION_BY_CODE: Final = {code: name for name, code in ANNOTATIONS.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One definition of a type table.

    ``inner``: the content of opt and vec. ``fields``: (id, type) of record and variant. ``args``,
    ``results``, ``annotations``: func. ``methods``: service. Types are opcodes (negative) or indices.
    ``start``, ``end``: its bytes.
    """

    code: int
    start: int
    end: int = 0
    inner: int = 0
    fields: tuple[tuple[int, int], ...] = ()
    args: tuple[int, ...] = ()
    results: tuple[int, ...] = ()
    annotations: tuple[str, ...] = ()
    methods: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Table:
    """A message's type table and the types of its arguments; ``end`` is where the values begin."""

    entries: list[Entry] = field(default_factory=list)
    args: tuple[int, ...] = ()
    end: int = 0

    def code(self, ref: int) -> int:
        """The constructor behind a type reference."""
        return ref if ref < 0 else self.entries[ref].code

    def type(self, ref: int, names: Mapping[int, str]) -> Type:
        """The type behind a reference, its labels by ``names`` (field id → name)."""
        return WireTypes(self, names).type(ref)


class WireTypes(Mapping[str, Type]):
    """A table's types by name ("t0", …), each made when it is first asked for; inner ones are Refs back here."""

    def __init__(self, table: Table, names: Mapping[int, str]) -> None:
        self._table = table
        self._names = names
        self._made: dict[str, Type] = {}

    def type(self, ref: int) -> Type:
        """The type behind a reference."""
        return PRIM_BY_OPCODE[ref] if ref < 0 else self[f"t{ref}"]

    def __getitem__(self, name: str) -> Type:
        made = self._made.get(name)
        if made is None:
            if name not in self:
                raise KeyError(name)
            made = self._made[name] = _entry_type(self._table.entries[int(name[1:])], self._names, self)
        return made

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _NAME.match(name) is not None and int(name[1:]) < len(self._table.entries)

    def __iter__(self) -> Iterator[str]:
        return (f"t{index}" for index in range(len(self._table.entries)))

    def __len__(self) -> int:
        return len(self._table.entries)


def read_table(reader: Reader) -> Table:
    """Magic number, type table, argument types. Raises Fault."""
    if reader.data[:4] != MAGIC:
        shown = bytes(reader.data[:4]).hex(" ") or "nothing"
        raise Fault(f"does not begin with DIDL but with {shown}", 0)
    reader.pos = 4
    table = Table()
    size = reader.items("the type table's length", 2)
    if size > MAX_TABLE:
        raise Fault(f"the type table has {size} entries, more than {MAX_TABLE}", 4)
    reader.charge(size)
    for _ in range(size):
        table.entries.append(read_entry(reader, size))
    check_methods(table)
    args_at = reader.pos
    count = reader.items("the number of values", 1)
    if count > MAX_ARGS:
        raise Fault(f"{count} values are more than {MAX_ARGS}", args_at)
    reader.charge(count)
    table.args = tuple([read_ref(reader, size) for _ in range(count)])
    table.end = reader.pos
    return table


def read_entry(reader: Reader, size: int) -> Entry:
    """One definition of a table of ``size`` entries. Raises Fault."""
    start = reader.pos
    code = reader.type_code("a type's opcode")
    if code in (OPT_CODE, VEC_CODE):
        inner = read_ref(reader, size)
        return Entry(code, start, reader.pos, inner=inner)
    if code in (RECORD_CODE, VARIANT_CODE):
        fields = _fields(reader, size)
        return Entry(code, start, reader.pos, fields=fields)
    if code == FUNC_CODE:
        args = _refs(reader, size, "the number of arguments")
        results = _refs(reader, size, "the number of results")
        annotations = _annotations(reader)
        return Entry(code, start, reader.pos, args=args, results=results, annotations=annotations)
    if code == SERVICE_CODE:
        methods = _methods(reader, size)
        return Entry(code, start, reader.pos, methods=methods)
    if code < -24:
        skipped = reader.items("a future type's length", 1)
        reader.take(skipped, "a future type")
        return Entry(code, start, reader.pos)
    what = PRIM_BY_OPCODE[code].name if code in PRIM_BY_OPCODE else str(code)
    raise Fault(f"the type table defines {what}, which is not a composite type", start)


def read_ref(reader: Reader, size: int) -> int:
    """A type where one is named: an opcode or an index into the table of ``size`` entries. Raises Fault."""
    at = reader.pos
    ref = reader.type_code("a type")
    if ref >= size:
        raise Fault(f"type {ref} is not in the type table of {size}", at)
    if ref < 0 and ref not in PRIM_BY_OPCODE:
        raise Fault(f"opcode {ref} is not a primitive type", at)
    return ref


def _refs(reader: Reader, size: int, what: str) -> tuple[int, ...]:
    count = reader.items(what, 1)
    reader.charge_type(count)
    return tuple([read_ref(reader, size) for _ in range(count)])


def _fields(reader: Reader, size: int) -> tuple[tuple[int, int], ...]:
    fields = []
    last = -1
    count = reader.items("the number of fields", 2)
    reader.charge_type(count)
    for _ in range(count):
        at = reader.pos
        number = reader.count("a field id")
        if number >= 1 << 32:
            raise Fault(f"the field id {number} is not below 2^32", at)
        if number <= last:
            raise Fault(f"the field id {number} comes {'twice' if number == last else f'after {last}'}", at)
        last = number
        fields.append((number, read_ref(reader, size)))
    return tuple(fields)


def _annotations(reader: Reader) -> tuple[str, ...]:
    annotations = []
    count = reader.items("the number of annotations", 1)
    reader.charge_type(count)
    for _ in range(count):
        at = reader.pos
        code = reader.byte("an annotation")
        if code not in _ANNOTATION_BY_CODE:
            raise Fault(f"{code} is not a function annotation", at)
        annotations.append(_ANNOTATION_BY_CODE[code])
    return tuple(annotations)


def _methods(reader: Reader, size: int) -> tuple[tuple[str, int], ...]:
    methods: list[tuple[str, int]] = []
    last = b""
    count = reader.items("the number of methods", 2)
    reader.charge_type(count)
    for index in range(count):
        at = reader.pos
        name = reader.text("a method's name")
        encoded = name.encode("utf-8")
        if index and encoded <= last:
            raise Fault(f"the method {name[:40]!r} comes twice or out of order", at)
        last = encoded
        methods.append((name, read_ref(reader, size)))
    return tuple(methods)


def check_methods(table: Table) -> None:
    """Methods are functions; known only after the whole table, for they may refer to a later entry. Raises Fault."""
    for entry in table.entries:
        for name, ref in entry.methods:
            if table.code(ref) != FUNC_CODE:
                raise Fault(f"the method {name[:40]!r} is not of a function type", entry.start)


def _entry_type(entry: Entry, names: Mapping[int, str], env: Mapping[str, Type]) -> Type:
    def of(ref: int) -> Type:
        return PRIM_BY_OPCODE[ref] if ref < 0 else Ref(f"t{ref}", env)

    code = entry.code
    if code == OPT_CODE:
        return Opt(of(entry.inner))
    if code == VEC_CODE:
        return Vec(of(entry.inner))
    if code in (RECORD_CODE, VARIANT_CODE):
        fields = tuple(Field(names.get(number, number), of(ref)) for number, ref in entry.fields)
        return Record(fields) if code == RECORD_CODE else Variant(fields)
    if code == FUNC_CODE:
        args, results = tuple(map(of, entry.args)), tuple(map(of, entry.results))
        return Func(args, results, entry.annotations)
    if code == SERVICE_CODE:
        return Service(tuple((name, of(ref)) for name, ref in entry.methods))
    return Future(code)


def header(types: Sequence[Type], *, inner_first: bool = False) -> bytes:
    """Magic number, type table and argument types. Raises DidError for undefined names.

    Entries stand in first-met order (fields by id), as the Rust crate writes them, or with ``inner_first`` behind
    everything that they hold, as @dfinity/candid does.
    """
    nodes = _inner_first(types) if inner_first else _reachable(types)
    classes = _classes(nodes)
    index_of: dict[int, int] = {}
    entries: list[Type] = []
    for node in nodes:
        if classes[node] not in index_of:
            index_of[classes[node]] = len(entries)
            entries.append(node)

    def code(type_: Type) -> bytes:
        resolved = resolve(type_)
        if isinstance(resolved, Prim):
            return signed(resolved.opcode)
        return signed(index_of[classes[resolved]])

    out = bytearray(b"DIDL" + unsigned(len(entries)))
    for entry in entries:
        out += _entry(entry, [code(inner) for inner in _wire_order(entry)])
    out += unsigned(len(types))
    for type_ in types:
        out += code(type_)
    return bytes(out)


def _reachable(types: Sequence[Type]) -> list[Type]:
    """Every composite type in first-met order, names resolved."""
    found: dict[Type, None] = {}
    todo = [resolve(type_) for type_ in reversed(types)]
    while todo:
        at = todo.pop()
        if isinstance(at, Prim) or at in found:
            continue
        if isinstance(at, Future):
            raise DidError("a future type cannot be encoded")
        found[at] = None
        todo.extend(resolve(inner) for inner in reversed(_wire_order(at)))
    return list(found)


def _inner_first(types: Sequence[Type]) -> list[Type]:
    """Every composite type, what is inside before what is around it, names resolved."""
    found: dict[Type, None] = {}
    entered: set[Type] = set()
    todo = [(resolve(type_), False) for type_ in reversed(types)]
    while todo:
        at, left = todo.pop()
        if left:
            found[at] = None
        elif not isinstance(at, Prim) and at not in entered:
            if isinstance(at, Future):
                raise DidError("a future type cannot be encoded")
            entered.add(at)
            todo.append((at, True))
            todo.extend((resolve(inner), False) for inner in reversed(_wire_order(at)))
    return list(found)


def _classes(nodes: list[Type]) -> dict[Type, int]:
    inner = {node: [resolve(each) for each in _wire_order(node)] for node in nodes}
    classes = _numbered({node: _shape(node) for node in nodes})
    count = 0
    while count != len(set(classes.values())):
        count = len(set(classes.values()))
        signatures: dict[Type, Hashable] = {
            node: (classes[node], *(each.opcode if isinstance(each, Prim) else classes[each] for each in inner[node]))
            for node in nodes
        }
        classes = _numbered(signatures)
    return classes


def _numbered(signatures: dict[Type, Hashable]) -> dict[Type, int]:
    numbers: dict[Hashable, int] = {}
    return {node: numbers.setdefault(signature, len(numbers)) for node, signature in signatures.items()}


def _shape(node: Type) -> Hashable:
    match node:
        case Record() | Variant():
            return (type(node).__name__, *(field.id for _, field in node.by_id))
        case Func():
            return ("Func", len(node.args), len(node.results), node.annotations)
        case Service():
            return ("Service", *(name for name, _ in _sorted_methods(node)))
    return type(node).__name__


def _sorted_methods(service: Service) -> list[tuple[str, Type]]:
    return sorted(service.methods, key=lambda method: method[0].encode("utf-8"))


def _wire_order(node: Type) -> tuple[Type, ...]:
    if isinstance(node, (Record, Variant)):
        return tuple(field.type for _, field in node.by_id)
    if isinstance(node, Service):
        return tuple(type_ for _, type_ in _sorted_methods(node))
    return inner_types(node)


def _entry(node: Type, inner: list[bytes]) -> bytes:
    match node:
        case Opt():
            return signed(OPT_CODE) + inner[0]
        case Vec():
            return signed(VEC_CODE) + inner[0]
        case Record() | Variant():
            code = RECORD_CODE if isinstance(node, Record) else VARIANT_CODE
            fields = b"".join(unsigned(f.id) + each for (_, f), each in zip(node.by_id, inner, strict=True))
            return signed(code) + unsigned(len(inner)) + fields
        case Func():
            args, results = inner[: len(node.args)], inner[len(node.args) :]
            annotations = bytes(ANNOTATIONS[name] for name in node.annotations)
            return b"".join(
                [signed(FUNC_CODE), unsigned(len(args)), *args, unsigned(len(results)), *results,
                 unsigned(len(annotations)), annotations]
            )  # fmt: skip
        case Service():
            out = bytearray(signed(SERVICE_CODE) + unsigned(len(inner)))
            for (name, _), each in zip(_sorted_methods(node), inner, strict=True):
                encoded = name.encode("utf-8")
                out += unsigned(len(encoded)) + encoded + each
            return bytes(out)
    raise TypeError(f"{type(node).__name__} has no entry in a type table")


def unsigned(value: int) -> bytes:
    """LEB128 of a number that is not negative."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """SLEB128."""
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)
