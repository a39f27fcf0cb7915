"""Encoding Python values as Candid messages.

`encode` turns its types into a head (see wire.py) and one function ``write(out, value, depth)`` per argument.
`_Writers` makes these functions; heads and functions of the last 128 lists of types are kept.

Values may be given more freely than `decode` returns them: see `encode`. ``depth`` is the nesting of the value.

Source: Candid specification, "Serialisation".
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from ..errors import PrincipalError, ValueMismatchError, count_of
from ..leb128 import encode_signed, encode_unsigned
from ..principal import Principal
from .limits import MAX_DEPTH, MAX_NUMBER_BYTES
from .reader import STACK_USED_UP
from .text import brief_text, printable
from .types import (
    NAT8,
    Func,
    FuncRef,
    Opt,
    Prim,
    Record,
    Service,
    ServiceRef,
    Some,
    Type,
    Variant,
    Vec,
    resolve,
    takes_null,
)
from .value_readers import FIXED
from .wire import header

Write = Callable[[bytearray, Any, int], None]
MAX_BITS: Final = 7 * MAX_NUMBER_BYTES - 7
_RANGES: Final = {
    f"{kind}{bits}": (0, (1 << bits) - 1) if kind == "nat" else (-(1 << bits - 1), (1 << bits - 1) - 1)
    for kind in ("nat", "int")
    for bits in (8, 16, 32, 64)
}


class Refusal(Exception):  # noqa: N818 - control flow; users see a ValueMismatchError
    """A value that does not fit its type. ``path`` is the steps to it, innermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str | int] = []


def scalar_writer(prim: Prim) -> Write:
    """The function that writes values of a primitive type."""
    return _PRIMS[prim.name] if prim.name in _PRIMS else _fixed(prim.name)


def kind_of(value: Any) -> str:
    """The kind of a value, for error texts: its class, for a dict with the number of entries."""
    if value is None:
        return "None"
    if isinstance(value, Mapping):
        return f"a dict with {count_of(len(value), 'entry')}"
    return type(value).__name__


def _null(_out: bytearray, value: Any, _depth: int) -> None:
    if value is not None:
        raise Refusal(f"null takes None, not {kind_of(value)}")


def _reserved(_out: bytearray, _value: Any, _depth: int) -> None:
    return None


def _empty(_out: bytearray, _value: Any, _depth: int) -> None:
    raise Refusal("the type empty has no values")


def _bool(out: bytearray, value: Any, _depth: int) -> None:
    if not isinstance(value, bool):
        raise Refusal(f"bool takes True or False, not {kind_of(value)}")
    out.append(value)


def _whole(name: str, value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise Refusal(f"{name} takes an int, not {kind_of(value)}")
    return operator.index(value)  # NumPy's integers, as data frames hold them


def _nat(out: bytearray, value: Any, _depth: int) -> None:
    number = _whole("nat", value)
    if number < 0:
        raise Refusal(f"nat cannot be negative, and this is {_brief(number)}")
    if number.bit_length() > MAX_BITS:
        raise Refusal(f"the number has more than {MAX_BITS} bits")
    out += encode_unsigned(number)


def _int(out: bytearray, value: Any, _depth: int) -> None:
    number = _whole("int", value)
    if number.bit_length() >= MAX_BITS:
        raise Refusal(f"the number has more than {MAX_BITS - 1} bits")
    out += encode_signed(number)


def _fixed(name: str) -> Write:
    pack = struct.Struct("<" + FIXED[name]).pack
    if name.startswith("float"):

        def write_float(out: bytearray, value: Any, _depth: int) -> None:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise Refusal(f"{name} takes a float, not {kind_of(value)}")
            try:
                out += pack(value)
            except (OverflowError, struct.error):
                raise Refusal(f"the number is too large for {name}") from None

        return write_float
    least, most = _RANGES[name]

    def write(out: bytearray, value: Any, _depth: int) -> None:
        number = _whole(name, value)
        if not least <= number <= most:
            raise Refusal(f"{_brief(number)} is outside {name}, whose range is {least} to {most}")
        out += pack(number)

    return write


def _brief(number: int) -> str:
    return str(number) if number.bit_length() < 200 else f"a number of {number.bit_length()} bits"


def _text(out: bytearray, value: Any, _depth: int) -> None:
    if not isinstance(value, str):
        raise Refusal(f"text takes a str, not {kind_of(value)}")
    _write_text(out, value)


def _write_text(out: bytearray, value: str) -> None:
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        raise Refusal("the text has a lone surrogate, which UTF-8 cannot encode") from None
    out += encode_unsigned(len(encoded))
    out += encoded


def _principal(out: bytearray, value: Any, _depth: int) -> None:
    if isinstance(value, ServiceRef):
        value = value.principal
    try:
        raw = Principal.of(value).raw
    except PrincipalError as error:
        raise Refusal(error.reason) from None
    out.append(1)
    out.append(len(raw))
    out += raw


def write_service(out: bytearray, value: Any, depth: int) -> None:
    _principal(out, value, depth)


def write_func(out: bytearray, value: Any, depth: int) -> None:
    if isinstance(value, FuncRef):
        value = (value.principal, value.method)
    if not (isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str)):
        raise Refusal(f"func takes a FuncRef, not {kind_of(value)}")
    out.append(1)
    _principal(out, value[0], depth)
    _write_text(out, value[1])


