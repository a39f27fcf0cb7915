"""Writers of values that hold no other values, one function each; the twin of scalars.py."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..errors import PrincipalError
from ..principal import Principal
from .header import signed, unsigned
from .reader import MAX_NUMBER_BYTES
from .readers import FIXED
from .types import Prim
from .values import FuncRef, ServiceRef

Write = Callable[[bytearray, Any, int], None]
MAX_BITS: Final = 7 * MAX_NUMBER_BYTES - 7
_RANGES: Final = {
    f"{kind}{bits}": (0, (1 << bits) - 1) if kind == "nat" else (-(1 << bits - 1), (1 << bits - 1) - 1)
    for kind in ("nat", "int")
    for bits in (8, 16, 32, 64)
}


class Refusal(Exception):  # noqa: N818 - control flow; only ValueMismatchError leaves
    """A value that does not fit; ``path`` grows on the way out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str | int] = []


def scalar_writer(prim: Prim) -> Write:
    """The writer of a primitive type's values."""
    return _PRIMS[prim.name] if prim.name in _PRIMS else _fixed(prim.name)


def kind_of(value: Any) -> str:
    """What a value is, in a word, for messages."""
    if value is None:
        return "None"
    if isinstance(value, Mapping):
        return f"a dict of {len(value)}"
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
        raise Refusal(f"nat takes no negative numbers like {_brief(number)}")
    if number.bit_length() > MAX_BITS:
        raise Refusal(f"the number has more than {MAX_BITS} bits")
    out += unsigned(number)


def _int(out: bytearray, value: Any, _depth: int) -> None:
    number = _whole("int", value)
    if number.bit_length() >= MAX_BITS:
        raise Refusal(f"the number has more than {MAX_BITS - 1} bits")
    out += signed(number)


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
            raise Refusal(f"{_brief(number)} is outside {name}, which goes from {least} to {most}")
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
        raise Refusal("the text has a lone surrogate, which UTF-8 cannot express") from None
    out += unsigned(len(encoded))
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
