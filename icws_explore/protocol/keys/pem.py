"""Secret keys in PEM texts, in every form that dfx, openssl and ic-py have written.

Sources: RFC 7468 (PEM); RFC 5958 (PKCS#8; version 2 includes the public key, as in dfx's Ed25519 files);
RFC 5915 (SEC 1; dfx's secp256k1 files leave the curve out, or name it in a separate block before the
key); RFC 8410 (Ed25519); ITU-T X.690 (DER).

The first part is a small reader of DER, for the structures around keys that the cryptography package
refuses: canister signatures and COSE keys in a SubjectPublicKeyInfo, PKCS#8 version 2, and SEC 1 keys
that do not name their curve. The keys themselves are left to cryptography.

Errors are raised outside of ``except`` blocks, so that no exception refers to a part of a key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..budgets import IDENTITY_PEM as MAX_PEM_LENGTH
from ..errors import DecodeError, IdentityError, count_of

# -- DER ---------------------------------------------------------------------------------------

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
CONTEXT_0: Final = 0xA0


class Element(NamedTuple):
    """One DER element."""

    tag: int
    body: bytes


def elements(data: bytes, what: str) -> list[Element]:
    """The elements that ``data`` consists of. Raises DecodeError about ``what``."""
    found = []
    at = 0
    while at < len(data):
        tag = data[at]
        size, start = _length(data, at + 1, what)
        if start + size > len(data):
            raise DecodeError(what, f"a part of {count_of(size, 'byte')} exceeds the {len(data)} that are there", at)
        found.append(Element(tag, data[start : start + size]))
        at = start + size
    return found


def only(data: bytes, tag: int, what: str) -> bytes:
    """The body of ``data``, which must be a single element with that tag. Raises DecodeError."""
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
    """The length at ``at``, and the offset of the body."""
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
        raise DecodeError(what, "has a DER length with more bytes than necessary", at)
    return size, at + 1 + count


# -- PEM ---------------------------------------------------------------------------------------

ED25519: Final = "Ed25519"
SECP256K1: Final = "secp256k1"


_MARKER = re.compile(r"-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----")
_OID_ED25519 = bytes.fromhex("2b6570")
_OID_EC = bytes.fromhex("2a8648ce3d0201")
_OID_SECP256K1 = bytes.fromhex("2b8104000a")
_OTHER_OIDS = {
    bytes.fromhex("2a8648ce3d030107"): "a P-256 key",
    bytes.fromhex("2b81040022"): "a P-384 key",
    bytes.fromhex("2a864886f70d010101"): "an RSA key",
    bytes.fromhex("2b656e"): "an X25519 key",
    bytes.fromhex("2b6571"): "an Ed448 key",
}
_PUBLIC_KEY_TAGS = (0x81, 0xA1)  # PKCS#8 v2: implicit (RFC 5958) or explicit (as ring writes it); SEC 1: explicit
_USABLE = (
    "identities are Ed25519 or secp256k1 keys; `dfx identity new NAME` makes one, `dfx identity export NAME` prints it"
)


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A secret key of 32 bytes. ``public`` is the raw public key, if the file contains it."""

    algorithm: str
    secret: bytes = field(repr=False)
    public: bytes | None = None


def read_pem(pem: str | bytes) -> SecretKey:
    """The only secret key in a PEM text. Raises IdentityError, which says what to do."""
    text = pem.decode("latin-1") if isinstance(pem, bytes) else pem
    blocks = _decoded_blocks(text)
    secrets = [block for block in blocks if block[0] in ("PRIVATE KEY", "EC PRIVATE KEY")]
    if len(secrets) != 1:
        raise IdentityError(_why_not_one(text, [label for label, _body in blocks], len(secrets)))
    key: SecretKey | None = None
    fault = ""
    try:
        label, body = secrets[0]
        if label == "PRIVATE KEY":
            key = _pkcs8(body)
        else:
            curve = next((_oid(body) for name, body in blocks if name == "EC PARAMETERS"), _OID_SECP256K1)
            key = _sec1(body, curve)
    except DecodeError as error:
        fault = error.reason
    if key is None:
        raise IdentityError(f"the PEM's key is damaged: it {fault}; export it again")
    return key