_PRIMS: Final[Mapping[str, Write]] = {
    "null": _null, "reserved": _reserved, "empty": _empty, "bool": _bool, "nat": _nat, "int": _int,
    "text": _text, "principal": _principal,
}  # fmt: skip


class _Writers:
    """Makes the writer of each type once. A writer looks up those of its parts at their first use (recursion)."""

    def __init__(self) -> None:
        self._made: dict[Type, Write] = {}

    def writer(self, type_: Type) -> Write:
        resolved = resolve(type_)
        write = self._made.get(resolved)
        if write is None:
            write = self._made[resolved] = self._make(resolved)
        return write

    def _make(self, type_: Type) -> Write:
        match type_:
            case Prim():
                return scalar_writer(type_)
            case Opt():
                return self._opt(type_)
            case Vec():
                return self._blob(type_) if resolve(type_.inner) == NAT8 else self._vec(type_)
            case Record():
                return self._record(type_)
            case Variant():
                return self._variant(type_)
            case Func():
                return write_func
            case Service():
                return write_service
        raise AssertionError(f"{type(type_).__name__} is refused before")

    def _opt(self, type_: Opt) -> Write:
        def write(out: bytearray, value: Any, depth: int) -> None:
            if value is None:
                out.append(0)
                return
            if depth >= MAX_DEPTH:
                raise Refusal(f"values are nested more than {MAX_DEPTH} deep")
            out.append(1)
            self.writer(type_.inner)(out, value.value if isinstance(value, Some) else value, depth + 1)

        return write

    def _blob(self, type_: Vec) -> Write:
        as_list = self._vec(type_)

        def write(out: bytearray, value: Any, depth: int) -> None:
            if isinstance(value, (bytes, bytearray)):
                out += encode_unsigned(len(value))
                out += value
            elif isinstance(value, memoryview):
                raw = value.tobytes()
                out += encode_unsigned(len(raw))
                out += raw
            else:
                as_list(out, value, depth)

        return write

    def _vec(self, type_: Vec) -> Write:
        def write(out: bytearray, value: Any, depth: int) -> None:
            if not isinstance(value, (list, tuple)):
                raise Refusal(f"{brief_text(type_)} takes a list, not {kind_of(value)}")
            if depth >= MAX_DEPTH:
                raise Refusal(f"values are nested more than {MAX_DEPTH} deep")
            element = self.writer(type_.inner)
            out += encode_unsigned(len(value))
            index = -1
            try:
                for each in value:
                    index += 1
                    element(out, each, depth + 1)
            except Refusal as refusal:
                refusal.path.append(index)
                raise

        return write

    def _record(self, type_: Record) -> Write:
        steps: list[tuple[str, tuple[str | int, ...], bool, Write]] = []
        keys = frozenset(type_.keys)

        def write(out: bytearray, value: Any, depth: int) -> None:
            if depth >= MAX_DEPTH:
                raise Refusal(f"values are nested more than {MAX_DEPTH} deep")
            if len(steps) != len(type_.fields):
                steps[:] = [
                    (key, _spellings(key, field.label), takes_null(field.type), self.writer(field.type))
                    for key, field in type_.by_id
                ]
            if not isinstance(value, Mapping):
                value = _from_sequence(type_, value)
            depth += 1
            key = ""
            found = 0
            try:
                for key, spellings, optional, inner in steps:
                    if key in value:
                        found += 1
                        inner(out, value[key], depth)
                        continue
                    spelling = next((s for s in spellings if s in value), None)
                    if spelling is not None:
                        found += 1
                        inner(out, value[spelling], depth)
                    elif optional:
                        inner(out, None, depth)
                    else:
                        raise Refusal("is missing")
            except Refusal as refusal:
                refusal.path.append(key)
                raise
            if found != len(value):
                _refuse_unknown(value, keys, steps)

        return write

    def _variant(self, type_: Variant) -> Write:
        cases: dict[str | int, tuple[int, str, Type]] = {}
        for index, (key, field) in enumerate(type_.by_id):
            for spelling in _spellings(key, field.label):
                cases.setdefault(spelling, (index, key, field.type))
        for index, (key, field) in enumerate(type_.by_id):
            cases[key] = (index, key, field.type)

        def write(out: bytearray, value: Any, depth: int) -> None:
            if depth >= MAX_DEPTH:
                raise Refusal(f"values are nested more than {MAX_DEPTH} deep")
            name, content = _case_of(value)
            case = cases.get(name) if isinstance(name, (str, int)) else None
            if case is None:
                raise Refusal(f"there is no case {name!r}; the cases are: {_names(type_.keys)}")
            index, key, inner = case
            out += encode_unsigned(index)
            try:
                self.writer(inner)(out, content, depth + 1)
            except Refusal as refusal:
                refusal.path.append(key)
                raise

        return write


