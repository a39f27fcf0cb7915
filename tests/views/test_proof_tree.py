from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import hashtree
from icws_explore.protocol.hashtree import Leaf, build, prune
from icws_explore.views.proof import MAX_ROWS, leaf_texts, proof_tree, short_label

TREE = build({b"a": {b"x": b"1", b"y": b"2"}, b"b": b"3", b"time": b"\x80\xb8\xd9\xe5\xe5\xdb\xc0\xc3\x18"})


def texts(root: object, kind: str) -> list[str]:
    return [node.text for node in root.walk() if node.kind == kind]  # type: ignore[attr-defined]


class TestLit:
    def test_is_the_way_to_each_path_and_nothing_else(self) -> None:
        root = proof_tree(TREE, [(b"a", b"y")])
        assert [node.text for node in root.walk() if node.lit and node.text] == ["a", "y", "0x32"]

    def test_is_nothing_for_a_path_that_is_not_there(self) -> None:
        assert not any(node.lit for node in proof_tree(TREE, [(b"a", b"z")]).walk())

    def test_a_path_may_end_at_labels(self) -> None:
        assert [node.text for node in proof_tree(TREE, [(b"a",)]).walk() if node.lit and node.text] == ["a"]


class TestNodes:
    def test_have_the_hash_of_the_part_they_stand_for(self) -> None:
        pruned = prune(TREE, [(b"time",)])
        root = proof_tree(pruned, [(b"time",)])
        assert root.digest == hashtree.root_hash(TREE)
        assert all(node.text.startswith("pruned ") for node in root.walk() if node.kind == "pruned")
        assert texts(root, "pruned")

    def test_a_time_reads_as_one(self) -> None:
        assert any(text.startswith("20") and text.endswith("Z") for text in texts(proof_tree(TREE), "leaf"))

    def test_a_word_is_shown_as_one(self) -> None:
        assert leaf_texts((b"fruit", b"apple"), b"red") == ("'red'", "'red' (0x726564)")
        for value in (b"1", b"a\nb", b"\x80abc", b"A" * 32):
            assert leaf_texts((b"x",), value)[0].startswith("0x")

    @given(st.lists(st.binary(max_size=8), max_size=4), st.binary(max_size=80))
    def test_any_value_anywhere_is_said_in_printable_words(self, path: list[bytes], value: bytes) -> None:
        for wanted in (path, [*path, b"time"], [*path, b"public_key"], [b"canister_ranges", *path], [b"status"]):
            short, full = leaf_texts(tuple(wanted), value)
            assert short.isprintable()
            assert full.isprintable()
            assert len(short) <= 120


class TestManyValues:
    BIG = build({f"{number:04}".encode(): b"v" for number in range(500)})

    def test_are_folded_where_no_path_runs(self) -> None:
        root = proof_tree(self.BIG, [(b"0123",)])
        assert root.rows <= MAX_ROWS
        folded = [int(text.split()[0]) for text in texts(root, "folded")]
        assert sum(folded) + len(texts(root, "leaf")) == 500

    def test_are_folded_where_nothing_is_lit(self) -> None:
        assert proof_tree(self.BIG).rows == 2

    def test_the_root_hash_stays(self) -> None:
        assert proof_tree(self.BIG).digest == hashtree.root_hash(self.BIG)


@pytest.mark.parametrize("text", ["", "short", "a" * 22, "b" * 23, "c" * 90])
def test_a_label_fits_its_box(text: str) -> None:
    assert len(short_label(text)) <= 22
    assert short_label(text)[-5:] == text[-5:]


def test_one_value_is_a_tree() -> None:
    assert proof_tree(Leaf(b"v"), [()]).lit
