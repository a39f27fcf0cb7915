"""Keys of the kinds that browsers have and this package only verifies otherwise: ECDSA on P-256, and passkeys.

Sources: interface specification, "Signatures" and "Web Authentication"; @dfinity/identity 2.4.1,
ecdsa.ts (the session key that an auth client makes unless told otherwise) and webauthn.ts. The keys
are derived from secrets, so that a lab's seed gives the same signatures again.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Final

import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from icws_explore.protocol import cbor
from icws_explore.protocol.keys import Identity

ORIGIN: Final = "https://identity.lab.example"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256: SP 800-186, 3.2.1.3
_RELYING_PARTY: Final = sha256(b"identity.lab.example").digest()
_USER_PRESENT_AND_VERIFIED: Final = b"\x05"
_COSE_OID: Final = bytes.fromhex("300c060a2b0601040183b8430101")  # the algorithm, in its sequence


class P256Identity(Identity):
    """An ECDSA key on P-256; signs SHA-256 with RFC 6979 nonces, as 64 bytes r ‖ s."""

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
    """A passkey with an ES256 key: each signature is an assertion that names the message as its challenge."""

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
    return ec.derive_private_key(int.from_bytes(secret, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def _signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """In DER."""
    return key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def _sequence(body: bytes) -> bytes:
    return _element(0x30, body)


def _element(tag: int, body: bytes) -> bytes:
    return bytes([tag, len(body)]) + body  # nothing here is longer than 127 bytes
