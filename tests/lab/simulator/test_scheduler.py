"""Virtual time: events at their instants, in their order."""

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.lab.simulator.scheduler import VIRTUAL, Timeline


def test_events_of_one_instant_go_by_order_and_then_as_planned():
    timeline, seen = Timeline(100), []
    for name, order in (("late", 1), ("first", 0), ("second", 0)):
        timeline.at(150, seen.append, name, order=order)
    timeline.run(150)
    assert seen == ["first", "second", "late"]


@given(st.lists(st.integers(0, 1000)), st.integers(0, 1000))
def test_happens_up_to_the_end_and_not_further(times, end):
    timeline, seen = Timeline(0), []
    for at_ns in times:
        timeline.at(at_ns, lambda: seen.append(timeline.now_ns))
    timeline.run(end)
    assert seen == sorted(at_ns for at_ns in times if at_ns <= end)
    assert timeline.now_ns == timeline.read() == end
    assert timeline.events == len(seen)
    assert timeline.next_ns == min((at_ns for at_ns in times if at_ns > end), default=None)


def test_a_time_that_has_passed_is_now():
    timeline, seen = Timeline(100), []
    timeline.at(5, lambda: seen.append(timeline.now_ns))
    timeline.run(200)
    assert seen == [100]


def test_an_event_may_plan_the_next():
    timeline, seen = Timeline(0), []

    def again() -> None:
        seen.append(timeline.now_ns)
        timeline.at(timeline.now_ns + 10, again)

    again()
    timeline.run(35)
    assert seen == [0, 10, 20, 30]


def test_is_called_virtual():
    assert (VIRTUAL.kind, VIRTUAL.scale) == ("virtual", 1.0)
