"""The recorded client against the real SDK: agreement about an end, and each kind of divergence."""

from dataclasses import replace

import pytest

from icws_explore.analysis.replay.replay import replay
from icws_explore.capture import Capture, ClockInfo, Frame
from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseReason, KeepAliveMessage, OpenMessage
from support.certified_canister import GATEWAY
from support.session_captures import START_S, SessionScript


def opened():
    return SessionScript().opened()


def last_changed(script, change):
    """The script with its last frame's canister message changed."""
    frames = script.capture.frames
    frames[-1] = replace(frames[-1], data=change(CanisterMessage.decode(frames[-1].data)).encode())
    return script


def flipped(message):
    return replace(message, content=message.content[:-1] + bytes([message.content[-1] ^ 1]))


# The end that the real SDK makes of it: (what happens, code, reason, proof step).
ENDS = {
    "body": (lambda: last_changed(opened().app_says(3.0, "x"), flipped), 4000, "Error receiving message", "body"),
    "gap": (lambda: opened().app_says(3.0, "x", sequence_num=5), 4000, "Error receiving message", "sequence"),
    "no handshake": (lambda: SessionScript().frame(0.0, "in", b"hello"), 4000, "Error receiving message", ""),
    "not Candid": (lambda: opened().canister_says(3.0, b"DIDL"), 4000, "Error receiving message", ""),
    "closed by canister": (
        lambda: opened().canister_closes(3.0, CloseReason.WRONG_SEQUENCE_NUMBER),
        4000, "Received close message from canister", "",
    ),
    "closed by application": (
        lambda: opened().canister_closes(3.0, CloseReason.CLOSED_BY_APPLICATION), 4001, "ClosedByApplication", "",
    ),
    "unknown service message": (
        lambda: opened().canister_says(3.0, b"DIDL\0\0", is_service_message=True),
        4000, "Service message error", "",
    ),
    "ack too high": (
        lambda: opened().client_says(3.0, "x").canister_says(4.0, AckMessage(9)), 4000, "Ack message error", "",
    ),
}  # fmt: skip


class TestEnds:
    @pytest.mark.parametrize("name", ENDS)
    def test_a_client_that_closes_as_the_sdk_does_agrees(self, name):
        make, code, reason, step = ENDS[name]
        script = make()
        number = len(script.capture.frames) - 1
        done = replay(script.closed(9.0, "out", code, reason).capture)
        assert done.client is None, str(done.client)
        assert (done.predicted_close.code, done.predicted_close.reason) == (code, reason)
        assert (done.predicted_close.frame, done.predicted_close.step) == (number, step)

    @pytest.mark.parametrize("name", ENDS)
    def test_a_client_that_continues_does_not(self, name):
        make, code, reason, _ = ENDS[name]
        script = make()
        number = len(script.capture.frames) - 1
        done = replay(script.client_says(20.0, "still here").capture)
        assert (done.client.frame, done.client.kind) == (number, "close")
        assert f"{code} {reason!r}" in done.client.expected
        assert "went on" in done.client.recorded

    def test_an_open_socket_long_after_is_going_on_too(self):
        script = opened().app_says(3.0, "x", sequence_num=5).app_says(60.0, "y", sequence_num=6)
        assert replay(script.capture).client.frame == 3

    def test_another_code_or_reason_is_a_divergence(self):
        script = opened().app_says(3.0, "x", sequence_num=5)
        for code, reason in ((4000, "no idea"), (1000, ""), (4001, "Error receiving message")):
            closed = Frame(START_S + 4, "out", "close", code=code, reason=reason)
            done = replay(Capture(script.capture.info, [*script.capture.frames, closed]))
            assert (done.client.frame, done.client.kind, done.client.step) == (3, "close", "sequence")

    def test_a_close_without_a_reason_in_the_recording(self):
        done = replay(opened().closed(5.0, "out", 4000, "Error receiving message").capture)
        assert (done.client.frame, done.client.kind) == (3, "close")
        assert "sees no reason" in done.client.expected

    @pytest.mark.parametrize("code", [1000, 1001, 1005])
    def test_users_may_close_at_any_time(self, code):
        assert replay(opened().closed(5.0, "out", code).capture).agrees


class TestTimers:
    def test_the_open_timeout(self):
        script = opened()
        del script.capture.frames[2:]
        done = replay(script.closed(60.4, "out", 4000, "Open connection timeout").capture)
        assert done.agrees
        assert done.predicted_close.t == pytest.approx(START_S + 60.0, abs=0.01)

    @pytest.mark.parametrize("at", [332.5, 333.5])
    def test_the_ack_timeout_a_little_early_or_late(self, at):
        done = replay(opened().client_says(3.0, "x").closed(at, "out", 4000, "Ack message timeout").capture)
        assert done.agrees, str(done.client)
        assert done.predicted_close.reason == "Ack message timeout"

    @pytest.mark.parametrize(("scale", "agrees"), [(1.0, False), (60.0, True)])
    def test_a_busy_moment_is_drawn_out_by_a_scaled_clock(self, scale, agrees):
        script = SessionScript(clock=ClockInfo("scaled", scale)).opened().client_says(3.0, "x")
        assert replay(script.closed(329.0, "out", 4000, "Ack message timeout").capture).agrees == agrees

    def test_an_ack_that_came_just_in_time(self):
        script = opened().client_says(3.0, "x").canister_says(333.4, AckMessage(1))
        assert replay(script.client_says(333.5, KeepAliveMessage(2)).capture).agrees

    def test_a_client_without_that_timer(self):
        done = replay(opened().client_says(3.0, "x").client_says(400.0, "y").capture)
        assert (done.client.kind, done.client.expected) == ("close", "closes with 4000 'Ack message timeout'")


