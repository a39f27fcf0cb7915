from __future__ import annotations

import asyncio
import threading

from icws_explore.notebook.explorer.live.widget import script
from icws_explore.notebook.explorer.live.worker import LOOP, Worker


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "icws-explorer"]


class TestWorker:
    async def test_all_share_one_thread_which_ends_with_the_last(self) -> None:
        async def name() -> str:
            return threading.current_thread().name

        one, other = Worker(), Worker()
        found = [one.start(name()), other.start(name())]
        assert [await asyncio.wrap_future(future) for future in found if future] == ["icws-explorer"] * 2
        assert threads() == ["icws-explorer"]
        one.close()
        one.close()
        assert threads() == ["icws-explorer"]
        other.close()
        assert threads() == []

    async def test_that_never_worked_has_no_thread(self) -> None:
        Worker().close()
        assert threads() == []

    async def test_that_is_closed_starts_nothing(self) -> None:
        worker = Worker()
        worker.close()
        assert worker.start(asyncio.sleep(0)) is None

    async def test_can_be_closed_by_its_own_work(self) -> None:
        worker = Worker()
        closed = threading.Event()

        async def close() -> None:
            worker.close()
            closed.set()

        worker.start(close())
        assert await asyncio.to_thread(closed.wait, 60)
        async with asyncio.timeout(60):
            while threads():  # noqa: ASYNC110 -- another thread ends it
                await asyncio.sleep(0.01)
        assert LOOP._users == 0


class TestScript:
    def test_joins_texts(self) -> None:
        text = script("live_parts.js", "send_form.js")
        assert text.index("function make(") < text.index("export default { render };")
