"""Files known by how they begin, and opened or refused in one line."""

import gc
import gzip
import json

import pytest

from icws_explore.capture.files import FileKind, collector_paused, kind_of, open_file
from icws_explore.protocol.errors import CaptureError

HAR = json.dumps({"log": {"version": "1.2", "entries": []}}).encode()


class TestKinds:
    @pytest.mark.parametrize(
        ("start", "kind"),
        [
            (b"", FileKind.EMPTY),
            (b" \r\n\t", FileKind.EMPTY),
            (b"\xef\xbb\xbf", FileKind.EMPTY),
            (b'{"icws": 1}', FileKind.CAPTURE),
            (b'\xef\xbb\xbf {\n "icws" :', FileKind.CAPTURE),
            (HAR, FileKind.HAR),
            (b"\xef\xbb\xbf\n" + HAR, FileKind.HAR),
            (b'{"comment": "x", "log": {', FileKind.HAR),
            (b'{"log": 1}', FileKind.OTHER),
            (b"\xd4\xc3\xb2\xa1\x02\0", FileKind.PCAP),
            (b"\x0a\x0d\x0d\x0a", FileKind.PCAP),
            (gzip.compress(HAR), FileKind.GZIP),
            (b"PK\x03\x04", FileKind.ZIP),
            (HAR.decode().encode("utf-16"), FileKind.UTF16),
            (HAR.decode().encode("utf-16-le"), FileKind.UTF16),
            (HAR.decode().encode("utf-16-be"), FileKind.UTF16),
            (b"<!doctype html>", FileKind.PAGE),
            (b"\0\0\0\0", FileKind.OTHER),
            (b"\x7fELF", FileKind.OTHER),
            (b"hello", FileKind.OTHER),
        ],
    )
    def test_by_the_start(self, start, kind):
        assert kind_of(start) is kind


class TestOpening:
    def test_leaves_the_start_to_be_read(self, tmp_path):
        path = tmp_path / "file"
        path.write_bytes(b"content")
        with open_file(path) as stream:
            assert stream.peek(2)[:2] == b"co"
            assert stream.read() == b"content"

    def test_what_cannot_be_opened_is_one_error(self, tmp_path, monkeypatch):
        for name in ("missing", "a\0b", "x" * 5000):
            with pytest.raises(CaptureError, match="cannot read") as raised:
                open_file(tmp_path / name)
            assert "\n" not in str(raised.value)
        with pytest.raises(CaptureError, match="directory"):
            open_file(tmp_path)


class TestCollectorPaused:
    def test_nothing_made_meanwhile_is_searched_at_its_end(self) -> None:
        with collector_paused():
            assert not gc.isenabled()
            many = [[number] for number in range(200_000)]
        assert gc.isenabled()
        before = [generation["collections"] for generation in gc.get_stats()]
        more = [[number] for number in range(10)]
        after = [generation["collections"] for generation in gc.get_stats()]
        assert after[2] == before[2]
        assert not any(each is many[0] for each in gc.get_objects(generation=0))
        assert len(many) + len(more) == 200_010

    def test_leaves_alone_what_somebody_froze(self) -> None:
        somebodys = ["kept out of the search"]
        gc.freeze()
        try:
            with collector_paused():
                pass
            assert not any(each is somebodys for each in gc.get_objects())  # still frozen
        finally:
            gc.unfreeze()
        assert any(each is somebodys for each in gc.get_objects())

    def test_does_not_begin_a_search_that_was_switched_off(self) -> None:
        gc.disable()
        try:
            with collector_paused():
                pass
            assert not gc.isenabled()
        finally:
            gc.enable()
