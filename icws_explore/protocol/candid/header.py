"""Writes the head of a Candid message: the smallest type table for the given types.

Types that mean the same share an entry, also recursive ones: entries are told apart by refinement
(first by constructor and labels, then by the classes of what is inside, until nothing changes).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ..errors import DidError
from .names import inner_types
from .types import (
    ANNOTATIONS,
    FUNC_CODE,
    OPT_CODE,
    RECORD_CODE,
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
    resolve,
)


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
