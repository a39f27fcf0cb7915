"""A capture as a table and in numbers."""

import pandas as pd
import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.recording import frame_table, summarise
from icws_explore.analysis.table import Table
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, load


class TestFrameTable:
    def test_has_a_row_a_frame_with_its_types(self, recorded):
        capture = load(recorded)
        table = frame_table(capture)
        assert len(table) == len(capture)
        assert str(table["t"].dt.tz) == "UTC"
        assert table["elapsed_s"].iloc[0] == 0
        assert table["elapsed_s"].is_monotonic_increasing
        assert table["sequence_num"].dtype == pd.UInt64Dtype()
        assert table.loc[table.kind == "app", "value"].iloc[0]["text"] == "ping"

    def test_times_are_the_frames(self, recorded):
        capture = load(recorded)
        table = frame_table(capture)
        assert [t.timestamp() for t in table["t"]] == [pytest.approx(frame.t, abs=1e-5) for frame in capture.frames]

    def test_of_nothing(self):
        assert list(frame_table(Capture()).columns)[:3] == ["t", "elapsed_s", "direction"]


class TestJson:
    def test_is_what_show_prints(self, recorded):
        row = next(decode_frames(load(recorded))).to_json()
        assert list(row) == ["frame", "t", "direction", "kind", "sequence_num", "size", "summary"]


class TestTable:
    def test_is_a_data_frame_and_so_is_what_is_selected_from_it(self, recorded):
        table = frame_table(load(recorded))
        for part in (table, table[table["kind"] == "app"], table[["kind", "size"]], table.head(3)):
            assert type(part) is Table
            assert isinstance(part, pd.DataFrame)
        assert type(table["kind"]) is pd.Series


class TestSummary:
    def test_counts(self, recorded):
        capture = load(recorded)
        summary = summarise(list(decode_frames(capture)), verify_capture(capture))
        assert summary.opened
        assert 0 < summary.open_latency_s < 60
        assert (summary.sent, summary.acks, summary.keep_alives, summary.malformed) == (2, 1, 1, 0)
        assert summary.received >= 2
        assert summary.all_valid
        assert summary.ended == "closed by the client: 1000"
        assert summary.to_json()["frames"] == len(capture)

    def test_of_nothing_is_not_valid(self):
        summary = summarise([])
        assert (summary.opened, summary.all_valid, summary.ended, summary.duration_s) == (False, False, None, 0.0)
