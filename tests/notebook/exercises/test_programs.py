"""The checks of written programs accept what behaves right, however it is written, and say what is wrong otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.notebook.exercises import Check
from icws_explore.notebook.exercises import programs as exercises
from icws_explore.protocol import cbor, hashtree
from icws_explore.protocol.hashtree import Fork, HashTree, Labeled, Pruned
from icws_explore.protocol.request_id import request_id
from support.session_captures import healthy

FRUIT = hashtree.build({b"apple": b"red", b"lemon": b"yellow", b"plum": b"blue"})
CHERRY = (b"cherry",)


def hidden(tree: HashTree) -> Pruned:
    return Pruned(tree.digest)


def bare(tree: HashTree) -> Labeled:
    assert isinstance(tree, Labeled)
    return Labeled(tree.label, hidden(tree.tree))


def absence() -> HashTree:
    assert isinstance(FRUIT, Fork)
    assert isinstance(FRUIT.left, Fork)
    return Fork(Fork(bare(FRUIT.left.left), bare(FRUIT.left.right)), hidden(FRUIT.right))


def hinted(check: Check, hint: str) -> bool:
    return check.ok is False and hint in check.text


class TestFilter:
    @pytest.mark.parametrize(
        "right",
        ["kind in ['message', 'app']", "kind == 'app' or kind == 'message'", "not kind not in ('app', 'message')"],
    )
    def test_any_filter_that_keeps_the_right_frames(self, right: str) -> None:
        assert exercises.check_filter(right).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (7, "a filter is text"),
            ("kind ==", "cannot read the filter"),
            ("kind = 'app'", "compare with ==, not with ="),
            ("kind == app", "text has quotes"),
            ("kind == 'app'", "it drops a frame of the kind message"),
            ("sequence_num > 0", "it keeps a frame of the kind"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        assert hinted(exercises.check_filter(answer), hint)


class TestRequestId:
    def test_a_function_of_ones_own(self) -> None:
        assert exercises.check_request_id_function(lambda content: request_id(dict(content))).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (b"", "a function of a dictionary"),
            (lambda _: "text", "returned 'text'"),
            (lambda _: bytes(32), "compare them with the table"),
            (request_id, "the package's function"),
            (lambda content: joined(content.items()), "sort the pairs of hashes as bytes"),
            (lambda content: joined(sorted(content.items())), "you sorted the names"),
            (lambda content: sha256(b"".join(sorted(hashed(v) for v in content.values()))).digest(), "names"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        assert hinted(exercises.check_request_id_function(answer), hint)


def hashed(value: str | bytes) -> bytes:
    return sha256(value.encode() if isinstance(value, str) else value).digest()


def joined(fields: Iterable[tuple[str, str | bytes]]) -> bytes:
    return sha256(b"".join(hashed(name) + hashed(value) for name, value in fields)).digest()


def rewritten(data: bytes, **changes: Any) -> bytes:
    frame = cbor.loads(data)
    content = dict(reversed({**frame["envelope"]["content"], **changes}.items()))
    frame["envelope"] = {**frame["envelope"], "content": content}
    return cbor.dumps(frame, tagged=True)


class TestRewritten:
    def test_another_order_of_the_fields(self) -> None:
        assert exercises.check_rewritten(Recording(healthy()), rewritten).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (b"", "a function of the bytes"),
            (lambda data: data, "these are the same bytes"),
            (list, "must return bytes, not list"),
            (lambda data: data[:-1], "cannot read it any more"),
            (lambda data: rewritten(data, nonce=bytes(16)), "the step signature fails"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        assert hinted(exercises.check_rewritten(Recording(healthy()), answer), hint)


def root_hash(tree: hashtree.HashTree) -> bytes:
    """The root hash, from the values and labels alone."""

    def digest(kind: str, *parts: bytes) -> bytes:
        text = f"ic-hashtree-{kind}".encode()
        return sha256(bytes([len(text)]) + text + b"".join(parts)).digest()

    match tree:
        case hashtree.Leaf():
            return digest("leaf", tree.value)
        case hashtree.Labeled():
            return digest("labeled", tree.label, root_hash(tree.tree))
        case hashtree.Fork():
            return digest("fork", root_hash(tree.left), root_hash(tree.right))
        case hashtree.Empty():
            return digest("empty")
    return tree.digest


class TestRootHash:
    def test_a_function_that_is_right(self) -> None:
        assert exercises.check_root_hash_function(root_hash).ok

    def test_the_packages_own_function_is_no_answer(self) -> None:
        assert hinted(exercises.check_root_hash_function(hashtree.root_hash), "write your own")

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (FRUIT, "a function of a hash tree"),
            (lambda tree: root_hash(tree).hex(), "you gave"),
            (lambda tree: root_hash(hashtree.Leaf(b"a value")), "wrong for an empty tree"),
            (lambda tree: tree.digest, "wrong for a leaf (you gave b'')"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        assert hinted(exercises.check_root_hash_function(answer), hint)


class TestAbsence:
    def test_two_neighbours_without_their_values(self) -> None:
        assert exercises.check_absence(FRUIT, CHERRY, absence()).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            ("cherry", "a witness is a hash tree"),
            (hashtree.Empty(), "its root hash differs"),
            (hidden(FRUIT), "which two labels must be visible"),
            (FRUIT, "it also shows a value"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        assert hinted(exercises.check_absence(FRUIT, CHERRY, answer), hint)


class TestMaySign:
    def test_both_ends_belong_to_a_range(self) -> None:
        assert exercises.check_may_sign(lambda ranges, canister: any(a <= canister <= b for a, b in ranges)).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (True, "a function of a list"),
            (lambda ranges, canister: any(a < canister <= b for a, b in ranges), "the first canister"),
            (lambda ranges, canister: any(a <= canister < b for a, b in ranges), "the last canister"),
            (lambda _ranges, _canister: True, "may not sign"),
            (lambda ranges, canister: next((True for a, b in ranges if a <= canister <= b), None), "True or False"),
            (lambda ranges, canister: not ranges or any(a <= canister <= b for a, b in ranges), "without ranges"),
            (lambda ranges, canister: bool(ranges) and ranges[0][0] <= canister <= ranges[-1][1], "between two ranges"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        assert hinted(exercises.check_may_sign(answer), hint)


def last_steps(certified_data: bytes, tree: HashTree, key: str, content: bytes) -> str | None:
    if hashtree.root_hash(tree) != certified_data:
        return "certified_data"
    leaf = hashtree.lookup_value(tree, (b"websocket", key.encode()))
    if leaf is None:
        return "lookup"
    return None if leaf == sha256(content).digest() else "body"


class TestLastSteps:
    def test_the_three_comparisons_in_their_order(self) -> None:
        assert exercises.check_last_steps(last_steps).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            ("body", "the answer is a function"),
            (lambda *_: None, "for a witness of another message the answer is 'certified_data'"),
            (lambda *_: "body", "for a genuine message the answer is None"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        assert hinted(exercises.check_last_steps(answer), hint)


CHECKS = {
    "filter": exercises.check_filter,
    "request id": exercises.check_request_id_function,
    "rewritten": lambda answer: exercises.check_rewritten(Recording(healthy()), answer),
    "root hash": exercises.check_root_hash_function,
    "absence": lambda answer: exercises.check_absence(FRUIT, CHERRY, answer),
    "may sign": exercises.check_may_sign,
    "last steps": exercises.check_last_steps,
}


@pytest.mark.parametrize("name", CHECKS)
def test_an_open_exercise_says_what_to_write(name: str) -> None:
    check = CHECKS[name](...)
    assert check.ok is None
    assert "replace the three dots with your answer: write a" in check.text


def test_an_exception_of_the_learners_function_is_shown() -> None:
    def fails(_: object) -> bytes:
        raise KeyError("my own mistake")

    with pytest.raises(KeyError, match="my own mistake"):
        exercises.check_request_id_function(fails)
