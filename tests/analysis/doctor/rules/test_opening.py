"""ws_open without an answer: named precisely only where something tells."""

from __future__ import annotations

from dataclasses import replace

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture
from support.certified_canister import GATEWAY
from support.doctor_findings import ids, the_one
from support.doctor_scenarios import SCENARIOS
from support.network_side import answered, err, ok, poll_rejected, polled, refused, rejected, trapped
from support.session_captures import START_S, SessionScript
from support.timing_captures import never_opened


class TestOpenTimeout:
    def test_says_what_it_was_not_and_what_to_record_next(self):
        finding = the_one("OPEN_TIMEOUT")
        assert "no OpenMessage for 60.0 s" in finding.explanation
        assert "signature, delegation, expiry and gateway are correct" in finding.explanation
        for cause in ("ON_OPEN_TRAP", "WRONG_CANISTER", "GATEWAY_NOT_REGISTERED", "STALE_NONCE"):
            assert cause in finding.explanation
        assert "record the network side" in finding.explanation

    def test_a_user_who_left_before(self):
        capture = never_opened()
        assert ids(Capture(capture.info, capture.frames[:2])) == ()

    def test_a_har_that_does_not_say_how_long_the_page_waited(self):
        capture = never_opened()
        har = Capture(replace(capture.info, origin="har"), capture.frames[:2])
        (finding,) = diagnose(har)
        assert (finding.id, finding.severity, finding.frames) == ("OPEN_TIMEOUT", "warning", (0, 1))
        assert "does not say how long the page waited" in finding.explanation
        assert "STALE_NONCE" in finding.explanation
        assert "INGRESS_EXPIRY (the clock of both" in finding.explanation
        assert ids(Capture(har.info, SessionScript().opened().capture.frames)) == ()


class TestGatewayNotRegistered:
    def test_names_the_gateway_and_the_other_cause(self):
        finding = the_one("GATEWAY_NOT_REGISTERED")
        assert "2.3 s after a valid ws_open (frame 1)" in finding.explanation
        assert f"lacks the gateway {GATEWAY}" in finding.explanation
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
        assert "sent messages to other sessions" in finding.explanation
        alone = Capture(capture.info, capture.session("2").frames)
        assert diagnose(alone).ids == ("OPEN_TIMEOUT",)


class TestWithTheNetworksWords:
    """What was guessed is known: the finding quotes what the canister or the network said."""

    def the_one(self, answer):
        finding = the_one(answered(never_opened(), {1: answer}))
        assert "To tell, record" not in finding.explanation
        assert {2, 3} <= set(finding.frames)
        return finding

    def test_a_trap(self):
        finding = self.the_one(trapped("nobody is welcome"))
        assert finding.id == "ON_OPEN_TRAP"
        assert "nobody is welcome" in finding.explanation

    def test_a_trap_of_a_client_that_left_at_once(self):
        capture = answered(never_opened(), {1: trapped("no")})
        short = Capture(capture.info, capture.frames[:-1])
        assert diagnose(short).ids == ("ON_OPEN_TRAP",)
        assert diagnose(Capture(capture.info, never_opened().frames[:2])) == []

    def test_an_err(self):
        finding = self.the_one(err("Gateway with principal x is not registered"))
        assert finding.id == "GATEWAY_NOT_REGISTERED"
        assert "Gateway with principal x is not registered" in finding.explanation

    def test_another_err(self):
        finding = self.the_one(err("the house is full"))
        assert finding.id == "OPEN_TIMEOUT"
        assert 'answered Err "the house is full" (frame 3)' in finding.explanation

    def test_a_missing_canister(self):
        assert self.the_one(rejected("Canister x not found", 3)).id == "WRONG_CANISTER"

    def test_a_canister_without_the_cdk(self):
        finding = self.the_one(rejected("Canister has no update method 'ws_open'"))
        assert finding.id == "WRONG_CANISTER"
        assert "no update method" in finding.explanation

    def test_a_refused_signature(self):
        assert self.the_one(refused("Invalid signature: no")).id == "BAD_SIGNATURE"

    def test_it_ran_and_the_answer_was_lost(self):
        finding = self.the_one(ok())
        assert finding.id == "OPEN_TIMEOUT"
        assert "It was executed: the canister answered Ok (frame 3)" in finding.explanation

    def test_it_was_never_relayed(self):
        capture = polled(never_opened(), START_S + 5, poll_rejected("later", 2))
        finding = the_one(capture)
        assert finding.id == "OPEN_TIMEOUT"
        assert "the gateway did not relay it" in finding.explanation

    def test_what_became_of_it_is_not_recorded(self):
        assert "accepted it (frame 3)" in self.the_one((202, b"")).explanation

    def test_a_trap_is_no_guess_any_more(self):
        """The canister spoke to others meanwhile, but this ws_open did run."""
        capture = SCENARIOS["ON_OPEN_TRAP"]()
        asked = next(n for n, f in enumerate(capture.frames) if f.session == "2" and f.direction == "out")
        assert diagnose(answered(capture, {asked: ok()})).ids == ("OPEN_TIMEOUT",)

    def test_a_poll_that_failed_at_once(self):
        capture = SCENARIOS["GATEWAY_NOT_REGISTERED"]()
        finding = the_one(polled(capture, START_S + 2.3, poll_rejected("has no query method 'ws_get_messages'")))
        assert finding.id == "POLLER_DEAD"
        assert "no query method" in finding.explanation
