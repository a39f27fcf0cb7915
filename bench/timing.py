"""Times an operation. The best of several rounds is its cost without the machine's other work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

ROUND_S = 0.1
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation costs, in seconds: in the best round, and in the median round."""

    name: str
    best_s: float
    median_s: float


def cost(name: str, operation: Callable[[], object]) -> Cost:
    """Measure an operation for about ``ROUNDS`` × ``ROUND_S`` seconds, at least once per round."""
    repeats = max(1, int(ROUND_S / max(_once(operation, 1), 1e-9)))
    rounds = [_once(operation, repeats) for _ in range(ROUNDS)]
    return Cost(name, min(rounds), median(rounds))


def cost_of_each(name: str, operations: Iterable[Callable[[], object]]) -> Cost:
    """Measure each operation once, for operations that are faster the second time."""
    times = [_once(operation, 1) for operation in operations]
    return Cost(name, min(times), median(times))


def processor_cost(operation: Callable[[], object], rounds: int) -> float:
    """The mean processor time of an operation in seconds, after as many rounds to warm up; for a busy machine."""
    for _ in range(rounds):
        operation()
    before = time.process_time()
    for _ in range(rounds):
        operation()
    return (time.process_time() - before) / rounds


def _once(operation: Callable[[], object], repeats: int) -> float:
    before = time.perf_counter()
    for _ in range(repeats):
        operation()
    return (time.perf_counter() - before) / repeats


def duration_text(seconds: float) -> str:
    """Return the duration with three digits and a suitable unit: 12.3 µs, 4.56 ms, 1.20 s."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:#.3g}".rstrip(".") + f" {unit}"
    raise AssertionError("unreachable")
