from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.protocol import hashtree
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.hashtree import HashTree, Labeled, Leaf, build, prune
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.views.proof import (
    MAX_ROWS,
    proof_for,
    proof_of_certificate,
    proof_of_frame,
    proof_tree,
    short_label,
    tree_text,
)
from support.proofs import frame_of, mainnet, simulated, with_frame


class TestOfAFrame:
    def test_is_verified_as_the_recording_is(self) -> None:
        recording = simulated()
        for verdict in recording.verify():
            proof = proof_of_frame(recording, verdict.frame)
            assert [(s.step, s.ok) for s in proof.steps] == [(s.step, s.ok) for s in verdict.steps]

    def test_accepts_a_number_from_the_end(self) -> None:
        number = frame_of(simulated(), "app")
        assert proof_of_frame(simulated(), number - len(simulated())) == proof_of_frame(simulated(), number)

    def test_under_another_root_key_the_delegation_fails(self) -> None:
        proof = proof_of_frame(simulated(), frame_of(simulated(), "app"), root_key=MAINNET_ROOT_KEY)
        assert proof.failure is not None
        assert proof.failure.step == "delegation"

    def test_lights_the_paths_that_prove_the_message(self) -> None:
        proof = proof_of_frame(simulated(), frame_of(simulated(), "app"))
        assert proof.canister_id is not None
        assert set(proof.certificate_paths) == {(b"time",), (b"canister", proof.canister_id.raw, b"certified_data")}
        assert proof.message is not None
        assert proof.witness_paths == [(b"websocket", proof.message.key.encode())]

    def test_without_a_root_key_is_shown_unchecked(self) -> None:
        raw = simulated().raw
        proof = proof_of_frame(Capture(replace(raw.info, root_key=None), raw.frames), frame_of(simulated(), "app"))
        assert proof.steps == ()
        assert "root key" in proof.note
        assert proof.witness is not None

    def test_needs_a_frame_with_a_certificate(self) -> None:
        with pytest.raises(IcwsError, match="handshake"):
            proof_of_frame(simulated(), 0)
        with pytest.raises(IndexError, match="there is no frame 9999"):
            proof_of_frame(simulated(), 9999)

    def test_has_none_for_what_cannot_be_read(self) -> None:
        recording: Recording = simulated()
        number = frame_of(recording, "app")
        broken = replace(recording.raw.frames[number], data=CanisterMessage("k", b"", b"\xff", b"\xff").encode())
        proof = proof_of_frame(with_frame(recording, number, broken), number)
        assert (proof.certificate, proof.witness, proof.trees) == (None, None, [])
        assert proof.failure is not None
        assert proof.failure.step == "parse"


class TestOfACertificate:
    def test_of_mainnet_passes_at_its_own_time_and_not_long_after(self) -> None:
        cert, canister_id = mainnet()
        proof = proof_of_certificate(cert, canister_id=canister_id)
        assert all(step.ok for step in proof.steps)
        late = proof_of_certificate(cert, canister_id=canister_id, now_ns=1_795_000_000 * 10**9)
        assert late.failure is not None
        assert late.failure.step == "time"

    def test_lights_all_values(self) -> None:
        assert [path[-1] for path in proof_of_certificate(mainnet()[0]).certificate_paths] == [
            b"reply", b"status", b"time",
        ]  # fmt: skip

    def test_of_garbage_has_a_failed_step(self) -> None:
        proof = proof_of_certificate(b"garbage")
        assert proof.certificate is None
        assert proof.failure is not None


class TestFor:
    def test_takes_a_recording_or_a_certificate(self) -> None:
        assert proof_for(mainnet()[0]).message is None
        number = frame_of(simulated(), "app")
        assert proof_for(simulated(), number) == proof_of_frame(simulated(), number)
        with pytest.raises(TypeError, match="number is missing"):
            proof_for(simulated())

    def test_refuses_another_canister_or_time_for_a_recording(self) -> None:
        number = frame_of(simulated(), "app")
        with pytest.raises(TypeError, match="a recording has its own"):
            proof_for(simulated(), number, now_ns=1)


