"""The head of a CBOR item in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.annotate.cbor_scan import scan
from icws_explore.views.report.cbor_words import cbor_words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("01", "01: unsigned integer, in this byte"),
        ("1b18eab0f95e37e69f", "1b: unsigned integer, in the next 8 bytes"),
        ("1818", "18: unsigned integer, in the next 1 byte"),
        ("20", "20: negative integer, in this byte"),
        ("5820", "58 20: byte string, 32 bytes"),
        ("41", "41: byte string, 1 byte"),
        ("590342d9", "59 03 42: byte string, 834 bytes"),
        ("63", "63: text, 3 bytes"),
        ("a4", "a4: map, 4 pairs"),
        ("82", "82: array, 2 elements"),
        ("8301", "83: array, 3 elements; 01: fork"),
        ("8203", "82: array, 2 elements; 03: leaf"),
        ("8100", "81: array, 1 element; 00: empty"),
        ("d9d9f7", "d9 d9 f7: tag 55799"),
        ("f4", "f4: false"),
        ("f6", "f6: null"),
        ("fb", ""),
        ("e0", "e0: simple"),
        ("ff", "ff: break, the end of an item of indefinite length"),
        ("5f", "5f: byte string, indefinite length"),
        ("bf", "bf: map, indefinite length"),
        ("1f", ""),
        ("1c", ""),
        ("5903", ""),
        ("", ""),
    ],
)
def test_says_what_the_head_says(data: str, words: str) -> None:
    assert cbor_words(bytes.fromhex(data)) == words


@given(st.binary(max_size=12))
def test_agrees_with_the_reader_of_frames(data: bytes) -> None:
    """What has words is the head that the scanner reads; a number in words is the one that it read."""
    words = cbor_words(data)
    item, _ = scan(data)
    if item is None or not words or data[0] == 0xFF:
        return
    head = data[: item.head_end].hex(" ")
    assert head.startswith(words.partition(":")[0])
    if item.major in ("array", "tag") and not item.indefinite:
        assert f" {item.value}" in words
