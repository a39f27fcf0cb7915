"""Identities that are a key: Ed25519 and secp256k1.

Sources: interface specification, "Signatures"; @dfinity/identity and @dfinity/identity-secp256k1
2.4.1, whose signatures these equal byte for byte.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ..errors import IdentityError
from .identity import Identity
from .pem import ED25519, SECP256K1, read_pem

SECRET_LENGTH = 32  # bytes, of both kinds of key
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # SEC 2, section 2.4.1


class _KeyIdentity(Identity):
    """An identity that is a key; equal to another when the public keys are."""

    __slots__ = ("_public_key_der",)
    _public_key_der: bytes

    @property
    def public_key_der(self) -> bytes:
        return self._public_key_der

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._public_key_der == other.public_key_der

    def __hash__(self) -> int:
        return hash(self._public_key_der)


class Ed25519Identity(_KeyIdentity):
    """An Ed25519 key (RFC 8032), the kind that browsers use for sessions."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public_key_der = _der(key)

    @classmethod
    def generate(cls) -> Ed25519Identity:
        """A new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_secret(cls, secret: bytes) -> Ed25519Identity:
        """From the 32 bytes of the secret key. Raises IdentityError."""
        return cls(Ed25519PrivateKey.from_private_bytes(_secret(secret)))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> Ed25519Identity:
        """From a PEM text, as ``dfx identity export`` prints it. Raises IdentityError."""
        return cls.from_secret(_from_pem(pem, ED25519))

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class Secp256k1Identity(_KeyIdentity):
    """An ECDSA key on secp256k1; signs SHA-256 with RFC 6979 nonces, low s, as 64 bytes r ‖ s."""

    __slots__ = ("_key",)

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, ec.SECP256K1):
            raise IdentityError(f"the key is on the curve {key.curve.name}; identities use secp256k1 or Ed25519")
        self._key = key
        self._public_key_der = _der(key)

    @classmethod
    def generate(cls) -> Secp256k1Identity:
        """A new key from the operating system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256K1()))

    @classmethod
    def from_secret(cls, secret: bytes) -> Secp256k1Identity:
        """From the 32 bytes of the secret scalar, big-endian. Raises IdentityError."""
        scalar = int.from_bytes(_secret(secret), "big")
        if not 0 < scalar < _SECP256K1_ORDER:
            raise IdentityError("the secret is no secp256k1 key: zero, or not below the order of the curve")
        return cls(ec.derive_private_key(scalar, ec.SECP256K1()))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> Secp256k1Identity:
        """From a PEM text, as ``dfx identity export`` prints it. Raises IdentityError."""
        return cls.from_secret(_from_pem(pem, SECP256K1))

    def sign(self, message: bytes) -> bytes:
        signature = self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(signature)
        return r.to_bytes(32, "big") + min(s, _SECP256K1_ORDER - s).to_bytes(32, "big")


def _der(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


def _secret(secret: bytes) -> bytes:
    if not isinstance(secret, (bytes, bytearray, memoryview)):
        raise IdentityError(f"a secret key is {SECRET_LENGTH} bytes, not {type(secret).__name__}")
    if len(secret) != SECRET_LENGTH:
        raise IdentityError(f"a secret key is {SECRET_LENGTH} bytes, not {len(secret)}")
    return bytes(secret)


def _from_pem(pem: str | bytes, algorithm: str) -> bytes:
    key = read_pem(pem)
    if key.algorithm != algorithm:
        raise IdentityError(f"the PEM holds a {key.algorithm} key, not {algorithm}; load_identity takes either")
    return key.secret
