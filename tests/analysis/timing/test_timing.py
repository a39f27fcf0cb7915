from __future__ import annotations

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.analysis.timing.timing import Timing, timing
from icws_explore.capture import Capture
from support.session_captures import SessionScript, healthy
from support.timing_captures import ALL, empty

TABLES = ("messages", "acks", "keep_alives", "opens", "certificates", "latencies", "skews")


def two_sessions() -> Capture:
    capture = SessionScript(session="a").opened().acked(100).capture
    capture.frames += SessionScript(session="b").opened(at=110).client_says(130, "x").capture.frames
    return capture


class TestEveryTable:
    @pytest.mark.parametrize("make", ALL)
    @pytest.mark.parametrize("name", TABLES)
    def test_can_be_made_of_any_capture(self, make: object, name: str) -> None:
        table = getattr(Timing(make()), name)  # type: ignore[operator]  # makes a capture
        assert len(table.columns) > 5

    @pytest.mark.parametrize("name", TABLES)
    def test_times_and_durations_carry_their_unit(self, name: str) -> None:
        table = getattr(Timing(healthy()), name)
        floats = [column for column in table.columns if table[column].dtype == "float64"]
        assert floats
        assert [column for column in floats if not str(column).endswith("_s")] == []


class TestSessions:
    def test_all_or_the_named_one(self) -> None:
        assert list(Timing(two_sessions()).opens["session"]) == ["a", "b"]
        assert list(timing(two_sessions(), session="b").opens["session"]) == ["b"]
        assert timing(two_sessions(), session="c").sessions == []

    def test_each_has_its_own_skew(self) -> None:
        both = Timing(two_sessions())
        assert both.skew("a") != both.skew("b")
        assert both.skew() == both.skew("a")
        assert Timing(empty()).skew().max_by is None


class TestFacade:
    def test_a_recording_has_its_timing(self) -> None:
        found = Recording(healthy()).timing()
        assert repr(found) == "<Timing of 1 session: 26 messages, 3 acks>"
        assert found.ack_interval().estimate_s == pytest.approx(300.35)
        assert list(found.countdown(500)["name"]) == ["next_ack", "ack"]

    def test_the_keep_alive_time_out_can_be_the_canisters_own(self) -> None:
        assert (Timing(healthy(), keep_alive_timeout_s=20).keep_alives["limit_s"] == 20).all()