class TestContent:
    def test_a_keep_alive_that_never_comes(self):
        done = replay(opened().acked(5.0, answered_after=None).client_says(50.0, "x").capture)
        assert (done.client.frame, done.client.kind, done.client.step) == (3, "silence", "keep_alive")

    def test_a_ws_open_that_never_comes(self):
        script = opened()
        del script.capture.frames[1:]
        done = replay(script.frame(50.0, "in", b"x").capture)
        assert (done.client.frame, done.client.kind, done.client.step) == (0, "silence", "open_request")

    def test_a_keep_alive_for_another_number(self):
        script = opened().canister_says(5.0, AckMessage(0)).client_says(5.1, KeepAliveMessage(9))
        done = replay(script.capture)
        assert (done.client.frame, done.client.step) == (4, "last_incoming_sequence_num")

    def test_a_keep_alive_without_an_ack(self):
        done = replay(opened().client_says(5.0, KeepAliveMessage(1)).capture)
        assert (done.client.frame, done.client.kind) == (3, "unasked")

    def test_numbers_that_jump(self):
        done = replay(opened().client_says(3.0, "x").client_says(4.0, "y", sequence_num=9).capture)
        assert (done.client.frame, done.client.step) == (4, "sequence_num")

    def test_a_message_before_open(self):
        script = opened()
        del script.capture.frames[2:]
        done = replay(script.client_says(1.0, "too early").capture)
        assert (done.client.frame, done.client.step) == (2, "state")

    def test_a_second_ws_open(self):
        script = opened()
        script.capture.frames.append(replace(script.capture.frames[1], t=START_S + 5))
        assert replay(script.capture).client.step == "ws_open"

    def test_a_ws_open_before_the_handshake(self):
        script = opened()
        script.capture.frames[:2] = [
            replace(script.capture.frames[1], t=START_S),
            replace(script.capture.frames[0], t=START_S),
        ]
        done = replay(script.capture)
        assert (done.client.frame, done.client.step) == (0, "ws_open")

    def test_another_gateway_than_the_handshakes(self):
        script = SessionScript()
        script.frame(0.0, "in", Handshake(GATEWAY).encode())
        script._call(0.1, "ws_open", encode_open_args(script.client_key.client_nonce, Principal.MANAGEMENT))
        assert replay(script.capture).client.step == "gateway_principal"

    def test_another_client_key(self):
        script = opened()
        script.client_key = ClientKey(script.client_key.client_principal, 1)
        assert replay(script.client_says(3.0, "x").capture).client.step == "client_key"

    def test_an_expiry_that_is_a_duration(self):
        """agent ≥ 3 with this SDK writes the bare delta (AGENT_V3_EXPIRY)."""
        script = opened()
        envelope = Envelope.decode_frame(script.capture.frames[1].data)
        changed = replace(envelope, content=dict(envelope.content) | {"ingress_expiry": 300_000})
        script.capture.frames[1] = replace(script.capture.frames[1], data=changed.encode_frame())
        done = replay(script.capture)
        assert (done.client.frame, done.client.step) == (1, "ingress_expiry")

    @pytest.mark.parametrize("op", ["text", "ping"])
    def test_frames_that_the_sdk_never_sends(self, op):
        script = opened()
        script.capture.frames.append(Frame(START_S + 5, "out", op, b"x"))
        done = replay(script.capture)
        assert (done.client.frame, done.client.kind, done.client.step) == (3, "unasked", "op")

    def test_bytes_that_are_no_request(self):
        done = replay(opened().frame(5.0, "out", b"\xff").capture)
        assert (done.client.frame, done.client.step) == (3, "malformed")


class TestCrossing:
    def test_a_message_that_was_numbered_before_the_ack_came(self):
        """The client's 1 passes the recorder after the ack that it had not seen yet."""
        script = opened().canister_says(5.0, AckMessage(0)).client_says(5.01, "x").client_says(5.2, KeepAliveMessage(2))
        assert replay(script.capture).agrees

    def test_frames_on_their_way_when_the_client_closes(self):
        script = opened().app_says(3.0, "x", sequence_num=5).client_says(3.2, "on its way")
        assert replay(script.closed(3.3, "out", 4000, "Error receiving message").capture).agrees

    def test_a_keep_alive_that_was_being_signed_when_the_canister_gave_up(self):
        """A key that is slow holds the SDK's queue up: it answers first, and only then hears of the close."""
        script = opened().canister_says(5.0, AckMessage(0)).canister_closes(9.0, CloseReason.KEEP_ALIVE_TIMEOUT)
        script.client_says(12.0, KeepAliveMessage(2))
        done = replay(script.closed(12.1, "out", 4000, "Received close message from canister").capture)
        assert done.agrees, str(done.divergence)

    def test_another_keep_alive_after_the_close_counts_as_continuing(self):
        script = opened().canister_says(5.0, AckMessage(0)).client_says(5.1, KeepAliveMessage(2))
        script.canister_closes(9.0, CloseReason.KEEP_ALIVE_TIMEOUT).client_says(12.0, KeepAliveMessage(3))
        assert replay(script.capture).divergence.kind == "close"

    def test_a_second_open_message_is_taken(self):
        script = opened().canister_says(4.0, OpenMessage(opened().client_key))
        assert replay(script.client_says(5.0, "x").capture).agrees
