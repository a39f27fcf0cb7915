from __future__ import annotations

import pytest

from icws_explore.analysis.timing.keep_alives import keep_alive_table, keep_alives
from support.session_captures import SessionScript, healthy
from support.timing_captures import VIRTUAL, empty, only, silent, slow_answer

ABOUT = 1e-5


class TestThisSide:
    def test_counts_from_the_receipt_of_the_ack(self) -> None:
        table = keep_alive_table([only(healthy())])
        assert list(table["delay_seen_s"].round(3)) == [0.1, 0.1, 4.2]


class TestTheCanister:
    """CDK timers.rs: a keep-alive counts if it arrived within 60 s of the ack's own instant."""

    def test_counts_from_the_acks_timestamp(self) -> None:
        first = next(keep_alives(only(healthy())))
        assert first.sent_s == pytest.approx(0.9, abs=ABOUT)
        assert first.arrived_s == pytest.approx(2.3, abs=ABOUT)  # ws_open took 1.4 s

    def test_the_arrival_is_bounded_by_skew_and_by_what_came_later(self) -> None:
        first, *_, last = keep_alives(only(healthy()))
        assert first.arrived_min_s == pytest.approx(0.1, abs=ABOUT)
        assert first.arrived_max_s == 60  # the session went on
        assert last.arrived_max_s == float("inf")

    def test_a_later_ack_bounds_it_too(self) -> None:
        script = SessionScript(clock=VIRTUAL).opened().acked(70).acked(110)
        first, _ = keep_alives(only(script.capture), limit_s=50)
        assert first.arrived_max_s == pytest.approx(40, abs=ABOUT)


class TestOutcome:
    def outcomes(self, capture: object) -> list[str]:
        return [window.outcome for window in keep_alives(only(capture))]  # type: ignore[arg-type]  # captures

    def test_in_time_when_the_canister_went_on_after_the_window(self) -> None:
        assert self.outcomes(healthy()) == ["in time", "in time", "sent"]

    def test_timed_out_when_the_canister_says_so_with_or_without_an_answer(self) -> None:
        assert self.outcomes(silent()) == ["timed out"]
        assert self.outcomes(slow_answer()) == ["timed out"]
        (late,) = keep_alives(only(slow_answer()))
        assert late.arrived_min_s is not None
        assert late.arrived_min_s >= 60

    def test_waiting_missed_or_ended_without_an_answer(self) -> None:
        def script() -> SessionScript:
            return SessionScript(clock=VIRTUAL).opened().acked(70, answered_after=None)

        assert self.outcomes(script().capture) == ["waiting"]
        assert self.outcomes(script().app_says(75, "x").capture) == ["waiting"]
        assert self.outcomes(script().closed(80).capture) == ["ended"]
        assert self.outcomes(script().client_says(140, "x").capture) == ["missed"]


class TestTable:
    def test_has_its_columns_for_nothing_too(self) -> None:
        assert list(keep_alive_table([only(empty())]).columns) == list(keep_alive_table([only(healthy())]).columns)

    def test_without_an_answer_the_delays_are_empty(self) -> None:
        row = keep_alive_table([only(silent())]).iloc[0]
        assert row[["delay_seen_s", "delay_sent_s", "delay_arrived_s"]].isna().all()
