from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.constants import NS_PER_S
from icws_explore.views.formatting import count, distance, duration, elide, one_line, shorten
from support.session_captures import START_S


class TestOneLine:
    def test_escapes_what_moves_a_cursor(self) -> None:
        assert one_line("a\x1b[31m\r\nb\u202ec\u200b") == "a\\x1b[31m\\r\\nb\\u202ec\\u200b"

    @given(st.text(st.characters()))
    def test_makes_any_text_printable(self, text: str) -> None:
        assert one_line(text).isprintable()

    @given(st.text(st.characters(exclude_categories=["C", "Z"])))
    def test_leaves_readable_text_alone(self, text: str) -> None:
        assert one_line(text) == text


class TestElide:
    def test_shows_short_bytes_whole(self) -> None:
        assert elide(b"") == "empty"
        assert elide(bytes(range(12))) == "0x000102030405060708090a0b"

    @given(st.binary(min_size=13, max_size=300))
    def test_keeps_both_ends_and_gives_the_size(self, data: bytes) -> None:
        assert elide(data) == f"0x{data[:8].hex()}…{data[-4:].hex()} ({len(data)} bytes)"


@given(st.text(max_size=50), st.integers(1, 40))
def test_a_shortened_text_fits_and_ends_in_an_ellipsis(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


def test_count_uses_the_plural() -> None:
    assert [count(number, "frame") for number in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (0.0004, "0.4 ms"), (0.0126, "13 ms"), (0.2594, "259 ms"), (0.9996, "1.00 s"), (1.416, "1.42 s"),
        (12.345, "12.3 s"), (99.96, "100 s"), (300.998, "301 s"), (12345.6, "12346 s"), (-0.05, "-50 ms"),
        (-399.2, "-399 s"),
    ],
)  # fmt: skip
def test_a_duration_has_three_digits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class TestDistance:
    def test_names_its_reference(self) -> None:
        ns = round((START_S + 238.2) * NS_PER_S)
        assert distance(ns, START_S, "sent") == "238.200 s after it was sent"
        assert distance(ns, START_S + 240, "this frame") == "1.800 s before this frame"
        assert distance(ns, START_S + 238.2, "this frame") == "at the time of this frame"
        assert distance(ns, START_S + 238.2, "sent") == "at the time it was sent"

    @pytest.mark.parametrize("ns", [0, 2**64 - 1, 2**80, -1, 10**40])
    def test_of_any_number_has_a_text(self, ns: int) -> None:
        assert isinstance(distance(ns, START_S, "sent"), str)
