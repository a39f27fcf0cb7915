"""Recordings as tables and HAR files for other tools; redacted, nothing private leaves."""

import csv
import json

import pytest

import icws_explore as icws
from icws_explore.analysis.compare import compare
from icws_explore.analysis.export import export_table
from icws_explore.capture import Capture, Frame, load
from icws_explore.protocol.errors import CaptureError
from support.data_files import SESSIONS
from support.session_captures import SessionScript, healthy

SECRET = "the secret word"


def with_secrets():
    script = SessionScript().opened().client_says(3.0, SECRET).app_says(4.0, SECRET)
    script.closed(9.0, reason=SECRET)
    script.capture.frames.append(Frame(script.capture.frames[-1].t, "in", "text", SECRET.encode(), session="vite"))
    return icws.Recording(script.capture)


class TestHar:
    def test_gives_the_same_frames_back(self, tmp_path):
        recording = icws.Recording(healthy())
        loaded = icws.load(recording.to_har(tmp_path / "s.har"))
        assert loaded.raw.frames == recording.raw.frames
        assert compare(recording.raw, loaded.raw).is_same

    @pytest.mark.parametrize("path", sorted(SESSIONS.glob("*.icws*")), ids=lambda path: path.name)
    def test_of_every_recording_in_data(self, path, tmp_path):
        recording = icws.load(path)
        assert icws.load(recording.to_har(tmp_path / "s.har")).raw.frames == recording.raw.frames


class TestRedacted:
    @pytest.mark.parametrize("kind", ["har", "csv", "parquet"])
    def test_no_word_of_a_user_and_no_bytes_leave(self, kind, tmp_path):
        recording = with_secrets()
        path = tmp_path / f"s.{kind}"
        getattr(recording, f"to_{kind}")(path, redact=True)
        whole = path.read_bytes()
        assert SECRET.encode() not in whole
        assert recording.raw.frames[3].data[40:80] not in whole
        getattr(recording, f"to_{kind}")(path)
        assert kind == "har" or SECRET.encode() in path.read_bytes()

    def test_kinds_and_sizes_stay(self, tmp_path):
        log = json.loads(with_secrets().to_har(tmp_path / "s.har", redact=True).read_text())["log"]
        texts = [message["data"] for message in log["entries"][0]["_webSocketMessages"]]
        assert texts[0].startswith("handshake, 53 bytes: gateway")
        assert texts[3].startswith("message, ")
        assert "record { text; nat64 }" in texts[3]


class TestCsv:
    def test_is_a_line_a_frame_with_values_as_json(self, tmp_path):
        recording = icws.load(SESSIONS / "healthy.icws")
        with recording.to_csv(tmp_path / "s.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == 17
        assert json.loads(rows[3]["value"]) == {"text": "pong", "timestamp": 1}
        assert (rows[2]["kind"], rows[2]["sequence_num"]) == ("open", "1")
        assert (rows[-1]["code"], rows[-1]["op"]) == ("1000", "close")

    def test_no_cell_is_a_formula(self, tmp_path):
        script = SessionScript().opened().closed(9.0, reason='=HYPERLINK("http://evil")')
        with icws.Recording(script.capture).to_csv(tmp_path / "s.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert rows[-1]["reason"].startswith("'=")

    def test_a_path_that_cannot_be_written(self, tmp_path):
        with pytest.raises(CaptureError, match="cannot write"):
            icws.Recording(healthy()).to_csv(tmp_path / "nowhere" / "s.csv")


class TestParquet:
    def test_holds_table_bytes_and_configuration(self, tmp_path):
        import pandas as pd
        import pyarrow.parquet as pq

        recording = icws.load(SESSIONS / "healthy.icws")
        path = recording.to_parquet(tmp_path / "s.parquet")
        table = pd.read_parquet(path)
        assert list(table["data"]) == [frame.data for frame in recording.raw.frames]
        assert list(table["kind"]) == list(recording.frames()["kind"])
        metadata = pq.read_schema(path).metadata
        assert json.loads(metadata[b"icws"])["canister_id"] == recording.info.canister_id

    def test_of_an_empty_recording(self, tmp_path):
        import pandas as pd

        path = icws.Recording(Capture()).to_parquet(tmp_path / "s.parquet")
        assert len(pd.read_parquet(path)) == 0


class TestTable:
    def test_values_of_bytes_and_principals_are_text(self):
        capture = load(SESSIONS / "chat.icws")
        for value in export_table(capture)["value"].dropna():
            json.loads(value)
