from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.canister.certified_map import CertifiedMap
from icws_explore.protocol.hashtree import (
    Absent,
    Empty,
    Fork,
    Found,
    FoundSubtree,
    Labeled,
    Leaf,
    Pruned,
    Unknown,
    build,
    decode,
    disorder,
    encode,
    leaves,
    lookup,
    root_hash,
    walk,
)
from support.motoko_traces import Replay

# Keys that are prefixes of each other, keys that differ in the last bit only, and the empty key.
keys = st.one_of(st.text("ab", max_size=4).map(str.encode), st.binary(max_size=2))
maps = st.dictionaries(keys, st.binary(max_size=3), max_size=12)


def certified(content: dict[bytes, bytes]) -> CertifiedMap:
    result = CertifiedMap()
    for key, value in content.items():
        result = result.insert(key, value)
    return result


class TestMotokoTraces:
    """The real CDK on ic-certification: equal root hashes, and witnesses that are equal byte for byte."""

    def test_every_trace(self, vectors) -> None:
        followed = witnesses = 0
        for trace in vectors("motoko_cdk_traces")["traces"]:
            replay = Replay(trace)
            for step in replay.steps():
                reply = step.get("reply")
                if not isinstance(reply, dict) or not reply.get("tree_hex"):
                    continue
                shown = [message["key"].encode() for message in reply["messages"]]
                assert encode(replay.certified.witness(shown)).hex() == reply["tree_hex"], trace["id"]
                witnesses += 1
            followed += replay.followed
        # The other steps hold messages that nobody polled; test_traces.py compares those.
        assert (followed, witnesses) == (151, 110)

    def test_an_empty_map(self) -> None:
        assert CertifiedMap().root_hash == Labeled(b"websocket", Empty()).digest


