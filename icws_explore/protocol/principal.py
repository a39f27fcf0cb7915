"""Principals, the identifiers of canisters, users and gateways.

Source: interface specification, "Principals" and "Textual representation of principals": the CRC-32 of
the bytes and the bytes, in base32 without padding, in lower case, with a dash after every five
characters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from .errors import PrincipalError

MAX_LENGTH = 29  # bytes
MAX_TEXT_LENGTH = 63  # characters of 29 bytes
_SELF_AUTHENTICATING = b"\x02"
_ANONYMOUS = b"\x04"


@dataclass(frozen=True, slots=True, order=True)
class Principal:
    """The identifier of a user, a canister or a gateway: 0 to 29 bytes.

    ::

        Principal.from_text("ryjl3-tyaaa-aaaaa-aaaba-cai").raw

    Principals are hashable, and ordered by their bytes, as canister ranges are. Raises PrincipalError for other bytes.
    """

    raw: bytes

    ANONYMOUS: ClassVar[Principal]
    MANAGEMENT: ClassVar[Principal]

    def __post_init__(self) -> None:
        if not isinstance(self.raw, bytes):
            raise PrincipalError("principal", f"must be bytes, not {type(self.raw).__name__}; use Principal.from_text")
        if len(self.raw) > MAX_LENGTH:
            raise PrincipalError("principal", f"{len(self.raw)} bytes are more than {MAX_LENGTH}")

    @classmethod
    def from_text(cls, text: str) -> Principal:
        """Read a principal in its canonical spelling. Raises PrincipalError."""
        if not isinstance(text, str):
            raise PrincipalError("principal", f"must be a str, not {type(text).__name__}")
        shown = text if len(text) <= 80 else text[:77] + "…"
        if len(text) > MAX_TEXT_LENGTH:
            raise PrincipalError("principal", f"{shown!r} is longer than the {MAX_TEXT_LENGTH} characters allowed")
        compact = text.replace("-", "")
        try:
            padded = compact.upper() + "=" * (-len(compact) % 8)
            decoded = base64.b32decode(padded)
        except (binascii.Error, ValueError) as error:
            raise PrincipalError("principal", f"{shown!r} is not base32 text with dashes") from error
        if len(decoded) < 4 or len(decoded) > MAX_LENGTH + 4:
            raise PrincipalError("principal", f"{shown!r} has the wrong length")
        principal = cls(decoded[4:])
        if decoded[:4] != _checksum(principal.raw):
            raise PrincipalError("principal", f"{shown!r} has a wrong checksum: a character is mistyped or missing")
        if principal.text != text:
            raise PrincipalError("principal", f"{shown!r} should be written {principal.text}")
        return principal

    @classmethod
    def of(cls, value: object) -> Principal:
        """A principal from a Principal, a text, bytes, or a Principal of ic-py. Raises PrincipalError."""
        if isinstance(value, Principal):
            return value
        if isinstance(value, str):
            return cls.from_text(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return cls(bytes(value))
        foreign = getattr(value, "bytes", None)  # ic-py's Principal
        if isinstance(foreign, bytes):
            return cls(foreign)
        raise PrincipalError("principal", f"must be text or bytes, not {type(value).__name__}")

    @classmethod
    def self_authenticating(cls, public_key_der: bytes) -> Principal:
        """The principal of a public key (DER): its SHA-224, then 0x02."""
        return cls(hashlib.sha224(public_key_der).digest() + _SELF_AUTHENTICATING)

    @property
    def is_anonymous(self) -> bool:
        """Whether this is the principal of requests without a signature."""
        return self.raw == _ANONYMOUS

    @property
    def text(self) -> str:
        """The principal as text, such as ``ryjl3-tyaaa-aaaaa-aaaba-cai``."""
        return _text(self.raw)

    @property
    def short(self) -> str:
        """The first and the last group, for tables: ``ryjl3…-cai``."""
        groups = self.text.split("-")
        return self.text if len(groups) <= 2 else f"{groups[0]}…-{groups[-1]}"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Principal.from_text({self.text!r})"


def _checksum(raw: bytes) -> bytes:
    return binascii.crc32(raw).to_bytes(4, "big")


@lru_cache(maxsize=4096)  # a gateway's text is in every message key, a client's in every error text
def _text(raw: bytes) -> str:
    body = base64.b32encode(_checksum(raw) + raw).decode("ascii").rstrip("=").lower()
    return "-".join(body[i : i + 5] for i in range(0, len(body), 5))


Principal.ANONYMOUS = Principal(_ANONYMOUS)
Principal.MANAGEMENT = Principal(b"")
