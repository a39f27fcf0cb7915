"""Ends that say something by themselves."""

from __future__ import annotations

import pytest

from icws_explore.capture import ClockInfo
from support.doctor_findings import ids, the_one
from support.hand_written import Place
from support.session_captures import SessionScript


class TestClosedByApplication:
    def test_is_only_noted(self):
        finding = the_one("CLOSED_BY_APPLICATION")
        assert finding.severity == "info"
        assert "9.0 s after its start (frame 5)" in finding.explanation


class TestProxyIdle:
    @pytest.mark.parametrize(
        ("idle_s", "expected"),
        [
            (48, "CONNECTION_LOST"),
            (56, "PROXY_IDLE"),
            (64, "PROXY_IDLE"),
            (80, "CONNECTION_LOST"),
            (101, "PROXY_IDLE"),
            (187, "CONNECTION_LOST"),
            (241, "PROXY_IDLE"),
            (300, "CONNECTION_LOST"),
        ],
    )
    def test_after_the_usual_times(self, idle_s, expected):
        script = SessionScript(clock=ClockInfo()).opened().client_says(5, "a")
        assert ids(script.closed(5 + idle_s, "in", 1006)) == (expected,)

    @pytest.mark.parametrize(
        ("silences", "pause_s", "expected"),
        [
            ((12.02, 12.03), 6.0, "PROXY_IDLE"),
            ((12.02, 12.5), 6.0, "CONNECTION_LOST"),
            ((12.02, 12.03), 14.0, "CONNECTION_LOST"),  # it went on after a longer pause
            ((3.02, 3.03), 1.0, "CONNECTION_LOST"),
        ],
    )
    def test_a_brief_silence_counts_if_it_is_the_longest_and_always_the_same(self, silences, pause_s, expected):
        place = Place()
        for number, silence_s in enumerate(silences):
            place.visit(client_nonce=number).starts().chats(2 + number, think_s=pause_s).wait(silence_s).is_cut()
            place.wait(3)
        assert ids(place.capture()) == (expected,)

    @pytest.mark.parametrize(
        ("lives", "expected"), [((25.0, 25.1, 25.05), "LIFETIME_LIMIT"), ((25.0, 25.1, 25.6), "CONNECTION_LOST")]
    )
    def test_a_brief_life_counts_if_three_had_it(self, lives, expected):
        place = Place()
        for number, life_s in enumerate(lives):
            begun = place.now
            visit = place.visit(client_nonce=number).starts().chats(1 + number % 2)
            visit.wait(begun + life_s - place.now).is_cut()
            place.wait(3)
        assert ids(place.capture()) == (expected,)

    def test_a_scaled_clocks_proxy_may_be_late(self):
        script = SessionScript(clock=ClockInfo("scaled", 60.0)).opened().client_says(5, "a")
        assert ids(script.closed(5 + 80, "in", 1006)) == ("PROXY_IDLE",)

    def test_says_how_long_it_was_silent(self):
        assert "60.3 s after the last frame, about the 60 s" in the_one("PROXY_IDLE").explanation

    def test_a_close_with_a_code_is_no_loss(self):
        assert ids(SessionScript().opened().client_says(5, "a").closed(65, "out", 1000)) == ()
