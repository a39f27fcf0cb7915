from __future__ import annotations

import pytest

from icws_explore.protocol import hashtree, leb128
from icws_explore.protocol.certificate import (
    STATE_ROOT,
    Certificate,
    Delegation,
    check_delegation,
    encode_ranges,
    prove_subnet,
)
from icws_explore.protocol.certificate import delegation as module
from icws_explore.protocol.hashtree import Fork, HashTree, Labeled, Nested, build
from icws_explore.protocol.keys.bls import SecretKey
from icws_explore.protocol.principal import Principal
from support.certificates import CANISTER, RANGES, canister_range, issuer

ROOT = SecretKey(b"root")
SUBNET = SecretKey(b"subnet")
SUBNET_ID = Principal.self_authenticating(SUBNET.public_key_der)
FOREIGN = canister_range(0x85, 0x85)[0]  # between two ranges


def signed(tree: HashTree, key: SecretKey = ROOT, delegation: Delegation | None = None) -> Delegation:
    signature = key.sign(STATE_ROOT + hashtree.root_hash(tree))
    return Delegation(SUBNET_ID, Certificate(tree, signature, delegation).encode())


def root_state(**changes: Nested | None) -> HashTree:
    """The root's state with the subnet; a field that is changed to None is left out."""
    subnet: dict[str, Nested | None] = {
        "public_key": SUBNET.public_key_der,
        "canister_ranges": encode_ranges(RANGES),
        "time": leb128.encode_unsigned(1),
    }
    kept = {name.encode(): value for name, value in (subnet | changes).items() if value is not None}
    time = {b"time": kept.pop(b"time")} if b"time" in kept else {}
    return build({b"subnet": {SUBNET_ID.raw: kept}, **time})


def certificate_with(delegation: Delegation | None) -> Certificate:
    return Certificate(build({}), b"", delegation)


class TestNoDelegation:
    def test_the_root_key_must_have_signed(self) -> None:
        key, step = check_delegation(certificate_with(None), CANISTER, ROOT.public_key_der)
        assert key == ROOT.public_key_der
        assert step.ok
        assert step.detail.startswith("there is none, so the root key ")


class TestProof:
    """Interface specification, "Delegation"."""

    def test_is_valid(self) -> None:
        proof = prove_subnet(signed(root_state()), ROOT.public_key_der)
        assert proof.fault is None
        assert proof.subnet_key == SUBNET.public_key_der
        assert proof.subnet_id == SUBNET_ID

    @pytest.mark.parametrize(
        ("delegation", "fault"),
        [
            (Delegation(SUBNET_ID, b"\xff"), "the delegation is not a certificate: certificate: "),
            (signed(root_state(), SUBNET), "the delegation is not valid: it is not signed by the root key"),
            (signed(root_state(), ROOT, signed(root_state())), "delegations cannot be nested"),
            (signed(root_state(time=None)), "it has no time"),
            (signed(root_state(public_key=None)), "the delegation shows no public key of subnet"),
            (signed(root_state(public_key=SUBNET.public_key)), "bare key of 96 bytes without its DER prefix"),
            (
                signed(Fork(Labeled(b"time", hashtree.Leaf(b"\x01")), root_state(time=None))),
                "the labels of its tree are not in ascending order",
            ),
        ],
        ids=["no certificate", "wrong signer", "nested", "no time", "no key", "bare key", "disorder"],
    )
    def test_is_not_valid(self, delegation, fault) -> None:
        proof = prove_subnet(delegation, ROOT.public_key_der)
        assert fault in (proof.fault or "")
        assert proof.subnet_key == b""
        key, step = check_delegation(certificate_with(delegation), CANISTER, ROOT.public_key_der)
        assert key == b""
        assert step.ok is False
        assert step.detail == proof.fault

    @pytest.mark.parametrize("time_ns", [0, 2**64 - 1], ids=["1970", "2554"])
    def test_its_time_is_not_checked(self, time_ns: int) -> None:
        delegation = signed(root_state(time=leb128.encode_unsigned(time_ns)))
        assert prove_subnet(delegation, ROOT.public_key_der).fault is None

    def test_of_another_subnet(self) -> None:
        other = Delegation(Principal(b"other"), signed(root_state()).certificate)
        assert "no public key of subnet" in (prove_subnet(other, ROOT.public_key_der).fault or "")

    def test_under_another_root_key(self) -> None:
        assert "is not signed by the root key" in (
            prove_subnet(signed(root_state()), SUBNET.public_key_der).fault or ""
        )


class TestRanges:
    @pytest.mark.parametrize("layout", ["classic", "sharded"])
    def test_contain_the_canister(self, layout) -> None:
        certificate = certificate_with(issuer(layout).delegation(10**18, CANISTER))
        key, step = check_delegation(certificate, CANISTER, ROOT.public_key_der)
        assert step.ok
        assert key == SUBNET.public_key_der
        low, high = RANGES[-1]
        assert f"answers for canisters {low} … {high} ({layout} layout)" in step.detail
        assert step.actual == f"{low} … {high}"
        assert str(CANISTER) in str(step.expected)

    @pytest.mark.parametrize("layout", ["classic", "sharded"])
    def test_do_not_contain_the_canister(self, layout) -> None:
        certificate = certificate_with(issuer(layout).delegation(10**18))
        _, step = check_delegation(certificate, FOREIGN, ROOT.public_key_der)
        assert step.ok is False
        assert f"may not sign for canister {FOREIGN}" in step.detail

    def test_are_not_shown(self) -> None:
        delegation = signed(root_state(canister_ranges=None))
        _, step = check_delegation(certificate_with(delegation), CANISTER, ROOT.public_key_der)
        assert step.ok is False
        assert "it shows no canister ranges of the subnet" in step.detail

    @pytest.mark.parametrize("asked", [None, Principal.MANAGEMENT])
    def test_are_not_checked_without_a_canister(self, asked) -> None:
        delegation = signed(root_state(canister_ranges=None))
        key, step = check_delegation(certificate_with(delegation), asked, ROOT.public_key_der)
        assert step.ok
        assert key == SUBNET.public_key_der


class TestCache:
    def test_a_delegation_is_checked_once(self, monkeypatch) -> None:
        delegation = signed(root_state(time=leb128.encode_unsigned(4711)))
        first = prove_subnet(delegation, ROOT.public_key_der)
        monkeypatch.setattr(module, "signature_fault", None)
        assert prove_subnet(delegation, bytearray(ROOT.public_key_der)) is first

    def test_results_are_not_shared_between_root_keys(self) -> None:
        delegation = signed(root_state())
        assert prove_subnet(delegation, ROOT.public_key_der).fault is None
        assert prove_subnet(delegation, SUBNET.public_key_der).fault is not None

    def test_large_delegations_are_not_cached(self) -> None:
        delegation = signed(root_state(name=bytes(100_000)))
        assert prove_subnet(delegation, ROOT.public_key_der).fault is None
        before = module._proved.cache_info().currsize
        prove_subnet(delegation, ROOT.public_key_der)
        assert module._proved.cache_info().currsize == before
