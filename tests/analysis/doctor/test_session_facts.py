"""What is known of one session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor.facts import CaptureFacts, SessionFacts
from icws_explore.capture import Capture, ClockInfo, Frame, SessionInfo
from support.certified_canister import CANISTER_ID, GATEWAY
from support.session_captures import START_S, SessionScript, healthy
from support.timing_captures import never_opened


def only(capture: Capture) -> SessionFacts:
    (session,) = CaptureFacts(capture).sessions
    return session


class TestSession:
    def test_who_and_what(self):
        session = only(healthy())
        assert session.gateway == GATEWAY
        assert session.canister_id == session.asked_canister == CANISTER_ID
        assert session.client_key == SessionScript().client_key
        assert [d.service.last_incoming_sequence_num for d in session.acks if d.service] == [5, 8, 11]
        assert session.opened is not None
        assert session.canister_close is None
        assert session.ack_interval_s == 300

    def test_ends_at_its_first_close(self):
        script = SessionScript().opened().closed(5, "out", 4000, "Error receiving message").app_says(6, "too late")
        session = only(script.closed(7, "in", 1006).capture)
        assert session.end is not None
        assert session.end.frame.code == 4000
        assert [d.number for d in session.frames] == [0, 1, 2, 3]
        assert len(session.all_frames) == 6
        assert session.closed_by_client("Error receiving message")
        assert not session.closed_by_client("Ack message timeout")

    def test_nothing_is_known_of_no_session(self):
        assert CaptureFacts(Capture()).sessions == ()

    def test_an_open_request_is_unanswered_after_60_seconds(self):
        assert only(never_opened()).is_unanswered
        assert not only(healthy()).is_unanswered
        capture = never_opened()
        assert not only(Capture(capture.info, capture.frames[:2])).is_unanswered

    @pytest.mark.parametrize(("started_at", "before_s"), [("2025-11-23T10:59:50Z", 10), (None, 0), ("yesterday", 0)])
    def test_connected_when_the_recording_says(self, started_at, before_s):
        capture = healthy(clock=ClockInfo())
        session = only(Capture(replace(capture.info, started_at=started_at), capture.frames))
        assert session.connected == pytest.approx(START_S - before_s)

    def test_a_scaled_clock_makes_much_of_a_moment(self):
        assert CaptureFacts(healthy()).jitter_s == 30
        assert CaptureFacts(healthy(clock=ClockInfo())).jitter_s == 0

    def test_a_tap_runs_longer_than_its_sessions(self):
        capture = healthy(clock=ClockInfo())
        info = replace(capture.info, started_at="2025-11-23T09:00:00Z", origin="tap")
        assert only(Capture(info, capture.frames)).connected == START_S

    def test_a_tap_tells_since_when_a_gateway_is_silent(self):
        capture = Capture(SessionInfo(origin="tap"), SessionScript().closed(40, "out", 1000).capture.frames)
        assert only(capture).connected == START_S + 40
        capture.frames.insert(0, Frame(START_S + 3, "in", "response", b"", 101, "GET /"))
        assert only(capture).connected == START_S + 3
