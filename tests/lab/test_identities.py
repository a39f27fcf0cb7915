"""Clients of every kind: their requests pass the replica's checks, and each is the same for the same keys."""

import pytest

from icws_explore.lab.identities import KINDS, LOG_IN_NS, InternetIdentity, identity_of_kind
from icws_explore.lab.replica.subnet import CANISTER_RANGE, LabKeys, Subnet
from icws_explore.protocol.envelope import call_content, check_envelope, sign_envelope
from icws_explore.protocol.errors import LabError
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
    def test_signs_requests_that_a_replica_takes(self, kind, delegated):
        identity = identity_of_kind(kind, KEYS, "ada", now_ns=NOW_NS, delegated=delegated)
        steps = checked(identity, delegated=delegated)
        assert [(step.step, step.detail) for step in steps if not step.ok] == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_is_the_same_for_the_same_keys_and_name(self, kind):
        one, same, other = (identity_of_kind(kind, KEYS, name, now_ns=NOW_NS) for name in ("ada", "ada", "bob"))
        assert one.principal == same.principal != other.principal
        assert one.sign(b"message") == same.sign(b"message")

    def test_another_is_no_kind(self):
        with pytest.raises(LabError, match="there are ed25519"):
            identity_of_kind("fingerprint", KEYS, "ada", now_ns=NOW_NS)


class TestDelegation:
    def test_ends_after_thirty_days(self):
        identity = identity_of_kind("delegation", KEYS, "ada", now_ns=NOW_NS)
        assert [step.step for step in checked(identity, now_ns=NOW_NS + LOG_IN_NS + 1) if not step.ok] == ["delegation"]

    def test_may_be_for_one_canister(self):
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

    def test_signs_for_each_user_apart(self):
        identity = InternetIdentity(KEYS)
        signature = identity.sign(b"ada", b"message", now_ns=NOW_NS)
        root_key = Subnet(KEYS, delegated=True).root_key
        assert verify_signature(identity.public_key_der(b"bob"), b"message", signature, root_key=root_key).ok is False

    def test_logs_a_session_key_in(self):
        session = Ed25519Identity.from_secret(bytes(32))
        who = InternetIdentity(KEYS).log_in(b"ada", session, now_ns=NOW_NS)
        assert who.session is session
        assert who.delegations[0].delegation.expiration_ns == NOW_NS + LOG_IN_NS
