"""CBOR as the protocol's parties write it: strict on the way in, plain on the way out.

Bytes from a socket are untrusted, so `loads` takes only what the protocol uses: definite lengths,
text or byte keys, no duplicate keys, no bignums, dates, shared references or other tags, no
undefined, nothing behind the value, and no deeper or larger than asked. The self-describe tag 55799
(``d9 d9 f7``) is optional in front of a whole value, because the Rust and Motoko CDKs and the two
agents disagree about writing it.

Reading typed fields out of decoded CBOR maps, and checking values on their way into one.

What a peer sent wrongly is a MessageError that names the field; what we were given wrongly is a
ValueMismatchError. Unknown fields are nobody's error: serde and the SDK pass over them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

import cbor2

from .errors import CborError, MessageError, PrincipalError, ValueMismatchError
from .principal import Principal

SELF_DESCRIBE = b"\xd9\xd9\xf7"
MAX_SIZE = 16 * 1024 * 1024  # bytes; a frame of the real gateway is far smaller (ingress ends at 2 MiB)
MAX_DEPTH = 128  # as ic-certification's reader; a witness among a million keys is about 45 deep


def _refuse(number: int, *_: object) -> NoReturn:
    raise ValueError(f"tag {number} is not used by the protocol")


def _unknown_tag(tag: cbor2.CBORTag, *_: object) -> NoReturn:
    _refuse(tag.tag)


# Everything that cbor2 would turn into something richer than data. Other tags reach `_unknown_tag`.
_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_REFUSED: dict[int, Any] = {number: partial(_refuse, number) for number in _TAGS}
_PLAIN = frozenset({bytes, str, int, float, bool, type(None)})


MAX_ITEMS = 40_000  # data items; the largest witness that hashtree takes has fewer
_FEW = 16 * 1024  # bytes that cannot hold so many items as to matter


def loads(data: bytes, *, what: str = "CBOR", max_size: int = MAX_SIZE, max_depth: int = MAX_DEPTH) -> Any:
    """The one CBOR value in ``data``: dict, list, bytes, str, int, float, bool or None.

    Raises CborError for anything that is not exactly one plain value. ``what`` names the value in
    the error. Sizes are in bytes.
    """
    if len(data) > max_size:
        raise CborError(what, f"{len(data)} bytes are more than the {max_size} allowed")
    skip = len(SELF_DESCRIBE) if data.startswith(SELF_DESCRIBE) else 0
    if len(data) > _FEW:
        _require_few_items(data, what)
    stream = io.BytesIO(data[skip:] if skip else data)
    # read_size=1 keeps the stream's position at the end of the value, which shows what trails it.
    decoder = cbor2.CBORDecoder(
        stream,
        read_size=1,
        max_depth=max_depth,
        allow_indefinite=False,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
        tag_hook=_unknown_tag,
        semantic_decoders=_REFUSED,
    )
    try:
        value = decoder.decode()
        _require_plain(value)
    except (cbor2.CBORError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise CborError(what, _one_line(error), skip + stream.tell()) from error
    end = skip + stream.tell()
    if end != len(data):
        raise CborError(what, f"{len(data) - end} bytes too many behind the value", end)
    return value


def dumps(value: Any, *, tagged: bool = False) -> bytes:
    """``value`` as CBOR, map keys in the order given; ``tagged`` puts the self-describe tag in front.

    Raises ValueMismatchError for what CBOR cannot hold.
    """
    try:
        encoded = cbor2.dumps(value)
    except (cbor2.CBOREncodeError, UnicodeEncodeError) as error:
        raise ValueMismatchError("", _one_line(error)) from error
    return SELF_DESCRIBE + encoded if tagged else encoded


def _require_few_items(data: bytes, what: str) -> None:
    """Raise CborError for more than MAX_ITEMS items, before cbor2 makes a Python object of each.

    Heads are only counted and strings passed over; whatever else is wrong is cbor2's to say.
    """
    at, end = 0, len(data)
    for _ in range(MAX_ITEMS):
        if at >= end:
            return
        initial = data[at]
        major, info = initial >> 5, initial & 31
        at += 1
        if 24 <= info < 28:
            size = 1 << (info - 24)
            argument = int.from_bytes(data[at : at + size], "big")
            at += size
        else:
            argument = info
        if major in (2, 3) and info < 28:
            at += argument
    if at < end:
        raise CborError(what, f"more than the {MAX_ITEMS} items allowed", at)


def _require_plain(value: object) -> None:
    """Raise ValueError for what no option of cbor2 refuses: undefined and unassigned simple values."""
    todo = [value]
    while todo:
        item = todo.pop()
        if type(item) is dict:
            todo.extend(item.values())
        elif type(item) is list:
            todo.extend(item)
        elif type(item) not in _PLAIN:
            raise ValueError(f"{item!r} is not used by the protocol")


def _one_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    cause = error.__cause__
    if cause is not None and str(cause):
        text = f"{text} ({cause})"
    return " ".join(text.split())


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
