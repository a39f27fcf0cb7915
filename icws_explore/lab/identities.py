"""Client identities of every kind that users of dapps have, for labs and simulations.

Two kinds of key exist here because the rest of the package only verifies them: ECDSA on P-256 and passkeys.
`InternetIdentity` signs as the canister of that name does. All keys are derived from secrets, so that a seed always
gives the same signatures.

Sources: interface specification, "Signatures", "Web Authentication" and "Canister signatures"; @dfinity/identity 2.4.1,
ecdsa.ts (the session key that an auth client creates by default) and webauthn.ts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Literal, get_args

import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from icws_explore.protocol import cbor, hashtree
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.hashtree import to_cbor
from icws_explore.protocol.keys import DelegatedIdentity, Ed25519Identity, Identity, Secp256k1Identity, delegate_to
from icws_explore.protocol.keys.delegation import Delegation, SignedDelegation
from icws_explore.protocol.principal import Principal

from .replica.state_tree import CANISTER
from .replica.subnet import LAST_CANISTER, LabKeys, Subnet, canister_principal

IdentityKind = Literal["ed25519", "secp256k1", "p256", "passkey", "delegation", "internet-identity"]
KINDS: Final[tuple[IdentityKind, ...]] = get_args(IdentityKind)

LOG_IN_NS: Final = 30 * 86_400 * NS_PER_S  # the longest delegation that Internet Identity gives
_CANISTER_KEY_OID: Final = bytes.fromhex("300c060a2b0601040183b8430102")  # a DER sequence with the algorithm's OID
ORIGIN: Final = "https://identity.lab.example"
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # NIST SP 800-186, 3.2.1.3
_RELYING_PARTY: Final = sha256(b"identity.lab.example").digest()
_USER_PRESENT_AND_VERIFIED: Final = b"\x05"
_COSE_OID: Final = bytes.fromhex("300c060a2b0601040183b8430101")  # a DER sequence with the algorithm's OID


class P256Identity(Identity):
    """An ECDSA key on P-256, derived from 32 secret bytes.

    Signs SHA-256 with RFC 6979 nonces. A signature is r ‖ s (64 bytes).
    """

    __slots__ = ("_key", "_public_key_der")

    def __init__(self, secret: bytes) -> None:
        self._key = _p256_key(secret)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self._public_key_der = self._key.public_key().public_bytes(serialization.Encoding.DER, form)

    @property
    def public_key_der(self) -> bytes:
        return self._public_key_der

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(_signature(self._key, message))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class PasskeyIdentity(Identity):
    """A passkey with an ES256 key, derived from 32 secret bytes.

    A signature is a WebAuthn assertion whose challenge is the message.
    """

    __slots__ = ("_key", "_public_key_der")

    def __init__(self, secret: bytes) -> None:
        self._key = _p256_key(secret)
        numbers = self._key.public_key().public_numbers()
        point = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point[0], -3: point[1]})
        self._public_key_der = _sequence(_COSE_OID + _element(0x03, b"\x00" + cose))

    @property
    def public_key_der(self) -> bytes:
        return self._public_key_der

    def sign(self, message: bytes) -> bytes:
        challenge = base64.urlsafe_b64encode(message).rstrip(b"=").decode()
        client_data = json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": ORIGIN})
        authenticator_data = _RELYING_PARTY + _USER_PRESENT_AND_VERIFIED + bytes(4)
        signed = authenticator_data + sha256(client_data.encode()).digest()
        fields = {
            "authenticator_data": authenticator_data,
            "client_data_json": client_data,
            "signature": _signature(self._key, signed),
        }
        return cbor.dumps(fields, tagged=True)


def _p256_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(secret, "big") % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def _signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return the signature in DER."""
    return key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def _sequence(body: bytes) -> bytes:
    return _element(0x30, body)


def _element(tag: int, body: bytes) -> bytes:
    return bytes([tag, len(body)]) + body  # bodies here have at most 127 bytes, so the length is one byte


class InternetIdentity:
    """A canister that signs for its users with canister signatures, as Internet Identity does. It has no secret key.

    It runs no code: only its certified data and the certificates of that data exist. Its id is the last one in the
    subnet's range.
    """

    def __init__(self, keys: LabKeys, *, delegated: bool = True) -> None:
        """``keys`` and ``delegated`` must be those of the lab or simulation, so that the root key is the same."""
        self.canister_id = canister_principal(LAST_CANISTER)
        self._subnet = Subnet(keys, delegated=delegated)

    def public_key_der(self, seed: bytes) -> bytes:
        """Return the public key (DER) of the user with this seed (at most 32 bytes)."""
        bits = bytes([0, len(self.canister_id.raw)]) + self.canister_id.raw + seed
        body = _CANISTER_KEY_OID + bytes([0x03, len(bits)]) + bits
        return bytes([0x30, len(body)]) + body

    def sign(self, seed: bytes, message: bytes, *, now_ns: int) -> bytes:
        """Return the canister's signature over ``message`` for that user, certified at ``now_ns``."""
        witness = hashtree.build({b"sig": {sha256(seed).digest(): {sha256(message).digest(): b""}}})
        self._subnet.state.put_canister(self.canister_id, {b"certified_data": witness.digest})
        path = (CANISTER, self.canister_id.raw, b"certified_data")
        certificate = self._subnet.certify([path], "classic", now_ns)
        return cbor.dumps({"certificate": certificate, "tree": to_cbor(witness)}, tagged=True)

    def log_in(self, seed: bytes, session: Identity, *, now_ns: int) -> DelegatedIdentity:
        """Return an identity with which the key ``session`` acts for the user, for 30 days from ``now_ns``."""
        delegation = Delegation(session.public_key_der, now_ns + LOG_IN_NS)
        link = SignedDelegation(delegation, self.sign(seed, delegation.signed_bytes, now_ns=now_ns))
        return DelegatedIdentity(session, self.public_key_der(seed), [link])


_PLAIN: Final[dict[str, Callable[[bytes], Identity]]] = {
    "ed25519": Ed25519Identity.from_secret,
    "secp256k1": Secp256k1Identity.from_secret,
    "p256": P256Identity,
    "passkey": PasskeyIdentity,
}


def identity_of_kind(
    kind: str, keys: LabKeys, name: str, *, now_ns: int, delegated: bool = True, target: Principal | None = None
) -> Identity:
    """Return the identity of ``name``, of one of the `KINDS`. The same keys and name give the same identity.

    "delegation" is a session key that acts for an Ed25519 key; if ``target`` is given, only towards that canister.
    "internet-identity" is a P-256 session key, as browsers create it, that acts for a user of the lab's own Internet
    Identity. Both delegations start at ``now_ns`` (ns since the epoch). ``delegated`` must be that of the lab.

    Raises ArgumentValueError for an unknown kind.
    """
    if kind == "delegation":
        root, session = keys.identity(name), keys.identity(f"{name}: session")
        targets = None if target is None else [target]
        return delegate_to(root, session, expiration_ns=now_ns + LOG_IN_NS, targets=targets)
    if kind == "internet-identity":
        session_key = P256Identity(keys.secret(f"{name}: session"))
        return InternetIdentity(keys, delegated=delegated).log_in(keys.secret(name), session_key, now_ns=now_ns)
    if kind not in _PLAIN:
        raise ArgumentValueError(f"there is no identity kind {kind!r}; choose one of {', '.join(KINDS)}")
    return _PLAIN[kind](keys.secret(name))
