from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.certificate import decode_ranges, encode_ranges, shown_ranges
from icws_explore.protocol.errors import DecodeError, MessageError
from icws_explore.protocol.hashtree import Leaf, build, prune
from icws_explore.protocol.principal import Principal

SUBNET = Principal(b"subnet")
principals = st.binary(max_size=29).map(Principal)


def canister(number: int) -> Principal:
    return Principal(number.to_bytes(8, "big") + b"\x01\x01")


def ranges(*pairs: tuple[int, int]) -> list[tuple[Principal, Principal]]:
    return [(canister(low), canister(high)) for low, high in pairs]


SHARDS = {
    canister(10).raw: encode_ranges(ranges((10, 12), (14, 15))),
    canister(20).raw: encode_ranges(ranges((20, 29))),
    canister(30).raw: encode_ranges(ranges((30, 30))),
}


class TestEncoding:
    @given(st.lists(st.tuples(principals, principals), max_size=5))
    def test_round_trip(self, pairs) -> None:
        assert decode_ranges(encode_ranges(pairs)) == tuple(pairs)

    def test_bytes(self) -> None:
        assert encode_ranges([(Principal(b"\x01"), Principal(b"\x02"))]).hex() == "d9d9f781824101" + "4102"

    @pytest.mark.parametrize("value", [{}, None, [1], [[b"", b"", b""]], [[b""]], [["a", "b"]], [[b"", 1]]])
    def test_refuses(self, value) -> None:
        with pytest.raises(MessageError):
            decode_ranges(cbor2.dumps(value))

    def test_refuses_bytes_that_are_not_a_principal(self) -> None:
        with pytest.raises(DecodeError):
            decode_ranges(cbor2.dumps([[bytes(30), b""]]))


class TestClassicLayout:
    """subnet/<id>/canister_ranges."""

    TREE = build({b"subnet": {SUBNET.raw: {b"canister_ranges": encode_ranges(ranges((1, 3), (7, 7)))}}})

    @pytest.mark.parametrize(("number", "held"), [(0, False), (1, True), (3, True), (4, False), (7, True), (8, False)])
    def test_both_ends_are_included(self, number, held) -> None:
        shown = shown_ranges(self.TREE, SUBNET, canister(number))
        assert shown.layout == "classic"
        assert (shown.holding(canister(number)) is not None) is held

    def test_of_another_subnet(self) -> None:
        shown = shown_ranges(self.TREE, Principal(b"other"), canister(1))
        assert shown.ranges == ()
        assert shown.hidden == "it shows no canister ranges of the subnet"

    def test_undecodable(self) -> None:
        tree = build({b"subnet": {SUBNET.raw: {b"canister_ranges": b"\xff"}}})
        assert "canister ranges: " in (shown_ranges(tree, SUBNET, canister(1)).hidden or "")


class TestShardedLayout:
    """canister_ranges/<id>/<first canister of the shard>."""

    TREE = build({b"canister_ranges": {SUBNET.raw: SHARDS}})

    @pytest.mark.parametrize(
        ("number", "held"),
        [(9, False), (10, True), (13, False), (15, True), (16, False), (20, True), (29, True), (30, True), (31, False)],
    )
    def test_only_one_shard_can_contain_the_canister(self, number, held) -> None:
        shown = shown_ranges(self.TREE, SUBNET, canister(number))
        assert shown.layout == "sharded"
        assert (shown.holding(canister(number)) is not None) is held

    @pytest.mark.parametrize("number", [10, 21, 30])
    def test_that_shard_is_enough(self, number) -> None:
        shard = canister(number // 10 * 10).raw
        tree = prune(self.TREE, [(b"canister_ranges", SUBNET.raw, shard)])
        assert shown_ranges(tree, SUBNET, canister(number)).holding(canister(number)) is not None

    def test_below_every_shard(self) -> None:
        shown = shown_ranges(self.TREE, SUBNET, canister(9))
        assert shown.hidden == "every shard of canister ranges that it shows begins above the canister"

    def test_the_shard_is_pruned(self) -> None:
        tree = prune(self.TREE, [(b"canister_ranges", SUBNET.raw, canister(25).raw)])  # absent: only labels are shown
        shown = shown_ranges(tree, SUBNET, canister(25))
        assert shown.hidden == "the shard of canister ranges that could contain the canister is pruned"

    def test_takes_precedence_over_the_classic_layout(self) -> None:
        classic = {SUBNET.raw: {b"canister_ranges": encode_ranges(ranges((1, 99)))}}
        tree = build({b"canister_ranges": {SUBNET.raw: SHARDS}, b"subnet": classic})
        assert shown_ranges(tree, SUBNET, canister(16)).holding(canister(16)) is None

    def test_a_leaf_instead_of_shards(self) -> None:
        tree = build({b"canister_ranges": {SUBNET.raw: b""}})
        assert shown_ranges(tree, SUBNET, canister(1)).layout is None
        assert shown_ranges(Leaf(b""), SUBNET, canister(1)).layout is None
