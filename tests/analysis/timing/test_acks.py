from __future__ import annotations

from icws_explore.analysis.timing.acks import ack_interval, ack_table
from icws_explore.analysis.timing.instants import Received, SessionInstants
from support.session_captures import healthy
from support.timing_captures import empty, only, still_open


def with_acks(*made: float, opened: float = 0.0, name: str = "a") -> SessionInstants:
    session = SessionInstants(name, 300.0)
    session.received = [Received(0, opened, "open", opened)]
    session.received += [Received(n, at, "ack", at, acks=0) for n, at in enumerate(made, 1)]
    return session


class TestTable:
    def test_a_row_an_ack_with_its_age_against_the_limit(self) -> None:
        table = ack_table([only(healthy())])
        assert list(table["acks"]) == [5, 8, 11]
        assert list(table["oldest_age_s"].round(3)) == [208.4, 300.4, 300.1]
        assert list(table["margin_s"].round(3)) == [121.6, 29.6, 29.9]
        assert list(table["covers_first"]) == [1, 6, 9]
        assert list(table["spacing_made_s"].round(3))[1:] == [300.5, 300.2]
        assert list(table["since_restart_s"].round(3)) == [208.4, 300.5, 300.2]

    def test_has_its_columns_without_acks_too(self) -> None:
        assert list(ack_table([]).columns) == list(ack_table([only(healthy())]).columns)
        assert len(ack_table([only(empty()), only(still_open())])) == 0


class TestInterval:
    """CDK timers.rs: one timer for all clients of a canister."""

    def test_of_regular_acks_is_their_spacing(self) -> None:
        found = ack_interval([with_acks(100, 400, 700)], lateness_s=1)
        assert found.estimate_s == 300
        assert (found.min_s, found.max_s) == (299.5, 300.5)

    def test_sessions_of_one_canister_see_the_same_ticks(self) -> None:
        found = ack_interval([with_acks(100, 400), with_acks(400.5, 700, name="b")], lateness_s=1)
        assert (found.estimate_s, found.ticks) == (300, 3)

    def test_a_tick_that_was_not_seen_is_counted(self) -> None:
        found = ack_interval([with_acks(100, 400, 1000)])
        assert (found.estimate_s, found.ticks, found.missing) == (300, 3, 1)

    def test_one_ack_bounds_it_from_below_only(self) -> None:
        found = ack_interval([with_acks(290, opened=10)], lateness_s=1)
        assert (found.estimate_s, found.min_s, found.max_s) == (None, 279, float("inf"))

    def test_nothing_is_known_of_a_session_that_did_not_open(self) -> None:
        assert ack_interval([SessionInstants(None, 300)]).min_s == 0
