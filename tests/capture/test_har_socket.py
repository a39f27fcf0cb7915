"""One WebSocket of a HAR file: units of time, binary data, errors; each habit that was seen."""

import base64
from decimal import Decimal

import pytest

from icws_explore.capture.files import Notes
from icws_explore.capture.frame import MAX_TIME_S
from icws_explore.capture.har import HarMessage, HarSocket, iso_time, socket_frames, stated_time

STARTED = "2026-11-23T13:27:20.511Z"
START_S = iso_time(STARTED)


def message(type_="receive", time=START_S, opcode=2, data="AQI=", **more):
    return HarMessage.of({"type": type_, "time": time, "opcode": opcode, "data": data} | more)


def frames(*messages, started=STARTED, session=None, **facts):
    notes = Notes()
    socket = HarSocket(url="ws://h/", started=started, messages=list(messages), **facts)
    return socket_frames(socket, session, notes), notes


class TestTimes:
    @pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
    @pytest.mark.parametrize("started", [STARTED, "", "nonsense"])
    def test_every_unit_since_the_epoch(self, unit, started):
        got, notes = frames(message(time=START_S * unit), message(time=(START_S + 2.5) * unit), started=started)
        assert [frame.t for frame in got] == pytest.approx([START_S, START_S + 2.5], abs=1e-5)
        assert notes == []

    def test_a_monotonic_clock_is_put_at_the_sockets_start(self):
        got, notes = frames(message(time=1632.2), message(time=1634.7))
        assert [frame.t for frame in got] == pytest.approx([START_S, START_S + 2.5])
        assert "first message is placed at the start of the socket" in notes[0]

    def test_a_monotonic_clock_without_a_start(self):
        got, notes = frames(message(time=1632.2), message(time=1634.7), started="")
        assert [frame.t for frame in got] == pytest.approx([0, 2.5])
        assert len(notes) == 1

    def test_a_start_of_another_year_is_not_believed_with(self):
        """The messages' times and the start disagree by years: then only their distances are taken."""
        got, _ = frames(message(time=START_S - 4e7), message(time=START_S - 4e7 + 1))
        assert [frame.t for frame in got] == pytest.approx([START_S, START_S + 1])

    def test_what_has_no_time_takes_the_one_before(self):
        got, notes = frames(message(time=START_S + 1), message(time=None), message(time="x"))
        assert [frame.t for frame in got] == [START_S + 1] * 3
        got, notes = frames(message(time=None))
        assert ([frame.t for frame in got], notes) == ([START_S], ["the socket: the messages have no times"])

    @pytest.mark.parametrize("odd", [1e18, -1e18, 10**400, float("inf"), Decimal("1e400"), Decimal("-1e25"), True, "1"])
    def test_no_time_is_one_that_a_capture_cannot_hold(self, odd):
        got, notes = frames(message(time=START_S), message(time=odd), message(time=START_S + 1))
        assert [frame.t for frame in got] == [START_S, START_S, START_S + 1]
        assert all(abs(frame.t) < MAX_TIME_S for frame in got)
        assert all("message 2 has an impossible time" in note for note in notes)

    def test_decimals_are_numbers(self):
        (frame,), _ = frames(message(time=Decimal("1795440440.5"), opcode=Decimal(2)))
        assert (frame.t, frame.op) == (1795440440.5, "binary")


class TestData:
    @pytest.mark.parametrize(
        ("opcode", "data", "op", "expected"),
        [
            (2, base64.b64encode(b"\xd9\xd9\xf7").decode(), "binary", b"\xd9\xd9\xf7"),
            (2, "Ù\xd9÷", "binary", b"\xd9\xd9\xf7"),
            (2, "", "binary", b""),
            (1, "grüße", "text", "grüße".encode()),
            (1, "AQI=", "text", b"AQI="),
            (1, "\ud800", "text", b"\xed\xa0\x80"),
            (9, "AQI=", "ping", b"\x01\x02"),
            (10, "", "pong", b""),
            (2.0, "AQI=", "binary", b"\x01\x02"),
        ],
    )
    def test_by_opcode(self, opcode, data, op, expected):
        (frame,), notes = frames(message(opcode=opcode, data=data))
        assert (frame.op, frame.data, notes) == (op, expected, [])

    def test_a_close(self):
        payload = base64.b64encode((4000).to_bytes(2) + b"why").decode()
        (frame, empty), _ = frames(message(opcode=8, data=payload), message("send", opcode=8, data=""))
        assert (frame.direction, frame.op, frame.code, frame.reason) == ("in", "close", 4000, "why")
        assert (empty.direction, empty.code) == ("out", 1005)

    @pytest.mark.parametrize(
        "bad",
        [
            {"opcode": 0},
            {"opcode": None},
            {"opcode": float("inf")},
            {"opcode": 10**400},
            {"opcode": Decimal("1e400")},
            {"opcode": True},
            {"opcode": "2"},
            {"type_": "sideways"},
            {"type_": None},
            {"data": None},
            {"data": "\u20ac not bytes"},
        ],
    )
    def test_what_is_no_frame_is_left_out_and_noted(self, bad):
        got, notes = frames(message(**bad), message())
        assert len(got) == 1
        assert "message 1 left out" in notes[0]

    def test_errors_are_notes(self):
        got, notes = frames(message("error", opcode=-1, data="One or more\nreserved bits are on"), session="3")
        assert got == []
        assert notes == ["session 3: the browser recorded an error: One or more reserved bits are on"]


class TestEmpty:
    @pytest.mark.parametrize(
        ("facts", "why"),
        [
            ({"failure": "net::ERR_UNSAFE_PORT"}, "never opened: net::ERR"),
            ({"status": "404"}, "never opened: status 404"),
            ({"status": "0"}, "never opened: status 0"),
            ({"status": "101"}, "no messages"),
            ({}, "no messages"),
        ],
    )
    def test_says_why(self, facts, why):
        got, notes = frames(**facts)
        assert why in notes[0]
        assert [frame.code for frame in got] == ([] if "opened" not in why else [int(facts.get("status", "0"))])


class TestIsoTime:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1970-01-01T00:00:01Z", 1.0),
            ("1970-01-01T01:00:01.5+01:00", 1.5),
            ("1970-01-01T00:00:02", 2.0),
            ("", None),
            ("yesterday", None),
        ],
    )
    def test_reads(self, text, expected):
        assert iso_time(text) == expected

    def test_round_trip(self):
        assert stated_time(START_S) == STARTED

    def test_a_year_beyond_the_calendar_is_not_stated(self):
        for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
            assert stated_time(iso_time(text)) is None
        assert stated_time(1e12) is None