def _spellings(key: str, label: str | int) -> tuple[str | int, ...]:
    """The keys under which a field may be given: its name; for the number 0 also 0, "0" and "_0_"."""
    return (label, str(label), f"_{label}_") if isinstance(label, int) else (key,)


def _case_of(value: Any) -> tuple[Any, Any]:
    if isinstance(value, str):
        return value, None
    if isinstance(value, Mapping) and len(value) == 1:
        return next(iter(value.items()))
    raise Refusal(f'a variant takes {{"Case": value}} with one case, not {kind_of(value)}')


def _from_sequence(type_: Record, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, (list, tuple)):
        raise Refusal(f"a record takes a dict, not {kind_of(value)}")
    if not type_.is_tuple:
        raise Refusal(f"a record with named fields takes a dict, not {kind_of(value)}")
    if len(value) > len(type_.fields):
        given = count_of(len(value), "value")
        raise Refusal(f"{given} for a tuple of {len(type_.fields)}")
    return dict(zip(type_.keys, value, strict=False))


def _names(names: Sequence[str]) -> str:
    """Up to twenty names, for error texts."""
    more = [] if len(names) <= 20 else [f"{len(names) - 20} more"]
    return ", ".join([*map(printable, names[:20]), *more]) or "none"


def _refuse_unknown(value: Mapping[Any, Any], keys: frozenset[str], steps: list[Any]) -> None:
    allowed = set(keys).union(*(spellings for _, spellings, _, _ in steps)) if steps else set()
    unknown = [repr(key) for key in value if key not in allowed]
    if unknown:
        raise Refusal(f"there is no field {', '.join(unknown[:3])}; the fields are: {_names(sorted(keys))}")
    raise Refusal("a field is given twice, by name and by number")


def encode(types: Sequence[Type], values: Sequence[Any], *, inner_first: bool = False) -> bytes:
    """``values`` of ``types`` as one Candid message.

    A record is a mapping (or a sequence, for a tuple), a variant ``{"Case": value}`` (or ``"Case"`` for a case of
    type null), a blob bytes, an option None or the value (``Some(value)`` if the content may be None), a principal a
    Principal or its text. A missing optional field is null. ``inner_first`` is the order of the type table: see
    ``header``.

    Raises ValueMismatchError, with the path to the value that does not fit, and DidError for a type that refers to
    an undefined name.
    """
    if len(types) != len(values):
        raise ValueMismatchError("", f"{count_of(len(values), 'value')} for {count_of(len(types), 'type')}")
    head, writes = _compiled(tuple(types), inner_first)
    out = bytearray(head)
    index = 0
    try:
        for index, write in enumerate(writes):
            write(out, values[index], 0)
    except Refusal as refusal:
        path = [*reversed(refusal.path)]
        if len(types) > 1:
            path.insert(0, index)
        raise ValueMismatchError(".".join(printable(str(step)) for step in path), refusal.reason) from None
    except RecursionError:
        raise ValueMismatchError(str(index), STACK_USED_UP) from None
    return bytes(out)


@lru_cache(maxsize=128)
def _compiled(types: tuple[Type, ...], inner_first: bool) -> tuple[bytes, tuple[Write, ...]]:
    writers = _Writers()
    return header(types, inner_first=inner_first), tuple(writers.writer(type_) for type_ in types)
