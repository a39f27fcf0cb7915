"""The recorded gateway against gateway 1.4.6, as far as one session shows it."""

from dataclasses import replace

import pytest

from icws_explore.analysis.replay.replay import replay
from icws_explore.capture import Frame
from icws_explore.capture.frame import HTTP_OPS, OPS
from icws_explore.protocol.messages import CanisterMessage, Handshake, message_key
from icws_explore.protocol.principal import Principal
from support.certified_canister import GATEWAY
from support.session_captures import START_S, SessionScript


def opened():
    return SessionScript().opened()


def relabelled(script, key):
    frames = script.capture.frames
    frames[-1] = replace(frames[-1], data=replace(CanisterMessage.decode(frames[-1].data), key=key).encode())
    return script


class TestAgrees:
    def test_gaps_between_nonces_belong_to_other_clients(self):
        script = relabelled(opened().app_says(3.0, "x"), message_key(GATEWAY, 77))
        assert replay(script.capture).gateway is None

    def test_what_was_under_way_when_a_session_ends(self):
        script = opened()
        script.capture.frames.append(Frame(START_S + 3, "out", "ping", b""))
        script.app_says(3.5, "x").closed(4.0, "in", 1006)
        assert replay(script.capture).gateway is None


class TestDiverges:
    def test_one_that_keeps_who_it_should_drop(self):
        script = opened()
        script.capture.frames.append(Frame(START_S + 3, "out", "ping", b""))
        done = replay(script.app_says(30.0, "x").capture)
        assert (done.gateway.frame, done.gateway.kind) == (3, "close")

    @pytest.mark.parametrize("op", [op for op in OPS if op not in (*HTTP_OPS, "close")])
    def test_one_that_goes_on_after_any_frame_that_is_no_call(self, op):
        script = opened()
        script.capture.frames.append(Frame(START_S + 3, "out", op, b"x"))
        done = replay(script.app_says(30.0, "x").capture)
        assert (done.gateway.frame, done.gateway.kind) == (3, "close")

    @pytest.mark.parametrize("op", ["text", "ping", "pong"])
    def test_frames_that_it_never_sends(self, op):
        script = opened()
        script.capture.frames.append(Frame(START_S + 3, "in", op, b""))
        done = replay(script.capture)
        assert (done.gateway.frame, done.gateway.step) == (3, "op")

    def test_a_second_handshake(self):
        done = replay(opened().frame(3.0, "in", Handshake(GATEWAY).encode()).capture)
        assert (done.gateway.frame, done.gateway.step) == (3, "handshake")

    def test_no_handshake(self):
        script = opened()
        del script.capture.frames[0]
        done = replay(script.capture)
        assert (done.gateway.step, done.divergence.party) == ("handshake", "client")

    def test_a_message_before_ws_open(self):
        script = opened()
        frames = script.capture.frames
        frames[1], frames[2] = replace(frames[2], t=START_S), replace(frames[1], t=START_S + 1)
        assert replay(script.capture).gateway.step == "ws_open"

    @pytest.mark.parametrize(
        ("key", "step"),
        [
            (message_key(GATEWAY, 0), "nonce"),
            (message_key(Principal.MANAGEMENT, 9), "key"),
            ("nonsense", "key"),
        ],
    )
    def test_keys_that_its_poll_cannot_have_given(self, key, step):
        done = replay(relabelled(opened().app_says(3.0, "x"), key).capture)
        assert (done.gateway.frame, done.gateway.step) == (3, step)

    def test_bytes_of_its_own(self):
        done = replay(opened().frame(3.0, "in", b"\xff").capture)
        assert (done.gateway.frame, done.gateway.step) == (3, "frame")
