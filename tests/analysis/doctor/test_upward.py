"""Which message did not count: the network's answers leave nothing to guess."""

from __future__ import annotations

from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.doctor.facts import CaptureFacts
from icws_explore.analysis.doctor.missed import missed_by_answers
from icws_explore.protocol.canister import error_texts
from icws_explore.protocol.service_messages import CloseReason
from support.doctor_findings import the_one
from support.network_side import answered, err, ok, refused, rejected, trapped
from support.session_captures import SessionScript

KEY = SessionScript().client_key


def burst(count=3, apart=0.2):
    """Messages close together, frames 3, 4, … and a canister that closes at one of them."""
    script = SessionScript().opened()
    for number in range(count):
        script.client_says(5 + apart * number, "a")
    script.canister_closes(7 + apart * count, CloseReason.WRONG_SEQUENCE_NUMBER)
    return script.closed(7.1 + apart * count, "out", 4000, "Received close message from canister").capture


class TestAnswers:
    def test_a_trap(self):
        """Without the answers it is taken for a reordering, for the messages are close together."""
        assert the_one(burst()).id == "REORDERED_RELAY"
        finding = the_one(answered(burst(), {1: ok(), 3: ok(), 4: trapped("no such room"), 5: err("…")}))
        assert finding.id == "ON_MESSAGE_TRAP"
        assert "The client's message 2 (frame" in finding.explanation
        assert "no such room" in finding.explanation
        assert "The canister closed at the next message" in finding.explanation

    def test_a_reordering(self):
        """Far apart, it would be taken for a trap."""
        assert the_one(burst(apart=20)).id == "ON_MESSAGE_TRAP"
        answers = {1: ok(), 3: ok(), 4: err("…"), 5: err(error_texts.wrong_sequence_num(2, 3))}
        finding = the_one(answered(burst(apart=20), answers))
        assert finding.id == "REORDERED_RELAY"
        assert "the canister executed 3 first" in finding.explanation
        assert "Expected incoming sequence number 2 but got 3" in finding.explanation

    def test_a_refusal(self):
        finding = the_one(answered(burst(), {1: ok(), 3: refused("overloaded", 503), 4: err("…")}))
        assert finding.id == "LOST_UP"
        assert 'did not count: the network refused it with HTTP 503, "overloaded"' in finding.explanation

    def test_one_that_the_gateway_never_relayed(self):
        capture = answered(burst(), {1: ok(), 3: ok(), 5: err(error_texts.wrong_sequence_num(2, 3))})
        finding = the_one(capture)
        assert finding.id == "LOST_UP"
        assert "The gateway never relayed the client's message 2" in finding.explanation

    def test_a_refusal_that_another_rule_is_about(self):
        expired = refused("Invalid request expiry: Specified ingress_expiry not within expected range: …")
        finding = the_one(answered(burst(), {1: ok(), 3: expired, 4: err("…")}))
        assert finding.id == "INGRESS_EXPIRY"
        gone = rejected("Canister x not found", 3)
        assert the_one(answered(burst(), {1: ok(), 3: gone})).id == "WRONG_CANISTER"

    def test_before_the_canister_has_closed(self):
        capture = SessionScript().opened().client_says(5, "a").capture
        finding = the_one(answered(capture, {1: ok(), 3: trapped("no")}))
        assert finding.id == "ON_MESSAGE_TRAP"
        assert "will be out of order" in finding.explanation

    def test_nothing_for_a_healthy_session(self):
        capture = answered(SessionScript().opened().client_says(5, "a").capture, {1: ok(), 3: ok()})
        assert missed_by_answers(CaptureFacts(capture).sessions[0]) is None
        assert diagnose(capture) == []

    def test_nothing_without_a_network_side(self):
        assert missed_by_answers(CaptureFacts(burst()).sessions[0]) is None

    def test_an_err_for_an_accepted_message_gives_none(self):
        capture = SessionScript().opened().client_says(5, "a").capture
        assert diagnose(answered(capture, {1: ok(), 3: err(error_texts.INVALID_SERVICE_MESSAGE)})) == []


class TestKeepAlives:
    def late(self, answer):
        script = SessionScript().opened().client_says(5, "a").acked(290, answered_after=0.1)
        script.canister_closes(350, CloseReason.KEEP_ALIVE_TIMEOUT)
        capture = script.closed(350.1, "out", 4000, "Received close message from canister").capture
        answers = {1: ok(), 3: ok()} | ({} if answer is None else {5: answer})
        return the_one(answered(capture, answers))

    def test_one_that_arrived_after_all(self):
        finding = self.late(err(error_texts.principal_not_connected(KEY.client_principal)))
        assert finding.id == "KEEPALIVE_LATE"
        assert "It did arrive: the canister answered Err" in finding.explanation

    def test_one_that_was_refused(self):
        finding = self.late(refused("busy", 503))
        assert finding.id == "LOST_UP"
        assert "busy" in finding.explanation

    def test_one_that_was_never_relayed(self):
        finding = self.late(None)
        assert finding.id == "LOST_UP"
        assert "The gateway did not relay it" in finding.explanation
