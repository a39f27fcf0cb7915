"""Words for frames without a message; a connection that ends behind the client's close is not called lost."""

import dataclasses

import pytest

from icws_explore.analysis.decode import OwnCloses, control_text, decode_at, decode_frames, shared_frames
from icws_explore.capture import Capture, Frame, SessionInfo

LOST = Frame(2.0, "in", "close", b"", 1006, "", "1")
LEFT = Frame(1.0, "out", "close", b"", 1000, "", "1")


def capture_of(*frames):
    return Capture(SessionInfo(), list(frames))


class TestText:
    @pytest.mark.parametrize(
        ("frame", "text"),
        [
            (LOST, "the connection was lost (1006)"),
            (LEFT, "closed by the client: 1000"),
            (Frame(1.0, "in", "close", b"", 1005, ""), "closed by the gateway's side: no code"),
            (Frame(1.0, "out", "close", b"", 4000, "why"), "closed by the client: 4000 'why'"),
            (Frame(1.0, "out", "ping", b"abc"), "WebSocket ping, 3 bytes"),
            (Frame(1.0, "out", "request", b"", None, "POST /x"), "the gateway asks the network: POST /x"),
            (Frame(1.0, "in", "response", b"", 202, "POST /x"), "the network answers HTTP 202: POST /x"),
        ],
    )
    def test_one_frame(self, frame, text):
        assert control_text(frame) == text


class TestOwnCloses:
    def test_the_end_after_the_clients_close(self):
        told = "the connection ended after the client's close (1006)"
        capture = capture_of(LEFT, LOST)
        for frames in (list(decode_frames(capture)), list(shared_frames(capture))):
            assert [decoded.summary for decoded in frames] == ["closed by the client: 1000", told]
        assert [decoded.summary for decoded in shared_frames(capture, start=1)] == [told]
        assert decode_at(capture, -1).summary == decode_at(capture, 1).summary == told

    @pytest.mark.parametrize(
        "first",
        [
            dataclasses.replace(LEFT, session="2"),
            dataclasses.replace(LEFT, direction="in"),
            dataclasses.replace(LOST, direction="out"),
            dataclasses.replace(LEFT, op="ping"),
        ],
        ids=["another session", "the gateway's close", "lost twice", "no close"],
    )
    def test_any_other_is_a_loss(self, first):
        assert list(decode_frames(capture_of(first, LOST)))[1].summary == "the connection was lost (1006)"
        assert not OwnCloses([first]).see(LOST)

    def test_an_edit_of_the_close_shows(self):
        capture = capture_of(LEFT, LOST)
        list(shared_frames(capture))
        capture.frames[0] = dataclasses.replace(LEFT, op="ping")
        assert list(shared_frames(capture))[1].summary == "the connection was lost (1006)"
