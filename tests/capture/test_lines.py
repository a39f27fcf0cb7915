"""Lines out of files: numbered, bounded, up to the damage."""

import gzip
import zlib

import pytest

from icws_explore.capture import icws_file as lines_module
from icws_explore.capture.icws_file import Line, read_lines
from icws_explore.protocol.errors import CaptureError


@pytest.fixture
def read(tmp_path):
    def read(content):
        path, notes = tmp_path / "file", []
        path.write_bytes(content)
        return list(read_lines(path, notes)), notes

    return read


class TestLines:
    def test_are_numbered_and_blank_ones_left_out(self, read):
        assert read(b"a\n\n \r\nb\r\nc") == ([Line(1, b"a\n", True), Line(4, b"b\r\n", True), Line(5, b"c", False)], [])

    def test_come_out_of_gzip_by_its_bytes(self, read):
        assert read(gzip.compress(b"a\nb\n")) == ([Line(1, b"a\n", True), Line(2, b"b\n", True)], [])

    @pytest.mark.parametrize(
        "damage", [lambda b: b[:-6], lambda b: b[:-4] + b"\0\0\0\0", lambda b: b + b"\x1f\x8bjunk"]
    )
    def test_end_where_the_gzip_is_damaged(self, read, damage):
        found, notes = read(damage(gzip.compress(b"a\nb\n" * 1000)))
        assert len(found) == 2000
        assert notes[0].startswith("the file ends in the middle of line 2001")
        assert len(notes) == 1

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(CaptureError, match="cannot read"):
            list(read_lines(tmp_path / "missing", []))


class TestBounds:
    def test_a_line_is_not_read_whole_beyond_the_largest(self, read, monkeypatch):
        monkeypatch.setattr(lines_module, "MAX_LINE", 10)
        assert [line.text for line in read(b"x" * 25)[0]] == [b"x" * 10, b"x" * 10, b"x" * 5]

    def test_a_file_of_blank_lines_ends(self, read, monkeypatch):
        monkeypatch.setattr(lines_module, "MAX_LINES", 100)
        assert read(b"\n" * 1000) == ([], ["everything after line 100 is left out"])

    def test_a_gzip_bomb_ends(self, read, monkeypatch):
        monkeypatch.setattr(lines_module, "MAX_UNPACKED", 1_000_000)
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = packer.compress((b" " * 99_999 + b"\n") * 1000) + packer.flush()
        assert len(bomb) < 200_000
        found, notes = read(bomb)
        assert found == []
        assert "unpack the file" in notes[0]

    def test_one_that_is_not_packed_has_no_such_bound(self, read, monkeypatch):
        monkeypatch.setattr(lines_module, "MAX_UNPACKED", 10)
        assert len(read(b"abc\n" * 100)[0]) == 100
