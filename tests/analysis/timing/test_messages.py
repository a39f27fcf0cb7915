from __future__ import annotations

import pytest

from icws_explore.analysis.timing.messages import message_table
from support.session_captures import healthy
from support.timing_captures import empty, only, still_open


class TestSent:
    def test_age_at_ack_against_interval_and_30_s(self) -> None:
        table = message_table([only(healthy())]).query("direction == 'out'")
        first = table.iloc[0]
        assert first["age_at_ack_s"] == pytest.approx(208.4, abs=1e-5)
        assert (first["limit_s"], round(first["margin_s"], 3)) == (330, 121.6)

    def test_when_the_canister_had_it_is_inferred_with_bounds(self) -> None:
        first = message_table([only(healthy())]).query("direction == 'out'").iloc[0]
        assert first["inferred"]
        assert (first["received_min_s"], first["received_max_s"]) == (
            pytest.approx(4.0, abs=1e-5),
            pytest.approx(212.4, abs=1e-5),
        )

    def test_without_an_ack_there_is_no_upper_bound(self) -> None:
        row = message_table([only(still_open())]).query("direction == 'out'").iloc[0]
        assert row["received_max_s"] == float("inf")
        assert row[["acked_s", "age_at_ack_s"]].isna().all()


class TestReceived:
    def test_has_the_canisters_timestamp_the_certificates_time_and_the_receipt(self) -> None:
        row = message_table([only(healthy())]).query("direction == 'in'").iloc[1]
        assert [row["sent_s"], row["certified_s"], row["received_s"]] == [
            pytest.approx(5.3, abs=1e-5), pytest.approx(5.3, abs=1e-5), pytest.approx(6.1, abs=1e-5),
        ]  # fmt: skip
        assert not row["inferred"]

    def test_is_reported_by_the_first_keep_alive_that_covers_it(self) -> None:
        rows = message_table([only(healthy())]).query("direction == 'in'")
        assert rows.iloc[0]["acked_s"] == pytest.approx(212.5, abs=1e-5)


class TestTable:
    def test_is_in_the_order_of_the_frames_and_empty_for_nothing(self) -> None:
        table = message_table([only(healthy())])
        assert table["frame"].is_monotonic_increasing
        assert list(message_table([only(empty())]).columns) == list(table.columns)
