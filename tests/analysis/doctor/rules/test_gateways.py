"""All sessions at once: a dead poller, a stall."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.capture import Capture, ClockInfo
from support.doctor_findings import ids, the_one
from support.doctor_scenarios import SCENARIOS
from support.network_side import answered, ok, poll_rejected, polled
from support.session_captures import START_S, SessionScript

SCALED = ClockInfo("scaled", 60.0)


def together(*scripts: SessionScript) -> Capture:
    frames = sorted((f for script in scripts for f in script.capture.frames), key=lambda frame: frame.t)
    return Capture(scripts[0].capture.info, frames)


class TestPollerDead:
    def test_counts_the_sessions(self):
        finding = the_one("POLLER_DEAD")
        assert "ended 3 open sessions without a code within 0 ms" in finding.explanation
        assert finding.sessions == ("1", "2", "3")

    def test_alone_it_says_what_else_would_confirm(self):
        finding = the_one(SessionScript().opened().client_says(5, "a").closed(90, "in", 1005))
        assert finding.id == "POLLER_DEAD"
        assert "none is in this recording" in finding.explanation

    def test_not_while_another_session_lives_on(self):
        dropped = SessionScript(session="1").opened().closed(90, "in", 1005)
        alive = SessionScript(session="2").opened().app_says(120, "b").closed(130, "out", 1000)
        assert "POLLER_DEAD" not in ids(together(dropped, alive))

    def test_before_the_open_message_where_others_opened(self):
        """As when somebody comes back and the queue of the canister was cut in between: a gap in the nonces."""
        before = SessionScript(session="1").opened().app_says(5, "a").closed(10, "out", 1000)
        waiting = SessionScript(session="2").opened(20)
        del waiting.capture.frames[2:]
        finding = the_one(together(before, waiting.closed(21, "in", 1005)))
        assert (finding.id, finding.sessions) == ("POLLER_DEAD", ("2",))
        assert "Other sessions of that canister did open through it" in finding.explanation

    def test_a_close_with_a_code_is_another_matter(self):
        assert ids(SessionScript().opened().closed(90, "in", 1001)) == ("GATEWAY_RESTART",)


class TestPollerDeadByItsPoll:
    def dropped(self):
        return SessionScript().opened().client_says(5, "a").closed(90, "in", 1005).capture

    def test_quotes_what_the_poll_was_answered(self):
        finding = the_one(polled(self.dropped(), START_S + 89.9, poll_rejected("Canister x is stopped")))
        assert "Canister x is stopped" in finding.explanation
        assert "record the network" not in finding.explanation

    def test_says_that_no_poll_failed(self):
        capture = answered(self.dropped(), {1: ok(), 3: ok()})
        assert "None of the recorded polls failed" in the_one(capture).explanation


class TestStall:
    def test_says_how_long_and_of_how_many(self):
        finding = the_one("SLOW_CLIENT_STALL")
        assert finding.severity == "warning"
        assert "messages of 3 sessions arrived at once" in finding.explanation

    @pytest.mark.parametrize(("clock", "expected"), [(ClockInfo(), ()), (SCALED, ("SLOW_CLIENT_STALL",))])
    def test_a_scaled_clock_draws_a_burst_out(self, clock, expected):
        capture = SCENARIOS["SLOW_CLIENT_STALL"]()
        start, stall_s = capture.frames[0].t, 109.5
        frames = [  # each session's part of the burst comes 2.5 s behind the one before
            replace(f, t=f.t + 2.5 * int(f.session)) if stall_s <= f.t - start < stall_s + 1 else f
            for f in capture.frames
        ]
        assert ids(Capture(replace(capture.info, clock=clock), sorted(frames, key=lambda f: f.t))) == expected

    def test_one_session_alone_may_have_a_slow_line(self):
        capture = SCENARIOS["SLOW_CLIENT_STALL"]()
        assert ids(Capture(capture.info, capture.session("2").frames)) == ()
