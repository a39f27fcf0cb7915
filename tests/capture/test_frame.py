"""Frames to JSON and back; what is not a frame says which member is wrong."""

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.capture import Frame
from icws_explore.protocol.errors import CaptureError

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
frames = st.builds(
    Frame,
    t=st.floats(0, 4e9),
    direction=st.sampled_from(["in", "out"]),
    op=st.sampled_from(["binary", "text", "ping", "pong"]),
    data=st.binary(max_size=200),
    session=texts,
    did=texts,
    far=st.none() | st.binary(max_size=20),
)
closes = st.builds(
    Frame,
    t=st.floats(0, 4e9),
    direction=st.sampled_from(["in", "out"]),
    op=st.just("close"),
    code=st.none() | st.integers(1000, 4999),
    reason=texts,
    session=texts,
)


class TestRoundTrip:
    @given(frames | closes)
    def test_json_gives_the_same_frame(self, frame):
        assert Frame.from_json(json.loads(json.dumps(frame.to_json()))) == frame

    @given(frames | closes)
    def test_a_line_equals_that_of_json(self, frame):
        line = json.dumps(frame.to_json(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        assert frame.to_line() == line
        for size in (1, 3, 100):
            assert b"".join(frame.line_parts(size)) == line


class TestTime:
    def test_nanoseconds_are_without_the_noise_of_a_float(self):
        assert Frame(1795441988.57, "out", "binary").t_ns == 1795441988_570_000_000

    @given(st.integers(0, 4_000_000_000_000_000))
    def test_a_time_in_microseconds_is_exact(self, us):
        assert Frame(us / 1_000_000, "in", "binary").t_ns == us * 1000


class TestMalformed:
    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"t": None}, '"t"'),
            ({"t": True}, '"t"'),
            ({"t": "1"}, '"t"'),
            ({"t": float("nan")}, '"t"'),
            ({"t": 1e300}, '"t"'),
            ({"d": "up"}, '"d"'),
            ({"d": ["in"]}, '"d"'),
            ({"op": "blob"}, '"op"'),
            ({"op": {}}, '"op"'),
            ({"b": 3}, '"b"'),
            ({"b": "a!"}, '"b"'),
            ({"b": "ä"}, '"b"'),
            ({"code": "1000"}, '"code"'),
            ({"code": True}, '"code"'),
            ({"code": 65536}, '"code"'),
            ({"code": -1}, '"code"'),
            ({"reason": 1}, '"reason"'),
            ({"s": 1}, '"s"'),
        ],
    )
    def test_names_the_member(self, change, named):
        with pytest.raises(CaptureError, match=named):
            Frame.from_json({"t": 1.5, "d": "in", "op": "close", "b": "", "code": 1000} | change)


class TestBehindTheGateway:
    """Lines that only a tap in front of the network writes."""

    FRAMES = (
        Frame(1.0, "out", "request", b"body", reason="POST /api/v3/canister/aaaaa-aa/call", session="http-1"),
        Frame(1.5, "in", "response", b"", code=202, reason="POST /api/v3/canister/aaaaa-aa/call", session="http-1"),
    )

    def test_round_trip(self):
        assert [Frame.from_json(frame.to_json()) for frame in self.FRAMES] == list(self.FRAMES)

    def test_are_no_websocket_frames(self):
        assert all(frame.is_http for frame in self.FRAMES)
        assert not Frame(1.0, "in", "close").is_http


class TestBase64:
    """A payload is read by pybase64, and by the standard library where that refuses it: with the same result."""

    def read(self, text):
        try:
            return Frame.from_json({"t": 0, "d": "in", "op": "binary", "b": text}).data
        except CaptureError as error:
            return str(error)

    def by_the_standard_library(self, text):
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            return f'"b" is not base64: {error}'

    def test_any_text(self):
        dice = random.Random(7)
        for _ in range(20_000):
            text = "".join(dice.choices("ABwxyz019+/=\n -_é\ud800", weights=[9] * 12 + [1] * 6, k=dice.randrange(14)))
            assert self.read(text) == self.by_the_standard_library(text)

    def test_long_payloads_with_one_wrong_character(self):
        dice = random.Random(8)
        for size in range(200):
            text = base64.b64encode(dice.randbytes(size)).decode()
            assert self.read(text) == self.by_the_standard_library(text)
            at = dice.randrange(len(text) + 1)
            for wrong in ("=", "-", " ", "é"):
                damaged = text[:at] + wrong + text[at + 1 :]
                assert self.read(damaged) == self.by_the_standard_library(damaged)

    def test_padding_that_only_the_standard_library_takes(self):
        assert self.read("1091=") == base64.b64decode("1091=", validate=True)
