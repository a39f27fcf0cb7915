"""The WebAssembly engine (wasmtime) that runs canisters, and the limits that hold for one call.

One engine serves the whole process. It makes the result of a message depend on nothing but its input: fuel counts
instructions, NaNs have one form, and there are no threads.

A `Budget` is what one call from outside may cost, together with all calls that follow from it: instructions, calls of
the System API and messages. A network would end such a canister later, and other canisters would not notice; the lab
runs in one thread, so it ends earlier. What no count can bound (an instruction that copies a gigabyte) ends at a
deadline in real seconds.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Final

from icws_explore.protocol.errors import LabError

if TYPE_CHECKING:
    import wasmtime

INSTRUCTIONS: Final = 1_000_000_000  # of one call; the network allows 40 thousand million
SYSTEM_CALLS: Final = 100_000  # of one call: calls of the System API, which are slow here; 4 KiB count as one more
PRINT_COST: Final = 25  # what a printed line counts, because people and files keep it
MESSAGES: Final = 1_000  # of one call, with all calls that follow from it
DEPTH: Final = 20  # calls that wait for each other
OVER_THE_LIMIT: Final = "IC0522"  # the replica's error code for a message that executes too much
DEADLINE_S: Final = 10.0  # real seconds
_TICK_S: Final = 0.25  # real seconds
_STACK_BYTES: Final = 1024 * 1024

_lock = threading.RLock()  # wasmtime's Python package keeps exceptions of callbacks in one variable


class Budget:
    """What is left for one call."""

    def __init__(self) -> None:
        self.instructions = INSTRUCTIONS
        self.system_calls = SYSTEM_CALLS
        self.messages = MESSAGES
        self.depth = 0


_current: Budget | None = None  # guarded by the lock


@contextmanager
def budgeted() -> Iterator[Budget]:
    """The budget of the call that runs now; a new one, with its deadline, if none runs. One call at a time runs."""
    global _current  # noqa: PLW0603 -- see _current
    with _lock:
        if _current is not None:
            yield _current
            return
        _current = Budget()
        _ticker().start()
        try:
            yield _current
        finally:
            _current = None
            _ticker().end()


def wasmtime_module() -> object:
    """Import wasmtime. Raises LabError if it is not installed."""
    try:
        import wasmtime
    except ImportError as error:
        raise LabError("a lab runs .wasm files with wasmtime: pip install 'icws_explore[wasm]'") from error
    return wasmtime


@cache
def engine() -> wasmtime.Engine:
    """The engine. Raises LabError if wasmtime is not installed."""
    wasmtime_module()
    import wasmtime

    config = wasmtime.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.cranelift_nan_canonicalization = True
    config.wasm_relaxed_simd_deterministic = True
    config.wasm_memory64 = True
    config.wasm_multi_memory = False
    config.memory_may_move = False  # a memory is reached by its address (see `memory`)
    config.wasm_threads = False
    config.max_wasm_stack = _STACK_BYTES
    with suppress(wasmtime.WasmtimeError):  # where the user's cache folder cannot be used, each process compiles
        config.cache = True
    made = wasmtime.Engine(config)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))  # at exit, the code that frees it may be gone before it
    return made


DEADLINE_TICKS: Final = int(DEADLINE_S / _TICK_S)


class _Ticker:
    """Moves the engine's epoch on while a call runs. Its thread is one for the process, as the engine is."""

    def __init__(self) -> None:
        self._runs = threading.Event()
        threading.Thread(target=self._tick, name="wasmtime-deadline", daemon=True).start()

    def start(self) -> None:
        self._runs.set()

    def end(self) -> None:
        self._runs.clear()

    def _tick(self) -> None:
        while self._runs.wait():
            time.sleep(_TICK_S)
            engine().increment_epoch()


@cache
def _ticker() -> _Ticker:
    return _Ticker()
