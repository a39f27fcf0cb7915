from __future__ import annotations

import pytest

from icws_explore.analysis.timing.opens import open_table
from support.session_captures import SessionScript, healthy
from support.timing_captures import empty, never_opened, only


class TestOpenLatency:
    def test_counts_from_ws_open_against_60_s(self) -> None:
        row = open_table([only(healthy())]).iloc[0]
        assert row["latency_s"] == pytest.approx(2.2, abs=1e-5)
        assert (row["limit_s"], row["outcome"]) == (60, "open")
        assert row["margin_s"] == pytest.approx(57.8, abs=1e-5)

    def test_its_parts_add_up(self) -> None:
        row = open_table([only(healthy())]).iloc[0]
        assert row["up_s"] + row["waited_s"] + row["down_s"] == pytest.approx(row["latency_s"])
        assert row["up_min_s"] <= row["up_s"] <= row["up_max_s"]

    def test_outcomes(self) -> None:
        waiting, closed = SessionScript().opened(), SessionScript().opened()
        del waiting.capture.frames[2:], closed.capture.frames[2:]
        closed.closed(3, "in", 1006)
        sessions = [only(c) for c in (never_opened(), waiting.capture, closed.capture, empty())]
        assert list(open_table(sessions)["outcome"]) == ["timed out", "waiting", "ended", "waiting"]

    def test_an_open_message_after_60_s_is_too_late(self) -> None:
        assert open_table([only(SessionScript().opened(latency=61).capture)])["outcome"][0] == "timed out"
