from __future__ import annotations

import importlib
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import BackendError, DecodeError
from icws_explore.protocol.keys import bls
from icws_explore.protocol.keys.bls import SecretKey

KEY = SecretKey(b"a lab's key")
MESSAGE = b"\x0dic-state-root" + bytes(32)
SIGNATURE = KEY.sign(MESSAGE)


def importable() -> list[bls.Backend]:
    """The libraries that are installed: one of the two, or both."""
    found: list[bls.Backend] = []
    for module, backend in (("pyblst", bls.Pyblst), ("py_arkworks_bls12381", bls.Arkworks)):
        if importlib.util.find_spec(module) is not None:
            found.append(backend())
    assert found
    return found


BACKENDS = importable()


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request, monkeypatch) -> bls.Backend:
    monkeypatch.setattr(bls, "chosen", lambda: request.param)
    return request.param


@pytest.mark.usefixtures("backend")
class TestEachBackend:
    def test_both_libraries_sign_alike(self) -> None:
        again = SecretKey(b"a lab's key")
        assert again.public_key == KEY.public_key
        assert again.sign(MESSAGE) == SIGNATURE

    def test_verifies(self) -> None:
        assert bls.verify(KEY.public_key, MESSAGE, SIGNATURE)
        assert not bls.verify(KEY.public_key, MESSAGE + b"\x00", SIGNATURE)
        assert not bls.verify(SecretKey(2).public_key, MESSAGE, SIGNATURE)
        assert not bls.verify(KEY.public_key, MESSAGE, SecretKey(2).sign(MESSAGE))

    def test_a_real_mainnet_certificate(self, vectors) -> None:
        from icws_explore.protocol.certificate import Certificate

        certificate = Certificate.decode(bytes.fromhex(vectors("mainnet_certificate")["certificate_hex"]))
        assert certificate.delegation is not None
        delegation = Certificate.decode(certificate.delegation.certificate)
        root_key = bls.key_from_der(MAINNET_ROOT_KEY)
        assert bls.verify(root_key, delegation.signed_bytes, delegation.signature)
        assert not bls.verify(root_key, certificate.signed_bytes, certificate.signature)

    @pytest.mark.parametrize("first_byte", [0xC0, 0xE0, 0xFF])
    def test_refuses_infinity(self, first_byte) -> None:
        """The libraries accept it: under the key at infinity, infinity is a signature of every message."""
        point = bytes([first_byte])
        key, signature = point + bytes(95), point + bytes(47)
        assert not bls.verify(key, MESSAGE, signature)
        assert not bls.verify(KEY.public_key, MESSAGE, signature)
        assert not bls.verify(key, MESSAGE, SIGNATURE)
        assert "infinity" in (bls.fault(KEY.public_key, signature) or "")
        assert "infinity" in (bls.fault(key, SIGNATURE) or "")

    def test_refuses_points_outside_the_group(self) -> None:
        # On the curve y² = x³ + 4, but not in the subgroup of prime order.
        outside = bytes([0x80]) + bytes(46) + b"\x04"
        assert bls.fault(KEY.public_key, outside) is None
        assert not bls.verify(KEY.public_key, MESSAGE, outside)

    def test_refuses_points_that_are_not_on_the_curve(self) -> None:
        assert not bls.verify(KEY.public_key, MESSAGE, bytes([0x80]) + bytes(46) + b"\x01")
        assert not bls.verify(bytes([0x80]) + bytes(94) + b"\x01", MESSAGE, SIGNATURE)
        assert not bls.verify(b"\x9f" + b"\xff" * 95, MESSAGE, SIGNATURE)

    @given(st.binary(min_size=48, max_size=48))
    @settings(max_examples=30)
    def test_any_bytes_as_signature(self, signature) -> None:
        assert not bls.verify(KEY.public_key, MESSAGE, signature)

    @pytest.mark.parametrize("size", [0, 1, 47, 49, 96])
    def test_wrong_sizes(self, size) -> None:
        assert not bls.verify(KEY.public_key, MESSAGE, b"\x80" * size)
        assert bls.fault(KEY.public_key, b"\x80" * size) == f"a signature has 48 bytes, not {size}"
        if size != 96:
            assert bls.fault(b"\x80" * size, SIGNATURE) == f"a public key has 96 bytes, not {size}"

    def test_uncompressed_points(self) -> None:
        assert bls.fault(KEY.public_key, bytes(48)) == "the signature is not a compressed point"
        assert not bls.verify(KEY.public_key, MESSAGE, bytes(48))


