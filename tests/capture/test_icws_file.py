"""`.icws` files: whatever happens to one, the whole frames before it are kept."""

import gc
import gzip
import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.capture import Capture, CaptureWriter, Frame, PageCall, SessionInfo, load, save
from icws_explore.capture.icws_file import MAX_NOTES, MAX_SAID
from icws_explore.protocol.errors import CaptureError

FRAMES = [
    Frame(1700000000.25, "in", "binary", b"\xd9\xd9\xf7\xa0"),
    Frame(1700000000.5, "out", "text", "grüß".encode()),
    Frame(1700000001.0, "in", "close", b"", 4000, "Ack message timeout"),
]
INFO = SessionInfo(gateway_url="ws://127.0.0.1:1", root_key=b"\x01\x02", ack_interval_ms=5000)


@pytest.fixture(params=["one.icws", "one.icws.gz"])
def path(request, tmp_path):
    return tmp_path / request.param


class TestRoundTrip:
    def test_what_is_saved_is_loaded(self, path):
        save(Capture(INFO, list(FRAMES)), path)
        assert load(path) == Capture(INFO, FRAMES)

    def test_the_pages_own_calls_stay(self, path):
        calls = [PageCall(1700000000.5, "aaaaa-aa", "2vxsx-fae")]
        save(Capture(INFO, list(FRAMES), page_calls=calls), path)
        assert load(path).page_calls == calls

    @pytest.mark.parametrize("calls", [7, [7], [{"t": "x", "canister_id": "a", "sender": "b"}], [{"t": 1e300}]])
    def test_what_is_no_call_is_left_out(self, tmp_path, calls):
        path = tmp_path / "a.icws"
        path.write_text(json.dumps(INFO.to_json() | {"page_calls": calls}) + "\n")
        assert load(path).page_calls == []

    def test_a_gzip_file_is_known_by_its_bytes_not_its_name(self, tmp_path):
        packed = save(Capture(INFO, list(FRAMES)), tmp_path / "a.icws.gz")
        other = packed.rename(tmp_path / "renamed.icws")
        assert load(other).frames == FRAMES

    def test_the_file_is_json_lines_as_documented(self, tmp_path):
        lines = save(Capture(INFO, list(FRAMES)), tmp_path / "a.icws").read_text("utf-8").splitlines()
        assert [set(json.loads(line)) for line in lines[1:]] == [
            {"t", "d", "op", "b"},
            {"t", "d", "op", "b"},
            {"t", "d", "op", "b", "code", "reason"},
        ]
        assert json.loads(lines[0])["icws"] == 1


