"""Genuine messages that are wrong, and right ones that a client refuses."""

from __future__ import annotations

from dataclasses import replace

from icws_explore.capture import Capture, ClockInfo
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.service_messages import CloseReason, OpenMessage
from support.certified_canister import GATEWAY
from support.doctor_findings import ids, the_one
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript


class TestAppTypeMismatch:
    def test_names_the_declared_type(self):
        finding = the_one("APP_TYPE_MISMATCH")
        assert "message 2 (frame 3" in finding.explanation
        assert 'record { "text" : text; timestamp : nat64 }' in finding.explanation

    def test_without_a_declared_type_the_client_reports_it(self):
        capture = SCENARIOS["APP_TYPE_MISMATCH"]()
        finding = the_one(Capture(replace(capture.info, app_type=None), capture.frames))
        assert finding.id == "APP_TYPE_MISMATCH"
        assert "which this recording does not name" in finding.explanation
        assert ids(Capture(replace(capture.info, app_type=None), capture.frames[:-1])) == ()

    def test_without_a_declared_type_it_has_to_be_candid(self):
        script = SessionScript().opened().canister_says(5, b"hello")
        finding = the_one(Capture(replace(script.capture.info, app_type=None), script.capture.frames))
        assert "not Candid" in finding.explanation

    def test_a_forged_one_is_a_forgery_first(self):
        script = SessionScript().opened().canister_says(5, b"hello").capture
        last = script.frames[-1]
        changed = replace(last, data=last.data.replace(b"hello", b"jello"))
        assert the_one(Capture(script.info, [*script.frames[:-1], changed])).id == "BODY_HASH"


class TestSdkRejectsValid:
    def test_says_which_message(self):
        explanation = the_one("SDK_REJECTS_VALID").explanation
        assert "after the first canister message (frame 2)" in explanation
        assert "it has no root key" in explanation

    def test_a_close_long_after_is_another_matter(self):
        script = SessionScript(clock=ClockInfo()).opened()
        assert ids(script.closed(9, "out", 4000, "Error receiving message")) == ("UNEXPLAINED_END",)

    def test_unless_the_clock_is_quick(self):
        """Seven seconds at × 60 are 117 ms of a busy machine's."""
        script = SessionScript(clock=ClockInfo("scaled", 60.0)).opened()
        assert ids(script.closed(9, "out", 4000, "Error receiving message")) == ("SDK_REJECTS_VALID",)

    def test_of_an_unknown_type_is_unknown(self):
        script = SessionScript().opened().client_says(3, "a").app_says(5, "a")
        capture = script.closed(5.1, "out", 4000, "Error receiving message").capture
        assert "it has no root key" not in the_one(capture).explanation
        assert ids(capture) == ("SDK_REJECTS_VALID",)
        assert ids(Capture(replace(capture.info, app_type=None), capture.frames)) == ("UNEXPLAINED_END",)


class TestClientKeyForeign:
    def test_names_both_keys(self):
        finding = the_one("CLIENT_KEY_FOREIGN")
        assert f"{GATEWAY}_5" in finding.explanation
        assert str(SessionScript().client_key) in finding.explanation

    def test_explains_the_gap_that_it_leaves(self):
        script = SessionScript().opened().app_says(5, "b", client_key=ClientKey(GATEWAY, 5), sequence_num=9)
        assert ids(script.closed(5.1, "out", 4000, "Error receiving message")) == ("CLIENT_KEY_FOREIGN",)

    def test_an_open_message_for_another(self):
        script = SessionScript()
        script.opened()
        del script.capture.frames[2:]
        script.canister.sequence_num = 0
        other = ClientKey(GATEWAY, 5)
        script.canister_says(2, OpenMessage(other), client_key=other)
        assert ids(script.closed(2.1, "out", 4000, "Service message error")) == ("CLIENT_KEY_FOREIGN",)


class TestUnknownCloseVariant:
    def test_names_the_reason(self):
        assert "closed with ClosedByApplication" in the_one("UNKNOWN_CLOSE_VARIANT").explanation

    def test_other_reasons_are_found_beside_it(self):
        script = SessionScript().opened().client_says(5, "a").acked(290, answered_after=None)
        script.canister_closes(350, CloseReason.KEEP_ALIVE_TIMEOUT).closed(350.1, "out", 4000, "Service message error")
        assert set(ids(script)) == {"NO_KEEPALIVE", "UNKNOWN_CLOSE_VARIANT"}
