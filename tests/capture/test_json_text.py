"""JSON files in every encoding that people save them in, and damaged ones, as UTF-8 for a strict parser."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.capture.files import CHUNK, JsonText

TEXT = '{"text": "grüße 漢字 🜁"}'


def read(content, size=65_536):
    text = JsonText(io.BufferedReader(io.BytesIO(content)), chunk=size)
    parts = []
    while part := text.read():
        parts.append(part)
    return b"".join(parts), text.was_damaged


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("size", [1, 2, 3, 5, 65_536])
    def test_come_out_as_utf8(self, encoding, size):
        assert read(TEXT.encode(encoding), size) == (TEXT.encode(), False)

    @given(st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"])), st.integers(1, 9))
    def test_utf8_passes_as_it_is(self, text, size):
        content = json.dumps([text], ensure_ascii=False).encode()
        assert read(content, size) == (content, False)


class TestDamage:
    @pytest.mark.parametrize("size", [1, 2, 7, 65_536])
    def test_bytes_that_are_no_text_are_replaced_and_all_else_stays(self, size):
        content, was_damaged = read(b'{"a": "\xff\xfe", "b": "\xe2\x82", "c": "gr\xc3\xbc\xc3\x9fe"}', size)
        assert was_damaged
        assert json.loads(content) == {"a": "\ufffd\ufffd", "b": "\ufffd", "c": "grüße"}

    def test_a_torn_end(self):
        assert read(b'["\xf0\x9f') == ('["\ufffd'.encode(), True)

    def test_control_characters_are_spaces(self):
        assert json.loads(read(b'{"a":\t"x\ty\0z\n"}\r\n')[0]) == {"a": "x y z "}

    @given(st.binary(max_size=60), st.integers(1, 9))
    def test_any_input_becomes_utf8(self, content, size):
        read(content, size)[0].decode()


class TestChunks:
    """The parser scans an unfinished string again with every chunk, so the chunks grow while it finds nothing."""

    def chunks(self, content, *, progress=lambda chunk: False):
        text = JsonText(io.BufferedReader(io.BytesIO(content)))
        found = []
        while chunk := text.read(CHUNK):
            found.append(chunk)
            text.progressed = progress(chunk)
        assert b"".join(found) == content
        return found

    def test_double_while_no_event_comes(self):
        sizes = [len(chunk) for chunk in self.chunks(b"a" * 100 * CHUNK)]
        assert len(sizes) <= 8
        scanned = sum(sum(sizes[: number + 1]) for number in range(len(sizes)))
        assert scanned < 4 * sum(sizes)

    def test_end_with_the_string(self):
        content = b'"' + b"a" * 5 * CHUNK + b'"' + b"[]" * 5 * CHUNK
        found = self.chunks(content, progress=lambda chunk: chunk.endswith((b'"', b"]")))
        after = found.index(next(chunk for chunk in found if chunk.endswith(b'a"'))) + 1
        assert max(len(chunk) for chunk in found[after:]) == CHUNK

    @pytest.mark.parametrize("odd", [0, 1])
    def test_an_escaped_quote_ends_none(self, odd):
        content = b"a" * odd + rb"\"" * (5 * CHUNK) + b'"' + b"x" * CHUNK
        found = self.chunks(content)
        assert len(found) <= 6

    def test_a_backslash_that_is_escaped_escapes_nothing(self):
        content = b"a" * (CHUNK - 1) + rb"\\" + b'"' + b"b" * 10
        assert [len(chunk) for chunk in self.chunks(content)] == [CHUNK, 2, 10]
