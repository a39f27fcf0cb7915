"""Virtual time: actions run at their times and in their order."""

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.lab.simulator.scheduler import VIRTUAL, VirtualScheduler


def test_actions_of_one_instant_run_by_order_and_then_as_planned():
    scheduler, seen = VirtualScheduler(100), []
    for name, order in (("late", 1), ("first", 0), ("second", 0)):
        scheduler.at(150, seen.append, name, order=order)
    scheduler.run(150)
    assert seen == ["first", "second", "late"]


@given(st.lists(st.integers(0, 1000)), st.integers(0, 1000))
def test_runs_up_to_the_end_and_no_further(times, end):
    scheduler, seen = VirtualScheduler(0), []
    for at_ns in times:
        scheduler.at(at_ns, lambda: seen.append(scheduler.now_ns))
    scheduler.run(end)
    assert seen == sorted(at_ns for at_ns in times if at_ns <= end)
    assert scheduler.now_ns == scheduler.read_ns() == end
    assert scheduler.executed == len(seen)
    assert scheduler.next_ns == min((at_ns for at_ns in times if at_ns > end), default=None)


def test_a_time_in_the_past_means_now():
    scheduler, seen = VirtualScheduler(100), []
    scheduler.at(5, lambda: seen.append(scheduler.now_ns))
    scheduler.run(200)
    assert seen == [100]


def test_an_action_may_plan_the_next():
    scheduler, seen = VirtualScheduler(0), []

    def again() -> None:
        seen.append(scheduler.now_ns)
        scheduler.at(scheduler.now_ns + 10, again)

    again()
    scheduler.run(35)
    assert seen == [0, 10, 20, 30]


def test_recordings_name_the_clock_virtual():
    assert (VIRTUAL.kind, VIRTUAL.scale) == ("virtual", 1.0)
