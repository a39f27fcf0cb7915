from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.envelope import Envelope, call_content, check_envelope, query_content, sign_envelope
from icws_explore.protocol.envelope.check import check_links
from icws_explore.protocol.keys import DelegatedIdentity, Ed25519Identity, Identity, Secp256k1Identity, delegate_to
from icws_explore.protocol.keys.delegation import MAX_LINKS, Delegation, SignedDelegation
from icws_explore.protocol.steps import Step, passed
from support.identity_cases import (
    CANISTER,
    DAY_NS,
    ED25519_SECRET,
    NOW_NS,
    OTHER_CANISTER,
    SECP256K1_SECRET,
    InternetIdentity,
)

ROOT = Secp256k1Identity.from_secret(SECP256K1_SECRET)
SESSION = Ed25519Identity.from_secret(ED25519_SECRET)
II = InternetIdentity()


def call(identity: Identity) -> Envelope:
    return sign_envelope(call_content(CANISTER, "ws_open", b"", identity.principal, NOW_NS, bytes(16)), identity)


def links_of(identity: Identity, *, root_key: bytes | None = None, now_ns: int = NOW_NS) -> list[Step]:
    return check_links(call(identity), now_ns=now_ns, canister_id=CANISTER, root_key=root_key)


def delegated(**options: Any) -> DelegatedIdentity:
    return delegate_to(ROOT, SESSION, **({"expiration_ns": NOW_NS + DAY_NS} | options))


def chain_of(length: int) -> Identity:
    identity: Identity = ROOT
    for number in range(length):
        next_key = Ed25519Identity.from_secret(bytes([number + 1]) * 32)
        identity = delegate_to(identity, next_key, expiration_ns=NOW_NS + DAY_NS)
    return identity


def by_internet_identity() -> DelegatedIdentity:
    delegation = Delegation(SESSION.public_key_der, NOW_NS + DAY_NS)
    return DelegatedIdentity(
        SESSION, II.public_key_der, [SignedDelegation(delegation, II.sign(delegation.signed_bytes))]
    )


class TestChains:
    def test_without_links(self) -> None:
        assert [step.ok for step in links_of(ROOT)] == [True]

    @pytest.mark.parametrize("length", [1, 3, MAX_LINKS])
    def test_of_allowed_length(self, length: int) -> None:
        steps = links_of(chain_of(length))
        assert [step.ok for step in steps] == [True] * length
        assert steps[-1].detail.startswith(f"link {length} of {length}: the ")
        assert passed(check_envelope(call(chain_of(length)), now_ns=NOW_NS, canister_id=CANISTER))

    def test_that_are_too_long(self) -> None:
        envelope = call(chain_of(MAX_LINKS))
        longer = replace(envelope, sender_delegation=(envelope.sender_delegation or ()) * 2)
        (step,) = check_links(longer, now_ns=NOW_NS, canister_id=None, root_key=None)
        assert (step.ok, step.detail) == (False, "40 links are more than the 20 that a replica accepts")

    def test_without_the_key_that_they_start_from(self) -> None:
        (step,) = check_links(
            replace(call(delegated()), sender_pubkey=None), now_ns=NOW_NS, canister_id=None, root_key=None
        )
        assert step.ok is False
        assert "without sender_pubkey" in step.detail

    def test_with_a_key_twice(self) -> None:
        there = delegated()
        back = delegate_to(there, ROOT, expiration_ns=NOW_NS + DAY_NS)
        assert [step.ok for step in links_of(back)] == [True, False]
        assert "appears earlier in the chain" in links_of(back)[1].detail


class TestSignature:
    def test_of_another_key_fails_at_its_link(self) -> None:
        middle, last = Ed25519Identity.generate(), Ed25519Identity.generate()
        forged = delegate_to(Ed25519Identity.generate(), last, expiration_ns=NOW_NS + DAY_NS)
        chain = [*delegate_to(ROOT, middle, expiration_ns=NOW_NS + DAY_NS).delegations, *forged.delegations]
        steps = links_of(DelegatedIdentity(last, ROOT.public_key_der, chain))
        assert [step.ok for step in steps] == [True, False]
        assert steps[1].detail == "link 2 of 2: the Ed25519 signature does not match key and message"
        assert steps[1].expected == chain[1].delegation.signed_bytes
        assert steps[1].actual == chain[1].signature

    @pytest.mark.parametrize(
        "change", [{"expiration_ns": NOW_NS + 2 * DAY_NS}, {"targets": (CANISTER,)}, {"expiration_ns": 0}]
    )
    def test_covers_every_field(self, change: dict[str, Any]) -> None:
        (link,) = delegated().delegations
        forged = SignedDelegation(replace(link.delegation, **change), link.signature)
        (step,) = links_of(DelegatedIdentity(SESSION, ROOT.public_key_der, [forged]))
        assert step.ok is False
        assert "signature does not match" in step.detail


class TestExpiration:
    @pytest.mark.parametrize(("left_ns", "ok"), [(-1, False), (0, True), (1, True)])
    def test_at_this_instant_is_still_valid(self, left_ns: int, ok: bool) -> None:
        (step,) = links_of(delegated(expiration_ns=NOW_NS + left_ns))
        assert step.ok is ok

    def test_says_how_long_ago(self) -> None:
        (step,) = links_of(delegated(), now_ns=NOW_NS + DAY_NS + 3_000_000_000)
        assert step.detail == "link 1 of 1: expired 3 s ago; log in again"
        assert step.actual == f"{NOW_NS + DAY_NS} ns"


