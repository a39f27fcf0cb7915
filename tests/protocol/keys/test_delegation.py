from __future__ import annotations

import contextlib
import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import MessageError, ValueMismatchError
from icws_explore.protocol.keys.delegation import Delegation, DelegationChain, SignedDelegation, allowed_targets
from icws_explore.protocol.principal import Principal
from support.identity_cases import CANISTER, OTHER_CANISTER

u64 = st.integers(0, 2**64 - 1)
principals = st.builds(Principal, st.binary(max_size=29))
others = st.dictionaries(st.sampled_from(["permissions", "later"]), st.text(max_size=8) | u64, max_size=2)
delegations = st.builds(
    Delegation, st.binary(max_size=90), u64, st.none() | st.lists(principals, max_size=4).map(tuple), others
)
links = st.builds(SignedDelegation, delegations, st.binary(max_size=64))
chains = st.builds(DelegationChain, st.binary(max_size=90), st.lists(links, max_size=4).map(tuple))

LINK = {"delegation": {"expiration": "1", "pubkey": "00"}, "signature": "00"}


class TestCbor:
    @given(links)
    def test_round_trip(self, link: SignedDelegation) -> None:
        assert SignedDelegation.from_cbor(link.to_cbor()) == link

    def test_targets_are_optional(self) -> None:
        assert list(Delegation(b"", 0).to_cbor()) == ["pubkey", "expiration"]
        assert Delegation(b"", 0, ()).to_cbor()["targets"] == []

    @pytest.mark.parametrize(
        ("value", "fault"),
        [
            ([], "is an array, not a map"),
            ({}, "field 'delegation' is missing"),
            ({"delegation": {}}, "field 'pubkey' is missing"),
            ({"delegation": {"pubkey": b"", "expiration": -1}}, "'expiration' is -1"),
            ({"delegation": {"pubkey": b"", "expiration": 0}}, "'signature' is missing"),
            ({"delegation": {"pubkey": b"", "expiration": 0, "targets": b""}}, "'targets' is a byte string"),
            ({"delegation": {"pubkey": b"", "expiration": 0, "targets": ["a"]}}, "a target is text"),
            ({"delegation": {"pubkey": b"", "expiration": 0, "targets": [bytes(30)]}}, "30 bytes are more than 29"),
        ],
    )
    def test_other_shapes_are_named(self, value: Any, fault: str) -> None:
        with pytest.raises(MessageError) as caught:
            SignedDelegation.from_cbor(value)
        assert fault in str(caught.value)

    def test_an_expiration_beyond_64_bits_is_refused(self) -> None:
        with pytest.raises(ValueMismatchError, match="expiration"):
            Delegation(b"", 2**64).to_cbor()


class TestOtherFields:
    """Fields that this version does not know are part of what is signed."""

    LINK = SignedDelegation(Delegation(b"key", 1, None, {"permissions": "queries"}), b"signature")

    def test_are_kept(self) -> None:
        assert SignedDelegation.from_cbor(self.LINK.to_cbor()) == self.LINK
        assert self.LINK.delegation.to_cbor() == {"pubkey": b"key", "expiration": 1, "permissions": "queries"}

    def test_null_is_missing(self) -> None:
        assert SignedDelegation.from_cbor(
            {"delegation": {"pubkey": b"key", "expiration": 1, "permissions": None}, "signature": b""}
        ) == SignedDelegation(Delegation(b"key", 1), b"")

    def test_are_hashed_as_the_specification_says(self) -> None:
        pairs = [
            sha256(name).digest() + sha256(value).digest()
            for name, value in ((b"pubkey", b"key"), (b"expiration", b"\x01"), (b"permissions", b"queries"))
        ]
        assert self.LINK.delegation.hash == sha256(b"".join(sorted(pairs))).digest()

    def test_are_dropped_by_the_gateway(self) -> None:
        assert self.LINK.relayed() == SignedDelegation(Delegation(b"key", 1), b"signature")

    def test_do_not_keep_a_delegation_from_being_a_key(self) -> None:
        assert len({self.LINK, self.LINK.relayed()}) == 2


class TestJson:
    @given(chains)
    def test_round_trip(self, chain: DelegationChain) -> None:
        assert DelegationChain.from_json(json.loads(chain.to_json())) == chain

    def test_is_that_of_dfinity_identity(self) -> None:
        link = SignedDelegation(Delegation(b"\x0a", 0x17B, (CANISTER,)), b"\x0b")
        assert json.loads(DelegationChain(b"\x0c", (link,)).to_json()) == {
            "delegations": [
                {
                    "delegation": {"expiration": "17b", "pubkey": "0a", "targets": ["80000000001000000101"]},
                    "signature": "0b",
                }
            ],
            "publicKey": "0c",
        }

    @pytest.mark.parametrize(
        ("value", "fault"),
        [
            ({}, "'delegations' is missing"),
            ({"delegations": {}}, "'delegations' is a map"),
            ({"delegations": [LINK] * 21, "publicKey": ""}, "21 links"),
            ({"delegations": []}, "'publicKey' is missing"),
            ({"delegations": [], "publicKey": "secret!"}, "'publicKey' is not hexadecimal"),
            ({"delegations": [], "publicKey": 1}, "'publicKey' is an integer"),
            ({"delegations": [LINK | {"signature": None}], "publicKey": ""}, "'signature' is null"),
            ({"delegations": [LINK | {"delegation": {"expiration": 1, "pubkey": ""}}], "publicKey": ""}, "an integer"),
            ({"delegations": [LINK | {"delegation": {"expiration": "x", "pubkey": ""}}], "publicKey": ""}, "number of"),
            ({"delegations": [LINK | {"delegation": {"expiration": "-1"}}], "publicKey": ""}, "64 bits"),
            ({"delegations": [LINK | {"delegation": {"expiration": "1" * 17}}], "publicKey": ""}, "64 bits"),
            (
                {
                    "delegations": [LINK | {"delegation": {"expiration": "1", "pubkey": "", "targets": [1]}}],
                    "publicKey": "",
                },
                "a target is not hexadecimal",
            ),
        ],
    )
    def test_other_shapes_are_named_without_showing_values(self, value: Any, fault: str) -> None:
        with pytest.raises(MessageError) as caught:
            DelegationChain.from_json(value)
        assert fault in str(caught.value)
        assert "secret!" not in str(caught.value)

    @given(
        st.recursive(
            st.none() | st.text() | st.integers(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        ["delegations", "delegation", "publicKey", "pubkey", "expiration", "signature", "targets"]
                    ),
                    inner,
                )
            ),
        )
    )
    def test_only_documented_errors_come_out(self, value: Any) -> None:
        with contextlib.suppress(MessageError):
            DelegationChain.from_json(value)


class TestTargets:
    @given(st.lists(links, max_size=4))
    def test_all_links_must_allow_a_canister(self, chain: list[SignedDelegation]) -> None:
        allowed = allowed_targets(chain)
        restricting = [frozenset(link.delegation.targets) for link in chain if link.delegation.targets is not None]
        assert allowed == (frozenset.intersection(*restricting) if restricting else None)

    def test_narrowing(self) -> None:
        wide = SignedDelegation(Delegation(b"", 0, (CANISTER, OTHER_CANISTER)), b"")
        narrow = SignedDelegation(Delegation(b"", 0, (OTHER_CANISTER,)), b"")
        assert allowed_targets([wide, narrow]) == frozenset({OTHER_CANISTER})
        assert DelegationChain(b"", ()).targets is None
        assert DelegationChain(b"", ()).expiration_ns is None
