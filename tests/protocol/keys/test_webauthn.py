from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.keys.public_keys import verify_signature, verify_webauthn
from support.identity_cases import der

MESSAGE = b"\x0aic-request" + bytes(range(32))
P256_KEY = ec.derive_private_key(7, ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
_POINT = P256_KEY.public_key().public_numbers()
_RSA = RSA_KEY.public_key().public_numbers()
ES256: dict[int, Any] = {1: 2, 3: -7, -1: 1, -2: _POINT.x.to_bytes(32, "big"), -3: _POINT.y.to_bytes(32, "big")}
RS256: dict[int, Any] = {1: 3, 3: -257, -1: _RSA.n.to_bytes(256, "big"), -2: _RSA.e.to_bytes(3, "big")}


def client_data(**changes: Any) -> str:
    challenge = base64.urlsafe_b64encode(MESSAGE).decode().rstrip("=")
    fields = {"type": "webauthn.get", "challenge": challenge, "origin": "https://identity.ic0.app"}
    return json.dumps(fields | changes)


def signature(client_data_json: str | None = None, *, rs256: bool = False, **changes: Any) -> bytes:
    """A passkey's signature of a request, as agent-js packs it."""
    text = client_data() if client_data_json is None else client_data_json
    authenticator_data = sha256(b"identity.ic0.app").digest() + b"\x05" + bytes(4)
    signed = authenticator_data + sha256(text.encode()).digest()
    if rs256:
        inner = RSA_KEY.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        inner = P256_KEY.sign(signed, ec.ECDSA(hashes.SHA256()))
    fields = {"authenticator_data": authenticator_data, "client_data_json": text, "signature": inner}
    return b"\xd9\xd9\xf7" + cbor2.dumps(fields | changes)


class TestPasskeys:
    def test_es256(self) -> None:
        assert verify_webauthn(cbor2.dumps(ES256), MESSAGE, signature()) == (
            True,
            "the Web Authentication signature is valid",
        )

    def test_rs256(self) -> None:
        assert verify_webauthn(cbor2.dumps(RS256), MESSAGE, signature(rs256=True)).ok is True

    def test_in_its_der_wrapper(self) -> None:
        oid = bytes.fromhex("060a2b0601040183b8430101")
        key = der(0x30, der(0x30, oid), der(0x03, b"\x00" + cbor2.dumps(ES256)))
        assert verify_signature(key, MESSAGE, signature()).ok is True


class TestForgeries:
    @pytest.mark.parametrize(
        ("forged", "fault"),
        [
            (signature(client_data(challenge="AAAA")), "another challenge"),
            (signature(client_data(type="webauthn.create")), "does not have the type webauthn.get"),
            (signature(client_data(challenge="not base64!")), "not base64url"),
            (signature(client_data(challenge="é")), "not base64url"),
            (signature(client_data(challenge=7)), "'challenge' is an integer"),
            (signature("no json"), "is not JSON"),
            (signature("[]"), "is an array"),
            (signature("[" * 100_000), "is not JSON"),
            (signature(signature=b""), "does not match"),
            (signature(authenticator_data=b""), "does not match"),
            (signature(rs256=True), "does not match"),
            (cbor2.dumps({"authenticator_data": b"", "client_data_json": b""}), "'client_data_json' is a byte string"),
            (b"", "Web Authentication signature"),
            (b"\xa0", "'authenticator_data' is missing"),
        ],
    )
    def test_of_the_signature(self, forged: bytes, fault: str) -> None:
        verdict = verify_webauthn(cbor2.dumps(ES256), MESSAGE, forged)
        assert verdict.ok is False
        assert fault in verdict.detail

    @pytest.mark.parametrize(
        ("key", "fault"),
        [
            (b"", "is not CBOR"),
            (cbor2.dumps([]), "is not a map"),
            (cbor2.dumps({}), "neither ES256"),
            (cbor2.dumps(ES256 | {3: -8}), "neither ES256"),
            (cbor2.dumps(ES256 | {-1: 2}), "neither ES256"),
            (cbor2.dumps(ES256 | {-2: bytes(31)}), "no valid field -2"),
            (cbor2.dumps(ES256 | {-2: bytes(32)}), "is not a valid public key"),
            (cbor2.dumps({label: ES256[label] for label in (1, 3, -1, -2)}), "no valid field -3"),
            (cbor2.dumps(RS256 | {-1: b"\xff" * 2000}), "larger than a passkey's key"),
            (cbor2.dumps(RS256 | {-2: b"\xff" * 5}), "larger than a passkey's key"),
            (cbor2.dumps(RS256 | {-1: b"\x05"}), "is not a valid public key"),
            (bytes(5000), "more than a passkey's key"),
        ],
    )
    def test_of_the_key(self, key: bytes, fault: str) -> None:
        verdict = verify_webauthn(key, MESSAGE, signature())
        assert verdict.ok is False
        assert fault in verdict.detail

    @given(st.integers(0, 300), st.binary(max_size=40), st.integers(0, 80), st.binary(max_size=40))
    def test_nothing_is_raised(self, kept: int, tail: bytes, key_kept: int, key_tail: bytes) -> None:
        key = cbor2.dumps(ES256)[:key_kept] + key_tail
        assert verify_webauthn(key, b"another message", signature()[:kept] + tail).ok is False
