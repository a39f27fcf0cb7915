"""Request ids: the representation-independent hash of a map.

Source: interface specification, "Request ids". Each field becomes hash(name) ‖ hash(value). These pairs
are sorted as bytes, joined and hashed, so that neither the order of the fields nor the encoding changes
the id. All hashes are SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, NamedTuple

from . import leb128
from .errors import ValueMismatchError
from .principal import Principal

MAX_DEPTH = 64  # of nested maps and arrays; a request has a depth of 3


# The names in every call and query; hashing them takes as long as hashing their values.
_NAMES: Final = ("arg", "canister_id", "ingress_expiry", "method_name", "nonce", "paths", "request_type", "sender")
_KNOWN: Final[Mapping[str, bytes]] = {name: sha256(name.encode()).digest() for name in _NAMES}


class FieldHash(NamedTuple):
    """The hashes of one field in a request id."""

    name: str
    key_hash: bytes
    value_hash: bytes


def request_id(content: Mapping[str, Any]) -> bytes:
    """The 32 bytes that identify a request. The sender signs them.

    Values may be text, bytes, Principals, ints that are not negative, lists, tuples and mappings. None
    is an absent option and is left out, as serde and the agents do. Raises ValueMismatchError for
    anything else.
    """
    return _hash_map(content, "", 0)


def request_id_fields(content: Mapping[str, Any]) -> list[FieldHash]:
    """The parts of ``request_id``, in the order in which they are hashed. Raises ValueMismatchError."""
    return _fields(content, "", 0)


def hash_value(value: object) -> bytes:
    """The hash of one value in a request id (32 bytes). Raises ValueMismatchError."""
    return _hash_value(value, "", 0)


def _fields(content: Mapping[str, Any], path: str, depth: int) -> list[FieldHash]:
    hashes = []
    for name, value in content.items():
        if not isinstance(name, str):
            raise ValueMismatchError(path, f"has a field name that is {type(name).__name__}, not text")
        if value is not None:
            here = f"{path}.{name}" if path else name
            key_hash = _KNOWN.get(name) or sha256(_utf8(name, here)).digest()
            hashes.append(FieldHash(name, key_hash, _hash_value(value, here, depth + 1)))
    return sorted(hashes, key=itemgetter(1, 2))


def _hash_map(content: Mapping[str, Any], path: str, depth: int) -> bytes:
    fields = _fields(content, path, depth)
    return sha256(b"".join(field.key_hash + field.value_hash for field in fields)).digest()


def _hash_value(value: object, path: str, depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise ValueMismatchError(path, f"is nested deeper than {MAX_DEPTH}")
    match value:
        case bytes():
            return sha256(value).digest()
        case str():
            return sha256(_utf8(value, path)).digest()
        case Principal():
            return sha256(value.raw).digest()
        case int() if not isinstance(value, bool) and value >= 0:
            return sha256(leb128.encode_unsigned(value)).digest()
        case list() | tuple():
            joined = b"".join(_hash_value(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value))
            return sha256(joined).digest()
        case Mapping():
            return _hash_map(value, path, depth)
    kind = "a negative number" if isinstance(value, int) and not isinstance(value, bool) else type(value).__name__
    raise ValueMismatchError(path, f"is {kind}, which no request can hold")


def _utf8(text: str, path: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueMismatchError(path, "is not Unicode text (a lone surrogate)") from error