class TestOracle:
    """Comparison with py_ecc, the reference in plain Python. It is slow, so there are few cases."""

    def test_key_and_signature(self) -> None:
        from py_ecc.bls import point_compression
        from py_ecc.bls.hash_to_curve import hash_to_G1
        from py_ecc.optimized_bls12_381 import G2, multiply, pairing

        secret = 0x1234_5678_9ABC_DEF0_1234_5678
        key = SecretKey(secret)
        x, y = point_compression.compress_G2(multiply(G2, secret))
        assert key.public_key == x.to_bytes(48, "big") + y.to_bytes(48, "big")
        point = multiply(hash_to_G1(MESSAGE, bls.DST, sha256), secret)
        assert key.sign(MESSAGE) == point_compression.compress_G1(point).to_bytes(48, "big")
        signed = point_compression.decompress_G1(int.from_bytes(SIGNATURE, "big"))
        halves = int.from_bytes(KEY.public_key[:48], "big"), int.from_bytes(KEY.public_key[48:], "big")
        public = point_compression.decompress_G2(halves)
        assert pairing(G2, signed) == pairing(public, hash_to_G1(MESSAGE, bls.DST, sha256))


def missing() -> bls.Backend:
    raise ImportError("not installed")


class TestBackendChoice:
    @pytest.fixture(autouse=True)
    def forget_the_choice(self) -> Iterator[None]:
        bls.chosen.cache_clear()
        yield
        bls.chosen.cache_clear()

    def test_is_named(self) -> None:
        assert BACKENDS[0].name == bls.BACKEND

    def test_is_the_first_that_can_be_imported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bls, "BACKENDS", (type(BACKENDS[0]), missing))
        assert bls.chosen().name == BACKENDS[0].name
        bls.chosen.cache_clear()
        monkeypatch.setattr(bls, "BACKENDS", (missing, type(BACKENDS[-1])))
        assert bls.chosen().name == BACKENDS[-1].name

    def test_without_a_library_the_error_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bls, "BACKENDS", (missing, missing))
        with pytest.raises(BackendError, match="install pyblst or py-arkworks-bls12381"):
            bls.chosen()

    def test_no_other_names(self) -> None:
        with pytest.raises(AttributeError, match="NOTHING"):
            bls.NOTHING  # noqa: B018 - the access is the test


class TestSecretKey:
    def test_from_a_seed_is_deterministic(self) -> None:
        assert SecretKey(b"seed").public_key == SecretKey(b"seed").public_key != SecretKey(b"seed2").public_key

    def test_is_not_shown(self) -> None:
        secret = 0xDEADBEEFCAFE
        key = SecretKey(secret)
        for text in (repr(key), str(key), f"{key}"):
            assert str(secret) not in text
            assert "deadbeef" not in text.lower()

    @pytest.mark.parametrize("secret", [0, -1, bls.ORDER, bls.ORDER + 1])
    def test_scalars_out_of_range(self, secret) -> None:
        with pytest.raises(ValueError, match="from 1 to the order"):
            SecretKey(secret)

    def test_the_ends_of_the_range(self) -> None:
        for secret in (1, bls.ORDER - 1):
            key = SecretKey(secret)
            assert bls.verify(key.public_key, MESSAGE, key.sign(MESSAGE))


class TestDer:
    def test_round_trip(self) -> None:
        assert len(KEY.public_key_der) == 133
        assert bls.key_from_der(KEY.public_key_der) == KEY.public_key
        assert bls.key_to_der(bls.key_from_der(MAINNET_ROOT_KEY)) == MAINNET_ROOT_KEY

    @pytest.mark.parametrize(
        ("der", "reason"),
        [
            (b"", "0 bytes instead of the 133"),
            (KEY.public_key, "bare key of 96 bytes without its DER prefix of 37"),
            (MAINNET_ROOT_KEY[:-1], "132 bytes instead of the 133"),
            (MAINNET_ROOT_KEY + b"\x00", "134 bytes instead of the 133"),
            (b"\x31" + MAINNET_ROOT_KEY[1:], "not that of a BLS12-381 key"),
        ],
        ids=["nothing", "bare key", "short", "long", "other prefix"],
    )
    def test_refuses(self, der, reason) -> None:
        with pytest.raises(DecodeError, match=reason):
            bls.key_from_der(der)

    def test_refuses_to_wrap_other_sizes(self) -> None:
        with pytest.raises(DecodeError, match="95 bytes instead of 96"):
            bls.key_to_der(bytes(95))
