from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from icws_explore.capture import Capture
from icws_explore.lab.scenarios.faults import Downward
from icws_explore.lab.simulator import simulate
from icws_explore.notebook.exercises import Check
from icws_explore.notebook.exercises import timing as exercises
from support.session_captures import SessionScript, healthy
from support.timing_captures import never_opened, still_open, unacked


def disorder() -> Capture:
    return SessionScript().opened().app_says(5, "a").app_says(6, "c", sequence_num=4).capture


def slow_clock() -> Capture:
    script = SessionScript().opened(latency=1.2).acked(70)
    for number, frame in enumerate(script.capture.frames):
        script.capture.frames[number] = type(frame)(frame.t - 40, frame.direction, frame.op, frame.data)
    return script.capture


CASES: list[tuple[Callable[..., Check], Callable[[], Capture], Any, list[Any]]] = [
    (exercises.check_covered, healthy, [1, 2, 3, 4, 5], [[5], [1, 2], range(1, 5), 5]),
    (exercises.check_first_fault, disorder, 4, [3, 0, "four"]),
    (exercises.check_fault_kind, disorder, "gap", ["swap", "duplicate", "late"]),
    (exercises.check_give_up, unacked, 335, [330, 305, 100, "late"]),
    (exercises.check_ack_interval, healthy, 300.4, [310, 200, "x"]),
    (exercises.check_slowest_keep_alive, healthy, 53.6, [55.8, 10, "x"]),
    (exercises.check_skew, slow_clock, -39.9, [39.9, 0, "x"]),
]


@pytest.mark.parametrize(
    ("check", "make", "right", "wrong"), CASES, ids=lambda value: getattr(value, "__name__", "case")
)
class TestEveryCheck:
    def test_waits_for_an_answer(self, check: Any, make: Any, right: Any, wrong: Any) -> None:
        assert check(make(), ...).ok is None

    def test_knows_the_right_answer(self, check: Any, make: Any, right: Any, wrong: Any) -> None:
        assert check(make(), right).ok is True

    def test_hints_at_wrong_ones_and_does_not_tell(self, check: Any, make: Any, right: Any, wrong: Any) -> None:
        for answer in wrong:
            outcome = check(make(), answer)
            assert outcome.ok is False
            assert str(right) not in outcome.text


def test_the_spacing_at_the_client_is_not_the_interval_of_a_slow_gateways_canister() -> None:
    faults = Downward(lambda _number, data: [data], late_ms=lambda number: 150 * number)
    slow = simulate("echo", duration="20m", ack_interval_ms=200_000, seed=1, faults=faults, crypto="stand-in")
    arrived = slow.timing().acks["received_s"].diff().mean()
    assert exercises.check_ack_interval(slow, 200).ok
    check = exercises.check_ack_interval(slow, arrived)
    assert check.ok is False
    assert "so far apart they arrived" in check.text


class TestNothingToAsk:
    def test_says_so(self) -> None:
        for check, make in (
            (exercises.check_covered, still_open),
            (exercises.check_first_fault, healthy),
            (exercises.check_fault_kind, healthy),
            (exercises.check_give_up, healthy),
            (exercises.check_ack_interval, still_open),
            (exercises.check_slowest_keep_alive, never_opened),
        ):
            answer = "gap" if check is exercises.check_fault_kind else 1
            assert check(make(), answer).ok is False
