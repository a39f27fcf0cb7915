"""Whole captures, replayed: healthy ones agree, and the facts come from the capture or from its frames."""

from dataclasses import replace

import pytest

from icws_explore.analysis.replay.replay import StandIn, replay, replay_sessions
from icws_explore.capture import Capture, ClockInfo, Frame, load
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal
from support.certified_canister import CANISTER_ID
from support.session_captures import SessionScript, healthy


class TestAgreement:
    def test_a_healthy_session(self):
        done = replay(healthy())
        assert done.agrees
        assert (done.client, done.gateway, done.predicted_close, done.notes) == (None, None, None, ())
        assert done.recorded_close.code == 1000
        assert [step.frame for step in done.steps] == sorted(step.frame for step in done.steps)

    def test_a_session_of_this_packages_client_with_the_lab(self, recorded):
        done = replay(load(recorded))
        assert done.agrees, str(done.divergence)
        assert done.predicted_close is None


class TestFacts:
    def test_canister_and_client_come_from_the_envelopes(self):
        capture = healthy()
        capture.info = replace(
            capture.info, canister_id=None, client_principal=None, app_type=None, ack_interval_ms=None
        )
        assert replay(capture).agrees

    def test_without_a_root_key_proofs_are_not_checked_and_a_note_says_so(self):
        script = SessionScript().opened().app_says(3.0, "x")
        key = script.capture.info.root_key
        script.capture.info = replace(script.capture.info, root_key=None)
        done = replay(script.capture)
        assert done.agrees
        assert "no root key" in done.notes[0]
        assert replay(script.capture, root_key=key).notes == ()

    def test_another_key_than_the_captures(self):
        done = replay(SessionScript().opened().capture, root_key=SessionScript().canister.root_key[:-1] + b"\0")
        assert (done.predicted_close.step, done.predicted_close.reason) == ("signature", "Error receiving message")

    def test_another_canister_than_the_captures(self):
        done = replay(SessionScript().opened().capture, canister_id=Principal.MANAGEMENT)
        assert done.client.step == "canister_id"

    def test_another_ack_interval_than_the_captures(self):
        script = SessionScript().opened().client_says(3.0, "x").app_says(100.0, "y")
        assert replay(script.capture).agrees
        done = replay(script.capture, ack_interval_ms=10_000)
        assert done.predicted_close.reason == "Ack message timeout"
        assert done.predicted_close.t == pytest.approx(script.capture.frames[0].t + 43.0, abs=0.01)

    @pytest.mark.parametrize("ends_at", [None, 93.0])
    def test_an_unknown_interval_gives_no_finding_about_the_client(self, ends_at):
        """It may be a longer one, so that it goes on; or another SDK's, so that it ends earlier or later."""
        script = SessionScript().opened().client_says(3.0, "x")
        if ends_at is None:
            script.app_says(400.0, "y")
        else:
            script.closed(ends_at, "out", 4000, "Ack message timeout")
        assert not replay(script.capture).agrees
        script.capture.info = replace(script.capture.info, ack_interval_ms=None)
        done = replay(script.capture)
        assert done.agrees, str(done.client)
        assert "ack interval is not known" in done.notes[0]

    def test_the_default_interval_holds_where_it_fits(self):
        script = SessionScript().opened().client_says(3.0, "x").closed(333.0, "out", 4000, "Ack message timeout")
        script.capture.info = replace(script.capture.info, ack_interval_ms=None)
        done = replay(script.capture)
        assert (done.predicted_close.reason, done.notes) == ("Ack message timeout", ())

    def test_a_recording_that_begins_in_the_middle(self):
        capture = healthy()
        done = replay(Capture(capture.info, capture.frames[3:]))
        assert done.agrees
        assert done.steps == ()
        assert "mid-session" in done.notes[0]

    @pytest.mark.parametrize("capture", [Capture(), Capture(frames=[Frame(1.0, "in", "close", code=1006)])])
    def test_nothing_given(self, capture):
        assert replay(capture).agrees

    def test_an_anonymous_client_is_none_of_the_sdk(self):
        capture = SessionScript().opened().capture
        envelope = Envelope.decode_frame(capture.frames[1].data)
        anonymous = Envelope(dict(envelope.content) | {"sender": b"\x04"})
        capture.frames[1] = replace(capture.frames[1], data=anonymous.encode_frame())
        done = replay(capture)
        assert (done.client.frame, done.client.step) == (1, "sender")


class TestSessions:
    def test_each_is_replayed_with_the_captures_numbers(self):
        good = SessionScript(session="a").opened().closed(9.0).capture
        bad = SessionScript(session="b").opened().app_says(3.0, "x", sequence_num=7).closed(20.0).capture
        frames = sorted([*good.frames, *bad.frames], key=lambda frame: frame.t)
        frames.append(Frame(frames[-1].t, "out", "request", b"", session="http-1"))
        capture = Capture(good.info, frames)
        with pytest.raises(IcwsError, match="replay_sessions"):
            replay(capture)
        first, second = replay_sessions(capture)
        assert (first.session, first.agrees, second.session) == ("a", True, "b")
        assert second.predicted_close.frame == frames.index(bad.frames[3])


class TestStandIn:
    def test_signs_nothing_and_has_the_principal(self):
        stand_in = StandIn(CANISTER_ID)
        assert (stand_in.principal, stand_in.public_key_der, stand_in.sign(b"x")) == (CANISTER_ID, b"", b"")


def test_a_scaled_clock_is_protocol_time():
    assert replay(healthy(clock=ClockInfo("scaled", 600.0))).agrees
