"""Frames read from a copy of a stream: RFC 6455 sections 5 and 7, RFC 7692."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from icws_explore.capture import websocket_stream
from icws_explore.capture.websocket_stream import StreamMessages, close_message, stream_extensions
from icws_explore.protocol.errors import CaptureError


def wire(*frames, masked=False, extensions=()):
    return b"".join(frame.serialize(mask=masked, extensions=extensions) for frame in frames)


def read(data, *, masked=False, extensions=()):
    stream = StreamMessages(masked=masked, extensions=extensions)
    return [(message.op, message.data) for message in stream.feed(data)], stream


class TestFrames:
    @pytest.mark.parametrize("masked", [False, True])
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
    def test_every_length_form(self, masked, size):
        data = random.Random(size).randbytes(size)
        assert read(wire(Frame(Opcode.BINARY, data), masked=masked), masked=masked)[0] == [("binary", data)]

    def test_fragments_with_a_ping_between_them(self):
        sent = wire(
            Frame(Opcode.TEXT, b"ab", fin=False),
            Frame(Opcode.PING, b"p"),
            Frame(Opcode.CONT, b"", fin=False),
            Frame(Opcode.CONT, b"c"),
            Frame(Opcode.PONG, b""),
        )
        assert read(sent)[0] == [("ping", b"p"), ("text", b"abc"), ("pong", b"")]

    @given(st.lists(st.binary(max_size=300), max_size=8), st.randoms(use_true_random=False))
    def test_however_the_bytes_are_cut(self, payloads, dice):
        sent = wire(*(Frame(Opcode.BINARY, payload) for payload in payloads), masked=True)
        stream, got = StreamMessages(masked=True), []
        while sent:
            size = dice.randint(1, 40)
            got += [message.data for message in stream.feed(sent[:size])]
            sent = sent[size:]
        assert got == payloads
        assert (stream.pending, stream.fault) == (False, None)

    @given(st.lists(st.binary(max_size=300), max_size=30), st.integers(1, 7), st.randoms(use_true_random=False))
    def test_some_frames_at_a_time_and_what_is_left_is_counted(self, payloads, most, dice):
        sent = wire(*(Frame(Opcode.BINARY, payload) for payload in payloads), masked=True)
        stream, got, left = StreamMessages(masked=True), [], 0
        while sent or left:
            size = dice.choice([0, 1, 10, 1000])
            messages = stream.feed(sent[:size], most)
            sent = sent[size:]
            assert len(messages) <= most
            assert stream.unread <= left + size
            assert len(messages) == most or not stream.unread
            left = stream.unread
            got += [message.data for message in messages]
        assert got == payloads

    def test_after_a_close_nothing_is_left(self):
        stream = StreamMessages(masked=False)
        assert [frame.op for frame in stream.feed(wire(Frame(Opcode.CLOSE, b""), Frame(Opcode.PING, b"")), 1)] == [
            "close"
        ]
        assert stream.unread == 0

    @given(st.binary(max_size=200), st.booleans())
    def test_any_bytes_end_in_messages_or_a_fault(self, data, masked):
        _, stream = read(data, masked=masked)
        stream.feed(data)
        assert stream.fault is None or "\n" not in stream.fault

    def test_half_a_frame_is_pending(self):
        messages, stream = read(wire(Frame(Opcode.BINARY, b"abc"))[:-1])
        assert (messages, stream.pending) == ([], True)


class TestFaults:
    @pytest.mark.parametrize(
        ("sent", "why"),
        [
            (wire(Frame(Opcode.BINARY, b"x"), masked=True), "masking"),
            (b"\x83\x00", "opcode"),
            (b"\xc2\x00", "reserved"),
            (wire(Frame(Opcode.CONT, b"x")), "without its start"),
            (wire(Frame(Opcode.BINARY, b"x", fin=False), Frame(Opcode.BINARY, b"y")), "cut short"),
        ],
    )
    def test_say_what_cannot_be_read(self, sent, why):
        messages, stream = read(wire(Frame(Opcode.BINARY, b"before")) + sent)
        assert messages == [("binary", b"before")]
        assert why in stream.fault
        assert stream.feed(wire(Frame(Opcode.BINARY, b"after"))) == []

    def test_a_length_beyond_reason_keeps_no_memory(self):
        _, stream = read(b"\x82\x7f" + struct.pack("!Q", 2**40))
        assert "more than" in stream.fault
        stream.feed(bytes(1_000_000))
        assert not stream.pending

    def test_fragments_together_are_bounded_too(self, monkeypatch):
        monkeypatch.setattr(websocket_stream, "MAX_MESSAGE", 1000)
        parts = [Frame(Opcode.BINARY, bytes(400), fin=False)] + [Frame(Opcode.CONT, bytes(400), fin=False)] * 2
        _, stream = read(wire(*parts))
        assert "more than 1000 bytes" in stream.fault


class TestClose:
    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            (b"", (b"", 1005, "")),
            (b"\x03", (b"\x03", None, "")),
            (struct.pack("!H", 4000) + b"why", (b"", 4000, "why")),
            (struct.pack("!H", 999), (b"", 999, "")),
            (struct.pack("!H", 4000) + b"\xff", (struct.pack("!H", 4000) + b"\xff", 4000, "\ufffd")),
        ],
    )
    def test_payloads(self, payload, expected):
        message = close_message(payload)
        assert (message.data, message.code, message.reason) == expected

    def test_what_follows_a_close_is_not_the_sessions(self):
        messages, stream = read(wire(Frame(Opcode.CLOSE, b""), Frame(Opcode.BINARY, b"late")))
        assert messages == [("close", b"")]
        assert (stream.closed, stream.fault) == (True, None)


class TestCompression:
    @pytest.mark.parametrize("header", ["permessage-deflate", "permessage-deflate; client_no_context_takeover"])
    def test_is_undone(self, header):
        theirs = PerMessageDeflate(True, "no_context" in header, 15, 15)
        payloads = [b"hello " * 50, b"hello again " * 50, b""]
        sent = wire(*(Frame(Opcode.BINARY, p) for p in payloads), masked=True, extensions=[theirs])
        mine = stream_extensions(header, masked=True)
        assert [data for _, data in read(sent, masked=True, extensions=mine)[0]] == payloads

    def test_each_direction_has_its_own_window(self):
        header = "permessage-deflate; server_max_window_bits=10; client_max_window_bits=12"
        assert [stream_extensions(header, masked=m)[0].remote_max_window_bits for m in (True, False)] == [12, 10]

    def test_a_bomb_is_a_fault(self, monkeypatch):
        sent = wire(Frame(Opcode.BINARY, bytes(100_000)), extensions=[PerMessageDeflate(True, True, 15, 15)])
        monkeypatch.setattr(websocket_stream, "MAX_MESSAGE", 1000)
        _, stream = read(sent, extensions=stream_extensions("permessage-deflate", masked=False))
        assert "more than 1000" in stream.fault

    @pytest.mark.parametrize("header", ["x-webkit-deflate-frame", "permessage-deflate; server_max_window_bits=99", "="])
    def test_what_is_not_known_is_refused(self, header):
        with pytest.raises(CaptureError):
            stream_extensions(header, masked=False)

    def test_none_gives_none(self):
        assert stream_extensions(" ", masked=True) == []


class TestFragmentsWithoutEnd:
    def test_a_message_has_so_many_frames_at_most(self, monkeypatch):
        monkeypatch.setattr(websocket_stream, "MAX_PARTS", 10)
        start = wire(Frame(Opcode.BINARY, b"", fin=False))
        more = wire(Frame(Opcode.CONT, b"", fin=False))
        _, stream = read(start + more * 9)
        assert stream.fault is None
        stream.feed(more)
        assert "more than 10 frames" in stream.fault

    def test_the_size_counts_anew_for_every_message(self, monkeypatch):
        monkeypatch.setattr(websocket_stream, "MAX_MESSAGE", 10)
        parts = wire(Frame(Opcode.BINARY, b"12345", fin=False), Frame(Opcode.CONT, b"67890"))
        assert read(parts * 3)[0] == [("binary", b"1234567890")] * 3
        assert (
            "more than 10 bytes"
            in read(wire(Frame(Opcode.BINARY, b"12345", fin=False), Frame(Opcode.CONT, b"678901")))[1].fault
        )
