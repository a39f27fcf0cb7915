"""The wait for an ack that ended a session."""

from __future__ import annotations

import pytest

from icws_explore.analysis.doctor.ack_wait import DEFAULT_S, acked_meanwhile, expected_s, spacing_s, wait_of
from icws_explore.analysis.doctor.facts import CaptureFacts, SessionFacts
from support.hand_written import Place


def sessions(place: Place, recorder: str = "tap") -> tuple[SessionFacts, ...]:
    return CaptureFacts(place.capture(recorder)).sessions


class TestWait:
    def test_begins_at_the_first_message(self):
        place = Place()
        place.visit().starts().says().wait(2).hears().wait(148).gives_up("Ack message timeout")
        (session,) = sessions(place)
        wait = wait_of(session)
        assert wait is not None
        assert (wait.start.sequence_num, round(wait.waited_s), wait.unacked) == (1, 150, [1])
        assert [d.sequence_num for d in wait.arrived] == [2]

    def test_begins_anew_at_each_ack(self):
        place = Place()
        place.visit().starts().chats(2).wait(200).ack_round().wait(330).gives_up("Ack message timeout")
        (session,) = sessions(place)
        wait = wait_of(session)
        assert wait is not None
        assert (wait.start, round(wait.waited_s), wait.unacked) == (session.acks[0], 330, [3])

    def test_of_other_ends_gives_none(self):
        place = Place()
        place.visit().starts().chats().wait(400).leaves()
        assert wait_of(sessions(place)[0]) is None


class TestExpected:
    @pytest.mark.parametrize(
        ("recorder", "waited_s", "expected"),
        [("tap", 150.0, 120.0), ("tap", 330.0, DEFAULT_S), ("tap", 450.0, DEFAULT_S), ("live", 90.0, 60.0)],
    )
    def test_is_what_the_wait_shows_if_that_is_less(self, recorder, waited_s, expected):
        place = Place()
        place.visit().starts().says().wait(waited_s).gives_up("Ack message timeout")
        (session,) = sessions(place, recorder)
        wait = wait_of(session)
        assert wait is not None
        assert expected_s(session, wait) == pytest.approx(expected)

    def test_an_ack_that_ends_the_session_itself_shows_nothing(self):
        place = Place()
        place.visit().starts().says().wait(340).is_acked(0).wait(0.01).gives_up("Ack message timeout")
        (session,) = sessions(place)
        wait = wait_of(session)
        assert wait is not None
        assert expected_s(session, wait) == DEFAULT_S


class TestOthers:
    def test_acks_of_another_session_of_the_canister(self):
        place = Place()
        one, other = place.visit("one").starts().chats(), place.visit("other").starts().chats()
        one.ack_round()
        other.ack_round().wait(300).ack_round().wait(30)
        one.gives_up("Ack message timeout")
        first, second = sessions(place)
        wait = wait_of(first)
        assert wait is not None
        assert acked_meanwhile(first, wait) is second.acks[1]
        assert spacing_s(first) == pytest.approx(300.01)
