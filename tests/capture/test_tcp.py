"""A TCP connection as a WebSocket: upgrade, frames, and how it ended."""

import pytest
from websockets.frames import Close, Opcode

from icws_explore.capture.tcp import Segment, TcpSocket
from support.packets import SWITCHED, UPGRADE
from support.raw_tcp import frame

PING, DATA = frame(Opcode.PING, b"p"), frame(Opcode.BINARY, b"hello")
MASKED = frame(Opcode.BINARY, b"up", masked=True)


class Played:
    def __init__(self, answer=SWITCHED, ask=UPGRADE, *, syn=True):
        self.socket = TcpSocket("c")
        self.at = {"c": 100, "s": 5}
        self.t = 0.0
        if syn:
            self.say("c", syn=True).say("s", syn=True, ack=True)
        self.say("c", ask).say("s", answer)

    def say(self, who, data=b"", **flags):
        self.t += 1
        self.socket.take(who, Segment(self.t, self.at[who], data, **flags))
        self.at[who] += len(data) + flags.get("syn", False) + flags.get("fin", False)
        return self

    @property
    def frames(self):
        return [(f.direction, f.op, f.data, f.code) for f in self.socket.frames]


class TestUpgrade:
    @pytest.mark.parametrize("syn", [True, False])
    def test_opens_both_directions(self, syn):
        played = Played(syn=syn).say("s", DATA + PING).say("c", MASKED)
        assert played.frames == [
            ("in", "binary", b"hello", None),
            ("in", "ping", b"p", None),
            ("out", "binary", b"up", None),
        ]
        assert played.socket.url == "ws://gw.example:8080/path?q=1"

    def test_frames_after_the_answer_in_one_segment(self):
        assert Played(SWITCHED + DATA).frames == [("in", "binary", b"hello", None)]

    @pytest.mark.parametrize(
        ("answer", "ask"),
        [
            (b"HTTP/1.1 404 Not Found\r\n\r\n", UPGRADE),
            (SWITCHED, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (SWITCHED, b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (b"SSH-2.0\r\n\r\n", UPGRADE),
            (b"x" * 70_000, UPGRADE),
        ],
    )
    def test_anything_else_gives_none(self, answer, ask):
        played = Played(answer, ask).say("s", DATA)
        assert (played.socket.is_websocket, played.frames) == (False, [])

    def test_tls_is_recognised(self):
        assert Played(ask=b"\x16\x03\x01\x02\x00").socket.is_tls

    def test_an_unknown_extension_is_a_fault(self):
        played = Played(SWITCHED.replace(b"Upgrade: w", b"Sec-WebSocket-Extensions: odd\r\nUpgrade: w")).say("s", DATA)
        assert "odd" in played.socket.faults[0]


class TestEnd:
    @pytest.mark.parametrize("flag", ["fin", "rst"])
    @pytest.mark.parametrize(("who", "direction"), [("c", "out"), ("s", "in")])
    def test_without_a_close_frame_is_1006(self, flag, who, direction):
        played = Played().say(who, **{flag: True}).say("c" if who == "s" else "s", fin=True)
        assert played.frames == [(direction, "close", b"", 1006)]

    def test_close_frames_explain_it(self):
        close = Close(4001, "bye").serialize()
        played = (
            Played()
            .say("s", frame(Opcode.CLOSE, close), fin=True)
            .say("c", frame(Opcode.CLOSE, close, masked=True), fin=True)
        )
        assert [(f[0], f[1], f[3]) for f in played.frames] == [("in", "close", 4001), ("out", "close", 4001)]

    def test_a_gateway_that_drops_instead_of_answering(self):
        played = Played().say("c", frame(Opcode.CLOSE, b"", masked=True)).say("s", fin=True)
        assert [(f[0], f[3]) for f in played.frames] == [("out", 1005), ("in", 1006)]

    def test_an_end_that_overtook_the_close_frame(self):
        played = Played()
        sent = frame(Opcode.CLOSE, b"")
        at = played.at["s"]
        played.socket.take("s", Segment(9.0, at + len(sent), b"", fin=True))
        played.socket.take("s", Segment(10.0, at, sent))
        assert [(f[0], f[1], f[3]) for f in played.frames] == [("in", "close", 1005)]


class TestFaults:
    def test_a_missing_packet_is_noted(self):
        played = Played()
        played.at["s"] += 10
        played.say("s", DATA)
        played.socket.finish()
        assert "missing" in played.socket.faults[0]
        assert played.frames == []

    @pytest.mark.parametrize("is_filled", [True, False])
    def test_from_a_gap_on_neither_direction_is_kept(self, is_filled):
        played = Played().say("s", DATA).say("c", MASKED)
        gap, played.at["s"] = played.at["s"], played.at["s"] + len(DATA)
        played.say("s", PING).say("c", MASKED).say("c", MASKED)
        if is_filled:
            played.socket.take("s", Segment(20.0, gap, DATA))
        played.socket.finish()
        assert len(played.frames) == (6 if is_filled else 1)
        assert len(played.socket.faults) == (not is_filled)

    def test_an_acknowledgement_tells_until_when_nothing_was_missing_and_that_something_is(self):
        played = Played().say("s", DATA).say("c", MASKED).say("s", ack=True).say("c", MASKED)
        played.at["s"] += len(DATA)
        played.say("s", ack=True).say("c", MASKED).say("s", fin=True)
        played.socket.finish()
        assert [f.t for f in played.socket.frames] == [5.0, 6.0]
        assert "everything after the first 4.000 s" in played.socket.faults[0]

    @pytest.mark.parametrize("who", ["c", "s"])
    def test_the_last_acknowledgements_are_no_gap(self, who):
        other = "c" if who == "s" else "s"
        played = Played().say("s", DATA).say(who, fin=True).say(other, ack=True).say(other, fin=True).say(who, ack=True)
        played.socket.take("c", Segment(99.0, 12345, b"", rst=True))
        played.socket.finish()
        assert (len(played.frames), played.socket.faults) == (2, [])

    def test_what_is_no_frame_ends_the_reading(self):
        played = Played().say("s", b"\xff\xff").say("s", DATA).say("s", fin=True)
        assert played.frames == []
        assert "the gateway sent" in played.socket.faults[0]
