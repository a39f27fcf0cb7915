"""Identities of every kind pass the replica's checks, and the same keys give the same identity."""

import pytest

from icws_explore.lab.identities import (
    KINDS,
    LOG_IN_NS,
    InternetIdentity,
    P256Identity,
    PasskeyIdentity,
    identity_of_kind,
)
from icws_explore.lab.replica.subnet import CANISTER_RANGE, LabKeys, Subnet
from icws_explore.protocol.envelope import call_content, check_envelope, sign_envelope
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.keys.public_keys import KeyKind, parse_public_key, verify_signature

NOW_NS = 1_767_225_600_000_000_000
KEYS = LabKeys(1)


def checked(identity, *, delegated=True, now_ns=NOW_NS, canister=CANISTER_RANGE[0]):
    content = call_content(canister, "ws_open", b"DIDL\x00\x00", identity.principal, now_ns + 60_000_000_000, b"n")
    root_key = Subnet(KEYS, delegated=delegated).root_key
    return check_envelope(sign_envelope(content, identity), now_ns=now_ns, canister_id=canister, root_key=root_key)


class TestEveryKind:
    @pytest.mark.parametrize("delegated", [True, False])
    @pytest.mark.parametrize("kind", KINDS)
    def test_signs_requests_that_a_replica_accepts(self, kind, delegated):
        identity = identity_of_kind(kind, KEYS, "ada", now_ns=NOW_NS, delegated=delegated)
        steps = checked(identity, delegated=delegated)
        assert [(step.step, step.detail) for step in steps if not step.ok] == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_is_the_same_for_the_same_keys_and_name(self, kind):
        one, same, other = (identity_of_kind(kind, KEYS, name, now_ns=NOW_NS) for name in ("ada", "ada", "bob"))
        assert one.principal == same.principal != other.principal
        assert one.sign(b"message") == same.sign(b"message")

    def test_an_unknown_kind_raises(self):
        with pytest.raises(ArgumentValueError, match="choose one of ed25519"):
            identity_of_kind("fingerprint", KEYS, "ada", now_ns=NOW_NS)


class TestDelegation:
    def test_expires_after_thirty_days(self):
        identity = identity_of_kind("delegation", KEYS, "ada", now_ns=NOW_NS)
        assert [step.step for step in checked(identity, now_ns=NOW_NS + LOG_IN_NS + 1) if not step.ok] == ["delegation"]

    def test_can_be_limited_to_one_canister(self):
        identity = identity_of_kind("delegation", KEYS, "ada", now_ns=NOW_NS, target=CANISTER_RANGE[0])
        assert all(step.ok for step in checked(identity))
        assert not all(step.ok for step in checked(identity, canister=CANISTER_RANGE[1]))


class TestInternetIdentity:
    def test_has_the_root_key_of_its_network(self):
        identity = InternetIdentity(KEYS)
        der, signature = identity.public_key_der(b"seed"), identity.sign(b"seed", b"message", now_ns=NOW_NS)
        assert parse_public_key(der).kind is KeyKind.CANISTER
        assert verify_signature(der, b"message", signature, root_key=Subnet(KEYS, delegated=True).root_key).ok is True
        assert (
            verify_signature(der, b"message", signature, root_key=Subnet(LabKeys(2), delegated=True).root_key).ok
            is False
        )

    def test_a_signature_is_valid_for_one_user_only(self):
        identity = InternetIdentity(KEYS)
        signature = identity.sign(b"ada", b"message", now_ns=NOW_NS)
        root_key = Subnet(KEYS, delegated=True).root_key
        assert verify_signature(identity.public_key_der(b"bob"), b"message", signature, root_key=root_key).ok is False

    def test_logs_in_a_session_key(self):
        session = Ed25519Identity.from_secret(bytes(32))
        who = InternetIdentity(KEYS).log_in(b"ada", session, now_ns=NOW_NS)
        assert who.session is session
        assert who.delegations[0].delegation.expiration_ns == NOW_NS + LOG_IN_NS


# P-256 keys and passkeys

SECRET = bytes(range(32))


@pytest.mark.parametrize(("kind", "expected"), [(P256Identity, KeyKind.P256), (PasskeyIdentity, KeyKind.WEBAUTHN)])
class TestSignatures:
    def test_are_valid_for_one_message_and_one_key(self, kind, expected):
        identity = kind(SECRET)
        assert parse_public_key(identity.public_key_der).kind is expected
        signature = identity.sign(b"\x0aic-request" + bytes(32))
        assert verify_signature(identity.public_key_der, b"\x0aic-request" + bytes(32), signature).ok is True
        assert verify_signature(identity.public_key_der, b"\x0aic-request" + bytes(31), signature).ok is False
        assert verify_signature(kind(bytes(32)).public_key_der, b"\x0aic-request" + bytes(32), signature).ok is False

    def test_are_the_same_for_the_same_secret(self, kind, expected):
        assert kind(SECRET).sign(b"m") == kind(SECRET).sign(b"m")
        assert kind(SECRET).principal == kind(SECRET).principal != kind(b"\xff" * 32).principal

    def test_repr_hides_the_secret(self, kind, expected):
        assert SECRET.hex() not in repr(kind(SECRET))
