"""Event loops in threads: shared, cancelled and ended."""

import asyncio
import threading

import pytest

from icws_explore.live import loop
from icws_explore.live.loop import LoopThread, SharedLoop, Signal, from_thread


class TestLoopThread:
    def test_runs_and_stops(self):
        thread = LoopThread("icws-test")
        thread.start()
        assert thread.submit(asyncio.sleep(0, "done")).result(60) == "done"
        thread.stop()
        thread.stop()
        assert all(t.name != "icws-test" for t in threading.enumerate())
        assert thread.loop.is_closed()

    def test_stop_cancels_running_tasks(self):
        thread = LoopThread("icws-test")
        thread.start()
        cancelled = threading.Event()

        async def endless():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        thread.submit(endless())
        thread.submit(asyncio.sleep(0)).result(60)
        thread.stop()
        assert cancelled.is_set()

    def test_stop_returns_even_if_the_code_does_not(self, monkeypatch):
        monkeypatch.setattr(loop, "STOP_TIMEOUT_S", 0.05)
        is_in, may_return = threading.Event(), threading.Event()

        async def endless():
            is_in.set()
            may_return.wait(90)

        thread = LoopThread("blocked")
        thread.start()
        thread.submit(endless())
        assert is_in.wait(60)
        thread.stop()
        assert any(each.name == "blocked" for each in threading.enumerate())
        may_return.set()

    async def test_a_cancellation_reaches_the_other_loop(self):
        thread = LoopThread("icws-test")
        thread.start()
        runs, cancelled = threading.Event(), threading.Event()

        async def endless():
            try:
                runs.set()
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        waiting = asyncio.create_task(from_thread(thread, endless()))
        assert await asyncio.to_thread(runs.wait, 60)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(cancelled.wait, 60)
        thread.stop()


class TestSharedLoop:
    def test_runs_from_the_first_user_to_the_last(self):
        shared = SharedLoop("icws-shared")
        first, second = shared.acquire(), shared.acquire()
        assert first is second
        shared.release()
        assert first.submit(asyncio.sleep(0, 1)).result(60) == 1
        shared.release()
        assert first.loop.is_closed()
        third = shared.acquire()
        assert third is not first
        shared.release()


class TestSignal:
    async def test_wakes_all_waiting_tasks_each_time(self):
        signal = Signal()
        for _ in range(2):
            waiting = [asyncio.create_task(signal.wait()) for _ in range(3)]
            await asyncio.sleep(0)
            signal.set()
            await asyncio.wait_for(asyncio.gather(*waiting), 60)
