"""CBOR: reading the CBOR of any party within limits, writing plain CBOR, and checking the fields of maps.

`loads` reads one value. It refuses what no party of the protocol writes: bignums, dates, shared references and other
tags, undefined, keys that are neither text nor bytes, duplicate keys, and bytes after the value. The self-describe tag
55799 (``d9 d9 f7``) before the value is optional, because the Rust and the Motoko CDK and the agents differ in writing
it.

Maps, arrays and strings of indefinite length are read everywhere. IC4J writes such maps and arrays, and the real
readers accept them, also in certificates and hash trees (tried on the packages themselves):

- @dfinity/agent 2.4.1, which ic-websocket-js 0.5.0 uses (borc): all of them,
- the gateway's ic-transport-types 0.39.1 and ic-certification 3.0.3 (serde_cbor 0.11): all but byte strings in chunks
  as a principal or in a hash tree,
- @dfinity/cbor 0.2.3, which @dfinity/agent 3 and @icp-sdk/core use: maps and arrays, no strings in chunks.

Nothing that is signed depends on these lengths: signatures cover hashes of the decoded values, so a certificate in this
form proves the same. Everything here reads as the SDK of today does, strings in chunks included, also the lab's gateway
and replica; the real gateway refuses some of those chunks. `has_indefinite_lengths` finds them for views and rules.

The functions after `dumps` check typed fields. A fault in the data of a peer is a MessageError that names the field; a
fault in data of our own side is a ValueMismatchError. Unknown fields are ignored, as serde and the SDK do.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Mapping
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Final, NoReturn, TypeVar

import cbor2

from .budgets import CBOR_BYTES, CBOR_DEPTH, CBOR_ITEMS
from .errors import CborError, MessageError, PrincipalError, ValueMismatchError, count_of
from .principal import Principal

MAX_SIZE: Final = CBOR_BYTES
MAX_DEPTH: Final = CBOR_DEPTH
MAX_ITEMS: Final = CBOR_ITEMS
SELF_DESCRIBE: Final = b"\xd9\xd9\xf7"
MAX_U64: Final = 2**64 - 1
_FEW: Final = 16 * 1024  # bytes whose items need no counting


def _refuse(number: int, *_: object) -> NoReturn:
    raise ValueError(f"tag {number} is not used by the protocol")


def _unknown_tag(tag: cbor2.CBORTag, *_: object) -> NoReturn:
    _refuse(tag.tag)


# The tags that cbor2 would turn into objects. All other tags reach `_unknown_tag`.
_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_REFUSED: dict[int, Any] = {number: partial(_refuse, number) for number in _TAGS}
_PLAIN = frozenset({bytes, str, int, float, bool, type(None)})


def loads(data: bytes, *, what: str = "CBOR", max_size: int = MAX_SIZE, max_depth: int = MAX_DEPTH) -> Any:
    """The CBOR value in ``data``: dict, list, bytes, str, int, float, bool or None.

    ``what`` names the value in errors. ``max_size`` is in bytes, ``max_depth`` in nested items. Raises CborError for
    anything but exactly one plain value.
    """
    if len(data) > max_size:
        raise CborError(what, f"{len(data)} bytes are more than the {max_size} allowed")
    skip = len(SELF_DESCRIBE) if data.startswith(SELF_DESCRIBE) else 0
    if len(data) > _FEW:
        _require_few_items(data, what)
    try:
        pair = b"".join((_PAIR, memoryview(data)[skip:], _END))  # the only copy of what may be many megabytes
        value, end = cbor2.loads(pair, max_depth=max_depth + 1, **_OPTIONS)
        _require_plain(value)
    except _FAULTS:
        return _slow(data[skip:], skip, what, max_depth)
    return value if end == _MARK else _slow(data[skip:], skip, what, max_depth)


# cbor2.loads is many times as fast as a decoder, but does not say where the value ends. So the value is read as the
# first of two, and the second is a mark that no sender can know: if the mark is read, nothing stands between.
_PAIR: Final = b"\x82"
_MARK: Final = secrets.token_bytes(16)
_END: Final = b"\x50" + _MARK
_FAULTS: Final = (cbor2.CBORError, ValueError, OverflowError, RecursionError, MemoryError)


_OPTIONS: Final[dict[str, Any]] = {
    "allow_indefinite": True,
    "allow_duplicate_keys": False,
    "strict_hashable_types": True,
    "tag_hook": _unknown_tag,
    "semantic_decoders": _REFUSED,
}


def _slow(data: bytes, skip: int, what: str, max_depth: int) -> Any:
    """Decode once more for the offset of a fault. ``skip`` bytes of a tag stood ahead of ``data``."""
    stream = io.BytesIO(data)
    # read_size=1 keeps the stream's position at the end of the value, which shows what follows it.
    decoder = cbor2.CBORDecoder(stream, read_size=1, max_depth=max_depth, **_OPTIONS)
    try:
        value = decoder.decode()
        _require_plain(value)
    except _FAULTS as error:
        raise CborError(what, _one_line(error), skip + stream.tell()) from error
    if stream.tell() != len(data):
        left = count_of(len(data) - stream.tell(), "byte")
        raise CborError(what, f"{left} too many after the value", skip + stream.tell())
    return value


def dumps(value: Any, *, tagged: bool = False) -> bytes:
    """``value`` as CBOR with definite lengths and map keys in the given order.

    ``tagged`` writes the self-describe tag first. Raises ValueMismatchError for a value that CBOR does not have.
    """
    try:
        encoded = cbor2.dumps(value)
    except (cbor2.CBOREncodeError, UnicodeEncodeError) as error:
        raise ValueMismatchError("", _one_line(error)) from error
    return SELF_DESCRIBE + encoded if tagged else encoded


def has_indefinite_lengths(data: bytes) -> bool:
    """Whether a map, an array or a string among the first MAX_ITEMS items of ``data`` has no length in its head."""
    return _walk_heads(data)[1]


def _require_few_items(data: bytes, what: str) -> None:
    """Raises CborError for more than MAX_ITEMS items, before cbor2 makes a Python object of each."""
    at, _ = _walk_heads(data)
    if at < len(data):
        raise CborError(what, f"more than the {MAX_ITEMS} items allowed", at)


def _walk_heads(data: bytes) -> tuple[int, bool]:
    """The offset after the first MAX_ITEMS items, and whether one of them has an indefinite length.

    Strings are skipped, and other faults are left to cbor2.
    """
    at, end, is_indefinite = 0, len(data), False
    for _ in range(MAX_ITEMS):
        if at >= end:
            break
        initial = data[at]
        major, info = initial >> 5, initial & 31
        at += 1
        if info < 24:
            argument = info
        elif info < 28:
            size = 1 << (info - 24)
            argument = int.from_bytes(data[at : at + size], "big")
            at += size
        else:
            argument = 0
            is_indefinite = is_indefinite or (info == 31 and 2 <= major <= 5)
        if major in (2, 3):
            at += argument
    return at, is_indefinite


def _require_plain(value: Any) -> None:
    """Raises ValueError for what no option of cbor2 refuses: undefined and unassigned simple values."""
    items = [value]
    for item in items:  # which grows meanwhile
        kind = type(item)
        if kind is dict or kind is list:
            inner = item.values() if kind is dict else item
            if not _PLAIN.issuperset(map(type, inner)):
                items += inner
        elif kind not in _PLAIN:
            raise ValueError(f"{item!r} is not used by the protocol")


def _one_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    cause = error.__cause__
    if cause is not None and str(cause):
        text = f"{text} ({cause})"
    return " ".join(text.split())


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
    """``value``, which must be a map. Raises MessageError about ``what``."""
    if not isinstance(value, dict):
        raise MessageError(what, f"is {_kind(value)}, not a map")
    return value


def field(fields: Mapping[str, Any], name: str, kind: type[_T], what: str) -> _T:
    """The field ``name``, which must have exactly the type ``kind``. Raises MessageError."""
    if name not in fields:
        raise MessageError(what, f"field {name!r} is missing")
    value = fields[name]
    # Not isinstance, for which a bool is an int.
    if type(value) is not kind:
        raise MessageError(what, f"field {name!r} is {_kind(value)}, not {_NAMES[kind]}")
    return value


class Shape:
    """The fields that a map must have, with their exact types: read at once, at a quarter of what `field` takes."""

    def __init__(self, **kinds: type) -> None:
        """At least two fields."""
        self._get = itemgetter(*kinds)
        self._kinds = tuple(kinds.values())

    def values(self, value: object) -> tuple[Any, ...] | None:
        """The fields in their order; None unless ``value`` is such a map. Then `field` finds the fault."""
        if type(value) is not dict:
            return None
        try:
            values: tuple[Any, ...] = self._get(value)
        except KeyError:
            return None
        return values if tuple(map(type, values)) == self._kinds else None


def optional_field(fields: Mapping[str, Any], name: str, kind: type[_T], what: str) -> _T | None:
    """The field ``name``, or None if it is missing or null, as serde reads an optional field. Raises MessageError."""
    return None if fields.get(name) is None else field(fields, name, kind, what)


def u64_field(fields: Mapping[str, Any], name: str, what: str) -> int:
    """The field ``name``, which must be a 64-bit unsigned integer. Raises MessageError."""
    value = field(fields, name, int, what)
    if not 0 <= value <= MAX_U64:
        raise MessageError(what, f"field {name!r} is {_shown(value)}, not a 64-bit unsigned integer")
    return value


def principal_field(fields: Mapping[str, Any], name: str, what: str) -> Principal:
    """The principal whose bytes are in the field ``name``. Raises MessageError."""
    return as_principal(field(fields, name, bytes, what), f"field {name!r}", what)


def as_principal(raw: object, name: str, what: str) -> Principal:
    """The principal with the bytes ``raw``. Raises MessageError."""
    if type(raw) is not bytes:
        raise MessageError(what, f"{name} is {_kind(raw)}, not a byte string")
    try:
        return _principal(raw)
    except PrincipalError as error:
        raise MessageError(what, f"{name}: {error.reason}") from error


_principal = lru_cache(maxsize=1024)(Principal)  # a recording names the same few in every frame


def check(name: str, value: object, kind: type[_T]) -> _T:
    """``value``, which must have exactly the type ``kind``. Raises ValueMismatchError."""
    if type(value) is not kind:
        raise ValueMismatchError(name, f"takes {_NAMES[kind]}, not {type(value).__name__}")
    return value


def check_u64(name: str, value: int) -> int:
    """``value``, which must be a 64-bit unsigned integer. Raises ValueMismatchError."""
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
