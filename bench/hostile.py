"""What hostile frames cost: the slowest ones. None should take 50 ms.

The tests count executed lines of Python instead. Run it alone with ``python -m bench.hostile``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import decode_frame
from icws_explore.capture import Frame

from .timing import Cost, duration_text

TESTS = Path(__file__).resolve().parent.parent / "tests"
SLOW_S = 0.01
SHOWN = 3
TRIES = 5  # for frames that seem slow
READERS: tuple[tuple[str, Callable[[Frame], object]], ...] = (("decode", decode_frame), ("annotate", annotate_frame))


def hostile_costs() -> Iterator[Cost]:
    """Yield the costs of the slowest frames of each reader."""
    sys.path.insert(0, str(TESTS))
    from support.hostile_frames import hostile_frames

    frames = list(hostile_frames())
    for verb, read in READERS:
        costs = [_cost(f"{verb} the hostile frame {name}", read, frame) for name, frame in frames]
        yield from sorted(costs, key=lambda each: each.best_s, reverse=True)[:SHOWN]


def _cost(name: str, read: Callable[[Frame], object], frame: Frame) -> Cost:
    times: list[float] = []
    while not times or (len(times) < TRIES and min(times) > SLOW_S):
        before = time.perf_counter()
        read(frame)
        times.append(time.perf_counter() - before)
    return Cost(name, min(times), max(times))


def main() -> None:
    for line in hostile_costs():
        print(f"{line.name:<60} {duration_text(line.best_s):>10}")


if __name__ == "__main__":
    main()
