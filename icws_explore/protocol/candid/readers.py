"""Readers of values that hold no other values, one function each: ``read(reader, depth) -> value``.

Source: Candid specification, "Memory" (M). ``depth`` is how deep the value is nested; scalars ignore it.

Readers of values that hold other values: ``read(reader, depth) -> value``, as in scalars.py.

Each pays for the values inside it before it reads them, knows how deep it is, and finds the readers
of its parts (``reader_of(wire type, expected type)``) when it first needs them, so that recursive
types need no special care. On a Fault each adds its step to the path.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..principal import MAX_LENGTH, Principal
from .reader import MAX_DEPTH, Fault, Mismatch, Reader
from .types import FuncRef, Prim, ServiceRef, Some, Type

Read = Callable[[Reader, int], Any]


def _null(_reader: Reader, _depth: int) -> None:
    return None


def _bool(reader: Reader, _depth: int) -> bool:
    byte = reader.byte("bool")
    if byte > 1:
        raise Fault(f"bool is {byte}, not 0 or 1", reader.pos - 1)
    return byte == 1


def _nat(reader: Reader, _depth: int) -> int:
    return reader.nat()


def _int(reader: Reader, _depth: int) -> int:
    return reader.int_()


def _fixed(name: str, letter: str) -> Read:
    codec = struct.Struct("<" + letter)
    size, unpack_from = codec.size, codec.unpack_from

    def read(reader: Reader, _depth: int) -> Any:
        pos = reader.pos
        end = pos + size
        if end > reader.end:
            reader.short(name, size)
        reader.pos = end
        return unpack_from(reader.data, pos)[0]

    return read


def _text(reader: Reader, _depth: int) -> str:
    return reader.text("text")


def _empty(reader: Reader, _depth: int) -> Any:
    raise Fault("a value of type empty, which has none", reader.pos)


def read_principal(reader: Reader, _depth: int = 0) -> Principal:
    """A transparent principal; opaque references need a second channel, which messages do not have."""
    at = reader.pos
    if reader.byte("principal") != 1:
        raise Fault("a principal begins with 01; opaque references are not possible here", at)
    size = reader.count("a principal's length")
    if size > MAX_LENGTH:
        raise Fault(f"a principal of {size} bytes is longer than {MAX_LENGTH}", at)
    return Principal(reader.take(size, "principal"))


def read_service(reader: Reader, _depth: int) -> ServiceRef:
    return ServiceRef(read_principal(reader))


def read_func(reader: Reader, _depth: int) -> FuncRef:
    at = reader.pos
    if reader.byte("func") != 1:
        raise Fault("a func begins with 01; opaque references are not possible here", at)
    principal = read_principal(reader)
    return FuncRef(principal, reader.text("a func's method name"))


def read_future(reader: Reader, _depth: int) -> bytes:
    """The raw bytes of a value of a later Candid version."""
    size = reader.count("a future value's length")
    references = reader.count("a future value's references")
    if references:
        raise Fault(f"a future value with {references} references, which are not possible here", reader.pos)
    return reader.take(size, "a future value")


FIXED: Final[Mapping[str, str]] = {
    "nat8": "B", "nat16": "H", "nat32": "I", "nat64": "Q",
    "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "float32": "f", "float64": "d",
}  # fmt: skip

SCALARS: Final[Mapping[str, Read]] = {
    "null": _null, "reserved": _null, "empty": _empty, "bool": _bool, "nat": _nat, "int": _int,
    "text": _text, "principal": read_principal,
    **{name: _fixed(name, letter) for name, letter in FIXED.items()},
}  # fmt: skip


def vector_of(prim: Prim) -> Callable[[Reader, int], Any] | None:
    """Reads ``count`` values of a fixed size at once: bytes for nat8, else a list; None for other types."""
    letter = FIXED.get(prim.name)
    if letter is None:
        return None
    if letter == "B":
        return lambda reader, count: reader.take(count, "blob")
    size = struct.calcsize("<" + letter)

    def read(reader: Reader, count: int) -> list[Any]:
        whole = min(count, (reader.end - reader.pos) // size)
        data = reader.take(whole * size, prim.name)
        if whole < count:  # the fault is the first value's that is not whole, as it is for who reads one by one
            reader.take(size, prim.name)
        return list(struct.unpack(f"<{count}{letter}", data))

    return read


ReaderOf = Callable[[int, Type | None], Read]
Part = tuple[str | None, int, Type | None]  # key (None: not expected), wire type, expected type


def opt(content_of: Callable[[], Read]) -> Read:
    """An option; ``content_of`` makes the reader of a present one."""
    content: Read | None = None

    def read(reader: Reader, depth: int) -> Any:
        nonlocal content
        tag = reader.byte("opt")
        if tag == 0:
            return None
        if tag != 1:
            raise Fault(f"opt is {tag}, not 0 or 1", reader.pos - 1)
        if content is None:
            content = content_of()
        return content(reader, depth)

    return read


def present(content: Read, as_is: Callable[[], Read], *, wraps: bool) -> Read:
    """The content of a present option. What does not fit becomes None, and is read ``as_is`` to find its end."""

    def read(reader: Reader, depth: int) -> Any:
        _enter(reader, depth, 1)
        start = reader.pos
        try:
            value = content(reader, depth + 1)
        except Mismatch:
            reader.pos = start
            as_is()(reader, depth + 1)
            return None
        return Some(value) if wraps else value

    return read


def hopeless(as_is: Read) -> Read:
    """The content of a present option of a type that never fits: None, without a try."""

    def read(reader: Reader, depth: int) -> None:
        _enter(reader, depth, 1)
        as_is(reader, depth + 1)

    return read


def vec(inner: int, expected: Type | None, reader_of: ReaderOf) -> Read:
    """A list."""
    element: Read | None = None

    def read(reader: Reader, depth: int) -> list[Any]:
        nonlocal element
        count = reader.count("the length of a vec")
        _enter(reader, depth, count)
        if element is None:
            element = reader_of(inner, expected)
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


def vec_at_once(elements: Callable[[Reader, int], Any], *, paid: bool) -> Read:
    """A vector of elements of fixed size; bytes cost no more than their length, so are not ``paid`` for.

    Numbers read at once cost a sixteenth of what a value costs that is read on its own.
    """

    def read(reader: Reader, depth: int) -> Any:
        count = reader.count("the length of a vec")
        _enter(reader, depth, count // 16 if paid else 0)
        return elements(reader, count)

    return read


def record(parts: Sequence[Part], keys: Sequence[str], reader_of: ReaderOf) -> Read:
    """A dict with ``keys`` in their order; those that no part gives are None."""
    steps: list[tuple[str | None, Read]] = []
    template = dict.fromkeys(keys)
    cost = max(len(parts), len(keys))

    def read(reader: Reader, depth: int) -> dict[str, Any]:
        _enter(reader, depth, cost)
        if len(steps) != len(parts):
            steps[:] = [(key, reader_of(inner, expected)) for key, inner, expected in parts]
        depth += 1
        values: dict[str, Any] = template.copy()
        key: str | None = None
        try:
            for key, content in steps:
                if key is None:
                    content(reader, depth)  # checked all the same
                else:
                    values[key] = content(reader, depth)
        except Fault as fault:
            fault.path.append("(an unknown field)" if key is None else key)
            raise
        return values

    return read


def variant(parts: Sequence[Part], labels: Callable[[int], str], reader_of: ReaderOf) -> Read:
    """A dict with one key; ``labels`` names a case that is not expected, by its index."""
    cases: list[Read | None] = [None] * len(parts)

    def read(reader: Reader, depth: int) -> dict[str, Any]:
        _enter(reader, depth, 1)
        at = reader.pos
        index = reader.count("a variant's case")
        if index >= len(parts):
            raise Fault(f"case {index} of a variant that has {len(parts)}", at)
        key, inner, expected = parts[index]
        if key is None:
            raise Mismatch(f"the case {labels(index)} is not an expected one", at)
        content = cases[index]
        if content is None:
            content = cases[index] = reader_of(inner, expected)
        try:
            return {key: content(reader, depth + 1)}
        except Fault as fault:
            fault.path.append(key)
            raise

    return read


def discarded(read: Read) -> Read:
    """Reads and forgets: None."""

    def discard(reader: Reader, depth: int) -> None:
        read(reader, depth)

    return discard


def label_of(number: int, names: Mapping[int, str]) -> str:
    """A field id as people may know it."""
    return names.get(number, f"_{number}_")


def _enter(reader: Reader, depth: int, values: int) -> None:
    if depth >= MAX_DEPTH:
        raise Fault(f"values are nested more than {MAX_DEPTH} deep", reader.pos)
    reader.left -= values
    if reader.left < 0:
        reader.charge(0)  # says so
