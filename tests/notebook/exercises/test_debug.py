from __future__ import annotations

from typing import Any

import pytest

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.recording import Recording
from icws_explore.lab.scenarios import scenario
from icws_explore.notebook.exercises import debug as exercises
from support.session_captures import healthy

DID = """service : {
  ws_open : (record { client_nonce : nat64; gateway_principal : principal }) -> (variant { Ok; Err : text });
  ws_close : (record { client_key : record { client_principal : principal; client_nonce : nat64 } })
    -> (variant { Ok; Err : text });
  ws_message : (record { msg : record {
      client_key : record { client_principal : principal; client_nonce : nat64 };
      sequence_num : nat64; timestamp : nat64; is_service_message : bool; content : blob
    } }, opt text) -> (variant { Ok; Err : text });
  ws_get_messages : (record { nonce : nat64 }) -> (variant { Err : text; Ok : record {
      messages : vec record { client_key : record { client_principal : principal; client_nonce : nat64 };
        key : text; content : blob };
      cert : blob; tree : blob; is_end_of_queue : bool } }) query;
}"""


class TestFirstEvidence:
    capture = scenario("ON_MESSAGE_TRAP").run(3).raw

    def test_waits_for_an_answer(self) -> None:
        assert exercises.check_first_evidence(self.capture, ...).ok is None

    def test_is_where_it_began(self) -> None:
        first, *others = diagnose(self.capture)[0].frames
        assert exercises.check_first_evidence(self.capture, first).ok is True
        for wrong in (*others, first - 1, "x", True):
            assert exercises.check_first_evidence(self.capture, wrong).ok is False

    def test_nothing_to_find(self) -> None:
        assert exercises.check_first_evidence(healthy(), 1).ok is False


class TestClientInterval:
    def test_waits_for_an_answer(self) -> None:
        assert exercises.check_client_interval(200_000, ...).ok is None

    def test_is_the_canisters(self) -> None:
        assert exercises.check_client_interval(200_000, 200_000).ok is True

    @pytest.mark.parametrize("wrong", [90_000, 900_000, 0, -1, "200 s", True])
    def test_anything_else_is_wrong(self, wrong: object) -> None:
        outcome = exercises.check_client_interval(200_000, wrong)
        assert outcome.ok is False
        assert "200000" not in outcome.text


class TestInterface:
    def test_waits_for_an_answer(self) -> None:
        assert exercises.check_interface(...).ok is None

    def test_a_good_one(self) -> None:
        assert exercises.check_interface(DID).ok is True

    @pytest.mark.parametrize(("old", "new"), [("opt text", "text"), (", opt text", ""), ("service", "servant")])
    def test_what_the_sdk_cannot_use(self, old: str, new: str) -> None:
        assert exercises.check_interface(DID.replace(old, new)).ok is False

    def test_a_number_is_no_interface(self) -> None:
        assert exercises.check_interface(3).ok is False


def repeated(recording: Recording, *, per_session: bool = True, within_s: float = 2.0) -> list[int]:
    found = []
    last: dict[Any, DecodedFrame] = {}
    for frame in recording:
        if frame.kind != "message":
            continue
        session = frame.frame.session if per_session else None
        before = last.get(session)
        if before and before.value == frame.value and frame.frame.t - before.frame.t <= within_s:
            found.append(frame.number)
        last[session] = frame
    return found


class TestRule:
    def test_finds_double_orders_of_one_customer(self) -> None:
        assert exercises.check_rule(repeated).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (7, "a function of a recording"),
            (lambda _: 7, "a rule returns a list"),
            (lambda _: [], "it finds nothing for an order that is sent twice"),
            (
                lambda recording: repeated(recording, within_s=60),
                "a false alarm for the same order half a minute later",
            ),
            (lambda recording: repeated(recording, per_session=False), "a false alarm for two customers"),
            (lambda recording: repeated(recording)[:1], "which is not every repetition"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = exercises.check_rule(answer)
        assert check.ok is False
        assert hint in check.text

    def test_an_open_exercise_says_what_to_write(self) -> None:
        assert "write a function of a recording" in exercises.check_rule(...).text
