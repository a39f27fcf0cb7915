"""Reading typed fields out of decoded CBOR maps, and checking values on their way into one.

What a peer sent wrongly is a MessageError that names the field; what we were given wrongly is a
ValueMismatchError. Unknown fields are nobody's error: serde and the SDK pass over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from .errors import MessageError, PrincipalError, ValueMismatchError
from .principal import Principal

MAX_U64: Final = 2**64 - 1

_NAMES: Final[dict[type, str]] = {
    bytes: "a byte string",
    str: "text",
    int: "an integer",
    bool: "a bool",
    dict: "a map",
    list: "an array",
    type(None): "null",
}
_T = TypeVar("_T")


def as_map(value: object, what: str) -> Mapping[str, Any]:
    """``value``, if it is a map. Raises MessageError about ``what``."""
    if not isinstance(value, dict):
        raise MessageError(what, f"is {_kind(value)} where a map belongs")
    return value


def field(fields: Mapping[str, Any], name: str, kind: type[_T], what: str) -> _T:
    """The field ``name`` of exactly that type. Raises MessageError."""
    if name not in fields:
        raise MessageError(what, f"field {name!r} is missing")
    value = fields[name]
    # Exactly this type: a bool is an int to isinstance, and never one on the wire.
    if type(value) is not kind:
        raise MessageError(what, f"field {name!r} is {_kind(value)} where {_NAMES[kind]} belongs")
    return value


def optional_field(fields: Mapping[str, Any], name: str, kind: type[_T], what: str) -> _T | None:
    """The field ``name``, or None if it is missing or null, which serde does not tell apart. Raises MessageError."""
    return None if fields.get(name) is None else field(fields, name, kind, what)


def u64_field(fields: Mapping[str, Any], name: str, what: str) -> int:
    """The field ``name``, a number that a u64 holds. Raises MessageError."""
    value = field(fields, name, int, what)
    if not 0 <= value <= MAX_U64:
        raise MessageError(what, f"field {name!r} is {_shown(value)}, not a 64-bit unsigned integer")
    return value


def principal_field(fields: Mapping[str, Any], name: str, what: str) -> Principal:
    """The field ``name``, the bytes of a principal. Raises MessageError."""
    return as_principal(field(fields, name, bytes, what), f"field {name!r}", what)


def as_principal(raw: object, name: str, what: str) -> Principal:
    """The principal of those bytes. Raises MessageError."""
    if type(raw) is not bytes:
        raise MessageError(what, f"{name} is {_kind(raw)} where a byte string belongs")
    try:
        return Principal(raw)
    except PrincipalError as error:
        raise MessageError(what, f"{name}: {error.reason}") from error


def check(name: str, value: object, kind: type[_T]) -> _T:
    """``value``, if it is exactly of that type. Raises ValueMismatchError."""
    if type(value) is not kind:
        raise ValueMismatchError(name, f"takes {_NAMES[kind]}, not {type(value).__name__}")
    return value


def check_u64(name: str, value: int) -> int:
    """``value``, if a u64 holds it. Raises ValueMismatchError."""
    if type(value) is not int or not 0 <= value <= MAX_U64:
        raise ValueMismatchError(name, f"{_shown(value)} is not a 64-bit unsigned integer")
    return value


def _kind(value: object) -> str:
    return _NAMES.get(type(value), type(value).__name__)


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 100:  # Python refuses to print the very long ones
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
