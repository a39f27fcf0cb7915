from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import IdentityError
from icws_explore.protocol.keys import pem as module
from icws_explore.protocol.keys.pem import _MARKER, ED25519, MAX_PEM_LENGTH, SECP256K1, SecretKey, read_pem
from support.identity_cases import ED25519_SECRET, SECP256K1_SECRET, der, pem

ED25519_KEY = Ed25519PrivateKey.from_private_bytes(ED25519_SECRET)
ED25519_PUBLIC = ED25519_KEY.public_key().public_bytes_raw()
SECP256K1_KEY = ec.derive_private_key(int.from_bytes(SECP256K1_SECRET, "big"), ec.SECP256K1())
SECP256K1_POINT = SECP256K1_KEY.public_key().public_bytes(
    serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
)

OID_ED25519 = bytes.fromhex("06032b6570")
OID_EC = bytes.fromhex("06072a8648ce3d0201")
OID_SECP256K1 = bytes.fromhex("06052b8104000a")
OID_P256 = bytes.fromhex("06082a8648ce3d030107")

_PEM = serialization.Encoding.PEM
_PLAIN = serialization.NoEncryption()


def ed25519_version_2(public: bytes, tag: int = 0xA1) -> str:
    """PKCS#8 version 2 as ring (and so dfx) writes it, with the public key in an explicit [1]."""
    inner = der(0x04, der(0x04, ED25519_SECRET))
    bits = b"\x00" + public
    return pem(
        "PRIVATE KEY",
        der(0x30, b"\x02\x01\x01", der(0x30, OID_ED25519), inner, der(tag, der(0x03, bits) if tag == 0xA1 else bits)),
    )


def sec1(*parts: bytes, secret: bytes = SECP256K1_SECRET) -> bytes:
    return der(0x30, b"\x02\x01\x01", der(0x04, secret), *parts)


PUBLIC_PART = der(0xA1, der(0x03, b"\x00" + SECP256K1_POINT))
CURVE_PART = der(0xA0, OID_SECP256K1)


class TestEd25519:
    def test_pkcs8_version_1_as_openssl_writes_it(self) -> None:
        text = ED25519_KEY.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, _PLAIN)
        assert read_pem(text) == SecretKey(ED25519, ED25519_SECRET)

    @pytest.mark.parametrize("tag", [0xA1, 0x81])
    def test_pkcs8_version_2_as_dfx_writes_it(self, tag: int) -> None:
        text = ed25519_version_2(ED25519_PUBLIC, tag)
        assert read_pem(text) == SecretKey(ED25519, ED25519_SECRET, ED25519_PUBLIC)


class TestSecp256k1:
    def test_sec_1_with_its_curve(self) -> None:
        text = SECP256K1_KEY.private_bytes(_PEM, serialization.PrivateFormat.TraditionalOpenSSL, _PLAIN)
        assert text.startswith(b"-----BEGIN EC PRIVATE KEY-----")
        assert read_pem(text) == SecretKey(SECP256K1, SECP256K1_SECRET, SECP256K1_POINT)

    def test_sec_1_without_its_curve_as_dfx_writes_it(self) -> None:
        assert read_pem(pem("EC PRIVATE KEY", sec1(PUBLIC_PART))).secret == SECP256K1_SECRET
        assert read_pem(pem("EC PRIVATE KEY", sec1())) == SecretKey(SECP256K1, SECP256K1_SECRET)

    def test_sec_1_after_a_block_of_parameters(self) -> None:
        text = pem("EC PARAMETERS", OID_SECP256K1) + pem("EC PRIVATE KEY", sec1(CURVE_PART, PUBLIC_PART))
        assert read_pem(text).secret == SECP256K1_SECRET

    def test_pkcs8(self) -> None:
        text = SECP256K1_KEY.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, _PLAIN)
        assert read_pem(text) == SecretKey(SECP256K1, SECP256K1_SECRET, SECP256K1_POINT)


class TestOpenssl:
    @pytest.mark.openssl
    @pytest.mark.parametrize(
        ("arguments", "algorithm"),
        [
            (["genpkey", "-algorithm", "ed25519"], ED25519),
            (["ecparam", "-name", "secp256k1", "-genkey"], SECP256K1),
            (["ecparam", "-name", "secp256k1", "-genkey", "-noout"], SECP256K1),
        ],
    )
    def test_its_keys_are_read(self, arguments: list[str], algorithm: str, tmp_path: Path) -> None:
        path = tmp_path / "key.pem"
        subprocess.run(["openssl", *arguments, "-out", str(path)], check=True, capture_output=True, timeout=60)
        assert read_pem(path.read_text()).algorithm == algorithm


