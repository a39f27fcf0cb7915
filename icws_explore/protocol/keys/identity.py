"""Identities: anonymous, Ed25519 keys, secp256k1 keys, and session keys with delegations.

An identity has a principal and a public key, and can sign. No identity shows its secret, neither in repr
and str nor in exceptions and pickles.

Sources: interface specification, "Authentication" and "Signatures"; @dfinity/identity and
@dfinity/identity-secp256k1 2.4.1. Signatures and delegations are the same bytes as theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ..cbor import MAX_U64
from ..errors import ArgumentTypeError, ArgumentValueError, IdentityError
from ..principal import Principal
from .delegation import MAX_LINKS, MAX_TARGETS, Delegation, DelegationChain, SignedDelegation
from .pem import ED25519, SECP256K1, read_pem


class Identity(ABC):
    """Signs on behalf of one principal."""

    __slots__ = ()

    @property
    @abstractmethod
    def public_key_der(self) -> bytes:
        """The public key of the principal (DER); empty for the anonymous identity."""

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """Sign ``message``, a domain separator and a hash. Raises IdentityError."""

    @property
    def principal(self) -> Principal:
        return Principal.self_authenticating(self.public_key_der)

    @property
    def delegations(self) -> tuple[SignedDelegation, ...]:
        """The links from the public key to the key that signs; empty without a delegation."""
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.principal})"

    __str__ = __repr__

    def __copy__(self) -> Identity:
        return self

    def __deepcopy__(self, _memo: object) -> Identity:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise IdentityError("an identity cannot be pickled, because the pickle would contain its secret key")


class AnonymousIdentity(Identity):
    """No identity: requests are not signed. The CDK refuses it (ws_open: "Anonymous principal is not allowed")."""

    __slots__ = ()

    @property
    def public_key_der(self) -> bytes:
        return b""

    @property
    def principal(self) -> Principal:
        return Principal.ANONYMOUS

    def sign(self, message: bytes) -> bytes:
        del message
        raise IdentityError("the anonymous identity has no key; use Ed25519Identity.generate() or load_identity(file)")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


SECRET_LENGTH = 32  # bytes, for both kinds of key
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # SEC 2, section 2.4.1


class _KeyIdentity(Identity):
    """An identity with one key. Two are equal if their public keys are equal."""

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
    """An Ed25519 key (RFC 8032), which browsers use for sessions."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public_key_der = _der(key)

    @classmethod
    def generate(cls) -> Ed25519Identity:
        """A new key, from the operating system's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_secret(cls, secret: bytes) -> Ed25519Identity:
        """The identity of a secret key of 32 bytes. Raises IdentityError and ArgumentTypeError."""
        return cls(Ed25519PrivateKey.from_private_bytes(_secret(secret)))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> Ed25519Identity:
        """Read a PEM text, as ``dfx identity export`` prints it. Raises IdentityError."""
        return cls.from_secret(_from_pem(pem, ED25519))

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class Secp256k1Identity(_KeyIdentity):
    """An ECDSA key on secp256k1. Signs SHA-256 with RFC 6979 nonces and low s, as 64 bytes r ‖ s."""

    __slots__ = ("_key",)

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, ec.SECP256K1):
            raise IdentityError(f"the key is on the curve {key.curve.name}; identities use secp256k1 or Ed25519")
        self._key = key
        self._public_key_der = _der(key)

    @classmethod
    def generate(cls) -> Secp256k1Identity:
        """A new key, from the operating system's random numbers."""
        return cls(ec.generate_private_key(ec.SECP256K1()))

    @classmethod
    def from_secret(cls, secret: bytes) -> Secp256k1Identity:
        """The identity of a secret scalar, 32 bytes big-endian. Raises IdentityError and ArgumentTypeError."""
        scalar = int.from_bytes(_secret(secret), "big")
        if not 0 < scalar < _SECP256K1_ORDER:
            raise IdentityError("the secret is not a secp256k1 key: it is zero, or not below the order of the curve")
        return cls(ec.derive_private_key(scalar, ec.SECP256K1()))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> Secp256k1Identity:
        """Read a PEM text, as ``dfx identity export`` prints it. Raises IdentityError."""
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
        raise ArgumentTypeError(f"a secret key must be bytes, not {type(secret).__name__}")
    if len(secret) != SECRET_LENGTH:
        raise IdentityError(f"a secret key has {SECRET_LENGTH} bytes, not {len(secret)}")
    return bytes(secret)


