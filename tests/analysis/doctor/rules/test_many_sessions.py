"""A client replaced, clients forgotten, a stale nonce: told from each other."""

from __future__ import annotations

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture
from icws_explore.lab.scenarios.gateway_faults import Upgrade
from icws_explore.lab.simulator import simulate
from icws_explore.protocol.messages import ClientKey
from support.doctor_findings import ids, the_one
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript


class TestTakeover:
    def test_names_both_sessions(self):
        finding = the_one("PRINCIPAL_TAKEOVER")
        assert finding.sessions == ("1", "2")
        assert "Session 2 opened with the principal of session 1" in finding.explanation
        assert "until it ended 302 s later" in finding.explanation

    def test_one_after_the_other_is_none(self):
        first = SessionScript(session="1").opened().closed(20, "out", 1000)
        second = SessionScript(session="2")
        second.client_key = second.canister.client_key = ClientKey(first.client_key.client_principal, 4)
        second.opened(30).closed(60, "out", 1000)
        assert ids(Capture(first.capture.info, first.capture.frames + second.capture.frames)) == ()


class TestUpgrade:
    def test_two_gateways_make_it_certain(self):
        finding = the_one("UPGRADE_WIPE")
        assert "All 3 open sessions" in finding.explanation
        assert "at 2 gateways, so it is the canister" in finding.explanation

    def test_one_gateway_leaves_a_doubt(self):
        finding = the_one(simulate("echo", duration="20m", sessions=2, faults=Upgrade(400)).raw)
        assert finding.id == "UPGRADE_WIPE"
        assert "ACKS_WITHHELD" in finding.explanation

    def test_one_session_alone_cannot_tell(self):
        capture = SCENARIOS["UPGRADE_WIPE"]()
        findings = diagnose(Capture(capture.info, capture.session("1").frames))
        assert findings.ids == ("ACKS_WITHHELD",)
        assert "UPGRADE_WIPE" in findings[0].explanation


class TestStaleNonce:
    def test_says_the_nonce(self):
        finding = the_one("STALE_NONCE")
        assert "fell silent, and the ws_open of session 3" in finding.explanation
        assert set(finding.sessions) == {"1", "2", "3"}
