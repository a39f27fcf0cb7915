"""Canister timers fire in the order in which they are due."""

from __future__ import annotations

from icws_explore.protocol.canister.host import MIN_DELAY_NS, Alarms

S = 10**9


def nothing() -> None:
    pass


class TestOrder:
    def test_by_due_time_then_by_age(self) -> None:
        alarms = Alarms()
        late = alarms.set(0, 2 * S, nothing, repeats=False)
        first = alarms.set(0, S, nothing, repeats=False)
        second = alarms.set(0, S, nothing, repeats=False)
        taken = [alarms.take(2 * S) for _ in range(4)]
        assert [alarm and alarm.timer_id for alarm in taken] == [first, second, late, None]

    def test_nothing_before_its_time(self) -> None:
        alarms = Alarms()
        alarms.set(0, S, nothing, repeats=False)
        assert alarms.take(S - 1) is None
        assert alarms.take(S) is not None


class TestIntervals:
    def test_are_counted_from_the_due_time(self) -> None:
        alarms = Alarms()
        alarms.set(5, S, nothing, repeats=True)
        taken = [alarms.take(3 * S + 7) for _ in range(4)]
        assert [alarm and alarm.due_ns for alarm in taken] == [S + 5, 2 * S + 5, 3 * S + 5, None]
        assert alarms.next_ns == 4 * S + 5

    def test_missed_ones_fire_once(self) -> None:
        alarms = Alarms()
        alarms.set(0, S, nothing, repeats=True)
        late = alarms.take(10 * S + 3, served_ns=10 * S + 3)
        assert late is not None
        assert late.due_ns == S
        assert alarms.next_ns == 11 * S + 3
        assert alarms.take(10 * S + 3, served_ns=10 * S + 3) is None

    def test_a_delay_of_zero_waits_the_minimum(self) -> None:
        alarms = Alarms()
        alarms.set(0, 0, nothing, repeats=True)
        assert alarms.next_ns == MIN_DELAY_NS


class TestClear:
    def test_removes_a_timer_and_may_be_repeated(self) -> None:
        alarms = Alarms()
        timer = alarms.set(0, S, nothing, repeats=True)
        alarms.clear(timer)
        alarms.clear(timer)
        assert alarms.next_ns is None
        assert len(alarms) == 0
