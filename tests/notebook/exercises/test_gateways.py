"""The checks of written gateways judge what becomes of the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from icws_explore.lab.scenarios.faults import Downward, is_ack
from icws_explore.lab.simulator import simulate
from icws_explore.notebook.exercises import gateways as exercises
from icws_explore.protocol.messages import CanisterMessage

Relay = Callable[[int, bytes], list[bytes]]


def honest() -> Relay:
    return lambda _number, data: [data]


def repairing() -> Relay:
    early: dict[int, bytes] = {}
    sent = [0]

    def relay(_number: int, data: bytes) -> list[bytes]:
        early[CanisterMessage.decode(data).message.sequence_num] = data
        ready = []
        while sent[0] + 1 in early:
            sent[0] += 1
            ready.append(early.pop(sent[0]))
        return ready

    return relay


def holding(most: int) -> Callable[[], Relay]:
    def make() -> Relay:
        held: list[bytes] = []

        def relay(number: int, data: bytes) -> list[bytes]:
            held.append(data)
            if number > 1 and not is_ack(data) and len(held) < most:
                return []
            ready = held[:]
            held.clear()
            return ready

        return relay

    return make


def mute(number: int, data: bytes) -> list[bytes]:
    return [data] if number == 1 else []


class TestRepair:
    def test_the_client_of_a_gateway_that_sorts_notices_nothing(self) -> None:
        assert exercises.check_repair(repairing).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (7, "a function that returns a gateway"),
            (lambda: 7, "must return a function relay"),
            (honest, "the client closes: Error receiving message"),
            (lambda: mute, "only 0 messages reached the client"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = exercises.check_repair(answer)
        assert check.ok is False
        assert hint in check.text

    def test_a_gateway_must_return_a_list_of_bytes(self) -> None:
        with pytest.raises(TypeError, match="must relay a list of bytes"):
            exercises.check_repair(lambda: lambda _number, data: data)


class TestCanisterFirst:
    def test_two_delays_around_the_clients_timer(self) -> None:
        assert exercises.check_canister_first(lambda number: 40_000 if number < 10 else 62_000).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (7, "a function of a message's number"),
            (lambda _: 0, "nobody notices in 20 minutes"),
            (lambda number: 62_000 if number > 1 else 0, "the client closes first"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = exercises.check_canister_first(answer)
        assert check.ok is False
        assert hint in check.text

    @pytest.mark.parametrize("delay", [None, "40", float("nan")])
    def test_a_delay_that_is_no_number_is_named(self, delay: Any) -> None:
        with pytest.raises(TypeError, match=r"late_ms\(1\) must return milliseconds"):
            exercises.check_canister_first(lambda _number: delay)


class TestCheat:
    def test_late_by_less_than_a_certificate_lives_and_with_every_ack(self) -> None:
        check = exercises.check_cheat(holding(28))
        assert check.ok
        assert "neither side noticed" in check.text

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (7, "a function that returns a gateway"),
            (lambda: 7, "must return a function relay"),
            (honest, "only 0 s late on average"),
            (holding(10_000), "the client notices after"),
            (lambda: mute, "the canister gave up"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = exercises.check_cheat(answer)
        assert check.ok is False
        assert hint in check.text


class TestQuiz:
    RUNS: ClassVar = {
        "fine": simulate("echo", duration="6m", crypto="stand-in"),
        "deaf": simulate(
            "echo", duration="8m", crypto="stand-in",
            faults=Downward(mute),
        ),
    }  # fmt: skip

    def when(self) -> float:
        frames = self.RUNS["deaf"].raw.frames
        return next(frame.t for frame in frames if frame.op == "close") - frames[0].t

    def test_takes_the_party_and_the_time(self) -> None:
        assert exercises.check_quiz(self.RUNS, {"fine": ("nobody", None), "deaf": ("client", self.when())}).ok

    def test_the_timer_is_not_counted_from_the_opening(self) -> None:
        """That would be ten seconds less."""
        when = self.when()
        for seconds, ok in ((when - 10, False), (when - 4, True), (when + 4, True), (when + 10, False)):
            check = exercises.check_quiz(self.RUNS, {"fine": ("nobody", None), "deaf": ("client", seconds)})
            assert bool(check.ok) is ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (..., "write a dictionary"),
            (7, "a dictionary with the keys fine, deaf"),
            ({"fine": "nobody", "deaf": ("client", 1)}, "fine: an answer is a pair"),
            ({"fine": ("client", 1), "deaf": ("canister", 1)}, "0 of 2 are right"),
            ({"fine": ("nobody", None), "deaf": ("client", 1)}, "1 of 2 are right"),
            ({"fine": ["nobody", None], "deaf": ["client", 1]}, "1 of 2 are right"),
            ({"fine": ("nobody", 900), "deaf": ("client", 1)}, "fine: if nobody ends it, the seconds are None"),
            ({"fine": ("nobody", None), "deaf": ("client", None)}, "deaf: seconds are a number"),
            ({"fine": ("Nobody", None), "deaf": ("client", 1)}, "fine: one of 'client', 'canister', 'nobody'"),
            ({"fine": ("nobody", None), "deaf": ("client", "soon")}, "seconds are a number"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = exercises.check_quiz(self.RUNS, answer)
        assert not check.ok
        assert hint in check.text


@pytest.mark.parametrize("check", [exercises.check_repair, exercises.check_canister_first, exercises.check_cheat])
def test_an_open_exercise_says_what_to_write(check: Any) -> None:
    assert check(...).ok is None
    assert "write a function" in check(...).text
