"""The head of a Candid message: magic number, type table, types of the arguments.

`read_table` reads and checks a head completely, before any value is read. An entry of the table keeps its byte
range, for annotated views. A type reference is a number: the opcode of a primitive type (negative) or an index into
the table. `WireTypes` makes `Type` objects of the entries.

`header` writes a head. It merges types that mean the same, also recursive ones, so the table is as small as
possible.

Source: Candid specification, "Binary Format" (the functions T, I and B).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..errors import DidError, count_of
from ..leb128 import encode_signed, encode_unsigned
from .limits import MAX_ARGS, MAX_TABLE
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
    inner_types,
    resolve,
)

MAGIC: Final = b"DIDL"
_NAME: Final = re.compile(r"t[0-9]{1,9}\Z")
_ANNOTATION_BY_CODE: Final = {code: name for name, code in ANNOTATIONS.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One definition of a type table. Types in it are type references.

    ``code`` is the opcode. ``inner`` is the content of opt and vec, ``fields`` are the (id, type) of record and
    variant, ``args``, ``results`` and ``annotations`` belong to func, ``methods`` (name, type) to service. Its bytes
    in the message are those from ``start`` to ``end``.
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
    """The type table of a message and the types of its arguments. The values begin at byte ``end``."""

    entries: list[Entry] = field(default_factory=list)
    args: tuple[int, ...] = ()
    end: int = 0

    def code(self, ref: int) -> int:
        """The opcode of the type that ``ref`` stands for."""
        return ref if ref < 0 else self.entries[ref].code

    def type(self, ref: int, names: Mapping[int, str]) -> Type:
        """The type that ``ref`` stands for, with its labels from ``names`` (field id → name)."""
        return WireTypes(self, names).type(ref)


class WireTypes(Mapping[str, Type]):
    """The types of a table by name ("t0", …). A type is made at its first use; the types in it are Refs to this."""

    def __init__(self, table: Table, names: Mapping[int, str]) -> None:
        self._table = table
        self._names = names
        self._made: dict[str, Type] = {}

    def __reduce__(self) -> tuple[type[WireTypes], tuple[Table, dict[int, str]]]:
        return WireTypes, (self._table, dict(self._names))  # a mapping proxy cannot be copied or pickled

    def type(self, ref: int) -> Type:
        """The type that ``ref`` stands for."""
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
    """Reads magic number, type table and argument types. Raises Fault."""
    if reader.data[:4] != MAGIC:
        raise no_magic(reader)
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
        raise Fault(f"the message has {count} values, more than {MAX_ARGS}", args_at)
    reader.charge(count)
    table.args = tuple([read_ref(reader, size) for _ in range(count)])
    table.end = reader.pos
    return table


def no_magic(reader: Reader) -> Fault:
    """The fault of a message without the magic number."""
    if not reader.data:
        return Fault("the message is empty", 0)
    return Fault(f"the message begins with {bytes(reader.data[:4]).hex(' ')}, not with DIDL", 0)


def read_entry(reader: Reader, size: int) -> Entry:
    """Reads one definition of a table of ``size`` entries. Raises Fault."""
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
    """Reads a type reference, for a table of ``size`` entries. Raises Fault."""
    at = reader.pos
    ref = reader.type_code("a type")
    if ref >= size:
        raise Fault(f"type {ref} is not in the type table, which has {count_of(size, 'entry')}", at)
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
            raise Fault(f"the field id {number} occurs {'twice' if number == last else f'after {last}'}", at)
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
            raise Fault(f"the method {name[:40]!r} occurs twice or out of order", at)
        last = encoded
        methods.append((name, read_ref(reader, size)))
    return tuple(methods)


def check_methods(table: Table) -> None:
    """Raises Fault if a method is no function. Its type may be a later entry, so the table must be complete."""
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
    """Magic number, type table and argument types for arguments of these types. Raises DidError for undefined names.

    An entry stands before the entries for the types in it, as the Rust crate candid writes them (the fields of a
    record by id). With ``inner_first`` it stands after them, as @dfinity/candid 2.4 writes them; but a recursive
    type stands before the types in it there as well, because its `IDL.Rec` reserves the index at once.
    """
    nodes = _inner_first(types) if inner_first else _outer_first(types)
    classes = _equivalence_classes(nodes)
    index_of: dict[int, int] = {}
    entries: list[Type] = []
    for node in nodes:
        if classes[node] not in index_of:
            index_of[classes[node]] = len(entries)
            entries.append(node)

    def code(type_: Type) -> bytes:
        resolved = resolve(type_)
        if isinstance(resolved, Prim):
            return encode_signed(resolved.opcode)
        return encode_signed(index_of[classes[resolved]])

    out = bytearray(MAGIC + encode_unsigned(len(entries)))
    for entry in entries:
        out += _entry_bytes(entry, [code(inner) for inner in _in_wire_order(entry)])
    out += encode_unsigned(len(types))
    for type_ in types:
        out += code(type_)
    return bytes(out)


def _outer_first(types: Sequence[Type]) -> list[Type]:
    """All composite types in ``types``, names resolved, each before the types in it."""
    found: dict[Type, None] = {}
    todo = [resolve(type_) for type_ in reversed(types)]
    while todo:
        at = todo.pop()
        if isinstance(at, Prim) or at in found:
            continue
        found[at] = None
        todo.extend(_composites_in(at))
    return list(found)


def _inner_first(types: Sequence[Type]) -> list[Type]:
    """All composite types in ``types``, names resolved, each after the types in it, but a recursive one before."""
    visits = list(_visits(types))
    entered: set[Type] = set()
    left: set[Type] = set()
    recursive: set[Type] = set()
    for at, leaves in visits:
        if leaves:
            left.add(at)
        elif at in entered and at not in left:
            recursive.add(at)
        entered.add(at)
    return list(dict.fromkeys(at for at, leaves in visits if leaves or at in recursive))


def _visits(types: Sequence[Type]) -> Iterator[tuple[Type, bool]]:
    """Depth first through ``types``: each composite type whenever it is met (False) and once when left (True)."""
    entered: set[Type] = set()
    todo = [(resolve(type_), False) for type_ in reversed(types)]
    while todo:
        at, leaves = todo.pop()
        if isinstance(at, Prim):
            continue
        yield at, leaves
        if not leaves and at not in entered:
            entered.add(at)
            todo.append((at, True))
            todo.extend((inner, False) for inner in _composites_in(at))


def _composites_in(type_: Type) -> Iterator[Type]:
    """The types in ``type_``, names resolved, the last one first. Raises DidError for a future type."""
    if isinstance(type_, Future):
        raise DidError("a future type cannot be encoded")
    return (resolve(inner) for inner in reversed(_in_wire_order(type_)))


def _equivalence_classes(nodes: Iterable[Type]) -> dict[Type, int]:
    """A number for each node; nodes that mean the same type have the same number.

    Partition refinement (Hopcroft): the classes begin as the nodes of the same constructor, labels and primitive
    parts, and are split until no class can tell the nodes of another apart. The time is O(n log n) for n parts.
    """
    members: dict[int, set[Type]] = defaultdict(set)
    users: dict[Type, list[tuple[int, Type]]] = defaultdict(list)  # inner type → (position, type that contains it)
    numbers: dict[Hashable, int] = {}
    classes: dict[Type, int] = {}
    for node in nodes:
        inner = [resolve(each) for each in _in_wire_order(node)]
        prims = tuple(each.opcode if isinstance(each, Prim) else 0 for each in inner)
        classes[node] = numbers.setdefault((_shape(node), prims), len(numbers))
        members[classes[node]].add(node)
        for position, each in enumerate(inner):
            if not isinstance(each, Prim):
                users[each].append((position, node))
    todo = set(members)
    while todo:
        splitter = members[todo.pop()]
        by_position: dict[int, set[Type]] = defaultdict(set)
        for node in splitter:
            for position, user in users[node]:
                by_position[position].add(user)
        for touched in by_position.values():
            by_class: dict[int, set[Type]] = defaultdict(set)
            for node in touched:
                by_class[classes[node]].add(node)
            for number, part in by_class.items():
                whole = members[number]
                if len(part) == len(whole):
                    continue
                whole -= part
                new = len(members)
                members[new] = part
                for node in part:
                    classes[node] = new
                todo.add(new if number in todo or len(part) <= len(whole) else number)
    return classes


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


def _in_wire_order(node: Type) -> tuple[Type, ...]:
    """The types directly in ``node``, in the order in which its entry mentions them."""
    if isinstance(node, (Record, Variant)):
        return tuple(field.type for _, field in node.by_id)
    if isinstance(node, Service):
        return tuple(type_ for _, type_ in _sorted_methods(node))
    return inner_types(node)


def _entry_bytes(node: Type, inner: list[bytes]) -> bytes:
    match node:
        case Opt():
            return encode_signed(OPT_CODE) + inner[0]
        case Vec():
            return encode_signed(VEC_CODE) + inner[0]
        case Record() | Variant():
            code = RECORD_CODE if isinstance(node, Record) else VARIANT_CODE
            fields = b"".join(encode_unsigned(f.id) + each for (_, f), each in zip(node.by_id, inner, strict=True))
            return encode_signed(code) + encode_unsigned(len(inner)) + fields
        case Func():
            args, results = inner[: len(node.args)], inner[len(node.args) :]
            annotations = bytes(ANNOTATIONS[name] for name in node.annotations)
            return b"".join(
                [encode_signed(FUNC_CODE), encode_unsigned(len(args)), *args, encode_unsigned(len(results)), *results,
                 encode_unsigned(len(annotations)), annotations]
            )  # fmt: skip
        case Service():
            out = bytearray(encode_signed(SERVICE_CODE) + encode_unsigned(len(inner)))
            for (name, _), each in zip(_sorted_methods(node), inner, strict=True):
                encoded = name.encode("utf-8")
                out += encode_unsigned(len(encoded)) + encoded + each
            return bytes(out)
    raise AssertionError(f"{type(node).__name__} has no entry in a type table")
