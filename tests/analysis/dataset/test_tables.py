"""The tables of a recording: their columns are those that a recording gives, and a redacted one has no words."""

import pandas as pd
import pytest

import icws_explore as icws
from icws_explore.analysis.dataset.tables import TABLES, as_arrow, day_of, examined, schema_of
from icws_explore.analysis.export import export_table
from icws_explore.capture import Capture
from support.data_files import SESSIONS
from support.session_captures import SessionScript

SECRET = "the secret word"


@pytest.fixture(scope="module")
def healthy():
    return icws.load(SESSIONS / "healthy.icws")


def columns(table):
    return [name for name in schema_of(table).names if name not in ("recording", "day")]


class TestColumns:
    def test_of_frames_are_those_of_an_export(self, healthy):
        assert columns("frames") == ["frame", *export_table(healthy.raw).columns, "data"]

    @pytest.mark.parametrize("name", ["acks", "keep_alives"])
    def test_of_times_are_those_of_the_timing(self, healthy, name):
        assert columns(name) == list(getattr(healthy.timing(), name).columns)

    def test_of_sessions_hold_the_summary(self, healthy):
        summary = healthy.summary().to_json()
        assert set(summary) - set(columns("sessions")) == {"certificates", "certificates_valid"}

    @pytest.mark.parametrize("table", TABLES)
    def test_have_the_same_types_without_a_row(self, healthy, table):
        rows = examined(healthy.raw, "a").tables[table]
        assert as_arrow(table, rows[:0]).schema == as_arrow(table, rows).schema == schema_of(table)


class TestRows:
    def test_of_a_session(self, healthy):
        (row,) = examined(healthy.raw, "a").tables["sessions"].to_dict("records")
        summary = healthy.summary()
        assert {name: row[name] for name in ("frames", "sent", "received", "acks", "opened")} == {
            "frames": 17, "sent": summary.sent, "received": summary.received, "acks": summary.acks, "opened": True,
        }  # fmt: skip
        assert row["canister_id"] == healthy.info.canister_id
        assert row["code"] == 1000
        assert "canister's CDK: Rust" in row["versions"]

    def test_of_findings_name_their_sessions(self):
        script = SessionScript().opened().closed(9.0, code=1006)
        found = examined(script.capture, "a").tables["findings"]
        assert [*zip(found.cause, found.sessions, strict=True)] == [("CONNECTION_LOST", [None])]

    def test_without_frames_where_they_are_not_asked_for(self, healthy):
        assert set(examined(healthy.raw, "a", with_frames=False).tables) == set(TABLES) - {"frames"}

    def test_of_nothing(self):
        assert {name: len(rows) for name, rows in examined(Capture(), "a").tables.items()} == dict.fromkeys(TABLES, 0)


class TestRedacted:
    def test_has_no_word_of_a_user_and_no_bytes(self):
        script = SessionScript().opened().client_says(3.0, SECRET).app_says(4.0, SECRET)
        script.closed(9.0, reason=SECRET)
        for redact in (False, True):
            tables = examined(script.capture, "a", redact=redact).tables
            text = "".join(pd.DataFrame(rows).to_csv() for rows in tables.values())
            assert (SECRET in text) != redact
        assert list(tables["frames"].data.dropna()) == []
        assert list(tables["findings"].explanation.dropna()) == []

    def test_names_the_same_sessions_in_every_table(self):
        session = SESSIONS / "lost_message.icws"
        from dataclasses import replace

        raw = icws.load(session).raw
        capture = Capture(raw.info, [replace(frame, session="Alice's phone") for frame in raw.frames])
        tables = examined(capture, "a", redact=True).tables
        (name,) = set(tables["sessions"].session)
        assert "Alice" not in name
        assert set(tables["acks"].session) == {name}
        assert list(tables["findings"].sessions) == [[name]]


class TestDay:
    @pytest.mark.parametrize(
        ("t", "day"),
        [
            (0, "1970-01-01"),
            (1_795_441_966, "2026-11-23"),
            (-1e12, "0001-01-01"),
            (1e12, "9999-12-31"),
            (-6e10, "0068-"),
        ],
    )
    def test_of_any_time_that_a_file_can_hold(self, t, day):
        assert day_of(t).startswith(day)
        assert len(day_of(t)) == 10
