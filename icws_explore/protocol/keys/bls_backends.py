"""The two libraries that can do BLS12-381 arithmetic for us, behind one interface.

pyblst (blst) is twice as fast, py-arkworks-bls12381 has wheels where pyblst has none; the first that
can be imported is taken. Both check that a decompressed point is on the curve and in the group.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Final, Protocol

from ..errors import VerificationError

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
