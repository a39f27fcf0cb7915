"""Functions that read the values of a Candid message: ``read(reader, depth) -> value``.

`SCALARS` has the readers of primitive types. The other functions make the reader of a type that contains other
types. Such a reader

- takes the values inside it from the reader's budget before it reads them,
- refuses values that are nested more than MAX_DEPTH deep (``depth`` is the nesting of the value itself),
- looks up the readers of its parts when it first needs them, so that recursive types are no special case,
- adds its step (a key or an index) to the path of a Fault on the way out.

Which reader belongs to a pair of wire type and expected type is decided in decode.py.

Source: Candid specification, "Memory" (the function M).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..errors import count_of
from ..principal import MAX_LENGTH, Principal
from .limits import MAX_DEPTH
from .reader import Fault, Mismatch, Reader
from .text import printable
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
    raise Fault("the type empty has no values", reader.pos)


def read_principal(reader: Reader, _depth: int = 0) -> Principal:
    """Reads a transparent principal. An opaque reference needs a second channel, which a message does not have."""
    at = reader.pos
    if reader.byte("principal") != 1:
        raise Fault("a principal begins with 01; opaque references are not supported", at)
    size = reader.count("a principal's length")
    if size > MAX_LENGTH:
        raise Fault(f"a principal of {size} bytes is longer than {MAX_LENGTH}", at)
    return Principal(reader.take(size, "principal"))


def read_service(reader: Reader, _depth: int) -> ServiceRef:
    return ServiceRef(read_principal(reader))


def read_func(reader: Reader, _depth: int) -> FuncRef:
    at = reader.pos
    if reader.byte("func") != 1:
        raise Fault("a func begins with 01; opaque references are not supported", at)
    principal = read_principal(reader)
    return FuncRef(principal, reader.text("a func's method name"))


def read_future(reader: Reader, _depth: int) -> bytes:
    """Reads the raw bytes of a value whose type belongs to a later Candid version."""
    size = reader.count("a future value's length")
    references = reader.count("a future value's references")
    if references:
        what = count_of(references, "reference")
        raise Fault(f"a future value has {what}; references are not supported", reader.pos)
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
    """A function that reads ``count`` values of a fixed size at once (nat8: bytes, else a list); None for others."""
    letter = FIXED.get(prim.name)
    if letter is None:
        return None
    if letter == "B":
        return lambda reader, count: reader.take(count, "blob")
    size = struct.calcsize("<" + letter)

    def read(reader: Reader, count: int) -> list[Any]:
        whole = min(count, (reader.end - reader.pos) // size)
        data = reader.take(whole * size, prim.name)
        if whole < count:  # the fault is that of the first incomplete value, as if the values were read one by one
            reader.take(size, prim.name)
        return list(struct.unpack(f"<{count}{letter}", data))

    return read


ReaderOf = Callable[[int, Type | None], Read]
Part = tuple[str | None, int, Type | None]  # key (None: not expected), wire type, expected type


def opt(content_of: Callable[[], Read]) -> Read:
    """Reads an option; ``content_of`` makes the reader of a present one."""
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
    """Reads the content of a present option. Content that does not fit becomes None; ``as_is`` then finds its end.

    ``wraps``: the content may be None, so it is wrapped in Some.
    """

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


def present_of_other_type(as_is: Read) -> Read:
    """Reads the content of a present option whose type never fits, as None."""

    def read(reader: Reader, depth: int) -> None:
        _enter(reader, depth, 1)
        as_is(reader, depth + 1)

    return read


def vec(inner: int, expected: Type | None, reader_of: ReaderOf, *, is_blob: bool) -> Read:
    """Reads a vector element by element, as a list.

    ``is_blob``: bytes are expected, but the elements on the wire have another type. Only an empty vector fits then.
    """
    element: Read | None = None

    def read(reader: Reader, depth: int) -> list[Any] | bytes:
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
        return bytes(values) if is_blob else values

    return read


def vec_at_once(elements: Callable[[Reader, int], Any], *, is_blob: bool) -> Read:
    """Reads a vector of elements of a fixed size at once.

    A blob takes nothing from the budget, as it costs no more than its bytes. A number that is read at once costs a
    sixteenth of a value that is read on its own.
    """

    def read(reader: Reader, depth: int) -> Any:
        count = reader.count("the length of a vec")
        _enter(reader, depth, 0 if is_blob else count // 16)
        return elements(reader, count)

    return read


def record(parts: Sequence[Part], keys: Sequence[str], reader_of: ReaderOf) -> Read:
    """Reads a dict with ``keys`` in their order. A key that is not among ``parts`` has the value None."""
    steps: list[tuple[str | None, Read]] = []
    template = dict.fromkeys(keys)
    cost = max(len(parts), len(keys))

    def read(reader: Reader, depth: int) -> dict[str, Any]:
        if depth >= MAX_DEPTH or reader.left < cost:
            _enter(reader, depth, cost)  # raises the Fault
        reader.left -= cost
        if len(steps) != len(parts):
            steps[:] = [(key, reader_of(inner, expected)) for key, inner, expected in parts]
        depth += 1
        values: dict[str, Any] = template.copy()
        key: str | None = None
        try:
            for key, content in steps:
                if key is None:
                    content(reader, depth)  # not expected, but must be well-formed
                else:
                    values[key] = content(reader, depth)
        except Fault as fault:
            fault.path.append("(an unknown field)" if key is None else key)
            raise
        return values

    return read


def variant(parts: Sequence[Part], labels: Callable[[int], str], reader_of: ReaderOf) -> Read:
    """Reads a dict with one key. ``labels`` gives the name of a case by its index, for one that is not expected."""
    cases: list[Read | None] = [None] * len(parts)

    def read(reader: Reader, depth: int) -> dict[str, Any]:
        _enter(reader, depth, 1)
        at = reader.pos
        index = reader.count("a variant's case")
        if index >= len(parts):
            raise Fault(no_case(index, len(parts)), at)
        key, inner, expected = parts[index]
        if key is None:
            raise Mismatch(f"the case {printable(labels(index))} is not expected", at)
        content = cases[index]
        if content is None:
            content = cases[index] = reader_of(inner, expected)
        try:
            return {key: content(reader, depth + 1)}
        except Fault as fault:
            fault.path.append(key)
            raise

    return read


def no_case(index: int, cases: int) -> str:
    """The error text for a variant's index that is too large."""
    return f"case {index} of a variant with {count_of(cases, 'case')}"


def discarded(read: Read) -> Read:
    """Reads a value and returns None."""

    def discard(reader: Reader, depth: int) -> None:
        read(reader, depth)

    return discard


def _enter(reader: Reader, depth: int, values: int) -> None:
    if depth >= MAX_DEPTH:
        raise Fault(f"values are nested more than {MAX_DEPTH} deep", reader.pos)
    reader.left -= values
    if reader.left < 0:
        reader.charge(0)  # raises the Fault
