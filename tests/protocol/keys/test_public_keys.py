from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.keys import Ed25519Identity, Identity, Secp256k1Identity
from icws_explore.protocol.keys.public_keys import KeyKind, parse_public_key, verify_signature
from support.identity_cases import ED25519_SECRET, SECP256K1_SECRET, InternetIdentity, der

ED25519 = Ed25519Identity.from_secret(ED25519_SECRET)
SECP256K1 = Secp256k1Identity.from_secret(SECP256K1_SECRET)
P256_KEY = ec.derive_private_key(int.from_bytes(SECP256K1_SECRET, "big"), ec.SECP256R1())
P256_DER = P256_KEY.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def p256_signature(message: bytes) -> bytes:
    """A signature as WebCrypto in browsers makes it: r ‖ s."""
    r, s = decode_dss_signature(P256_KEY.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class TestKinds:
    @pytest.mark.parametrize(
        ("public_key", "kind"),
        [
            (ED25519.public_key_der, KeyKind.ED25519),
            (SECP256K1.public_key_der, KeyKind.SECP256K1),
            (P256_DER, KeyKind.P256),
            (InternetIdentity().public_key_der, KeyKind.CANISTER),
            (der(0x30, der(0x30, bytes.fromhex("060a2b0601040183b8430101")), der(0x03, b"\x00cose")), KeyKind.WEBAUTHN),
        ],
        ids=list(KeyKind),
    )
    def test_are_recognized(self, public_key: bytes, kind: KeyKind) -> None:
        assert parse_public_key(public_key).kind is kind

    @pytest.mark.parametrize(
        "public_key",
        [
            b"",
            b"\x30",
            ED25519.public_key_der[:-1],
            ED25519.public_key_der + b"\x00",
            SECP256K1.public_key_der[:-1],
            SECP256K1.public_key_der[:23] + b"\x02" + SECP256K1.public_key_der[24:],
            SECP256K1_SECRET,
            # A compressed point is the same key, but has another principal.
            ec.derive_private_key(1, ec.SECP256K1())
            .public_key()
            .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint),
            der(0x30, der(0x30, bytes.fromhex("06052b8104000a")), der(0x03, b"\x00")),
            der(0x30, der(0x30, bytes.fromhex("060a2b0601040183b8430102"), b"\x05\x00"), der(0x03, b"\x00")),
        ],
    )
    def test_other_forms_are_refused(self, public_key: bytes) -> None:
        with pytest.raises(DecodeError, match="public key"):
            parse_public_key(public_key)
        assert verify_signature(public_key, b"", b"").ok is False


class TestEcdsaAndEd25519:
    @pytest.mark.parametrize("identity", [ED25519, SECP256K1], ids=lambda identity: type(identity).__name__)
    @given(data=st.data())
    def test_a_flipped_bit_is_found(self, identity: Identity, data: st.DataObject) -> None:
        message = data.draw(st.binary(min_size=1, max_size=50))
        signature = identity.sign(message)
        assert verify_signature(identity.public_key_der, message, signature).ok is True
        bit = data.draw(st.integers(0, 8 * len(signature) - 1))
        forged = bytearray(signature)
        forged[bit // 8] ^= 1 << bit % 8
        assert verify_signature(identity.public_key_der, message, bytes(forged)).ok is False

    def test_p256_as_in_browsers(self) -> None:
        assert verify_signature(P256_DER, b"message", p256_signature(b"message")).ok is True
        verdict = verify_signature(P256_DER, b"another", p256_signature(b"message"))
        assert verdict.ok is False
        assert verdict.detail == "the P-256 signature does not match key and message"

    def test_a_high_s_is_valid_as_on_the_replica(self) -> None:
        signature = SECP256K1.sign(b"message")
        high = (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
        assert verify_signature(SECP256K1.public_key_der, b"message", signature[:32] + high).ok is True

    def test_der_signatures_are_refused(self) -> None:
        signature = P256_KEY.sign(b"message", ec.ECDSA(hashes.SHA256()))
        assert "64 bytes r ‖ s" in verify_signature(P256_DER, b"message", signature).detail

    def test_a_point_that_is_not_on_the_curve(self) -> None:
        off = SECP256K1.public_key_der[:-1] + bytes([SECP256K1.public_key_der[-1] ^ 1])
        assert "not a point of the curve" in verify_signature(off, b"", bytes(64)).detail


class TestHostileKeys:
    @given(
        st.sampled_from(
            [ED25519.public_key_der, SECP256K1.public_key_der, P256_DER, InternetIdentity().public_key_der]
        ),
        st.integers(0, 91),
        st.binary(max_size=65),
        st.binary(max_size=70) | st.binary(min_size=64, max_size=64),
    )
    def test_nothing_is_raised(self, key: bytes, kept: int, tail: bytes, signature: bytes) -> None:
        assert verify_signature(key[:kept] + tail, b"message", signature).ok is False
