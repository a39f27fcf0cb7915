"""Segments into a stream: RFC 9293 section 3.4, whatever order they were captured in."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.capture import tcp as tcp_stream
from icws_explore.capture.tcp import TcpStream


class TestReassembly:
    @given(st.binary(min_size=1, max_size=200), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
    def test_any_order_overlaps_and_repeats(self, data, first, dice):
        cuts = sorted({0, len(data), *(dice.randrange(len(data)) for _ in range(5))})
        pieces = [
            (start, data[start : min(end + dice.randrange(4), len(data))]) for start, end in itertools.pairwise(cuts)
        ]
        pieces += [dice.choice(pieces) for _ in range(3)]
        dice.shuffle(pieces)
        stream = TcpStream(first)
        got = b"".join(part for start, piece in pieces for part in stream.feed((first + start) % 2**32, piece))
        assert got == data
        assert not stream.has_gap
        assert stream.has_reached((first + len(data)) % 2**32)

    def test_a_gap_waits(self):
        stream = TcpStream(10)
        assert list(stream.feed(12, b"c")) == []
        assert stream.has_gap
        assert not stream.has_reached(13)
        assert b"".join(stream.feed(10, b"ab")) == b"abc"

    def test_the_longer_of_two_waits(self):
        stream = TcpStream(0)
        for piece in (b"xy", b"xyz", b"x"):
            assert list(stream.feed(5, piece)) == []
        assert b"".join(stream.feed(0, b"01234")) == b"01234xyz"

    def test_more_than_sequence_numbers_can_count(self):
        stream, at = TcpStream(2**32 - 3), 2**32 - 3
        for _ in range(5):
            assert b"".join(stream.feed(at % 2**32, b"0123456789")) == b"0123456789"
            at += 10
        assert stream.has_reached(at % 2**32)

    def test_what_is_captured_twice_waits_once(self, monkeypatch):
        monkeypatch.setattr(tcp_stream, "MAX_PENDING", 12)
        stream = TcpStream(0)
        for _ in range(10):
            assert list(stream.feed(5, b"56789")) == []
        assert not stream.broken
        assert b"".join(stream.feed(0, b"01234")) == b"0123456789"


class TestBounds:
    @pytest.mark.parametrize(("limit", "value"), [("MAX_PENDING", 100), ("MAX_WAITING", 5)])
    def test_too_much_that_waits_breaks_it(self, monkeypatch, limit, value):
        monkeypatch.setattr(tcp_stream, limit, value)
        stream = TcpStream(0)
        for number in range(20):
            list(stream.feed(10 + 20 * number, random.Random(1).randbytes(20)))
        assert (stream.broken, stream.has_gap) == (True, False)
        assert list(stream.feed(0, b"0123456789")) == []
