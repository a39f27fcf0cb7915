"""Ends that say something by themselves."""

from __future__ import annotations

import pytest

from icws_explore.capture import ClockInfo
from support.doctor_findings import ids, the_one
from support.session_captures import SessionScript


class TestClosedByApplication:
    def test_is_only_said(self):
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

    def test_a_scaled_clocks_proxy_may_be_late(self):
        script = SessionScript(clock=ClockInfo("scaled", 60.0)).opened().client_says(5, "a")
        assert ids(script.closed(5 + 80, "in", 1006)) == ("PROXY_IDLE",)

    def test_says_how_long_it_was_silent(self):
        assert "60.3 s after the last frame, about the 60 s" in the_one("PROXY_IDLE").explanation

    def test_a_close_with_a_code_is_no_loss(self):
        assert ids(SessionScript().opened().client_says(5, "a").closed(65, "out", 1000)) == ()
