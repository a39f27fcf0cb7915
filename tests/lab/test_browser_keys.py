"""P-256 and passkeys sign what the verifier of the replica's rules takes, and the same again."""

import pytest

from icws_explore.lab.identities import P256Identity, PasskeyIdentity
from icws_explore.protocol.keys.public_keys import KeyKind, parse_public_key, verify_signature

SECRET = bytes(range(32))


@pytest.mark.parametrize(("kind", "expected"), [(P256Identity, KeyKind.P256), (PasskeyIdentity, KeyKind.WEBAUTHN)])
class TestSignatures:
    def test_hold_for_their_message_and_no_other(self, kind, expected):
        identity = kind(SECRET)
        assert parse_public_key(identity.public_key_der).kind is expected
        signature = identity.sign(b"\x0aic-request" + bytes(32))
        assert verify_signature(identity.public_key_der, b"\x0aic-request" + bytes(32), signature).ok is True
        assert verify_signature(identity.public_key_der, b"\x0aic-request" + bytes(31), signature).ok is False
        assert verify_signature(kind(bytes(32)).public_key_der, b"\x0aic-request" + bytes(32), signature).ok is False

    def test_are_the_same_for_the_same_secret(self, kind, expected):
        assert kind(SECRET).sign(b"m") == kind(SECRET).sign(b"m")
        assert kind(SECRET).principal == kind(SECRET).principal != kind(b"\xff" * 32).principal

    def test_no_secret_shows(self, kind, expected):
        assert SECRET.hex() not in repr(kind(SECRET))
