"""Keys, signatures and their checks: real cryptography, or a cheap stand-in for thousands of sessions.

A stand-in signature is a hash of the public key and the message. Anyone can compute it, so it proves nothing, but
it does show changes made on the way. Everything else runs as with real cryptography.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from icws_explore.capture.capture import Crypto
from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import (
    CERTIFICATE_STEPS,
    Certificate,
    Delegation,
    decode_cached,
    time_step,
    unchecked,
)
from icws_explore.protocol.client.wire import Verifier
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import ArgumentValueError, DecodeError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.keys.bls import SIGNATURE_SIZE
from icws_explore.protocol.messages import CanisterMessage, ClientKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step
from icws_explore.protocol.verify import check_message

from ..identities import identity_of_kind
from ..replica.admission import EnvelopeCheck
from ..replica.subnet import LabKeys, Subnet

_ED25519_DER: Final = bytes.fromhex("302a300506032b6570032100")  # a stand-in's public key has the size of a real one
_STAND_IN: Final = b"icws_explore stand-in signature\x00"


class Cryptography(ABC):
    """What one simulation signs and checks with. ``subnet`` issues its certificates.

    ``delegated`` False: the root key signs certificates itself, without a delegation.
    """

    name: Crypto

    def __init__(self, keys: LabKeys, *, delegated: bool) -> None:
        self.keys = keys
        self.delegated = delegated
        self.subnet = self._make_subnet()

    @abstractmethod
    def _make_subnet(self) -> Subnet: ...

    @abstractmethod
    def identity(self, name: str) -> Identity:
        """Return the identity of that name, derived from the run's keys."""

    @abstractmethod
    def client(self, name: str, kind: str, now_ns: int) -> Identity:
        """Return the identity of a client, of a kind named in `lab.identities`.

        A login, where the kind has one, takes place at ``now_ns`` (ns since the epoch). Raises ArgumentValueError.
        """

    @property
    @abstractmethod
    def envelope_check(self) -> EnvelopeCheck:
        """The replica's check of a request's signatures."""

    def verifier(
        self, canister_id: Principal, root_key: bytes, client_key: ClientKey, max_age_s: int
    ) -> Verifier | None:
        """Return the client's check of a canister message; None is the client machine's own."""
        del canister_id, root_key, client_key, max_age_s
        return None


class RealCryptography(Cryptography):
    """Real keys and signatures, as in a live session."""

    name: Crypto = "real"

    def _make_subnet(self) -> Subnet:
        return Subnet(self.keys, delegated=self.delegated)

    def identity(self, name: str) -> Identity:
        return self.keys.identity(name)

    def client(self, name: str, kind: str, now_ns: int) -> Identity:
        return identity_of_kind(kind, self.keys, name, now_ns=now_ns, delegated=self.delegated)

    @property
    def envelope_check(self) -> EnvelopeCheck:
        return check_envelope


class StandInCryptography(Cryptography):
    """Hashes in place of signatures."""

    name: Crypto = "stand-in"

    def _make_subnet(self) -> Subnet:
        return Subnet(self.keys, delegated=self.delegated, make_key=StandInKey)

    def identity(self, name: str) -> Identity:
        return StandInIdentity(self.keys.secret(name))

    def client(self, name: str, kind: str, now_ns: int) -> Identity:
        del now_ns
        if kind != "ed25519":
            raise ArgumentValueError(
                f'identities of the kind {kind!r} need crypto="real"; crypto="stand-in" has only "ed25519"'
            )
        return self.identity(name)

    @property
    def envelope_check(self) -> EnvelopeCheck:
        return check_stand_in_envelope

    def verifier(self, canister_id: Principal, root_key: bytes, client_key: ClientKey, max_age_s: int) -> Verifier:
        def verify(message: CanisterMessage, now_ns: int, expected_sequence_num: int) -> Sequence[Step]:
            return check_message(
                message,
                canister_id=canister_id,
                root_key=root_key,
                now_ns=now_ns,
                max_age_s=max_age_s,
                client_key=client_key,
                expected_sequence_num=expected_sequence_num,
                check_certificate=check_stand_in_certificate,
            )

        return verify


