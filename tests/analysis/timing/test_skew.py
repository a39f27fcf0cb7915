from __future__ import annotations

import pytest

from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.skew import Skew, skew_evidence, skew_of, skew_table
from icws_explore.capture import Frame
from support.session_captures import SessionScript, healthy
from support.timing_captures import empty, only


def shifted(by_s: float) -> SessionInstants:
    """The healthy session, received and sent by a clock that is ``by_s`` ahead of the network's."""
    capture = healthy()
    capture.frames[:] = [
        Frame(f.t + by_s, f.direction, f.op, f.data, f.code, f.reason, f.session) for f in capture.frames
    ]
    return only(capture)


class TestBounds:
    @pytest.mark.parametrize("by_s", [-400.0, -3.0, 0.0, 0.5, 12.0, 1000.0])
    def test_hold_the_true_skew(self, by_s: float) -> None:
        skew = skew_of(shifted(by_s))
        assert skew.min_s <= by_s <= skew.max_s
        assert skew.max_s - skew.min_s < 2.5  # the way of ws_open and back, 2.2 s
        assert abs(skew.estimate_s - by_s) <= skew.error_s
        assert skew.is_consistent

    def test_come_from_the_opening_and_the_freshest_certificate(self) -> None:
        skew = skew_of(only(healthy()))
        assert skew.min_by is not None
        assert skew.max_by is not None
        assert (skew.min_by.source, skew.max_by.source) == ("OpenMessage", "certificate")
        assert (skew.min_s, skew.max_s) == (pytest.approx(-1.4, abs=1e-5), pytest.approx(0.8, abs=1e-5))

    def test_every_piece_of_evidence_allows_the_truth(self) -> None:
        for evidence in skew_evidence(shifted(7.0)):
            assert evidence.skew_s <= 7.0 if evidence.bound == "min" else evidence.skew_s >= 7.0

    def test_all_kinds_of_evidence_are_used(self) -> None:
        found = {evidence.source for evidence in skew_evidence(only(healthy()))}
        assert found == {"certificate", "timestamp", "OpenMessage", "ack", "expiry"}


class TestEstimate:
    def test_is_zero_if_the_bounds_allow_it(self) -> None:
        assert Skew(-1.4, 0.8).estimate_s == 0

    def test_else_their_middle_or_the_only_bound(self) -> None:
        assert skew_of(shifted(10.0)).estimate_s == pytest.approx(9.7, abs=1e-5)
        assert Skew(float("-inf"), -3.0).estimate_s == -3.0
        assert Skew(5.0, float("inf")).estimate_s == 5.0

    def test_bounds_that_cross_say_that_a_clock_was_set(self) -> None:
        script = SessionScript().opened(latency=0.2)
        script.canister_says(10, b"", delay=-30)  # certified half a minute after it was received
        assert not skew_of(only(script.capture)).is_consistent


class TestTable:
    def test_a_row_a_session(self) -> None:
        row = skew_table([only(healthy())]).iloc[0]
        assert (row["skew_s"], row["min_by"], row["max_by"]) == (0.0, "OpenMessage", "certificate")
        assert row["client_clock_s"] == pytest.approx(0, abs=1e-5)

    def test_of_nothing_has_no_bounds(self) -> None:
        row = skew_table([only(empty())]).iloc[0]
        assert (row["skew_min_s"], row["skew_max_s"]) == (float("-inf"), float("inf"))