class TestShape:
    """The map is a radix tree over the bits of the keys."""

    def test_one_key(self) -> None:
        assert certified({b"k": b"v"}).tree == Labeled(b"websocket", Labeled(b"k", Leaf(b"v")))

    def test_zero_goes_left(self) -> None:
        zero, one = Labeled(b"\x2f", Leaf(b"0")), Labeled(b"\x30", Leaf(b"1"))
        assert certified({b"\x30": b"1", b"\x2f": b"0"}).tree == Labeled(b"websocket", Fork(zero, one))

    def test_a_prefix_comes_before_longer_keys(self) -> None:
        a, aa, ab = (Labeled(key, Leaf(key)) for key in (b"a", b"aa", b"ab"))
        assert certified({key: key for key in (b"ab", b"a", b"aa")}).tree == Labeled(
            b"websocket", Fork(a, Fork(aa, ab))
        )

    def test_the_empty_key(self) -> None:
        empty, a = Labeled(b"", Leaf(b"1")), Labeled(b"a", Leaf(b"2"))
        assert certified({b"a": b"2", b"": b"1"}).tree == Labeled(b"websocket", Fork(empty, a))

    @given(maps, st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_insertion(self, content, rng) -> None:
        shuffled = list(content.items())
        rng.shuffle(shuffled)
        assert certified(dict(shuffled)).tree == certified(content).tree

    @given(maps)
    def test_is_well_formed(self, content) -> None:
        tree = certified(content).tree
        assert disorder(tree) is None
        assert [path[-1] for path, _ in leaves(tree)] == sorted(content)

    def test_is_shallow_for_message_keys(self) -> None:
        content = {b"%s_%020d" % (gateway, nonce): b"" for gateway in (b"aaaaa", b"bbbbb") for nonce in range(1000)}
        # The upper 4 bits of all ASCII digits are equal, so a thousand nonces take at most 3 × 4 forks.
        assert max(depth for _, _, depth in walk(certified(content).tree)) <= 16


class TestPersistence:
    @given(maps, st.lists(st.tuples(keys, st.none() | st.binary(max_size=2)), max_size=8))
    def test_behaves_as_a_dict_and_does_not_change_old_versions(self, content, changes) -> None:
        current, expected = certified(content), dict(content)
        versions = [(current, dict(expected), current.root_hash)]
        for key, value in changes:
            if value is None:
                current = current.remove(key)
                expected.pop(key, None)
            else:
                current = current.insert(key, value)
                expected[key] = value
            versions.append((current, dict(expected), current.root_hash))
        for version, held, root in versions:
            assert list(version) == sorted(held)
            assert len(version) == len(held)
            assert {key: version.get(key) for key in version} == held
            assert version.root_hash == root == certified(held).root_hash

    def test_membership(self) -> None:
        content = certified({b"a": b"1"})
        assert b"a" in content
        assert b"b" not in content
        assert "a" not in content
        assert content.get(b"b") is None

    def test_removing_an_absent_key(self) -> None:
        content = certified({b"a": b"1", b"ab": b"2"})
        assert content.remove(b"b") is content
        assert content.remove(b"abc") is content

    def test_shares_all_but_one_path(self) -> None:
        before = certified({b"%020d" % number: b"" for number in range(1000)})
        after = before.insert(b"%020d" % 1000, b"")
        old = {id(node) for _, node, _ in walk(before.tree)}
        new = [node for _, node, _ in walk(after.tree) if id(node) not in old]
        assert len(new) < 20

    def test_repr_tells_size_and_root(self) -> None:
        content = certified({b"a": b"1"})
        assert repr(content) == f"CertifiedMap(1 keys under b'websocket', root hash {content.root_hash.hex()})"


class TestWitness:
    @given(maps, st.lists(keys, max_size=5))
    def test_has_the_root_hash_and_answers_every_key_asked_for(self, content, asked) -> None:
        whole = certified(content)
        witness = whole.witness(asked)
        assert root_hash(witness) == whole.root_hash
        assert decode(encode(witness)) == witness
        for key in asked:
            expected = Found(content[key]) if key in content else Absent()
            assert lookup(witness, (b"websocket", key)) == expected

    @given(maps, st.lists(keys, max_size=5))
    def test_shows_no_other_value(self, content, asked) -> None:
        shown = {path[-1] for path, _ in leaves(certified(content).witness(asked))}
        assert shown == set(asked) & set(content)

    def test_of_no_keys(self) -> None:
        whole = certified({b"a": b"1", b"b": b"2"})
        witness = whole.witness([])
        assert isinstance(witness, Labeled)
        assert isinstance(witness.tree, Pruned)
        assert root_hash(witness) == whole.root_hash
        assert lookup(witness, (b"websocket", b"a")) == Unknown()

    def test_of_an_empty_map(self) -> None:
        assert CertifiedMap().witness([b"a"]) == Labeled(b"websocket", Empty())

    def test_absence_shows_the_labels_of_the_neighbours(self) -> None:
        whole = certified({b"%d" % number: b"v" for number in range(1, 9)})
        witness = whole.witness([b"45"])
        names = [node.label for _, node, _ in walk(witness) if isinstance(node, Labeled)]
        assert names == [b"websocket", b"4", b"5"]

    def test_a_prefix_proves_the_absence_of_longer_keys(self) -> None:
        whole = certified({b"a": b"1", b"ac": b"2", b"x": b"3"})
        for absent in (b"ab", b"aa\x00", b"b", b"acc"):
            assert lookup(whole.witness([absent]), (b"websocket", absent)) == Absent()

    def test_under_another_label(self) -> None:
        other = CertifiedMap(b"http_assets").insert(b"/", b"hash")
        assert lookup(other.witness([b"/"]), (b"http_assets", b"/")) == Found(b"hash")


class TestSubtrees:
    """Values that are hash trees, as the lab's replica stores them."""

    TREE = build({b"reply": b"yes", b"status": b"replied"})

    def test_a_path_shows_one_label_of_a_subtree(self) -> None:
        whole = certified({b"a": b"1"}).insert(b"request", self.TREE)
        witness = whole.prune([(b"request", b"status")])
        assert root_hash(witness) == whole.root_hash
        assert [path for path, _ in leaves(witness)] == [(b"websocket", b"request", b"status")]

    def test_a_path_below_a_subtree_can_be_proved_absent(self) -> None:
        witness = certified({}).insert(b"request", self.TREE).prune([(b"request", b"sender")])
        assert lookup(witness, (b"websocket", b"request", b"sender")) == Absent()

    def test_a_key_shows_the_whole_subtree(self) -> None:
        witness = certified({b"a": b"1"}).insert(b"request", self.TREE).prune([(b"request",)])
        assert lookup(witness, (b"websocket", b"request")) == FoundSubtree(self.TREE)

    def test_an_empty_path_shows_the_whole_map(self) -> None:
        whole = certified({b"a": b"1"}).insert(b"request", self.TREE)
        assert whole.prune([()]) == whole.tree

    def test_a_subtree_has_no_value(self) -> None:
        whole = certified({}).insert(b"request", self.TREE)
        assert b"request" in whole
        assert whole.get(b"request") is None


class TestHostileKeys:
    def test_that_are_prefixes_of_each_other_need_no_recursion(self) -> None:
        content = CertifiedMap()
        for size in range(2398, -1, -2):
            content = content.insert(bytes(size), b"")
        assert len(content) == len(list(content)) == 1200
        assert root_hash(content.witness([bytes(2398), bytes(2397), bytes(1)])) == content.root_hash
        assert root_hash(content.tree) == content.root_hash
        assert content.remove(bytes(1200)).get(bytes(1202)) == b""


class TestCost:
    @pytest.mark.parametrize("count", [10_000])
    def test_only_one_path_is_hashed(self, count, monkeypatch) -> None:
        numbers = list(range(count))
        random.Random(1).shuffle(numbers)
        content = certified({b"gateway_%020d" % number: b"" for number in numbers})
        assert len(content.root_hash) == 32
        hashed = 0

        def counting(data: bytes):
            nonlocal hashed
            hashed += 1
            return sha256(data)

        monkeypatch.setattr("icws_explore.protocol.hashtree.nodes.sha256", counting)
        changed = content.insert(b"gateway_%020d" % count, b"")
        assert hashed == 2  # the value, and its label
        assert changed.root_hash != content.root_hash
        assert hashed < 30
        hashed = 0
        changed.witness([b"gateway_%020d" % number for number in range(5000, 5050)])
        assert hashed < 200
