from __future__ import annotations

import asyncio
import threading

from icws_explore.notebook.newest import Newest, Superseded


class TestWithoutALoop:
    def test_work_runs_at_once(self) -> None:
        found: list[object] = []
        Newest().ask(lambda: 7, found.append, found.append)
        assert found == [7]

    def test_an_error_is_given_on(self) -> None:
        found: list[object] = []
        Newest().ask(lambda: 1 // 0, found.append, found.append)
        assert isinstance(found[0], ZeroDivisionError)


class TestInALoop:
    def test_only_the_first_and_the_newest_of_many_run(self) -> None:
        async def play() -> tuple[list[int], list[int]]:
            newest, ran, done = Newest(), list[int](), list[int]()
            go = threading.Event()

            def work(number: int) -> int:
                ran.append(number)
                go.wait(60)
                return number

            for number in range(5):
                newest.ask(lambda number=number: work(number), done.append, lambda error: None)  # type: ignore[misc]
                await asyncio.sleep(0)  # the first begins
            go.set()
            await newest.wait()
            return ran, done

        assert asyncio.run(play()) == ([0, 4], [0, 4])

    def test_what_is_overtaken_may_stop(self) -> None:
        async def play() -> list[str]:
            newest, done = Newest(), list[str]()
            begun, go = threading.Event(), threading.Event()

            def first() -> str:
                begun.set()
                go.wait(60)
                if newest.is_old:
                    raise Superseded
                return "first"

            newest.ask(first, done.append, lambda error: done.append(str(error)))
            await asyncio.to_thread(begun.wait, 60)
            newest.ask(lambda: "second", done.append, lambda error: done.append(str(error)))
            go.set()
            await newest.wait()
            return done

        assert asyncio.run(play()) == ["second"]

    def test_an_error_does_not_end_it(self) -> None:
        async def play() -> list[str]:
            newest, done = Newest(), list[str]()
            newest.ask(lambda: 1 // 0, done.append, lambda error: done.append(type(error).__name__))
            await newest.wait()
            newest.ask(lambda: "next", done.append, lambda error: done.append("failed"))
            await newest.wait()
            return done

        assert asyncio.run(play()) == ["ZeroDivisionError", "next"]
