"""Planned actions run in the right order on an event loop, by any clock."""

from __future__ import annotations

from icws_explore.live.clock import ScaledClock
from icws_explore.live.scheduler import ClockScheduler
from support.lab_requests import eventually

MS = 1_000_000


class Scene:
    def __init__(self) -> None:
        self.clock = ScaledClock(10_000)
        self.errors: list[Exception] = []
        self.scheduler = ClockScheduler(self.clock, self.errors.append)
        self.done: list[str] = []
        self.start_ns = self.clock.now_ns()

    def plan(self, at_ms: int, name: str) -> None:
        self.scheduler.at(self.start_ns + at_ms * MS, self.done.append, name)

    async def until(self, count: int) -> None:
        await eventually(lambda: len(self.done) >= count)


class TestClockScheduler:
    async def test_actions_run_by_time_then_in_the_order_of_planning(self) -> None:
        scene = Scene()
        for at_ms, name in ((30_000, "c"), (10_000, "a"), (20_000, "b1"), (20_000, "b2"), (-5, "past")):
            scene.plan(at_ms, name)
        await scene.until(5)
        assert scene.done == ["past", "a", "b1", "b2", "c"]
        assert scene.scheduler.now_ns >= scene.start_ns + 30_000 * MS

    async def test_no_action_runs_early(self) -> None:
        scene = Scene()
        seen: list[int] = []
        scene.scheduler.at(scene.start_ns + 50_000 * MS, lambda: seen.append(scene.clock.now_ns()))
        scene.plan(50_001, "then")
        await scene.until(1)
        assert seen[0] >= scene.start_ns + 50_000 * MS

    async def test_an_action_may_plan_another(self) -> None:
        scene = Scene()
        scene.scheduler.at(scene.start_ns, scene.plan, 1_000, "later")
        await scene.until(1)
        assert scene.done == ["later"]

    async def test_an_exception_does_not_stop_other_actions(self) -> None:
        scene = Scene()
        error = ValueError("a bug")

        def fail() -> None:
            raise error

        scene.scheduler.at(scene.start_ns, fail)
        scene.plan(1, "after")
        await scene.until(1)
        assert scene.errors == [error]

    async def test_a_cleared_action_does_not_run(self) -> None:
        scene = Scene()
        scene.plan(1_000, "never")
        scene.scheduler.clear()
        scene.plan(2_000, "this")
        await scene.until(1)
        assert scene.done == ["this"]
