"""Loops in threads: shared, cancelled, and gone."""

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

    def test_what_still_runs_is_cancelled_at_the_end(self):
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

    def test_code_that_never_returns_does_not_hold_the_caller(self, monkeypatch):
        monkeypatch.setattr(loop, "STOP_PATIENCE_S", 0.05)
        held, let_go = threading.Event(), threading.Event()

        async def endless():
            held.set()
            let_go.wait(90)

        thread = LoopThread("held")
        thread.start()
        thread.submit(endless())
        assert held.wait(60)
        thread.stop()
        assert any(each.name == "held" for each in threading.enumerate())
        let_go.set()

    async def test_cancelling_here_cancels_there(self):
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
    def test_lives_from_the_first_user_to_the_last(self):
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
    async def test_wakes_everyone_who_waits_each_time(self):
        signal = Signal()
        for _ in range(2):
            waiting = [asyncio.create_task(signal.wait()) for _ in range(3)]
            await asyncio.sleep(0)
            signal.set()
            await asyncio.wait_for(asyncio.gather(*waiting), 60)
