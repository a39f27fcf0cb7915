"""What a call costs, in what it does: a count that is the same on an idle machine and on a busy one."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest


def lines_of(call: Callable[[], Any], *, most: int) -> int:
    """How many lines of Python ``call`` executes, its libraries' and those of threads that it starts included.

    Each round of a loop and each function that is entered counts. The test fails as soon as there are more than
    ``most``, so a loop without end fails it too. What is done inside one function of C counts as its line.
    """
    count = 0
    here = threading.get_ident()

    def count_one(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        if event == "line":
            count += 1
            if count > most and threading.get_ident() == here:
                pytest.fail(f"executes more than {most:,} lines")
        return count_one

    before, before_in_threads = sys.gettrace(), threading.gettrace()
    threading.settrace(count_one)
    sys.settrace(count_one)
    try:
        call()
    finally:
        sys.settrace(before)
        threading.settrace(before_in_threads)  # type: ignore[arg-type]  # None ends it
    assert count <= most, f"executes {count:,} lines"
    return count


def growth(small: Callable[[], Any], large: Callable[[], Any], *, tries: int = 3) -> float:
    """How many times as much work the processor has with ``large`` as with ``small``, in this thread.

    For work inside of functions of C, which has no lines. It takes the processor's own time (not the wall's), in
    turns, and the best of ``tries`` for each: where ``large`` is eight times the input, 8 is work in step with the
    input and 64 is its square, and no other work on the machine brings one near the other.
    """
    taken = [(_processor_ns(small), _processor_ns(large)) for _ in range(tries)]
    return min(after for _, after in taken) / max(min(before for before, _ in taken), 1)


def _processor_ns(call: Callable[[], Any]) -> int:
    before = time.thread_time_ns()
    call()
    return time.thread_time_ns() - before
