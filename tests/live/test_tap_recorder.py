"""Where a tap's frames go."""

from icws_explore.capture import Capture, CaptureWriter, SessionInfo, load
from icws_explore.live import tap_recorder
from icws_explore.live.clock import RealClock
from icws_explore.live.tap_recorder import Recorder


class TestRecord:
    def test_capture_file_and_watchers_get_the_same(self, tmp_path):
        path = tmp_path / "s.icws"
        seen = []
        recorder = Recorder(Capture(), RealClock(), CaptureWriter(path, SessionInfo()), keep=True)
        recorder.observers.append(seen.append)
        recorder.record("1", "in", "binary", b"x")
        recorder.record("1", "out", "close", b"", 1000, "", t=5.0)
        recorder.close()
        assert load(path).frames == recorder.capture.frames == seen
        assert seen[1].t == 5.0

    def test_without_keeping(self):
        recorder = Recorder(Capture(), RealClock(), None, keep=False)
        recorder.record("1", "in", "binary", b"x")
        assert recorder.capture.frames == []

    def test_a_full_disk_is_a_note(self, tmp_path):
        writer = CaptureWriter(tmp_path / "s.icws", SessionInfo())
        recorder = Recorder(Capture(), RealClock(), writer, keep=True)
        writer.close()
        recorder.record("1", "in", "binary", b"x")
        recorder.record("1", "in", "binary", b"y")
        assert len(recorder.capture.frames) == 2
        assert [note.partition(":")[0] for note in recorder.capture.notes] == ["recording stopped"]


class TestNotes:
    def test_are_in_the_file(self, tmp_path):
        recorder = Recorder(Capture(), RealClock(), CaptureWriter(tmp_path / "s.icws", SessionInfo()), keep=True)
        recorder.note("session 1: no connection")
        recorder.record("2", "in", "binary", b"x")
        recorder.close()
        again = load(tmp_path / "s.icws")
        assert (again.notes, again.frames) == (["session 1: no connection"], recorder.capture.frames)

    def test_on_a_full_disk_are_kept_all_the_same(self, tmp_path):
        writer = CaptureWriter(tmp_path / "s.icws", SessionInfo())
        recorder = Recorder(Capture(), RealClock(), writer, keep=True)
        writer.close()
        recorder.note("one")
        recorder.note("two")
        assert [note.partition(":")[0] for note in recorder.capture.notes] == ["one", "recording stopped", "two"]

    def test_are_bounded(self, monkeypatch):
        monkeypatch.setattr(tap_recorder, "MAX_NOTES", 3)
        told = []
        recorder = Recorder(Capture(), RealClock(), None, keep=True)
        recorder.note_observers.append(told.append)
        for number in range(5):
            recorder.note(str(number))
        assert (recorder.capture.notes, len(told)) == (["0", "1", "2"], 5)
