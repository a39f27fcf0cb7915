"""What a session's frames say, up to its first close."""

from __future__ import annotations

from icws_explore.analysis.doctor.facts import CaptureFacts, SessionFacts
from icws_explore.capture import Capture
from icws_explore.lab.simulator import simulate
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.service_messages import CloseReason
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript, healthy


def only(capture: Capture) -> SessionFacts:
    (session,) = CaptureFacts(capture).sessions
    return session


class TestProofs:
    def test_of_a_healthy_session_all_hold(self):
        session = only(healthy())
        assert session.rejected_message is None
        assert session.refused_request is None
        assert all(session.is_authentic(d) for d in session.received)

    def test_the_first_bad_message(self):
        session = only(SCENARIOS["BODY_HASH"]())
        assert session.rejected_message is not None
        assert session.rejected_message[1].step == "body"
        assert not session.is_authentic(session.rejected_message[0])

    def test_the_first_bad_request(self):
        session = only(SCENARIOS["BAD_SIGNATURE"]())
        assert session.refused_request is not None
        assert session.refused_request[1].step == "signature"

    def test_a_stand_in_has_none(self):
        facts = CaptureFacts(simulate(duration="30s", crypto="stand-in").raw)
        assert not facts.has_real_crypto
        assert facts.verdicts == facts.envelope_verdicts == {}

    def test_mainnets_key_and_the_recordings_are_always_known(self):
        capture = healthy()
        facts = CaptureFacts(capture, known_root_keys=[b"other", MAINNET_ROOT_KEY])
        assert facts.known_root_keys == (b"other", MAINNET_ROOT_KEY, capture.info.root_key)

    def test_reasons_of_the_canister(self):
        script = SessionScript().opened().canister_closes(5, CloseReason.KEEP_ALIVE_TIMEOUT)
        closing = only(script.capture).canister_close
        assert closing is not None
        assert closing.number == 3