def _from_pem(pem: str | bytes, algorithm: str) -> bytes:
    key = read_pem(pem)
    if key.algorithm != algorithm:
        raise IdentityError(f"the PEM contains a {key.algorithm} key, not {algorithm}; load_identity reads either")
    return key.secret


class DelegatedIdentity(Identity):
    """A session key that signs for a root key, as after a log-in with Internet Identity.

    Raises IdentityError if the chain does not end at the session's key. `check_envelope` checks the
    signatures and expirations of the links, because they depend on the time and the network.
    """

    __slots__ = ("_chain", "_session")

    def __init__(self, session: Identity, root_public_key_der: bytes, delegations: Sequence[SignedDelegation]) -> None:
        links = tuple(delegations)
        if not links:
            raise IdentityError("a delegated identity needs at least one delegation; use the session key itself")
        if len(links) > MAX_LINKS:
            raise IdentityError(f"the chain has {len(links)} delegations; a replica accepts at most {MAX_LINKS}")
        if session.delegations:
            raise IdentityError("the session key has delegations itself; join the delegations of both into one chain")
        if links[-1].delegation.pubkey != session.public_key_der:
            delegated = Principal.self_authenticating(links[-1].delegation.pubkey)
            raise IdentityError(
                f"the delegation is for the session key {delegated}, but this session key is {session.principal}: "
                "use the session key of the same log-in"
            )
        self._session = session
        self._chain = DelegationChain(root_public_key_der, links)

    @property
    def session(self) -> Identity:
        """The identity that signs."""
        return self._session

    @property
    def chain(self) -> DelegationChain:
        """The chain. It contains no secret."""
        return self._chain

    @property
    def public_key_der(self) -> bytes:
        return self._chain.root_public_key_der

    @property
    def delegations(self) -> tuple[SignedDelegation, ...]:
        return self._chain.delegations

    def sign(self, message: bytes) -> bytes:
        return self._session.sign(message)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DelegatedIdentity) and (self._session, self._chain) == (other.session, other.chain)

    def __hash__(self) -> int:
        return hash(self._chain)


def delegate(
    root: Identity,
    session_public_key_der: bytes,
    *,
    expiration_ns: int,
    targets: Sequence[Principal] | None = None,
) -> SignedDelegation:
    """Let another key (DER) sign for ``root`` until ``expiration_ns`` (ns since the epoch).

    If ``root`` is delegated itself, this is the next link of its chain. ``targets`` are the canisters
    that the delegation is for (None: all). Raises IdentityError, ArgumentTypeError and ArgumentValueError.
    """
    if type(expiration_ns) is not int:
        kind = type(expiration_ns).__name__
        raise ArgumentTypeError(f"expiration_ns must be an integer (nanoseconds since the epoch), not {kind}")
    if not 0 <= expiration_ns <= MAX_U64:
        raise ArgumentValueError("expiration_ns must be nanoseconds since the epoch that fit 64 bits")
    if targets is not None and len(targets) > MAX_TARGETS:
        raise ArgumentValueError(f"{len(targets)} targets are more than the {MAX_TARGETS} that a replica accepts")
    delegation = Delegation(session_public_key_der, expiration_ns, None if targets is None else tuple(targets))
    return SignedDelegation(delegation, root.sign(delegation.signed_bytes))


def delegate_to(
    root: Identity, session: Identity, *, expiration_ns: int, targets: Sequence[Principal] | None = None
) -> DelegatedIdentity:
    """``session`` as an identity that signs for ``root``. Raises the same errors as `delegate`."""
    link = delegate(root, session.public_key_der, expiration_ns=expiration_ns, targets=targets)
    return DelegatedIdentity(session, root.public_key_der, (*root.delegations, link))
