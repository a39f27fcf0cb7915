"""BLS12-381 signatures as certificates carry them: signature in G1, key in G2 (``min-sig``).

Source: interface specification, "Certificate" and "BLS signatures"; domain separation tag
``BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_``. The arithmetic is a library's (bls_backends). The
libraries take the points at infinity, under which any message would verify: here they are refused.

The two libraries that can do BLS12-381 arithmetic for us, behind one interface.

pyblst (blst) is twice as fast, py-arkworks-bls12381 has wheels where pyblst has none; the first that
can be imported is taken. Both check that a decompressed point is on the curve and in the group.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Final, Protocol

from ..errors import DecodeError, VerificationError

DST: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"

# The generator of G2, compressed (from the draft "Pairing-Friendly Curves", section 4.2.1).
_G2_GENERATOR: Final = bytes.fromhex(
    "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
)


class Backend(Protocol):
    """Takes points of the right length that are not at infinity; ``scalar`` is from 1 to the order less 1."""

    name: str

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool: ...

    def public_key(self, scalar: int) -> bytes: ...

    def sign(self, scalar: int, message: bytes) -> bytes: ...


class Pyblst:
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
    """The first library that is there. Raises VerificationError where there is none."""
    for backend in BACKENDS:
        try:
            return backend()
        except ImportError:
            continue
    raise VerificationError("signature", "no BLS12-381 library: install pyblst or py-arkworks-bls12381")


ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
PUBLIC_KEY_SIZE: Final = 96  # bytes, compressed
SIGNATURE_SIZE: Final = 48  # bytes, compressed

# SEQUENCE { SEQUENCE { OID 1.3.6.1.4.1.44668.5.3.1.2.1, OID 1.3.6.1.4.1.44668.5.3.2.1 }, BIT STRING }
DER_PREFIX: Final = bytes.fromhex("308182301d060d2b0601040182dc7c0503010201060c2b0601040182dc7c05030201036100")

_SEED_DOMAIN: Final = b"icws_explore BLS secret"


def __getattr__(name: str) -> str:
    if name == "BACKEND":  # asked for lazily, so that importing the package needs no library yet
        return chosen().name
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (48 bytes) is that of ``message`` under ``public_key`` (96 bytes, not DER).

    Malformed points, points outside the group and points at infinity give False.
    """
    return fault(public_key, signature) is None and chosen().verify(bytes(public_key), bytes(message), bytes(signature))


def fault(public_key: bytes, signature: bytes) -> str | None:
    """What is wrong with the form of the two, as far as their first byte and length tell, else None."""
    return _point_fault("public key", public_key, PUBLIC_KEY_SIZE) or _point_fault(
        "signature", signature, SIGNATURE_SIZE
    )


def _point_fault(what: str, point: bytes, size: int) -> str | None:
    if len(point) != size:
        return f"a {what} has {size} bytes, not {len(point)}"
    if not point[0] & 0x80:
        return f"the {what} is not a compressed point"
    if point[0] & 0x40:
        return f"the {what} is the point at infinity, under which anything would verify"
    return None


@dataclass(frozen=True, slots=True, init=False)
class SecretKey:
    """A signing key of the lab. Never shown: neither repr nor str contain it."""

    _scalar: int = field(repr=False)
    public_key: bytes

    def __init__(self, secret: int | bytes) -> None:
        """``secret``: the scalar itself, or a seed of any length from which the scalar is hashed."""
        if isinstance(secret, bytes):
            wide = int.from_bytes(hashlib.sha512(_SEED_DOMAIN + secret).digest(), "big")
            secret = 1 + wide % (ORDER - 1)
        if not 0 < secret < ORDER:
            raise ValueError("a BLS secret is a number from 1 to the order of the group less 1")
        object.__setattr__(self, "_scalar", secret)
        object.__setattr__(self, "public_key", chosen().public_key(secret))

    def sign(self, message: bytes) -> bytes:
        """The signature of ``message``, 48 bytes."""
        return chosen().sign(self._scalar, bytes(message))

    @property
    def public_key_der(self) -> bytes:
        """The public key as certificates and root keys are written, 133 bytes."""
        return key_to_der(self.public_key)


def key_to_der(public_key: bytes) -> bytes:
    """A key of 96 bytes in its DER form of 133 bytes. Raises DecodeError."""
    if len(public_key) != PUBLIC_KEY_SIZE:
        raise DecodeError("BLS public key", f"{len(public_key)} bytes instead of {PUBLIC_KEY_SIZE}")
    return DER_PREFIX + public_key


def key_from_der(der: bytes) -> bytes:
    """The 96 bytes of a key in DER form. Raises DecodeError, which says what was given instead."""
    what = "BLS public key"
    size = len(DER_PREFIX) + PUBLIC_KEY_SIZE
    if len(der) == PUBLIC_KEY_SIZE:
        raise DecodeError(what, f"bare key of {PUBLIC_KEY_SIZE} bytes without its DER prefix of {len(DER_PREFIX)}")
    if len(der) != size:
        raise DecodeError(what, f"{len(der)} bytes instead of the {size} of a DER-encoded BLS12-381 key")
    if not der.startswith(DER_PREFIX):
        raise DecodeError(what, "the DER prefix is not that of a BLS12-381 key in G2")
    return der[len(DER_PREFIX) :]
