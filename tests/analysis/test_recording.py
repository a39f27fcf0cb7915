"""A recording: the capture with the protocol's knowledge on top."""

import dataclasses

import pytest

import icws_explore as icws
from icws_explore.capture import Capture
from icws_explore.protocol.errors import CaptureError


class TestRecording:
    def test_loads_shows_verifies_and_saves(self, recorded, tmp_path):
        recording = icws.load(recorded)
        assert len(recording.frames()) == len(recording)
        assert all(verdict.ok for verdict in recording.verify())
        assert recording.summary().all_valid
        copy = icws.load(recording.save(tmp_path / "copy.icws.gz"))
        assert copy.raw == recording.raw

    def test_its_frames_are_decoded_by_number(self, recorded):
        recording = icws.load(recorded)
        assert recording[0].kind == "handshake"
        assert (recording[-1].number, recording[-1].kind) == (len(recording) - 1, "control")
        assert [frame.number for frame in recording] == list(range(len(recording)))
        with pytest.raises(IndexError):
            recording[10_000]

    def test_says_what_it_is(self, recorded):
        text = repr(icws.load(recorded))
        assert "frames" in text
        assert "scaled × 100" in text

    def test_without_a_key_the_summary_counts_no_certificates(self, recorded):
        recording = icws.load(recorded)
        recording.raw.info = dataclasses.replace(recording.info, root_key=None)
        assert recording.summary().certificates == 0

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(CaptureError, match="cannot read"):
            icws.load(tmp_path / "none.icws")

    def test_one_session_of_many(self, recorded):
        recording = icws.load(recorded)
        assert len(recording.session(None)) == len(recording)
        assert len(recording.session("other")) == 0


def test_replay_gives_each_session(recorded):
    (replay,) = icws.load(recorded).replay()
    assert replay.agrees
    assert replay.predicted_close is None

    def test_times_beyond_a_tables_calendar_are_shown(self, recorded):
        """A file may hold times of thousands of years from now; pandas has nanoseconds until 2262."""
        raw = icws.load(recorded).raw
        frames = [dataclasses.replace(frame, t=frame.t + 9.9e11) for frame in raw.frames]
        table = icws.Recording(Capture(raw.info, frames)).frames()
        assert len(table) == len(frames)
        assert table["t"].isna().all()
        assert table["elapsed_s"].iloc[0] == 0
