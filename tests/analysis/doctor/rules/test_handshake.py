"""The first frames: what is said of them, and what is let pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.capture import Capture, ClockInfo, Frame
from icws_explore.protocol.messages import Handshake
from support.certified_canister import GATEWAY
from support.doctor_findings import ids, the_one
from support.session_captures import START_S, SessionScript, healthy


def framed(*frames: Frame) -> Capture:
    return Capture(replace(SessionScript(clock=ClockInfo()).capture.info, started_at=None), list(frames))


class TestNoHandshake:
    def test_says_how_long_nothing_came(self):
        finding = the_one("NO_HANDSHAKE")
        assert "open for 60.0 s" in finding.explanation
        assert "waits for ever" in finding.sdk_behaviour

    def test_five_seconds_are_no_long_time(self):
        closed = Frame(START_S + 4.9, "out", "close", code=1000, reason="")
        later = replace(closed, t=START_S + 5.1)
        info = replace(framed().info, started_at="2025-11-23T11:00:00Z")
        assert ids(Capture(info, [closed])) == ()
        assert ids(Capture(info, [later])) == ("NO_HANDSHAKE",)

    def test_another_server_that_talks(self):
        finding = the_one(framed(Frame(START_S, "in", "text", b"welcome to chat")))
        assert finding.id == "NO_HANDSHAKE"
        assert "(15 bytes) is not a gateway's handshake" in finding.explanation

    def test_a_recording_that_begins_in_mid_session(self):
        capture = healthy()
        assert ids(Capture(capture.info, capture.frames[5:])) == ()


class TestWsOpen:
    def test_an_old_sdk(self):
        finding = the_one("OLD_SDK_NEW_GATEWAY")
        assert finding.frames == (0, 1)
        assert "no gateway_principal" in finding.explanation

    def test_a_mismatch_names_both(self):
        finding = the_one("GATEWAY_PRINCIPAL_MISMATCH")
        assert f"The gateway is {GATEWAY}" in finding.explanation
        assert "ws_open names bnz7o-iuaaa-aaaaa-qaaaa-cai" in finding.explanation


class TestRawClient:
    def test_a_text_frame(self):
        assert "(20 bytes) is a text frame" in the_one("RAW_CLIENT").explanation

    def test_bytes_that_are_no_envelope(self):
        script = SessionScript().opened().frame(3, "out", b"\xa1\x61a\x01").closed(3.1, "in", 1005)
        finding = the_one(script)
        assert finding.id == "RAW_CLIENT"
        assert "field 'envelope' is missing" in finding.explanation

    def test_something_before_ws_open(self):
        script = SessionScript().frame(0, "in", Handshake(GATEWAY).encode()).client_says(1, "a").closed(1.1, "in", 1005)
        assert "not ws_open" in the_one(script).explanation

    @pytest.mark.parametrize(("left_after_s", "expected"), [(0.3, ()), (0.7, ("RAW_CLIENT",)), (20.0, ("RAW_CLIENT",))])
    def test_leaving_without_a_word(self, left_after_s, expected):
        script = (
            SessionScript(clock=ClockInfo())
            .frame(0, "in", Handshake(GATEWAY).encode())
            .closed(left_after_s, "out", 1000)
        )
        assert ids(script) == expected


class TestPing:
    def test_says_when(self):
        finding = the_one("PING_KILLS_SESSION")
        assert "ping 20.0 s after the start of the session" in finding.explanation
        assert "50 ms later" in finding.explanation

    def test_a_gateway_that_bears_it(self):
        script = SessionScript().opened().client_says(5, "a")
        script.capture.frames.append(Frame(START_S + 20, "out", "ping"))
        script.app_says(25, "b").closed(30, "out", 1000)
        assert ids(script) == ()

    @pytest.mark.parametrize(
        ("clock", "expected"), [(ClockInfo(), "CONNECTION_LOST"), (ClockInfo("scaled", 60.0), "PING_KILLS_SESSION")]
    )
    def test_a_quick_clock_makes_much_of_a_busy_moment(self, clock, expected):
        """Five seconds at × 60 are 83 ms of the machine's."""
        script = SessionScript(clock=clock).opened().client_says(5, "a").app_says(7, "b")
        script.capture.frames.append(Frame(START_S + 20, "out", "ping"))
        assert [rule_id for rule_id in ids(script.closed(25, "in", 1006)) if rule_id != "PROXY_IDLE"] == [expected]
