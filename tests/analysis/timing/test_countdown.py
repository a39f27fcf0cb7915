from __future__ import annotations

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.timing.countdown import Watch, countdown
from support.session_captures import healthy
from support.timing_captures import empty, never_opened, silent, still_open, unacked


def left(capture: object, now_s: float) -> dict[str, float]:
    table = countdown(capture, now_s)  # type: ignore[arg-type]  # a capture
    return {name: round(value, 3) for name, value in zip(table["name"], table["left_s"], strict=True)}


class TestOpen:
    def test_runs_for_60_s_from_ws_open(self) -> None:
        assert left(never_opened(), 40.1) == {"open": 20.0}

    def test_stops_at_the_open_message(self) -> None:
        assert "open" in left(healthy(), 2.2)
        assert "open" not in left(healthy(), 2.4)


class TestAck:
    def test_runs_from_the_first_message_and_anew_from_every_ack(self) -> None:
        assert left(healthy(), 100)["ack"] == 234.0
        assert left(healthy(), 212.5)["ack"] == 329.9

    def test_is_gone_once_it_has_expired(self) -> None:
        assert left(unacked(), 334.9)["ack"] == 0.1
        assert "ack" not in left(still_open(), 341)


class TestKeepAlive:
    def test_runs_from_the_acks_timestamp_until_an_answer_is_sent(self) -> None:
        table = countdown(silent(), 300).set_index("name")
        row = table.loc["keep_alive"]
        assert row["inferred"]
        assert row["left_s"] == pytest.approx(49.2, abs=1e-5)
        assert row["left_min_s"] <= row["left_s"] <= row["left_max_s"]
        assert "keep_alive" not in left(healthy(), 212.6)


class TestNextAck:
    def test_before_the_first_it_may_come_at_any_moment(self) -> None:
        row = countdown(still_open(), 10).set_index("name").loc["next_ack"]
        assert row["left_min_s"] < 0 < row["left_max_s"]

    def test_is_expected_one_interval_after_the_last(self) -> None:
        assert left(healthy(), 600)["next_ack"] == pytest.approx(512.1 + 300.5 - 600, abs=1e-3)


class TestAnyMoment:
    def test_nothing_runs_before_the_first_frame_or_after_the_end(self) -> None:
        assert left(healthy(), 866) == {}
        assert left(healthy(), -5) == {}
        assert left(empty(), 0) == {}

    def test_without_a_moment_it_is_the_last_frames(self) -> None:
        assert countdown(still_open()).set_index("name").loc["ack", "left_s"] == 330

    def test_the_soonest_comes_first(self) -> None:
        assert countdown(silent(), 300)["left_s"].is_monotonic_increasing


class TestWatch:
    def test_fed_frame_by_frame_says_the_same(self) -> None:
        capture = healthy()
        watch = Watch(capture)
        first = capture.frames[0].t
        for decoded in decode_frames(capture):
            watch.feed([decoded])
            now = decoded.frame.t - first
            whole = countdown(capture, now)
            assert [(c.name, c.left_s) for c in watch.left(now)] == [
                (name, pytest.approx(value)) for name, value in zip(whole["name"], whole["left_s"], strict=True)
            ]