def _decoded_blocks(text: str) -> list[tuple[str, bytes]]:
    if len(text) > MAX_PEM_LENGTH:
        raise IdentityError(f"{len(text)} characters are too long for a PEM key; is it the right file?")
    found = []
    for label, inner in _blocks(text):
        if "ENCRYPTED" in label or "ENCRYPTED" in inner:
            raise IdentityError(
                "the PEM is encrypted: `dfx identity export NAME` or `openssl pkey -in FILE` print the plain key"
            )
        body = _base64(inner)
        if body is None:
            raise IdentityError("the PEM's body is not base64; export the key again")
        found.append((label, body))
    return found


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Label and inside of each block. One pass over the markers, so that the cost is linear."""
    label, start = "", 0
    for marker in _MARKER.finditer(text):
        if marker[1] == "BEGIN":
            label, start = marker[2], marker.end()
        elif label and marker[2] == label:
            yield label, text[start : marker.start()]
            label = ""


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _why_not_one(text: str, labels: list[str], count: int) -> str:
    if count > 1:
        return f"the PEM contains {count} private keys; keep the one that you want to use"
    if "RSA PRIVATE KEY" in labels:
        return f"the PEM contains an RSA key; {_USABLE}"
    if any("PUBLIC KEY" in label or "CERTIFICATE" in label for label in labels):
        return f"the PEM contains no private key, only {' and '.join(labels).lower()}; {_USABLE}"
    if "-----BEGIN" in text:
        return (
            "the PEM is incomplete: it has no block from -----BEGIN … PRIVATE KEY----- to -----END … PRIVATE KEY-----"
        )
    return f"this is not a PEM text (-----BEGIN PRIVATE KEY-----); {_USABLE}"


def _pkcs8(data: bytes) -> SecretKey:
    parts = elements(only(data, SEQUENCE, "key"), "key")
    if [part.tag for part in parts[:3]] != [INTEGER, SEQUENCE, OCTET_STRING]:
        raise DecodeError("key", "is not a PKCS#8 structure")
    algorithm = elements(parts[1].body, "key")
    oid = algorithm[0].body if algorithm else b""
    if oid == _OID_ED25519:
        return SecretKey(ED25519, _exactly_32(only(parts[2].body, OCTET_STRING, "key")), _public(parts[3:]))
    if oid == _OID_EC:
        return _sec1(parts[2].body, algorithm[1].body if len(algorithm) > 1 else b"")
    raise _unusable(oid)


def _sec1(data: bytes, curve: bytes) -> SecretKey:
    parts = elements(only(data, SEQUENCE, "key"), "key")
    if [part.tag for part in parts[:2]] != [INTEGER, OCTET_STRING]:
        raise DecodeError("key", "is not an EC private key structure")
    for part in parts[2:]:
        if part.tag == CONTEXT_0:
            curve = _oid(part.body)
    if curve != _OID_SECP256K1:
        raise _unusable(curve)
    return SecretKey(SECP256K1, _exactly_32(parts[1].body), _public(parts[2:]))


def _oid(data: bytes) -> bytes:
    return only(data, OBJECT_IDENTIFIER, "key")


def _exactly_32(secret: bytes) -> bytes:
    if len(secret) != 32:
        raise DecodeError("key", f"has a secret of {count_of(len(secret), 'byte')} instead of 32")
    return secret


def _public(parts: list[Element]) -> bytes | None:
    for part in parts:
        if part.tag in _PUBLIC_KEY_TAGS:
            wrapped = part.body.startswith(bytes([BIT_STRING]))
            return (only(part.body, BIT_STRING, "key") if wrapped else part.body)[1:]
    return None


def _unusable(oid: bytes) -> IdentityError:
    return IdentityError(f"the PEM contains {_OTHER_OIDS.get(oid, 'a key of an unknown kind')}; {_USABLE}")
