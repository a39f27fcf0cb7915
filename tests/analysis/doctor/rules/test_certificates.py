"""Which step of the proof fails first, and whose fault that is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.messages import CanisterMessage
from support.doctor_findings import the_one
from support.doctor_scenarios import OTHER_CANISTER, SCENARIOS
from support.network_side import answered, ok, rejected, with_status
from support.session_captures import SessionScript, healthy


class TestTexts:
    @pytest.mark.parametrize(
        ("rule_id", "said"),
        [
            ("BAD_CERTIFICATE", "fails at the step signature, under every known root key"),
            ("CERTIFIED_DATA_CLASH", "before it fitted"),
            ("STALE_CERTIFICATE", "was 310 s old; the limit is 300 s"),
            ("BODY_HASH", "was not certified: its SHA-256 is"),
            ("WRONG_CANISTER", f"goes to {OTHER_CANISTER}"),
        ],
    )
    def test_say_what_is_wrong(self, rule_id, said):
        assert said in the_one(rule_id).explanation


class TestRootKey:
    def test_of_a_known_network(self):
        capture = healthy()
        own = capture.info.root_key or b""
        wrong = Capture(replace(capture.info, root_key=MAINNET_ROOT_KEY), capture.frames)
        (finding,) = diagnose(wrong, known_root_keys=[own])
        assert finding.id == "ROOT_KEY"
        assert own.hex()[-16:] in finding.explanation

    def test_a_wrong_one_that_is_given_though_the_recording_has_the_right_one(self):
        (finding,) = diagnose(SessionScript().opened().capture, root_key=MAINNET_ROOT_KEY)
        assert finding.id == "ROOT_KEY"

    def test_of_an_unknown_one_is_not_distinguished_from_a_forgery(self):
        capture = healthy()
        finding = the_one(Capture(replace(capture.info, root_key=MAINNET_ROOT_KEY), capture.frames))
        assert finding.id == "BAD_CERTIFICATE"
        assert "ROOT_KEY" in finding.explanation

    def test_of_the_network_in_the_recording(self):
        capture = healthy()
        wrong = Capture(replace(capture.info, root_key=MAINNET_ROOT_KEY), capture.frames)
        finding = the_one(with_status(wrong, capture.info.root_key))
        assert finding.id == "ROOT_KEY"
        assert "in the network's recorded status" in finding.explanation

    def test_a_forgery_is_one_where_the_network_has_named_its_key(self):
        capture = healthy()
        wrong = Capture(replace(capture.info, root_key=MAINNET_ROOT_KEY), capture.frames)
        finding = the_one(with_status(wrong, MAINNET_ROOT_KEY))
        assert finding.id == "BAD_CERTIFICATE"
        assert "ROOT_KEY" not in finding.explanation


class TestWrongCanister:
    def test_one_that_the_network_does_not_know(self):
        capture = SessionScript().opened().client_says(5, "a").capture
        finding = the_one(answered(capture, {1: ok(), 3: rejected("Canister x not found", 3)}))
        assert finding.id == "WRONG_CANISTER"
        assert "Canister x not found" in finding.explanation

    def test_one_that_does_not_certify(self):
        capture = SessionScript().opened().closed(2.4, "out", 4000, "Error receiving message").capture
        frames = [capture.frames[0], *capture.frames[2:]]  # without a request, only the configuration names one
        finding = the_one(Capture(replace(capture.info, canister_id=OTHER_CANISTER.text), frames))
        assert finding.id == "WRONG_CANISTER"
        assert "certified by another canister" in finding.explanation


class TestStaleCertificate:
    def test_from_the_future_points_to_the_clock(self):
        script = SessionScript()
        script.opened(latency=2.3)
        del script.capture.frames[2:]
        script.canister.sequence_num = 0
        script.app_says(3, "from tomorrow", delay=-400)
        finding = the_one(script)
        assert finding.id == "STALE_CERTIFICATE"
        assert "400 s ahead of the client's clock" in finding.explanation
        assert "points to the client's clock" in finding.explanation


class TestBodyHash:
    def test_a_frame_that_no_longer_decodes(self):
        finding = the_one(SessionScript().opened().frame(4, "in", b"\xff\xff").closed(4.1, "out", 4000, "x"))
        assert finding.id == "BODY_HASH"
        assert "(2 bytes) is not a canister message" in finding.explanation

    def test_a_message_under_another_label(self):
        capture = SCENARIOS["APP_TYPE_MISMATCH"]()
        frame = capture.frames[3]
        message = CanisterMessage.decode(frame.data)
        renamed = replace(frame, data=replace(message, key=f"{message.key[:-1]}9").encode())
        finding = the_one(Capture(capture.info, [*capture.frames[:3], renamed, *capture.frames[4:]]))
        assert finding.id == "BODY_HASH"
