from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from icws_explore.capture import Capture
from icws_explore.lab.scenarios import scenario
from icws_explore.lab.scenarios.faults import is_ack
from icws_explore.lab.simulator import simulate
from icws_explore.notebook.exercises import Check
from icws_explore.notebook.exercises import faults as exercises
from support.session_captures import healthy


@cache
def simulated(name: str) -> Capture:
    return scenario(name).run(3).raw


def altered() -> Capture:
    return simulated("BODY_HASH")


def trapped() -> Capture:
    return simulated("ON_MESSAGE_TRAP")


def mismatch() -> Capture:
    return exercises.case().raw


CASES: list[tuple[Callable[..., Check], Callable[[], Capture], Any, list[Any]]] = [
    (exercises.check_caught_at, altered, "body", ["signature", "sequence", "proof", 3]),
    (exercises.check_noticed_by, altered, "client", ["canister", "nobody", "gateway", 4000]),
    (exercises.check_noticed_by, trapped, "canister", ["client", "nobody"]),
    (exercises.check_noticed_by, healthy, "nobody", ["client", "canister"]),
    (
        exercises.check_closed_with,
        altered,
        (4000, "Error receiving message"),
        [(1000, ""), (4000, "Ack message timeout"), (4000, "no"), "late", 4000],
    ),
    (exercises.check_named, mismatch, "ACK_INTERVAL_MISMATCH", ["NO_ACKS", "BODY_HASH", 7]),
]


@pytest.mark.parametrize(
    ("check", "make", "right", "wrong"), CASES, ids=lambda value: getattr(value, "__name__", "case")
)
class TestEveryCheck:
    def test_waits_for_an_answer(self, check: Any, make: Any, right: Any, wrong: Any) -> None:
        assert check(make(), ...).ok is None

    def test_knows_the_right_answer(self, check: Any, make: Any, right: Any, wrong: Any) -> None:
        assert check(make(), right).ok is True

    def test_hints_at_wrong_ones(self, check: Any, make: Any, right: Any, wrong: Any) -> None:
        for answer in wrong:
            assert check(make(), answer).ok is False


class TestDoesNotTell:
    def test_neither_the_reason_nor_the_finding(self) -> None:
        assert "Error receiving" not in exercises.check_closed_with(altered(), (4000, "Ack message timeout")).text
        assert "MISMATCH" not in exercises.check_named(mismatch(), "NO_ACKS").text

    def test_causes_with_the_same_symptoms_get_another_hint(self) -> None:
        assert "this cause has the same symptoms" in exercises.check_named(mismatch(), "NO_ACKS").text
        assert "this cause has the same symptoms" not in exercises.check_named(mismatch(), "BODY_HASH").text


class TestNothingToAsk:
    def test_says_so(self) -> None:
        assert exercises.check_caught_at(healthy(), "body").ok is False
        assert exercises.check_named(healthy(), "NO_ACKS").ok is False
        unfinished = simulate(duration="30s", close_at_end=False).raw
        assert exercises.check_closed_with(unfinished, (4000, "x")).ok is False
        assert exercises.check_noticed_by(unfinished, "nobody").ok is True


class TestOwnGateway:
    def test_waits_for_an_answer(self) -> None:
        assert exercises.check_ack_timeout(...).ok is None

    def test_all_but_the_first_message_withheld(self) -> None:
        assert exercises.check_ack_timeout(lambda number, data: [data] if number == 1 else []).ok is True

    def test_acks_alone_leave_a_gap(self) -> None:
        outcome = exercises.check_ack_timeout(lambda number, data: [] if is_ack(data) else [data])
        assert outcome.ok is False
        assert "Error receiving message" in outcome.text

    def test_nothing_at_all_never_opens(self) -> None:
        outcome = exercises.check_ack_timeout(lambda number, data: [])
        assert outcome.ok is False
        assert "Open connection timeout" in outcome.text

    def test_an_honest_gateway_gives_no_finding(self) -> None:
        assert exercises.check_ack_timeout(lambda number, data: [data]).ok is False

    def test_a_number_is_no_gateway(self) -> None:
        assert exercises.check_ack_timeout(3).ok is False

    def test_a_wrong_result_is_reported_to_the_learner(self) -> None:
        with pytest.raises(TypeError, match="the gateway must relay a list of bytes"):
            exercises.check_ack_timeout(lambda number, data: None)