class TestTargets:
    @pytest.mark.parametrize(
        ("targets", "ok", "text"),
        [
            (None, True, "for all canisters"),
            ([CANISTER], True, "for 1 canister,"),
            ([OTHER_CANISTER, CANISTER], True, "for 2 canisters"),
            ([OTHER_CANISTER], False, f"it is for {OTHER_CANISTER}, not for {CANISTER}"),
            ([], False, "it is for no canister"),
        ],
    )
    def test_must_contain_the_canister(self, targets: Any, ok: bool, text: str) -> None:
        (step,) = links_of(delegated(targets=targets))
        assert step.ok is ok
        assert text in step.detail

    def test_every_link_must_allow_the_canister(self) -> None:
        last = Ed25519Identity.generate()
        narrow = delegate_to(delegated(), last, expiration_ns=NOW_NS + DAY_NS, targets=[OTHER_CANISTER])
        assert [step.ok for step in links_of(narrow)] == [True, False]

    def test_are_limited(self) -> None:
        delegation = Delegation(SESSION.public_key_der, NOW_NS, (CANISTER,) * 1001)
        link = SignedDelegation(delegation, ROOT.sign(delegation.signed_bytes))
        (step,) = links_of(DelegatedIdentity(SESSION, ROOT.public_key_der, [link]))
        assert step.ok is False
        assert "1001 targets" in step.detail


class TestOtherFields:
    """Fields that this version does not know are signed too, as ``permissions`` of Internet Identity."""

    def identity(self, fields: dict[str, Any], **changes: Any) -> DelegatedIdentity:
        delegation = Delegation(SESSION.public_key_der, NOW_NS + DAY_NS, None, fields)
        link = SignedDelegation(replace(delegation, **changes), ROOT.sign(delegation.signed_bytes))
        return DelegatedIdentity(SESSION, ROOT.public_key_der, [link])

    def query(self, identity: Identity) -> Envelope:
        return sign_envelope(query_content(CANISTER, "m", b"", identity.principal, NOW_NS), identity)

    def test_of_a_query_are_valid(self) -> None:
        steps = check_envelope(self.query(self.identity({"permissions": "queries"})), now_ns=NOW_NS)
        assert passed(steps)

    def test_of_a_call_are_dropped_by_the_gateway(self) -> None:
        envelope = call(self.identity({"permissions": "queries", "later": 1}))
        (step,) = check_links(envelope, now_ns=NOW_NS, canister_id=CANISTER, root_key=None)
        assert step.ok is False
        assert step.detail == (
            "link 1 of 1: the delegation has 'permissions', 'later', which the gateway 1.4.6 drops; the signature "
            "does not match what is left. This delegation allows queries only, and no update calls"
        )
        (step,) = check_links(envelope.relayed(), now_ns=NOW_NS, canister_id=CANISTER, root_key=None)
        assert step.detail.endswith("the secp256k1 signature does not match key and message")

    def test_that_are_unknown_are_named_without_a_guess_at_their_meaning(self) -> None:
        (step,) = check_links(call(self.identity({"later": 1})), now_ns=NOW_NS, canister_id=CANISTER, root_key=None)
        assert step.detail.endswith(
            "the delegation has 'later', which the gateway 1.4.6 drops; the signature does not match what is left"
        )

    def test_a_change_of_them_is_found(self) -> None:
        changed = self.identity({"permissions": "queries"}, other_fields={"permissions": "all"})
        assert "signature does not match" in links_of(changed)[0].detail

    def test_without_a_hash(self) -> None:
        (link,) = self.identity({}).delegations
        odd = replace(link, delegation=replace(link.delegation, other_fields={"permissions": 1.5}))
        (step,) = links_of(DelegatedIdentity(SESSION, ROOT.public_key_der, [odd]))
        assert step.ok is False
        assert "the delegation has no hash to sign: permissions: is float" in step.detail


class TestInternetIdentity:
    def test_with_the_root_key(self) -> None:
        identity = by_internet_identity()
        steps = check_envelope(call(identity), now_ns=NOW_NS, canister_id=CANISTER, root_key=II.root_key)
        assert passed(steps)

    def test_without_the_root_key_the_link_is_not_checked(self) -> None:
        steps = check_envelope(call(by_internet_identity()), now_ns=NOW_NS, canister_id=CANISTER)
        assert {step.step: step.ok for step in steps if not step.ok} == {"delegation": None}
        assert "the network's root key is needed" in next(step.detail for step in steps if step.step == "delegation")

    def test_with_the_root_key_of_another_network(self) -> None:
        other = CertificateIssuer(b"another root").root_key_der
        assert [step.ok for step in links_of(by_internet_identity(), root_key=other)] == [False]

    def test_an_expired_link_fails_without_the_root_key(self) -> None:
        (step,) = links_of(by_internet_identity(), now_ns=NOW_NS + 2 * DAY_NS)
        assert step.ok is False
