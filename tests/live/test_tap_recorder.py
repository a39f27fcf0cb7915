"""Where a tap's frames go before they go on."""

import pytest

from icws_explore.capture import Capture, CaptureWriter, Frame, SessionInfo, load
from icws_explore.live import tap_recorder
from icws_explore.live.clock import RealClock
from icws_explore.live.tap_recorder import Recorder
from icws_explore.protocol.constants import NS_PER_S

X = Frame(1.0, "in", "binary", b"x", session="1")
Y = Frame(2.0, "out", "close", b"", 1000, "", "1")


class StandingClock(RealClock):
    now_s_ = 0

    def now_ns(self):
        return self.now_s_ * NS_PER_S


def recorder_of(writer=None, *, keep=True):
    return Recorder(Capture(), StandingClock(), writer, keep=keep)


class TestRecord:
    @pytest.mark.parametrize("name", ["s.icws", "s.icws.gz"])
    def test_it_is_in_the_file_when_record_returns(self, tmp_path, name):
        recorder = recorder_of(CaptureWriter(tmp_path / name, SessionInfo()))
        seen = []
        recorder.observers.append(seen.append)
        recorder.record(X, Y)
        assert load(tmp_path / name).frames == recorder.capture.frames == seen == [X, Y]
        recorder.close()
        assert load(tmp_path / name).frames == [X, Y]

    def test_frames_that_come_together_are_one_write(self, tmp_path, monkeypatch):
        with CaptureWriter(tmp_path / "s.icws", SessionInfo()) as writer:
            writes = []
            monkeypatch.setattr(writer, "_put", writes.append)
            recorder_of(writer).record(X, Y)
        assert writes == [X.to_line() + Y.to_line()]

    def test_without_keeping(self):
        recorder = recorder_of(keep=False)
        recorder.record(X)
        assert recorder.capture.frames == []

    def test_a_full_disk_is_a_note(self, tmp_path):
        writer = CaptureWriter(tmp_path / "s.icws", SessionInfo())
        recorder = recorder_of(writer)
        writer.close()
        recorder.record(X)
        recorder.record(Y)
        assert len(recorder.capture.frames) == 2
        assert [note.partition(":")[0] for note in recorder.capture.notes] == ["recording stopped"]

    def test_a_watcher_that_raises_is_reported_and_ends_nothing(self):
        def broken(_item):
            raise RuntimeError("mine")

        recorder = recorder_of()
        seen = []
        recorder.observers += [broken, seen.append]
        recorder.note_observers += [broken]
        recorder.record(X, Y)
        recorder.record(X)
        assert seen == [X, Y, X]
        told = "watch: RuntimeError: mine; this observer is not called again"
        assert recorder.capture.notes == [told, told]
        assert (recorder.observers, recorder.note_observers) == ([seen.append], [])


class TestNotes:
    def test_are_in_the_file(self, tmp_path):
        recorder = recorder_of(CaptureWriter(tmp_path / "s.icws", SessionInfo()))
        recorder.note("session 1: no connection")
        recorder.record(X)
        recorder.close()
        again = load(tmp_path / "s.icws")
        assert (again.notes, again.frames) == (["session 1: no connection"], [X])

    def test_hold_no_credentials(self, tmp_path):
        recorder = recorder_of(CaptureWriter(tmp_path / "s.icws", SessionInfo()))
        recorder.note("no way through http://me:s3cr3t@proxy/?token=s3cr3t")
        recorder.close()
        assert load(tmp_path / "s.icws").notes == recorder.capture.notes == ["no way through http://proxy/?…"]

    def test_on_a_full_disk_are_kept_all_the_same(self, tmp_path):
        writer = CaptureWriter(tmp_path / "s.icws", SessionInfo())
        recorder = recorder_of(writer)
        writer.close()
        recorder.note("one")
        recorder.note("two")
        assert [note.partition(":")[0] for note in recorder.capture.notes] == ["one", "recording stopped", "two"]

    def test_are_bounded(self, monkeypatch):
        monkeypatch.setattr(tap_recorder, "MAX_NOTES", 3)
        told = []
        recorder = recorder_of()
        recorder.note_observers.append(told.append)
        for number in range(5):
            recorder.note(str(number))
        assert (recorder.capture.notes, len(told)) == (["0", "1", "2"], 5)


class TestFaults:
    def test_of_a_kind_are_reported_once_a_minute(self):
        recorder = recorder_of()
        for now_s in (0, 1, 59, 60, 61):
            recorder.clock.now_s_ = now_s
            recorder.fault("a", f"a at {now_s}")
            recorder.fault("b", f"b at {now_s}")
        assert recorder.capture.notes == ["a at 0", "b at 0", "a at 60", "b at 60"]

    def test_also_after_the_clock_was_set_back(self):
        recorder = recorder_of()
        for now_s in (100_000, 5, 6, 65, 100_000):
            recorder.clock.now_s_ = now_s
            recorder.fault("a", f"a at {now_s}")
        assert recorder.capture.notes == ["a at 100000", "a at 5", "a at 65", "a at 100000"]

    def test_of_kinds_without_end_are_one_kind(self, monkeypatch):
        monkeypatch.setattr(tap_recorder, "MAX_KINDS", 3)
        recorder = recorder_of()
        for number in range(1000):
            recorder.fault(str(number), str(number))
        assert recorder.capture.notes == ["0", "1", "2", "3"]
