"""ws_open without an answer: named precisely only where something tells."""

from __future__ import annotations

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture
from support.certified_canister import GATEWAY
from support.doctor_findings import ids, the_one
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript
from support.timing_captures import never_opened


class TestOpenTimeout:
    def test_says_what_it_was_not_and_what_to_record_next(self):
        finding = the_one("OPEN_TIMEOUT")
        assert "no OpenMessage for 60.0 s" in finding.explanation
        assert "signature, delegation, expiry and gateway are right" in finding.explanation
        for cause in ("ON_OPEN_TRAP", "WRONG_CANISTER", "GATEWAY_NOT_REGISTERED", "STALE_NONCE"):
            assert cause in finding.explanation
        assert "Record the network side" in finding.fix

    def test_a_user_who_left_before(self):
        capture = never_opened()
        assert ids(Capture(capture.info, capture.frames[:2])) == ()


class TestGatewayNotRegistered:
    def test_names_the_gateway_and_the_other_cause(self):
        finding = the_one("GATEWAY_NOT_REGISTERED")
        assert "2.3 s after a valid ws_open (frame 1)" in finding.explanation
        assert f"lacks {GATEWAY}" in finding.explanation
        assert "POLLER_DEAD" in finding.explanation

    def test_not_when_an_open_session_is_dropped_with_it(self):
        waiting, dropped = SessionScript(session="1").opened(90), SessionScript(session="2").opened()
        del waiting.capture.frames[2:]
        waiting.closed(91, "in", 1005)
        dropped.closed(91.5, "in", 1005)
        frames = [*dropped.capture.frames[:3], *waiting.capture.frames, *dropped.capture.frames[3:]]
        assert ids(Capture(waiting.capture.info, frames)) == ("POLLER_DEAD",)


class TestOnOpenTrap:
    def test_needs_a_canister_that_speaks_to_others(self):
        capture = SCENARIOS["ON_OPEN_TRAP"]()
        finding = the_one(capture)
        assert "spoke to other sessions" in finding.explanation
        alone = Capture(capture.info, capture.session("2").frames)
        assert diagnose(alone).ids == ("OPEN_TIMEOUT",)
