"""What many recordings cost: an analysis with one process and with two, and the time and the disk a GB takes.

Times are on the clock, because that is what a second process is for: run it alone. Each recording has real signatures,
whose certificates are verified. `python -m bench.fleet` prints the cost a GB.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import icws_explore as icws
from icws_explore.analysis.dataset.source import Source, sources_in
from icws_explore.analysis.dataset.write import write_dataset
from icws_explore.analysis.fleet.analyze import Asked, analyze, counting
from icws_explore.analysis.fleet.crew import Crew

COPIES = 48
DURATION = "4m"


@contextmanager
def recordings() -> Iterator[Path]:
    """Copies of a simulated recording of some MB."""
    made = icws.simulate(duration=DURATION, population=icws.Population(sessions=2, think_ms=1000), seed=3)
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "recordings"
        inner.mkdir()
        first = inner / "0.icws"
        made.save(first)
        for number in range(1, COPIES):
            shutil.copy(first, inner / f"{number}.icws")
        yield inner


def analysed_s(sources: list[Source], workers: int) -> float:
    """From the first result to the last, so that the start of the processes does not count."""
    with closing(counting(sources, Asked(), Crew(workers), None)) as results:
        for _ in range(workers):
            next(results)
        began = time.perf_counter()
        left = sum(1 for _ in results)
    return (time.perf_counter() - began) / left


def linearity() -> float:
    """How many times as fast two processes are as one."""
    with recordings() as folder:
        sources = sources_in([folder])
        return analysed_s(sources, 1) / analysed_s(sources, 2)


def main() -> None:
    with recordings() as folder:
        gigabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e9
        dataset = folder.with_name("dataset")
        write_dataset(folder / "0.icws", folder.with_name("first"), workers=1)  # imports what the others need
        analyze(folder.with_name("first"), workers=1)
        for name, work in (
            ("analyse recordings", lambda: analyze(folder, workers=1)),
            ("export to a dataset", lambda: write_dataset(folder, dataset, workers=1)),
            ("analyse the dataset", lambda: analyze(dataset, workers=1)),
            ("count its frames by kind", lambda: kinds(dataset)),
        ):
            began = time.process_time()
            work()
            print(f"{name}: {(time.process_time() - began) / gigabytes:.1f} s of one core a GB")
        stored = sum(path.stat().st_size for path in dataset.rglob("*") if path.is_file())
        print(f"{gigabytes * 1000:.0f} MB of recordings; the dataset has {stored / gigabytes / 1e9:.2f} × that")


def kinds(dataset: Path) -> object:
    return icws.load_dataset(dataset).frames.to_table(columns=["kind"]).group_by("kind").aggregate([([], "count_all")])


if __name__ == "__main__":
    main()