class TestUnusableKeys:
    def test_encrypted_keys(self) -> None:
        locked = serialization.BestAvailableEncryption(b"password")
        pkcs8 = ED25519_KEY.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, locked)
        old = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n"
        for text in (pkcs8, old):
            with pytest.raises(IdentityError, match="encrypted: `dfx identity export"):
                read_pem(text)

    @pytest.mark.parametrize(
        ("key", "name"),
        [
            (ec.generate_private_key(ec.SECP256R1()), "a P-256 key"),
            (ec.generate_private_key(ec.SECP384R1()), "a P-384 key"),
            (ec.generate_private_key(ec.SECP521R1()), "a key of an unknown kind"),
            (rsa.generate_private_key(65537, 2048), "an RSA key"),
            (x25519.X25519PrivateKey.generate(), "an X25519 key"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_keys_of_other_kinds(self, key: Ed25519PrivateKey, name: str) -> None:
        text = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, _PLAIN)
        with pytest.raises(IdentityError, match=f"contains {name}; identities are Ed25519 or secp256k1"):
            read_pem(text)

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "not a PEM text"),
            ("hello", "not a PEM text"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA", "is incomplete"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", "is incomplete"),
            ("-----BEGIN PRIVATE KEY-----\nA?AA\n-----END PRIVATE KEY-----", "not base64"),
            ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "damaged"),
            (pem("PUBLIC KEY", b""), "no private key, only public key"),
            (pem("CERTIFICATE", b"") + pem("EC PARAMETERS", b""), "no private key, only certificate and ec parameters"),
            (pem("RSA PRIVATE KEY", b""), "an RSA key"),
            (pem("PRIVATE KEY", b"") * 2, "2 private keys"),
            (pem("EC PARAMETERS", OID_P256) + pem("EC PRIVATE KEY", sec1()), "a P-256 key"),
            (pem("EC PARAMETERS", b"\x05\x00") + pem("EC PRIVATE KEY", sec1()), "damaged"),
            (pem("EC PRIVATE KEY", sec1(secret=bytes(31))), "31 bytes instead of 32"),
            (pem("EC PRIVATE KEY", der(0x30, b"\x02\x01\x01")), "not an EC private key structure"),
            (pem("PRIVATE KEY", der(0x30, der(0x30, OID_ED25519))), "not a PKCS#8 structure"),
            (pem("PRIVATE KEY", der(0x30, b"\x02\x01\x00", der(0x30), der(0x04))), "unknown kind"),
            (pem("PRIVATE KEY", der(0x30, b"\x02\x01\x00", der(0x30, OID_EC), der(0x04, sec1()))), "unknown kind"),
            ("x" * (MAX_PEM_LENGTH + 1), "too long"),
        ],
    )
    def test_the_error_says_why(self, text: str, fault: str) -> None:
        with pytest.raises(IdentityError) as caught:
            read_pem(text)
        assert fault in str(caught.value)
        assert "\n" not in str(caught.value)


class TestBlocks:
    def test_an_unfinished_block_is_skipped(self) -> None:
        text = "-----BEGIN CERTIFICATE-----\nAAAA\n" + pem("EC PRIVATE KEY", sec1())
        assert read_pem(text).secret == SECP256K1_SECRET

    def test_each_marker_is_read_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Blocks that begin and never end once took time quadratic in their number."""
        text = "-----BEGIN A-----" * (MAX_PEM_LENGTH // 17)
        read: list[str] = []

        class Marker:
            def finditer(self, text: str) -> Iterator[re.Match[str]]:
                for found in _MARKER.finditer(text):
                    read.append(found[0])
                    yield found

        monkeypatch.setattr(module, "_MARKER", Marker())
        with pytest.raises(IdentityError, match="is incomplete"):
            read_pem(text)
        assert len(read) == MAX_PEM_LENGTH // 17


class TestSecretsStayInside:
    def test_the_repr_shows_no_secret(self) -> None:
        key = read_pem(ed25519_version_2(ED25519_PUBLIC))
        assert ED25519_SECRET.hex() not in repr(key)
        assert repr(ED25519_SECRET)[2:-1] not in repr(key)

    def test_an_error_has_no_cause(self) -> None:
        with pytest.raises(IdentityError) as caught:
            read_pem(pem("EC PRIVATE KEY", sec1(secret=SECP256K1_SECRET + b"\x00")))
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None

    @given(st.integers(0, 200), st.binary(max_size=20), st.sampled_from(["PRIVATE KEY", "EC PRIVATE KEY"]))
    def test_only_documented_errors_come_out(self, kept: int, tail: bytes, label: str) -> None:
        whole = sec1(CURVE_PART, PUBLIC_PART) if label.startswith("EC") else der(0x30, sec1())
        with contextlib.suppress(IdentityError):
            read_pem(pem(label, whole[:kept] + tail))
