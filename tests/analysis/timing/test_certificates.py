from __future__ import annotations

import pytest

from icws_explore.analysis.timing.certificates import certificate_table, latency_table
from icws_explore.capture import Frame
from support.session_captures import SessionScript, healthy
from support.timing_captures import empty, only


class TestCertificateAge:
    def test_is_receipt_less_certificate_time_by_this_sides_clock(self) -> None:
        table = certificate_table([only(healthy())])
        assert table["age_s"].to_numpy() == pytest.approx([0.8] * len(table), abs=1e-5)
        assert (table["limit_s"] == 300).all()

    def test_a_fast_clock_makes_certificates_old_and_no_gateway_slow(self) -> None:
        capture = healthy()
        capture.frames[:] = [Frame(f.t + 200, f.direction, f.op, f.data, f.code) for f in capture.frames]
        table = certificate_table([only(capture)])
        assert table["age_s"].min() > 200
        assert table["margin_s"].max() < 100
        assert table["delay_s"].max() < 2.5
        assert (table["delay_min_s"] <= 0.8001).all()
        assert (table["delay_max_s"] >= 0.7999).all()


class TestLatencies:
    def test_percentiles_of_each_part(self) -> None:
        script = SessionScript().opened()
        for number in range(1, 101):
            script.canister_says(10.0 * number, b"", delay=number / 100)
        table = latency_table([only(script.capture)])
        assert table.loc["delay", "p50_s"] == pytest.approx(0.51, abs=0.02)
        assert table.loc["delay", "p99_s"] == pytest.approx(0.99, abs=0.02)
        assert table.loc["open", "count"] == 1
        assert list(table["inferred"]) == [False, True, True, False]

    def test_of_nothing_are_not_known(self) -> None:
        table = latency_table([only(empty())])
        assert (table["count"] == 0).all()
        assert table["p50_s"].isna().all()
