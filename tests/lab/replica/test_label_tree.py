from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.lab.replica.state_tree import LabelTree
from icws_explore.protocol.hashtree import Absent, Found, build, disorder, leaves, lookup, root_hash

# Few and close together, so that keys share long prefixes and look-ups often hit or just miss.
KEYS = st.binary(min_size=2, max_size=2) | st.sampled_from([b"\x00\x00", b"\x00\x01", b"\x80\x00", b"\xff\xff"])
CONTENTS = st.dictionaries(KEYS, st.binary(max_size=3), max_size=12)


def tree_of(content: dict[bytes, bytes]) -> LabelTree:
    tree = LabelTree()
    for key, value in content.items():
        tree.put(key, build({b"value": value}))
    return tree


class TestContent:
    @given(CONTENTS)
    def test_holds_every_label_in_order(self, content: dict[bytes, bytes]) -> None:
        tree = tree_of(content)
        assert dict(leaves(tree.tree)) == {(key, b"value"): value for key, value in content.items()}
        assert disorder(tree.tree) is None
        assert len(tree) == len(content)

    @given(CONTENTS, st.data())
    def test_root_hash_follows_from_the_content_alone(self, content: dict[bytes, bytes], data: st.DataObject) -> None:
        others = data.draw(st.dictionaries(KEYS, st.binary(max_size=3), max_size=6))
        tree = tree_of({**others, **content})
        for key in others:
            if key not in content:
                tree.remove(key)
        assert tree.tree.digest == tree_of(dict(sorted(content.items()))).tree.digest

    def test_removing_what_is_not_there_changes_nothing(self) -> None:
        tree = tree_of({b"aa": b"1"})
        tree.remove(b"ab")
        assert dict(leaves(tree.tree)) == {(b"aa", b"value"): b"1"}

    def test_put_replaces(self) -> None:
        tree = tree_of({b"aa": b"1", b"ab": b"2"})
        tree.put(b"aa", build({b"value": b"3"}))
        assert dict(leaves(tree.tree)) == {(b"aa", b"value"): b"3", (b"ab", b"value"): b"2"}


class TestWitness:
    @given(CONTENTS, st.lists(KEYS, max_size=4))
    def test_answers_as_the_whole_and_has_its_root_hash(self, content: dict[bytes, bytes], asked: list[bytes]) -> None:
        tree = tree_of(content)
        witness = tree.witness([(key, b"value") for key in asked])
        assert root_hash(witness) == tree.tree.digest
        for key in asked:
            expected = Found(content[key]) if key in content else Absent()
            assert lookup(witness, (key, b"value")) == expected

    @given(CONTENTS, KEYS)
    def test_shows_no_other_value(self, content: dict[bytes, bytes], asked: bytes) -> None:
        witness = tree_of(content).witness([(asked,)])
        assert {path[0] for path, _ in leaves(witness)} <= {asked}

    def test_without_a_label_shows_everything(self) -> None:
        tree = tree_of({b"aa": b"1", b"ab": b"2"})
        assert tree.witness([()]) == tree.tree