class TestWriter:
    def test_every_frame_is_readable_as_soon_as_it_is_written(self, path):
        with CaptureWriter(path, INFO) as writer:
            for count, frame in enumerate(FRAMES, start=1):
                writer.write(frame)
                assert load(path).frames == FRAMES[:count]

    def test_a_killed_recorder_leaves_every_whole_frame(self, path):
        script = (
            "import os, sys, signal\n"
            "from icws_explore.capture import CaptureWriter, Frame, SessionInfo\n"
            "w = CaptureWriter(sys.argv[1], SessionInfo())\n"
            "for i in range(50): w.write(Frame(i, 'in', 'binary', bytes([i]) * 100))\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=60)
        assert [frame.data[0] for frame in load(path)] == list(range(50))

    def test_an_unwritable_place_is_an_error_of_one_line(self, tmp_path):
        with pytest.raises(CaptureError, match="cannot write .*no/such"):
            CaptureWriter(tmp_path / "no" / "such.icws", INFO)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
    @pytest.mark.parametrize("name", ["full.icws", "full.icws.gz"])
    def test_a_full_disk_leaves_no_file_open(self, tmp_path, name):
        path = tmp_path / name
        path.symlink_to("/dev/full")
        with pytest.raises(CaptureError, match="cannot write .*No space left on device"):
            CaptureWriter(path, INFO)
        gc.collect()  # a file left open would be a ResourceWarning, and with it an error


class TestTornFiles:
    @given(st.integers(0, 400))
    def test_a_plain_file_cut_anywhere_keeps_its_whole_lines(self, tmp_path_factory, cut):
        path = tmp_path_factory.mktemp("torn") / "a.icws"
        whole = save(Capture(INFO, list(FRAMES)), path).read_bytes()
        first_line = whole.index(b"\n")
        end = first_line + min(cut, len(whole) - first_line)
        path.write_bytes(whole[:end])
        capture = load(path)
        assert capture.frames == FRAMES[: len(capture.frames)]
        assert len(capture.frames) >= max(0, whole[:end].count(b"\n") - 1)
        torn = whole[:end].rpartition(b"\n")[2]
        complete = len(capture.frames) == whole[:end].count(b"\n")  # only the newline was lost
        assert bool(capture.notes) == (bool(torn) and whole[:end].count(b"\n") > 0 and not complete)

    @given(st.integers(1, 60))
    def test_a_gzip_file_cut_near_its_end_keeps_frames_and_says_so(self, tmp_path_factory, cut):
        path = tmp_path_factory.mktemp("torn") / "a.icws.gz"
        frames = [Frame(i, "in", "binary", bytes([i] * 90)) for i in range(200)]
        whole = save(Capture(INFO, frames), path).read_bytes()
        path.write_bytes(whole[:-cut])
        capture = load(path)
        assert capture.frames == frames[: len(capture.frames)]
        assert len(capture.frames) >= 195
        assert capture.notes

    def test_a_bad_line_in_the_middle_is_left_out_and_named(self, tmp_path):
        path = save(Capture(INFO, list(FRAMES)), tmp_path / "a.icws")
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:2], b'{"t": 1, "d": "sideways"}\n', b"nonsense\n", *lines[2:]]))
        capture = load(path)
        assert capture.frames == FRAMES
        assert capture.notes == ['line 3 left out: "d" must be "in" or "out"', "line 4 left out: not JSON"]

    def test_very_many_bad_lines_are_counted_not_listed(self, tmp_path):
        path = save(Capture(INFO, list(FRAMES)), tmp_path / "a.icws")
        path.write_bytes(path.read_bytes() + b"x\n" * 1000)
        capture = load(path)
        assert capture.frames == FRAMES
        assert (len(capture.notes), capture.notes[-1]) == (MAX_NOTES + 1, f"{1000 - MAX_NOTES} more lines left out")


class TestDamagedHead:
    """Line 1 says what was configured; the frames behind it are worth more than that."""

    def broken(self, tmp_path, change):
        path = save(Capture(INFO, list(FRAMES)), tmp_path / "a.icws")
        head, *rest = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([change(head), *rest]))
        return load(path)

    @pytest.mark.parametrize("change", [lambda _: b"nonsense\n", lambda head: head[:40] + b"\n", lambda _: b"[1]\n"])
    def test_costs_what_it_announced(self, tmp_path, change):
        capture = self.broken(tmp_path, change)
        assert (capture.info, capture.frames) == (SessionInfo(), FRAMES)
        assert len(capture.notes) == 1
        assert "line 1 (the configuration) cannot be read" in capture.notes[0]

    def test_one_that_is_gone(self, tmp_path):
        capture = self.broken(tmp_path, lambda _: b"")
        assert capture.frames == FRAMES
        assert len(capture.notes) == 1

    def test_a_bad_member_costs_that_member(self, tmp_path):
        capture = self.broken(tmp_path, lambda head: head.replace(b'"0102"', b'"xyz"'))
        assert (capture.info, capture.frames) == (replace(INFO, root_key=None), FRAMES)
        assert capture.notes == ['line 1: "root_key" must be hexadecimal; left out']

    def test_another_version_is_refused(self, tmp_path):
        with pytest.raises(CaptureError, match='"icws" must be 1, not 2'):
            self.broken(tmp_path, lambda head: head.replace(b'"icws":1', b'"icws":2'))

    def test_a_large_file_of_another_kind_is_not_read_to_its_end(self, tmp_path):
        path = tmp_path / "a.log"
        path.write_bytes(b"x\n" * 100 + b'{"t": 1, "d": "in", "op": "text", "b": ""}\n')
        with pytest.raises(CaptureError, match="not a capture"):
            load(path)


