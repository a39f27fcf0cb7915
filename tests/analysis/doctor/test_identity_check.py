"""An identity file before any socket: what a session would fail at is said, and nothing of the key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from icws_explore.analysis.doctor.configuration import check_identity
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.keys import Ed25519Identity, Secp256k1Identity, delegate
from icws_explore.protocol.keys.delegation import DelegationChain
from icws_explore.protocol.principal import Principal
from support.certified_canister import CANISTER_ID

NOW_NS = 1_763_895_600 * NS_PER_S
ROOT, SESSION = Ed25519Identity.from_secret(b"\x01" * 32), Ed25519Identity.from_secret(b"\x02" * 32)
SECRET = (b"\x02" * 32).hex()


def chain(left_s: float = 3600, **options: Any) -> DelegationChain:
    link = delegate(ROOT, SESSION.public_key_der, expiration_ns=NOW_NS + round(left_s * NS_PER_S), **options)
    return DelegationChain(ROOT.public_key_der, (link,))


def stored(chain: DelegationChain) -> bytes:
    """As a browser's storage has the two: the session key and its chain."""
    pair = [SESSION.public_key_der.hex(), SECRET]
    return json.dumps({"identity": json.dumps(pair), "delegation": chain.to_json()}).encode()


def said(data: bytes, canister: Principal | None = CANISTER_ID) -> list[str]:
    findings = check_identity(data, now_ns=NOW_NS, canister_id=canister)
    assert all(finding.fix and finding.source and finding.sdk_behaviour for finding in findings)
    assert not any(SECRET in str(finding) for finding in findings)
    return list(findings.ids)


class TestGoodOnes:
    @pytest.mark.parametrize("kind", [Ed25519Identity, Secp256k1Identity])
    def test_keys(self, kind):
        pair = json.dumps([kind.from_secret(b"\x05" * 32).public_key_der.hex(), (b"\x05" * 32).hex()]).encode()
        assert said(pair) == []

    def test_delegations(self):
        assert said(stored(chain())) == []
        assert said(stored(chain(targets=[CANISTER_ID]))) == []
        assert said(stored(chain(targets=[Principal.MANAGEMENT])), canister=None) == []

    def test_a_chain_without_its_key(self):
        assert said(chain().to_json().encode()) == []


class TestBadOnes:
    def test_an_expired_delegation(self):
        for data in (stored(chain(-7200)), chain(-7200).to_json().encode()):
            (finding,) = check_identity(data, now_ns=NOW_NS)
            assert finding.id == "DELEGATION_EXPIRED"
            assert f"{ROOT.principal} expired 7200 s ago" in finding.explanation
            assert "Log in again" in finding.fix

    def test_a_delegation_for_others(self):
        (finding,) = check_identity(
            stored(chain(targets=[Principal.MANAGEMENT])), now_ns=NOW_NS, canister_id=CANISTER_ID
        )
        assert finding.id == "DELEGATION_EXPIRED"
        assert f"is for aaaaa-aa, not {CANISTER_ID}" in finding.explanation

    def test_a_delegation_that_its_root_never_signed(self):
        forged = DelegationChain(Ed25519Identity.from_secret(b"\x09" * 32).public_key_der, chain().delegations)
        assert said(stored(forged)) == ["BAD_SIGNATURE"]

    @pytest.mark.parametrize("key", [b"", b"\x30", b"\x30" * 450_000, ROOT.public_key_der + b"\x00"])
    def test_a_delegation_with_what_is_no_public_key(self, key):
        session = delegate(ROOT, key, expiration_ns=NOW_NS + NS_PER_S)
        for broken, name in (
            (DelegationChain(key, chain().delegations), "publicKey"),
            (DelegationChain(ROOT.public_key_der, (session, *chain().delegations)), "the pubkey of delegation 1"),
        ):
            for data in (broken.to_json().encode(), stored(broken)):
                (finding,) = check_identity(data, now_ns=NOW_NS)
                assert finding.id == "BAD_SIGNATURE"
                assert f"In its delegation chain {name} " in finding.explanation
                assert len(finding.explanation) < 200

    def test_a_public_key_of_a_megabyte(self):
        """As a canister signature's key it is well-formed, whatever its length."""
        bits = b"\x00\x01\x01" + bytes(450_000)
        body = bytes.fromhex("300c060a2b0601040183b8430102") + b"\x03\x83" + len(bits).to_bytes(3, "big") + bits
        der = b"\x30\x83" + len(body).to_bytes(3, "big") + body
        (finding,) = check_identity(DelegationChain(der, ()).to_json().encode(), now_ns=NOW_NS)
        assert (finding.id, f"has {len(der)} bytes, more than" in finding.explanation) == ("BAD_SIGNATURE", True)

    @pytest.mark.parametrize("data", [b"anonymous", b"2vxsx-fae\n"])
    def test_the_anonymous_one(self, data):
        (finding,) = check_identity(data, now_ns=NOW_NS)
        assert (finding.id, "anonymous" in finding.explanation) == ("IDENTITY_TYPE", True)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\xff\xfe",
            b"/etc/passwd",
            b"null",
            b"{}",
            b"[1]",
            b'{"delegations": []}',
            b"[" * 100_000,
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        ],
    )
    def test_other_values(self, data):
        assert said(data) == ["IDENTITY_TYPE"]
