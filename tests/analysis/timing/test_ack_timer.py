from __future__ import annotations

from itertools import pairwise

import pytest

from icws_explore.analysis.timing.acks import AckTimer, replay
from icws_explore.analysis.timing.instants import Received, Sent
from support.session_captures import healthy
from support.timing_captures import only, silent, unacked

ABOUT = 1e-5


def sent(at: float, number: int) -> Sent:
    return Sent(0, at, "message", number)


def ack(at: float, number: int) -> Received:
    return Received(0, at, "ack", at, acks=number)


class TestOneTimer:
    """AckMessagesQueue, queues.ts."""

    def test_starts_with_the_first_message_and_not_with_the_next(self) -> None:
        timer = AckTimer(300)
        timer.sent(sent(10, 1))
        timer.sent(sent(20, 2))
        assert timer.due == 340

    def test_every_ack_starts_it_anew_even_with_nothing_outstanding(self) -> None:
        timer = AckTimer(300)
        timer.sent(sent(10, 1))
        timer.received(ack(100, 1))
        assert (timer.due, timer.outstanding) == (430, ())
        timer.received(ack(200, 1))
        assert [(run.start, run.ending) for run in timer.runs] == [(10, "ack"), (100, "ack"), (200, "running")]

    def test_expires_at_its_instant_and_only_an_ack_starts_it_again(self) -> None:
        timer = AckTimer(300)
        timer.sent(sent(10, 1))
        timer.advance(339.999)
        assert timer.due == 340
        timer.advance(340)
        assert (timer.due, timer.runs[-1].ending, timer.runs[-1].end) == (None, "expired", 340)
        timer.sent(sent(350, 2))
        assert timer.due is None
        timer.received(ack(360, 2))
        assert timer.due == 690

    def test_an_ack_of_something_unsent_leaves_it_running(self) -> None:
        timer = AckTimer(300)
        timer.sent(sent(10, 1))
        timer.received(ack(20, 9))
        assert (timer.due, timer.outstanding) == (340, (1,))

    def test_numbers_that_do_not_ascend_are_not_watched(self) -> None:
        timer = AckTimer(300)
        timer.sent(sent(10, 2))
        timer.sent(sent(20, 1))
        assert timer.outstanding == (2,)

    def test_the_end_of_the_session_stops_it(self) -> None:
        timer = AckTimer(300)
        timer.sent(sent(10, 1))
        timer.closed(50)
        timer.sent(sent(60, 2))
        assert (timer.due, timer.runs[-1].ending, timer.oldest) == (None, "closed", None)


class TestReplay:
    def test_age_rises_by_a_second_a_second_and_falls_at_acks(self) -> None:
        _, corners = replay(only(healthy()))
        for before, after in pairwise(corners):
            rise = after.age_s - before.age_s
            assert rise <= 0 or rise == pytest.approx(after.at - before.at, abs=ABOUT)
        tops = [c.age_s for c, after in pairwise(corners) if after.age_s < c.age_s]
        assert tops == [pytest.approx(age, abs=ABOUT) for age in (208.4, 300.4, 300.1)]

    def test_the_timer_of_a_session_without_acks_expires(self) -> None:
        timer, _ = replay(only(unacked()))
        assert [(run.start, run.end, run.ending) for run in timer.runs] == [
            (pytest.approx(5, abs=ABOUT), pytest.approx(335, abs=ABOUT), "expired")
        ]

    def test_and_stops_when_the_session_ends_first(self) -> None:
        timer, _ = replay(only(silent()))
        assert [run.ending for run in timer.runs] == ["ack", "closed"]