class TestNotes:
    def test_stay_with_the_file(self, path):
        capture = Capture(INFO, list(FRAMES), ["packets are missing", "lone \ud800 surrogate"])
        again = load(save(capture, path))
        assert again.notes == ["packets are missing", "lone ? surrogate"]
        assert load(save(again, path)).notes == again.notes
        assert again.frames == FRAMES

    def test_are_appended_as_frames_are(self, path):
        with CaptureWriter(path, INFO, ["at first"]) as writer:
            writer.note("lone \ud800 surrogate")
            for frame in FRAMES:
                writer.write(frame)
            for _ in range(MAX_SAID + 5):
                writer.note("more")
        again = load(path)
        assert again.frames == FRAMES
        assert again.notes[:3] == ["at first", "lone ? surrogate", "more"]
        assert len(again.notes) == 1 + MAX_SAID

    def test_of_any_text_can_be_written_again(self, tmp_path):
        path = save(Capture(INFO, list(FRAMES)), tmp_path / "a.icws")
        path.write_bytes(path.read_bytes() + b'{"note":"\\ud800"}\n')
        assert load(save(load(path), path)).notes == ["?"]

    def test_come_before_what_was_found_on_loading(self, tmp_path):
        path = save(Capture(INFO, list(FRAMES), ["said"]), tmp_path / "a.icws")
        path.write_bytes(path.read_bytes() + b"x\n")
        assert load(path).notes == ["said", "line 5 left out: not JSON"]

    @pytest.mark.parametrize(
        "odd", [b'"text"', b"7", b'[1, null, {}, "kept"]', b'["kept"' + b', "more"' * 9_999 + b"]"]
    )
    def test_invalid_ones_are_bounded_and_left_out(self, tmp_path, odd):
        path = tmp_path / "a.icws"
        path.write_bytes(b'{"icws": 1, "notes": ' + odd + b"}\n")
        notes = load(path).notes
        assert len(notes) <= MAX_SAID
        assert all(note in ("kept", "more") for note in notes)


class TestUnreadable:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "empty"),
            (b"\n\n", "empty"),
            (b"PK\x03\x04", "it is a ZIP archive: unpack it first"),
            (b'{"log": {"entries": []}}', "it is a HAR file: convert it with icws import"),
            (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "it is a packet capture: convert it with icws import"),
            (gzip.compress(b'{"log": {}}'), "it is a HAR file"),
            (b"<!doctype html>", "it is a web page"),
            (b"[1]", "not a JSON object"),
            (b'{"icws": 9}\n', '"icws" must be 1'),
            (b"[" * 100_000, "not a capture"),
            (b'{"icws": 1, "clock": 3}', '"clock"'),
            (gzip.compress(b""), "empty"),
            (b"\x1f\x8b\x08\x00garbage", "empty"),
            ('{"icws": 1}\n{}\n'.encode("utf-16"), "it is UTF-16 text: save it as UTF-8"),
            (b'{"icws": 1' + b"0" * 5000 + b"}", "not a capture"),
        ],
    )
    def test_one_line_says_what_is_wrong(self, tmp_path, content, said):
        path = tmp_path / "bad.icws"
        path.write_bytes(content)
        with pytest.raises(CaptureError, match=said) as caught:
            load(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)

    def test_a_missing_file_and_a_directory(self, tmp_path):
        with pytest.raises(CaptureError, match="No such file"):
            load(tmp_path / "nothing.icws")
        with pytest.raises(CaptureError, match="directory"):
            load(tmp_path)
        with pytest.raises(CaptureError, match="null"):
            load("a\0b.icws")
        with pytest.raises(CaptureError, match="null"):
            save(Capture(), "a\0b.icws")


