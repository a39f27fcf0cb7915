from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest

from icws_explore.lab.watchdog import Overrun, Watchdog


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    dog = Watchdog(limit_s=0.3)
    yield dog
    dog.stop()


def loop() -> None:
    while True:
        pass


class TestOverrun:
    def test_ends_an_endless_loop_and_says_where(self, watchdog: Watchdog) -> None:
        with pytest.raises(Overrun, match=r"ran for 0.3 s in loop, line \d+ of test_watchdog.py; .*IC0522"):
            watchdog.run("a loop", loop)

    def test_code_that_catches_it_gets_another(self, watchdog: Watchdog) -> None:
        swallowed = []

        def stubborn() -> None:
            while len(swallowed) < 1:
                try:
                    loop()
                except Exception as error:  # noqa: BLE001 -- this is what the test is about
                    swallowed.append(error)
            loop()

        with pytest.raises(Overrun):
            watchdog.run("a stubborn loop", stubborn)
        assert len(swallowed) == 1

    def test_none_arrives_after_the_run(self, watchdog: Watchdog) -> None:
        """Runs that end just when the watchdog acts. The Overrun is raised inside the run or not at all."""
        watchdog.limit_s = 0.0
        deadline = time.monotonic() + 90
        overruns = runs = 0
        while overruns < 8 and time.monotonic() < deadline:
            try:
                watchdog.run("a short one", lambda: sum(range(2000)))
            except Overrun:
                overruns += 1
            runs += 1
            sum(range(500))  # an Overrun that arrives here would fail the test
        assert overruns == 8
        assert runs > overruns

    def test_quick_code_is_not_affected(self, watchdog: Watchdog) -> None:
        watchdog.limit_s = 60.0  # a busy machine may take a second for it
        assert watchdog.run("a sum", lambda: watchdog.run("a part of it", lambda: 5) + 1) == 6
        with pytest.raises(KeyError):
            watchdog.run("a fault", lambda: {}["x"])
        assert watchdog.blocked_by == ""


class TestBlockedBy:
    def test_names_the_running_code_and_its_line(self, watchdog: Watchdog) -> None:
        is_in, may_return = threading.Event(), threading.Event()

        def slow() -> None:
            is_in.set()
            may_return.wait()

        thread = threading.Thread(target=watchdog.run, args=("on_message of an app", slow))
        thread.start()
        is_in.wait()
        said = watchdog.blocked_by
        may_return.set()
        thread.join()
        assert re.match(r"on_message of an app has been running for \d+ s in slow, line \d+ of test_watchdog.py$", said)


class TestStop:
    def test_ends_the_thread(self) -> None:
        dog = Watchdog()
        dog.run("nothing", lambda: None)
        dog.stop()
        assert not [thread for thread in threading.enumerate() if thread.name == "icws-watchdog"]


class TestTheInterpreterAfterwards:
    """If a pending exception is cleared with NULL, CPython 3.11 hangs at the next call under a profiler or debugger."""

    @pytest.mark.parametrize(("body", "limit_s"), [("lambda: 1", 60.0), ("loop", 0.3)])
    def test_can_be_profiled(self, body: str, limit_s: float) -> None:
        program = f"""
            import sys
            from icws_explore.lab.watchdog import Overrun, Watchdog

            def loop():
                while True:
                    pass

            dog = Watchdog(limit_s={limit_s})
            try:
                dog.run("it", {body})
            except Overrun:
                print("ended")
            dog.stop()
            sys.setprofile(lambda *_: None)
            print((lambda: "well")())
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=90, check=True
        )
        assert done.stdout.split()[-1] == "well"
        assert ("ended" in done.stdout) == (body == "loop")