def cryptography(name: str, keys: LabKeys, *, delegated: bool) -> Cryptography:
    """Return the cryptography of that name: "real" or "stand-in". Raises ArgumentValueError."""
    for kind in (RealCryptography, StandInCryptography):
        if kind.name == name:
            return kind(keys, delegated=delegated)
    raise ArgumentValueError(f'crypto must be "real" or "stand-in", not {name!r}')


def stand_in_signature(public_key: bytes, message: bytes) -> bytes:
    """Return the 64-byte stand-in signature, which anyone can compute."""
    return hashlib.sha512(_STAND_IN + public_key + message).digest()


class StandInIdentity(Identity):
    """An identity whose signatures are stand-ins. It has no private key."""

    __slots__ = ("_public_key_der",)

    def __init__(self, seed: bytes) -> None:
        self._public_key_der = _ED25519_DER + hashlib.sha256(_STAND_IN + seed).digest()

    @property
    def public_key_der(self) -> bytes:
        return self._public_key_der

    def sign(self, message: bytes) -> bytes:
        return stand_in_signature(self._public_key_der, message)


class StandInKey:
    """Stands in for a BLS key. Its public key has the length of a DER-encoded BLS key, but is not valid DER."""

    def __init__(self, secret: int | bytes) -> None:
        seed = secret if isinstance(secret, bytes) else str(secret).encode()
        self.public_key_der = (_STAND_IN + hashlib.sha512(seed).digest() * 2)[:133]

    def sign(self, message: bytes) -> bytes:
        return stand_in_signature(self.public_key_der, message)[:SIGNATURE_SIZE]


def check_stand_in_envelope(envelope: Envelope, *, now_ns: int, root_key: bytes) -> list[Step]:
    """Check a request's stand-in signature, in one step named "signature"."""
    del now_ns, root_key
    expected = stand_in_signature(envelope.sender_pubkey or b"", envelope.signed_bytes)
    if envelope.sender_delegation or envelope.sender_sig != expected:
        return [Step("signature", False, "not the stand-in signature of this request")]
    return [Step("signature", True, "a stand-in signature, which proves nothing")]


def check_stand_in_certificate(
    cert: bytes, *, canister_id: Principal | None, root_key: bytes, now_ns: int, max_age_s: float
) -> tuple[Certificate | None, list[Step]]:
    """Do what `protocol.certificate.check_certificate` does, for certificates with stand-in signatures."""
    del canister_id
    try:
        certificate = decode_cached(cert)
    except DecodeError as error:
        return None, [Step("parse", False, str(error)), *unchecked(CERTIFICATE_STEPS[1:], "parse")]
    steps = [Step("parse", True, "could be read"), *_signed(certificate, root_key)]
    if steps[-1].ok:
        steps.append(time_step(certificate, now_ns, max_age_s))
    return certificate, [*steps, *unchecked(CERTIFICATE_STEPS[len(steps) :], steps[-1].step)]


def _signed(certificate: Certificate, root_key: bytes) -> list[Step]:
    key = root_key if certificate.delegation is None else _subnet_key(certificate.delegation, root_key)
    if key is None:
        return [Step("delegation", False, "not signed with a stand-in key")]
    delegation = Step("delegation", True, "a stand-in delegation, which proves nothing")
    if certificate.signature == stand_in_signature(key, certificate.signed_bytes)[:SIGNATURE_SIZE]:
        return [delegation, Step("signature", True, "a stand-in signature, which proves nothing")]
    return [delegation, Step("signature", False, "not the stand-in signature of this state tree")]


@lru_cache(maxsize=64)
def _subnet_key(delegation: Delegation, root_key: bytes) -> bytes | None:
    try:
        certificate = Certificate.decode(delegation.certificate)
    except DecodeError:
        return None
    if certificate.signature != stand_in_signature(root_key, certificate.signed_bytes)[:SIGNATURE_SIZE]:
        return None
    return hashtree.lookup_value(certificate.tree, (b"subnet", delegation.subnet_id.raw, b"public_key"))