TREE = build({b"a": {b"x": b"1", b"y": b"2"}, b"b": b"3", b"time": b"\x80\xb8\xd9\xe5\xe5\xdb\xc0\xc3\x18"})


def leaf(value: bytes, *path: bytes) -> tuple[str, str]:
    """The short and the full text of a value at ``path``."""
    tree: HashTree = Leaf(value)
    for label in reversed(path):
        tree = Labeled(label, tree)
    (node,) = [node for node in proof_tree(tree).walk() if node.kind == "leaf"]
    return node.text, node.full


def texts(root: object, kind: str) -> list[str]:
    return [node.text for node in root.walk() if node.kind == kind]  # type: ignore[attr-defined]


class TestLitNodes:
    def test_are_those_on_the_way_to_each_path(self) -> None:
        root = proof_tree(TREE, [(b"a", b"y")])
        assert [node.text for node in root.walk() if node.lit and node.text] == ["a", "y", "0x32"]

    def test_do_not_exist_for_a_missing_path(self) -> None:
        assert not any(node.lit for node in proof_tree(TREE, [(b"a", b"z")]).walk())

    def test_may_end_at_a_label(self) -> None:
        assert [node.text for node in proof_tree(TREE, [(b"a",)]).walk() if node.lit and node.text] == ["a"]


class TestNodes:
    def test_have_the_hash_of_their_part(self) -> None:
        pruned = prune(TREE, [(b"time",)])
        root = proof_tree(pruned, [(b"time",)])
        assert root.digest == hashtree.root_hash(TREE)
        assert all(node.text.startswith("pruned ") for node in root.walk() if node.kind == "pruned")
        assert texts(root, "pruned")

    def test_show_a_time_as_such(self) -> None:
        assert any(text.startswith("20") and text.endswith("UTC") for text in texts(proof_tree(TREE), "leaf"))

    def test_show_a_word_as_text(self) -> None:
        assert leaf(b"red", b"fruit", b"apple") == ("'red'", "'red' (0x726564)")
        for value in (b"1", b"a\nb", b"\x80abc", b"A" * 32):
            assert leaf(value, b"x")[0].startswith("0x")

    @given(st.lists(st.binary(max_size=8), max_size=4), st.binary(max_size=80))
    def test_have_a_printable_text_for_any_value(self, path: list[bytes], value: bytes) -> None:
        for wanted in (path, [*path, b"time"], [*path, b"public_key"], [b"canister_ranges", *path], [b"status"]):
            short, full = leaf(value, *wanted)
            assert short.isprintable()
            assert full.isprintable()
            assert len(short) <= 120


class TestManyLeaves:
    BIG = build({f"{number:04}".encode(): b"v" for number in range(500)})

    def test_are_folded_away_from_the_lit_paths(self) -> None:
        root = proof_tree(self.BIG, [(b"0123",)])
        assert root.rows <= MAX_ROWS
        folded = [int(text.split()[0]) for text in texts(root, "folded")]
        assert sum(folded) + len(texts(root, "leaf")) == 500

    def test_are_folded_if_nothing_is_lit(self) -> None:
        assert proof_tree(self.BIG).rows == 2

    def test_keep_the_root_hash(self) -> None:
        assert proof_tree(self.BIG).digest == hashtree.root_hash(self.BIG)


@pytest.mark.parametrize("text", ["", "short", "a" * 22, "b" * 23, "c" * 90])
def test_a_label_fits_its_box(text: str) -> None:
    assert len(short_label(text)) <= 22
    assert short_label(text)[-5:] == text[-5:]


def test_one_value_is_a_tree() -> None:
    assert proof_tree(Leaf(b"v"), [()]).lit


class TestTreeText:
    TREE = build({b"a": b"1", b"b": b"2"})

    def test_marks_lit_nodes(self) -> None:
        assert tree_text(proof_tree(self.TREE, [(b"b",)])) == "› ┬\n    a\n      0x31\n›   b\n›     0x32"

    def test_adds_hashes_on_demand(self) -> None:
        lines = tree_text(proof_tree(self.TREE), digests=True).splitlines()
        assert lines[0] == f"  ┬   # {hashtree.root_hash(self.TREE)[:4].hex()}…"
