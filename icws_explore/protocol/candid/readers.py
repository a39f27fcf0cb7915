"""Readers of values that hold no other values, one function each: ``read(reader, depth) -> value``.

Source: Candid specification, "Memory" (M). ``depth`` is how deep the value is nested; scalars ignore it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..principal import MAX_LENGTH, Principal
from .reader import Fault, Reader
from .types import Prim
from .values import FuncRef, ServiceRef

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
