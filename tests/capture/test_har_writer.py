"""HAR files that are written: as Chrome writes them, and read back frame by frame."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icws_explore.capture import Capture, Frame, PageCall, SessionInfo
from icws_explore.capture.frame import HTTP_OPS, OPS
from icws_explore.capture.har import load_har
from icws_explore.capture.har_writer import har_loss, save_har
from icws_explore.capture.upgrade import Upgrade

START_S = 1_795_440_440.5
INFO = SessionInfo(gateway_url="wss://gw.example/ws", network_url="http://127.0.0.1:4943")


def frame(at, direction="in", op="binary", data=b"\xd9\xd9\xf7\xa0", **more):
    return Frame(START_S + at, direction, op, data, **more)


def written(tmp_path, *frames, info=INFO, **more):
    return save_har(Capture(info, list(frames), **more), tmp_path / "s.har")


def entries(path):
    return json.loads(path.read_text("ascii"))["log"]["entries"]


BODIES = st.one_of(
    st.builds(lambda data: ("binary", data), st.binary(max_size=40)),
    st.builds(lambda text: ("text", text.encode("utf-8")), st.text(st.characters(exclude_categories=("Cs",)))),
    st.builds(lambda data: ("ping", data), st.binary(max_size=10)),
    st.builds(lambda data: ("pong", data), st.binary(max_size=10)),
)


@st.composite
def captures(draw):
    sessions = draw(st.sampled_from([(None,), ("a",), ("a", "b"), ("session 1", "7", "x y")]))
    frames, t = [], START_S
    for session in sessions:  # a session without frames is none
        frames.append(Frame(t, "in", "binary", b"\xa0", session=session))
        t += 0.125
    for _ in range(draw(st.integers(0, 12))):
        op, data = draw(BODIES)
        frames.append(Frame(t, draw(st.sampled_from(["in", "out"])), op, data, session=draw(st.sampled_from(sessions))))
        t += draw(st.floats(0.001, 1000))
    if draw(st.booleans()):
        frames.append(Frame(t, "out", "request", draw(st.binary(max_size=30)), None, "POST /api/v2/status", "http-1"))
        frames.append(
            Frame(t + 0.1, "in", "response", draw(st.binary(max_size=30)), 200, "POST /api/v2/status", "http-1")
        )
    frames.append(Frame(t + 1, "out", "close", b"", 4000, "Ack message timeout", sessions[0]))
    return Capture(INFO, frames)


class TestRoundTrip:
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(captures())
    def test_frames_after_loading_are_the_frames_before(self, tmp_path, capture):
        loaded = load_har(save_har(capture, tmp_path / "s.har"))
        assert loaded.frames == capture.frames
        assert loaded.info.gateway_url == INFO.gateway_url

    @pytest.mark.parametrize("op", [op for op in OPS if op not in HTTP_OPS])
    def test_every_operation_comes_back(self, tmp_path, op):
        whole = frame(0, op=op, data=b"", code=1000, reason="") if op == "close" else frame(0, op=op, data=b"x")
        assert load_har(written(tmp_path, whole)).frames == [whole]

    def test_a_lost_connection_is_a_row_of_type_error(self, tmp_path):
        path = written(tmp_path, frame(0), frame(1, op="close", data=b"", code=1006, reason=""))
        assert entries(path)[0]["_webSocketMessages"][-1]["type"] == "error"
        row = entries(path)[0]["_webSocketMessages"][-1]
        assert (row["data"], row["opcode"]) == ("the connection ended without a close frame (1006)", -1)

    @pytest.mark.parametrize("direction", ["in", "out"])
    @pytest.mark.parametrize("reason", ["", "the gateway left"])
    def test_a_lost_connection_comes_back(self, tmp_path, direction, reason):
        lost = frame(1, direction, "close", b"", code=1006, reason=reason)
        loaded = load_har(written(tmp_path, frame(0), lost))
        assert loaded.frames[1:] == [lost]
        assert not any("1006" in note for note in loaded.notes)

    def test_a_socket_that_never_opened(self, tmp_path):
        upgrade = Upgrade("wss://gw.example/ws", 0, "net::ERR_CONNECTION_REFUSED").frame(START_S, "2")
        path = written(tmp_path, frame(0, session="1"), upgrade)
        (failed,) = [entry for entry in entries(path) if entry["response"]["status"] == 0]
        assert (failed["_resourceType"], failed["response"]["_error"]) == ("websocket", "net::ERR_CONNECTION_REFUSED")
        assert [each.reason for each in load_har(path).frames if each.is_http] == [upgrade.reason]


class TestAsChromeWritesIt:
    def test_an_entry_of_a_socket(self, tmp_path):
        path = written(tmp_path, frame(0), frame(1, "out", "text", "grüß".encode()))
        (entry,) = entries(path)
        assert entry["_resourceType"] == "websocket"
        assert entry["response"]["status"] == 101
        assert entry["request"]["url"] == "wss://gw.example/ws"
        assert entry["startedDateTime"] == "2026-11-23T13:27:20.500Z"
        assert entry["_webSocketMessages"] == [
            {"type": "receive", "time": START_S, "opcode": 2, "data": "2dn3oA=="},
            {"type": "send", "time": START_S + 1, "opcode": 1, "data": "grüß"},
        ]

    def test_has_the_members_that_har_requires(self, tmp_path):
        path = written(tmp_path, frame(0))
        log = json.loads(path.read_text())["log"]
        assert {"version", "creator", "entries"} <= set(log)
        (entry,) = log["entries"]
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= set(entry)
        assert {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"} <= set(
            entry["request"]
        )
        assert {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL"} <= set(
            entry["response"]
        )

    def test_calls_to_the_network_are_ordinary_entries_with_bodies(self, tmp_path):
        target = "POST /api/v2/canister/aaaaa-aa/call"
        path = written(
            tmp_path,
            frame(0),
            frame(1, "out", "request", b"\xd9\xff", reason=target, session="http-1"),
            frame(1.25, "in", "response", b"\x80\x81", code=202, reason=target, session="http-1"),
        )
        call = entries(path)[1]
        assert call["request"]["url"] == "http://127.0.0.1:4943/api/v2/canister/aaaaa-aa/call"
        assert call["request"]["method"] == "POST"
        assert call["request"]["postData"]["text"].encode("latin-1") == b"\xd9\xff"
        assert (call["response"]["status"], call["response"]["content"]["encoding"]) == (202, "base64")
        assert call["time"] == 250.0


class TestWhatLeaves:
    def test_no_credentials(self, tmp_path):
        info = SessionInfo(gateway_url="wss://user:hunter2@gw.example/?token=hunter2")
        path = written(
            tmp_path,
            frame(0, op="close", data=b"", code=4001, reason="Authorization: Bearer hunter2"),
            frame(1, "out", "request", reason="GET /api?token=hunter2", session="http-1"),
            info=info,
        )
        assert "hunter2" not in path.read_text()

    def test_what_is_lost_is_said_in_one_line(self, tmp_path):
        capture = Capture(
            INFO,
            [frame(0)],
            ["a note"],
            [PageCall(START_S, "aaaaa-aa", "2vxsx-fae")],
        )
        line = har_loss(capture)
        assert "\n" not in line
        for words in ("the root key", "the page's own calls", "the notes"):
            assert words in line
        assert json.loads(save_har(capture, tmp_path / "s.har").read_text())["log"]["comment"] == line