class TestOddJson:
    """Lines are read by orjson, and by the standard library where that refuses them: with the same result."""

    @pytest.mark.parametrize(
        "line",
        [
            b'{"t":1,"d":"in","op":"text","b":"","s":"\\ud800"}',
            b'{"t":1,"d":"in","op":"text","b":"","s":"\\ud83d\\ude00"}',
            b'{"t":1,"d":"in","op":"text","b":"","s":"a\xff"}',
            b'{"t":NaN,"d":"in","op":"text","b":""}',
            b'{"t":Infinity,"d":"in","op":"text","b":""}',
            b'{"t":1e400,"d":"in","op":"text","b":""}',
            b'{"t":-0.0,"t":1767225600.04,"d":"in","op":"text","b":""}',
            b'{"t":0.1000000000000000055511151231257827,"d":"in","op":"text","b":""}',
            b'{"t":1,"d":"in","op":"close","b":"","code":18446744073709551616}',
            b'{"t":1,"d":"in","op":"close","b":"","code":1e3}',
            b'{"t":18446744073709551616,"d":"in","op":"text","b":""}',
            b'{"t":1,"d":["in"],"op":"text","b":""}',
            b'{"t":1,"d":"in","op":{},"b":""}',
            b'{"t":1,"d":"in","op":"text","b":"","x":' + b"1" * 5000 + b"}",
            b"[1]",
            b"{'t':1}",
        ],
    )
    def test_gives_what_the_standard_library_gives(self, tmp_path, line):
        path = tmp_path / "odd.icws"
        path.write_bytes(b'{"icws":1}\n' + line + b"\n")
        try:
            wanted = [Frame.from_json(json.loads(line))]
        except (ValueError, CaptureError, AttributeError):
            wanted = []
        capture = load(path)
        assert repr(capture.frames) == repr(wanted)
        assert len(capture.notes) == 1 - len(wanted)


class TestLinesOfManyParts:
    """JSON takes up to sixty bytes of memory for a byte of `{}`; no frame has that many parts."""

    @pytest.mark.parametrize("part", ["{}", "[]", '{"a":1}', "[[1]]"])
    def test_are_left_out_before_they_are_parsed(self, tmp_path, part):
        path = tmp_path / "a.icws"
        save(Capture(frames=[Frame(1.0, "in", "binary", b"x")]), path)
        with path.open("a") as file:
            file.write("[" + ",".join([part] * 200_000) + "]\n")
        tracemalloc.start()
        capture = load(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(capture.frames) == 1
        assert capture.notes == ["line 3 left out: more than 100000 parts"]
        assert peak < 3 * path.stat().st_size


class TestChanges:
    """What a tap did to a frame may stand behind it, with a note for readers that know only notes."""

    def written(self, tmp_path, *lines):
        path = tmp_path / "s.icws"
        with CaptureWriter(path, SessionInfo()) as writer:
            writer.write(Frame(1.0, "out", "binary", b"abc"), Frame(2.0, "in", "binary", b"x", did="edited", far=b"y"))
            for number, frame in lines:
                writer.amend(number, frame, f"frame {number} was {frame.did}")
        return path

    def test_are_given_to_their_frame_and_noted(self, tmp_path):
        changed = Frame(1.0, "out", "binary", b"abc", did="edited and forwarded", far=b"abd")
        capture = load(self.written(tmp_path, (0, changed)))
        assert capture.frames == [changed, Frame(2.0, "in", "binary", b"x", did="edited", far=b"y")]
        assert capture.notes == ["frame 0 was edited and forwarded"]

    def test_of_a_frame_that_is_not_there_change_nothing(self, tmp_path):
        dropped = Frame(1.0, "out", "binary", b"abc", did="dropped")
        capture = load(self.written(tmp_path, (7, dropped), (-1, dropped)))
        assert [frame.did for frame in capture.frames] == [None, "edited"]

    @pytest.mark.parametrize("change", ['"did":3', '"did":"x","far":7', '"far":"not base64!"'])
    def test_that_cannot_be_read_are_left_out(self, tmp_path, change):
        path = self.written(tmp_path)
        with path.open("a") as file:
            file.write(f'{{"note":"n","frame":0,{change}}}\n')
        capture = load(path)
        assert capture.frames[0].did is None
        assert "left out" in capture.notes[-1]
