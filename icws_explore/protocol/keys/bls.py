"""BLS12-381 signatures of certificates: the signature is in G1, the key in G2 (``min-sig``).

Source: interface specification, "Certificate"; domain separation tag
``BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_``.

A library does the arithmetic, the first of two that can be imported: pyblst (blst) is twice as fast;
py-arkworks-bls12381 has wheels for machines where pyblst has none. Both check that a decompressed point
is on the curve and in the group. Both accept the point at infinity, under which every message would
verify; it is refused here.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Final, Protocol

from ..errors import ArgumentValueError, BackendError, DecodeError, count_of

DST: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"

# The generator of G2, compressed (from the draft "Pairing-Friendly Curves", section 4.2.1).
_G2_GENERATOR: Final = bytes.fromhex(
    "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
)


class Backend(Protocol):
    """A library. Points have the right length and are not at infinity; ``scalar`` is from 1 to the order less 1."""

    name: str

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool: ...

    def public_key(self, scalar: int) -> bytes: ...

    def sign(self, scalar: int, message: bytes) -> bytes: ...


class Pyblst:
    """blst, through pyblst."""

    name = "pyblst"

    def __init__(self) -> None:
        self._lib: ModuleType = importlib.import_module("pyblst")
        self._generator = self._lib.BlstP2Element().uncompress(_G2_GENERATOR)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        lib = self._lib
        try:
            point = lib.BlstP1Element().uncompress(signature)
            key = lib.BlstP2Element().uncompress(public_key)
        except ValueError:  # not a point of the group
            return False
        hashed = lib.BlstP1Element().hash_to_group(message, DST)
        left = lib.miller_loop(point, self._generator)
        return bool(lib.final_verify(left, lib.miller_loop(hashed, key)))

    def public_key(self, scalar: int) -> bytes:
        return bytes(self._generator.scalar_mul(scalar).compress())

    def sign(self, scalar: int, message: bytes) -> bytes:
        return bytes(self._lib.BlstP1Element().hash_to_group(message, DST).scalar_mul(scalar).compress())


class Arkworks:
    """arkworks, through py-arkworks-bls12381."""

    name = "py-arkworks-bls12381"

    def __init__(self) -> None:
        self._lib: ModuleType = importlib.import_module("py_arkworks_bls12381")
        self._generator = self._lib.G2Point.from_compressed_bytes(_G2_GENERATOR)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        lib = self._lib
        try:
            point = lib.G1Point.from_compressed_bytes(signature)
            key = lib.G2Point.from_compressed_bytes(public_key)
        except ValueError:  # not a point of the group
            return False
        hashed = lib.G1Point.hash_to_curve(message, DST)
        return bool(lib.GT.pairing_check([-point, hashed], [self._generator, key]))

    def public_key(self, scalar: int) -> bytes:
        return bytes((self._generator * self._scalar(scalar)).to_compressed_bytes())

    def sign(self, scalar: int, message: bytes) -> bytes:
        hashed = self._lib.G1Point.hash_to_curve(message, DST)
        return bytes((hashed * self._scalar(scalar)).to_compressed_bytes())

    def _scalar(self, scalar: int) -> object:
        return self._lib.Scalar.from_be_bytes(scalar.to_bytes(32, "big"))


BACKENDS: Final[tuple[Callable[[], Backend], ...]] = (Pyblst, Arkworks)


@cache
def chosen() -> Backend:
    """The first library that can be imported. Raises BackendError if there is none."""
    for backend in BACKENDS:
        try:
            return backend()
        except ImportError:
            continue
    raise BackendError("no BLS12-381 library is installed: install pyblst or py-arkworks-bls12381")


ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
PUBLIC_KEY_SIZE: Final = 96  # bytes, compressed
SIGNATURE_SIZE: Final = 48  # bytes, compressed

# SEQUENCE { SEQUENCE { OID 1.3.6.1.4.1.44668.5.3.1.2.1, OID 1.3.6.1.4.1.44668.5.3.2.1 }, BIT STRING }
DER_PREFIX: Final = bytes.fromhex("308182301d060d2b0601040182dc7c0503010201060c2b0601040182dc7c05030201036100")

_SEED_DOMAIN: Final = b"icws_explore BLS secret"


def __getattr__(name: str) -> str:
    if name == "BACKEND":  # lazy, so that importing this module needs no library
        return chosen().name
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (48 bytes) of ``message`` is valid under ``public_key`` (96 bytes, not DER).

    False for malformed points, points outside the group, and the point at infinity. Raises BackendError.
    """
    return fault(public_key, signature) is None and chosen().verify(bytes(public_key), bytes(message), bytes(signature))


def fault(public_key: bytes, signature: bytes) -> str | None:
    """What is wrong with the form of the two, judged by their lengths and first bytes; None if nothing is."""
    return _point_fault("public key", public_key, PUBLIC_KEY_SIZE) or _point_fault(
        "signature", signature, SIGNATURE_SIZE
    )


def _point_fault(what: str, point: bytes, size: int) -> str | None:
    if len(point) != size:
        return f"a {what} has {size} bytes, not {len(point)}"
    if not point[0] & 0x80:
        return f"the {what} is not a compressed point"
    if point[0] & 0x40:
        return f"the {what} is the point at infinity, under which every message would verify"
    return None


@dataclass(frozen=True, slots=True, init=False)
class SecretKey:
    """A signing key of the lab. Neither repr nor str show it."""

    _scalar: int = field(repr=False)
    public_key: bytes

    def __init__(self, secret: int | bytes) -> None:
        """``secret`` is the scalar itself, or a seed of any length from which the scalar is hashed.

        Raises ArgumentValueError for a scalar out of range.
        """
        if isinstance(secret, bytes):
            wide = int.from_bytes(hashlib.sha512(_SEED_DOMAIN + secret).digest(), "big")
            secret = 1 + wide % (ORDER - 1)
        if not 0 < secret < ORDER:
            raise ArgumentValueError("a BLS secret must be from 1 to the order of the group less 1")
        object.__setattr__(self, "_scalar", secret)
        object.__setattr__(self, "public_key", chosen().public_key(secret))

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``: 48 bytes."""
        return chosen().sign(self._scalar, bytes(message))

    @property
    def public_key_der(self) -> bytes:
        """The public key in DER, 133 bytes, as in certificates and status replies."""
        return key_to_der(self.public_key)


def key_to_der(public_key: bytes) -> bytes:
    """Wrap a key of 96 bytes in DER (133 bytes). Raises DecodeError."""
    if len(public_key) != PUBLIC_KEY_SIZE:
        raise DecodeError("BLS public key", f"{count_of(len(public_key), 'byte')} instead of {PUBLIC_KEY_SIZE}")
    return DER_PREFIX + public_key


def key_from_der(der: bytes) -> bytes:
    """The 96 bytes of a key in DER. Raises DecodeError, which says what was given instead."""
    what = "BLS public key"
    size = len(DER_PREFIX) + PUBLIC_KEY_SIZE
    if len(der) == PUBLIC_KEY_SIZE:
        raise DecodeError(what, f"bare key of {PUBLIC_KEY_SIZE} bytes without its DER prefix of {len(DER_PREFIX)}")
    if len(der) != size:
        raise DecodeError(what, f"{count_of(len(der), 'byte')} instead of the {size} of a DER-encoded BLS12-381 key")
    if not der.startswith(DER_PREFIX):
        raise DecodeError(what, "the DER prefix is not that of a BLS12-381 key in G2")
    return der[len(DER_PREFIX) :]
