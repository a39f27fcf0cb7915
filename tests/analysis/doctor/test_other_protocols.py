"""Sockets of other protocols are left out, and named where their first messages show which they speak."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.doctor.other_protocols import protocol_of
from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.protocol import cbor
from support.hand_written import Place


def text(data: str, session: str | None = None, t: float = 0.0) -> Frame:
    return Frame(t, "in", "text", data.encode(), session=session)


def protocol(*frames: Frame) -> str | None:
    return protocol_of(list(decode_frames(Capture(SessionInfo(origin="har"), list(frames)))))


class TestWhichOne:
    @pytest.mark.parametrize(
        ("message", "name"),
        [
            ('{"type":"connected"}', "Vite's hot reloading"),
            ('{ "type": "hot" }', "webpack's hot reloading"),
            ('0{"sid":"x","pingInterval":25000}', "Socket.IO"),
            ('{"type":"connection_init"}', "GraphQL"),
            ('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}', "JSON-RPC"),
            ("hello", "text messages"),
        ],
    )
    def test_by_a_text_message(self, message: str, name: str) -> None:
        assert protocol(text(message)) == name

    def test_bytes_that_are_no_cbor(self) -> None:
        assert protocol(Frame(0, "in", "binary", b"\xff\x00")) == "binary messages that are not CBOR"

    def test_any_cbor_map_is_this_protocol_or_a_wrong_form_of_it(self) -> None:
        assert protocol(text("hello"), Frame(1, "in", "binary", cbor.dumps({"a": 1}))) is None

    def test_a_socket_that_shows_nothing_is_not_called_another(self) -> None:
        assert protocol(Frame(0, "in", "ping")) is None

    def test_a_close_of_the_sdk_identifies_its_socket(self) -> None:
        closed = Frame(1, "out", "close", b"", 4000, "Error receiving message")
        assert protocol(text("welcome"), closed) is None


class TestLeavingOut:
    def beside(self, origin: str) -> Capture:
        place = Place()
        place.visit().starts().chats().leaves()
        capture = place.capture("tap")
        ours = [replace(frame, session="1") for frame in capture.frames]
        theirs = [text('{"type":"connected"}', "2", ours[0].t), text('{"type":"update"}', "2", ours[-1].t)]
        return Capture(replace(capture.info, origin=origin), [*ours, *theirs])

    @pytest.mark.parametrize("origin", ["har", "pcap", "tap"])
    def test_beside_a_session_of_this_protocol(self, origin: str) -> None:
        findings = diagnose(self.beside(origin))
        assert list(findings) == []
        (left_out,) = findings.left_out
        assert str(left_out) == "session 2 was left out: it speaks another protocol (Vite's hot reloading)"

    def test_alone_in_a_browser_there_is_no_ic_websocket(self) -> None:
        capture = Capture(SessionInfo(origin="har"), [text("40", "1"), text('{"jsonrpc":"2.0"}', "2")])
        (finding,) = diagnose(capture)
        assert finding.id == "NO_IC_WEBSOCKET"
        assert "none of its 2 sockets speaks the protocol" in finding.explanation

    def test_alone_behind_a_tap_it_is_the_wrong_server(self) -> None:
        capture = Capture(SessionInfo(origin="tap"), [text("welcome to chat")])
        assert diagnose(capture).ids == ("NO_HANDSHAKE",)
