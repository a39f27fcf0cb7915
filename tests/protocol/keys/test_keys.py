from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import ArgumentTypeError, IdentityError
from icws_explore.protocol.keys import Ed25519Identity, Identity, Secp256k1Identity
from icws_explore.protocol.keys.public_keys import verify_signature
from support.identity_cases import (
    ED25519_SECRET,
    SECP256K1_SECRET,
    identity_of_vector,
)

ED25519 = Ed25519Identity.from_secret(ED25519_SECRET)
SECP256K1 = Secp256k1Identity.from_secret(SECP256K1_SECRET)
HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2


class TestVectors:
    def test_principals_keys_and_signatures_are_those_of_the_sdk(self, vectors: Any) -> None:
        for vector in vectors("calls")["vectors"]:
            identity = identity_of_vector(vector)
            assert identity.principal.text == vector["identity"]["sender_principal"]
            assert identity.public_key_der.hex() == vector["sender_pubkey_hex"]
            assert identity.sign(bytes.fromhex(vector["signed_bytes_hex"])).hex() == vector["sender_sig_hex"]

    def test_rfc_8032(self) -> None:
        assert ED25519.public_key_der[12:].hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        assert ED25519.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")


class TestSignatures:
    @pytest.mark.parametrize("identity", [ED25519, SECP256K1, Ed25519Identity.generate(), Secp256k1Identity.generate()])
    def test_are_valid_under_the_public_key(self, identity: Identity) -> None:
        assert verify_signature(identity.public_key_der, b"message", identity.sign(b"message")).ok is True
        assert verify_signature(identity.public_key_der, b"another", identity.sign(b"message")).ok is False

    @given(st.binary(max_size=100))
    def test_secp256k1_is_deterministic_with_low_s(self, message: bytes) -> None:
        signature = SECP256K1.sign(message)
        assert len(signature) == 64
        assert signature == SECP256K1.sign(message)
        assert int.from_bytes(signature[32:], "big") <= HALF_ORDER

    def test_generated_keys_differ(self) -> None:
        assert Ed25519Identity.generate() != Ed25519Identity.generate()
        assert Secp256k1Identity.generate() != Secp256k1Identity.generate()


class TestSecrets:
    @pytest.mark.parametrize("kind", [Ed25519Identity, Secp256k1Identity])
    @pytest.mark.parametrize("secret", [b"", bytes(31), b"\x01" * 33])
    def test_have_32_bytes(self, kind: Any, secret: bytes) -> None:
        with pytest.raises(IdentityError, match=f"32 bytes, not {len(secret)}"):
            kind.from_secret(secret)

    def test_must_be_bytes(self) -> None:
        with pytest.raises(ArgumentTypeError, match="must be bytes, not str"):
            Ed25519Identity.from_secret("9d" * 32)  # type: ignore[arg-type]  # the misuse under test

    @pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
    def test_of_secp256k1_are_below_the_order(self, secret: bytes) -> None:
        with pytest.raises(IdentityError, match="not a secp256k1 key"):
            Secp256k1Identity.from_secret(secret)

    def test_of_another_curve_are_refused(self) -> None:
        with pytest.raises(IdentityError, match="secp256r1"):
            Secp256k1Identity(ec.generate_private_key(ec.SECP256R1()))
