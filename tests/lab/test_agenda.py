"""Planned things happen in their order on a loop, by whatever clock."""

from __future__ import annotations

from icws_explore.lab.stage import Agenda
from icws_explore.live.clock import ScaledClock
from support.lab_requests import eventually

MS = 1_000_000


class Scene:
    def __init__(self) -> None:
        self.clock = ScaledClock(10_000)
        self.errors: list[Exception] = []
        self.agenda = Agenda(self.clock, self.errors.append)
        self.done: list[str] = []
        self.start_ns = self.clock.now_ns()

    def plan(self, at_ms: int, name: str) -> None:
        self.agenda.at(self.start_ns + at_ms * MS, self.done.append, name)

    async def until(self, count: int) -> None:
        await eventually(lambda: len(self.done) >= count)


class TestAgenda:
    async def test_order_is_of_times_then_of_planning(self) -> None:
        scene = Scene()
        for at_ms, name in ((30_000, "c"), (10_000, "a"), (20_000, "b1"), (20_000, "b2"), (-5, "past")):
            scene.plan(at_ms, name)
        await scene.until(5)
        assert scene.done == ["past", "a", "b1", "b2", "c"]
        assert scene.agenda.now_ns >= scene.start_ns + 30_000 * MS

    async def test_nothing_is_early(self) -> None:
        scene = Scene()
        seen: list[int] = []
        scene.agenda.at(scene.start_ns + 50_000 * MS, lambda: seen.append(scene.clock.now_ns()))
        scene.plan(50_001, "then")
        await scene.until(1)
        assert seen[0] >= scene.start_ns + 50_000 * MS

    async def test_an_action_may_plan_another(self) -> None:
        scene = Scene()
        scene.agenda.at(scene.start_ns, scene.plan, 1_000, "later")
        await scene.until(1)
        assert scene.done == ["later"]

    async def test_what_an_action_raises_ends_no_other(self) -> None:
        scene = Scene()
        error = ValueError("a fault of its own")

        def fail() -> None:
            raise error

        scene.agenda.at(scene.start_ns, fail)
        scene.plan(1, "after")
        await scene.until(1)
        assert scene.errors == [error]

    async def test_what_is_cleared_does_not_happen(self) -> None:
        scene = Scene()
        scene.plan(1_000, "never")
        scene.agenda.clear()
        scene.plan(2_000, "this")
        await scene.until(1)
        assert scene.done == ["this"]
