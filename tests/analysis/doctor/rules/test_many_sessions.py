"""A client replaced, clients forgotten, a stale nonce: told from each other."""

from __future__ import annotations

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture
from icws_explore.lab.scenarios.faults import Upgrade
from icws_explore.lab.simulator import simulate
from icws_explore.protocol.canister import error_texts
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.service_messages import CloseReason
from support.doctor_findings import ids, the_one
from support.doctor_scenarios import SCENARIOS
from support.network_side import answered, err, ok
from support.session_captures import SessionScript

FORGOTTEN = error_texts.principal_not_connected(SessionScript().client_key.client_principal)


class TestTakeover:
    def test_names_both_sessions(self):
        finding = the_one("PRINCIPAL_TAKEOVER")
        assert finding.sessions == ("1", "2")
        assert "Session 2 opened with the principal of session 1" in finding.explanation
        assert "until it ended 302 s later" in finding.explanation

    def test_one_after_the_other_gives_none(self):
        first = SessionScript(session="1").opened().closed(20, "out", 1000)
        second = SessionScript(session="2")
        second.client_key = second.canister.client_key = ClientKey(first.client_key.client_principal, 4)
        second.opened(30).closed(60, "out", 1000)
        assert ids(Capture(first.capture.info, first.capture.frames + second.capture.frames)) == ()


class TestUpgrade:
    def test_two_gateways_make_it_certain(self):
        finding = the_one("UPGRADE_WIPE")
        assert "All 3 open sessions" in finding.explanation
        assert "at 2 gateways, so the canister is the reason" in finding.explanation

    def test_one_gateway_leaves_a_doubt(self):
        finding = the_one(simulate("echo", duration="20m", population=2, faults=Upgrade(400)).raw)
        assert finding.id == "UPGRADE_WIPE"
        assert "ACKS_WITHHELD" in finding.explanation

    def test_one_session_alone_cannot_tell(self):
        capture = SCENARIOS["UPGRADE_WIPE"]()
        findings = diagnose(Capture(capture.info, capture.session("1").frames))
        assert findings.ids == ("ACKS_WITHHELD",)
        assert "UPGRADE_WIPE" in findings[0].explanation


class TestByTheCanistersErr:
    """One session alone tells, where the canister's answer to its next message is recorded."""

    def told(self, text, *, at=20.0, session=None):
        script = SessionScript(session=session).opened().client_says(5, "a").app_says(7, "b").client_says(at, "c")
        return answered(script.capture, {1: ok(), 3: ok(), 5: err(text)})

    def test_forgotten(self):
        finding = the_one(self.told(FORGOTTEN))
        assert finding.id == "UPGRADE_WIPE"
        assert "relayed the client's frame 9, and the canister answered Err" in finding.explanation

    def test_forgotten_after_a_minute_may_be_a_close_that_was_withheld(self):
        assert ids(self.told(FORGOTTEN, at=70)) == ()

    def test_forgotten_after_a_close(self):
        script = SessionScript().opened().client_says(5, "a").canister_closes(6, CloseReason.CLOSED_BY_APPLICATION)
        script.client_says(6.1, "b").closed(6.2, "out", 4001, "ClosedByApplication")
        assert ids(answered(script.capture, {1: ok(), 3: ok(), 5: err(FORGOTTEN)})) == ("CLOSED_BY_APPLICATION",)

    def test_replaced_by_a_session_that_was_not_recorded(self):
        finding = the_one(self.told(error_texts.key_mismatch(SessionScript().client_key)))
        assert finding.id == "PRINCIPAL_TAKEOVER"
        assert "not in this recording" in finding.explanation


class TestStaleNonce:
    def asked(self, answer):
        capture = SCENARIOS["STALE_NONCE"]()
        asked = next(n for n, f in enumerate(capture.frames) if f.session == "3" and f.direction == "out")
        return diagnose(answered(capture, {asked: answer}))

    def test_is_certain_where_ws_open_is_known_to_have_run(self):
        (finding,) = self.asked(ok())
        assert "That ws_open was executed: the canister answered Ok" in finding.explanation

    def test_is_none_where_it_never_ran(self):
        assert "STALE_NONCE" not in self.asked(err("the house is full")).ids

    def test_says_the_nonce(self):
        finding = the_one("STALE_NONCE")
        assert "fell silent, and the ws_open of session 3" in finding.explanation
        assert set(finding.sessions) == {"1", "2", "3"}
