"""Just enough DER to open the envelopes around keys: a reader of tag, length and body.

Source: ITU-T X.690. Keys of the Internet Computer come in wrappers that the cryptography package
refuses (canister signatures and COSE keys in a SubjectPublicKeyInfo, PKCS#8 version 2, SEC 1 keys
that do not name their curve); the keys themselves go to cryptography.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..errors import DecodeError

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
CONTEXT_0: Final = 0xA0


class Element(NamedTuple):
    tag: int
    body: bytes


def elements(data: bytes, what: str) -> list[Element]:
    """The elements that fill ``data`` end to end. Raises DecodeError about ``what``."""
    found = []
    at = 0
    while at < len(data):
        tag = data[at]
        size, start = _length(data, at + 1, what)
        if start + size > len(data):
            raise DecodeError(what, f"a part of {size} bytes ends behind the {len(data)} that are there", at)
        found.append(Element(tag, data[start : start + size]))
        at = start + size
    return found


def only(data: bytes, tag: int, what: str) -> bytes:
    """The body of the one element of that tag that ``data`` is. Raises DecodeError."""
    found = elements(data, what)
    if len(found) != 1 or found[0].tag != tag:
        raise DecodeError(what, f"is not one DER element with the tag 0x{tag:02x}")
    return found[0].body


def public_key_info(der: bytes, what: str) -> tuple[list[Element], bytes]:
    """The algorithm (its OID first) and the key bits of a SubjectPublicKeyInfo (RFC 5280). Raises DecodeError."""
    parts = elements(only(der, SEQUENCE, what), what)
    if [part.tag for part in parts] != [SEQUENCE, BIT_STRING]:
        raise DecodeError(what, "is not a SubjectPublicKeyInfo")
    algorithm = elements(parts[0].body, what)
    bits = parts[1].body
    if not algorithm or algorithm[0].tag != OBJECT_IDENTIFIER or not bits.startswith(b"\x00"):
        raise DecodeError(what, "is not a SubjectPublicKeyInfo")
    return algorithm, bits[1:]


def _length(data: bytes, at: int, what: str) -> tuple[int, int]:
    """A length and where the body starts."""
    if at >= len(data):
        raise DecodeError(what, "ends inside a DER header", at)
    first = data[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    digits = data[at + 1 : at + 1 + count]
    if not 1 <= count <= 4 or len(digits) != count:
        raise DecodeError(what, "has a DER length that cannot be read", at)
    size = int.from_bytes(digits, "big")
    if size < 0x80 or digits[0] == 0:
        raise DecodeError(what, "has a DER length that is longer than it needs to be", at)
    return size, at + 1 + count
