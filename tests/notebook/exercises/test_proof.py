from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from icws_explore.analysis import edit
from icws_explore.notebook.exercises import Check
from icws_explore.notebook.exercises import proof as exercises
from icws_explore.protocol import hashtree
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.hashtree import Leaf, build, prune
from support.proofs import frame_of, mainnet, simulated

TREE = build({b"fruit": {b"apple": b"red", b"lemon": b"yellow", b"plum": b"blue"}, b"time": b"1"})
LEMON = prune(TREE, [(b"fruit", b"lemon")])
NEW_YEAR_NS = 1_767_225_600 * 10**9
MESSAGE, APP = frame_of(simulated(), "message"), frame_of(simulated(), "app")


def envelope() -> Envelope:
    found = simulated()[MESSAGE].envelope
    assert found is not None
    return found


def lifetime() -> float:
    return (envelope().ingress_expiry_ns or 0) / 1e9 - simulated()[MESSAGE].frame.t


CASES: list[tuple[Callable[..., Check], tuple[Any, ...], Any, list[Any]]] = [
    (exercises.check_field_hash, (envelope(), "method_name"), sha256(b"ws_message").digest(),
     [sha256(b"method_name").digest(), sha256(b"x").digest(), sha256(b"ws_message").hexdigest(), None]),
    (exercises.check_signed_bytes, (envelope(),), b"\x0aic-request" + envelope().request_id,
     [envelope().request_id, b"ic-request" + envelope().request_id, b"", "text",
      b"0aic-request" + envelope().request_id, envelope().signed_bytes.hex()]),
    (exercises.check_lifetime, (simulated()[MESSAGE],), lifetime(),
     [lifetime() * 1e9, lifetime() + 30, 300, 0, True, "soon"]),
    (exercises.check_caught, (simulated(), APP, edit.flip(simulated()[APP], 200)), "body",
     ["sequence", "parse", "gateway", 7]),
    (exercises.check_caught, (simulated(), APP, simulated()[APP].frame), None, ["body"]),
    (exercises.check_root_hash, (TREE,), hashtree.root_hash(TREE), [b"", hashtree.root_hash(Leaf(b"")), "aa"]),
    (exercises.check_lookup, (LEMON, (b"fruit", b"cherry")), "unknown", ["absent", "found", "here", 1]),
    (exercises.check_lookup, (TREE, (b"fruit", b"cherry")), "absent", ["unknown", "found"]),
    (exercises.check_lookup, (LEMON, (b"fruit", b"lemon")), "found", ["unknown", "absent"]),
    (exercises.check_witness, (TREE, (b"fruit", b"plum")), prune(TREE, [(b"fruit", b"plum")]),
     [TREE, LEMON, Leaf(b"blue"), b"blue"]),
    (exercises.check_certificate_step, (mainnet()[0], NEW_YEAR_NS), "time", ["signature", "parse", "body", 0]),
    (exercises.check_covered_canister, (mainnet()[0],), str(mainnet()[1]), ["ryjl3-tyaaa-aaaaa-aaaba-cai", "x", 5]),
]  # fmt: skip


def _hash(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (_hash(b"\x10ic-hashtree-leaf", b"red"), "this is the leaf's hash"),
        (_hash(b"\x13ic-hashtree-labeled", b"apple", _hash(b"red")), "the leaf's is missing"),
        (_hash(b"\x13ic-hashtree-labeled", b"apple", b"red"), "not its value"),
        (_hash(b"apple", _hash(b"\x10ic-hashtree-leaf", b"red")), "the label's is missing"),
        (_hash(b"\x13ic-hashtree-labeled", _hash(b"\x10ic-hashtree-leaf", b"red")), "the label itself is missing"),
        (_hash(b"\x13ic-hashtree-labeled", _hash(b"apple"), _hash(b"\x10ic-hashtree-leaf", b"red")), "joined as it is"),
        (_hash(b"\x13ic-hashtree-labeled", b"apple", _hash(b"\x10ic-hashtree-leaf", b"red").hex().encode()), "as 32"),
        ("ab" * 32, "not .hexdigest()"),
        (sha256(b"red"), "sha256(…).digest() gives them"),
        (_hash(b"apple", _hash(b"red")), "both separators are missing"),
        (bytes(32), "begins with a separator"),
    ],
)
def test_a_slip_in_a_root_hash_has_its_own_hint(answer: Any, hint: str) -> None:
    check = exercises.check_root_hash(hashtree.Labeled(b"apple", Leaf(b"red")), answer)
    assert check.ok is False
    assert hint in check.text


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (b"\x0aic-request", "the request id comes after it"),
        (envelope().request_id + b"\x0aic-request", "the separator comes first"),
        (_hash(envelope().signed_bytes), "not their hash"),
        (b"\x0aic-request" + envelope().request_id.hex().encode(), "hexadecimal digits of the request id"),
        (b"0aic-request" + envelope().request_id, "0x0a is one byte"),
    ],
)
def test_a_slip_in_the_signed_bytes_has_its_own_hint(answer: bytes, hint: str) -> None:
    check = exercises.check_signed_bytes(envelope(), answer)
    assert check.ok is False
    assert hint in check.text


def test_seconds_from_nanoseconds_are_no_life_time() -> None:
    expiry_ns = envelope().ingress_expiry_ns or 0
    check = exercises.check_lifetime(simulated()[MESSAGE], expiry_ns - simulated()[MESSAGE].frame.t)
    assert "divide by 1e9 first" in check.text


@pytest.mark.parametrize(("check", "given", "right", "wrong"), CASES, ids=[case[0].__name__ for case in CASES])
class TestEveryCheck:
    def test_waits_for_an_answer(self, check: Any, given: Any, right: Any, wrong: Any) -> None:
        result = check(*given, ...)
        assert result.ok is None
        assert result.text.startswith("– replace the three dots with your answer")

    def test_takes_the_right_answer(self, check: Any, given: Any, right: Any, wrong: Any) -> None:
        if right is not None:
            assert check(*given, right).ok is True

    def test_refuses_others_with_a_hint_that_is_not_the_answer(
        self, check: Any, given: Any, right: Any, wrong: Any
    ) -> None:
        for answer in wrong:
            result = check(*given, answer)
            assert result.ok is False
            assert len(result.text) > 20
