"""Computes the doctor's confusion matrix: runs every scenario in the simulator and over real sockets.

Run it with ``make scenarios`` or ``python -m bench.scenarios [NAMES]``. It prints the matrix. If all scenarios and
the healthy sessions were run, it also stores it in data/scenarios/confusion_matrix.csv and docs/scenarios.md.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import ceil
from multiprocessing import get_context
from multiprocessing.pool import Pool
from typing import Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from icws_explore.analysis.doctor import RULES
from icws_explore.analysis.recording import Recording
from icws_explore.lab.scenarios import SCENARIOS
from icws_explore.protocol.errors import IcwsError

from .confusion import Matrix, Run, Stage
from .confusion_page import DATA, PAGE, WIDTH, print_matrix, write_page
from .healthy import WANTED, Healthy, healthy, planned, played
from .healthy_plans import plans

T = TypeVar("T")
PATIENCE_S: Final = 600.0  # real seconds to wait for the next result
TIME_SCALE: Final = 30.0  # over real sockets; a client then has two real seconds for its keep-alive
PART: Final = 50  # healthy sessions in one piece of work


def run_of(name: str, stage: Stage, seed: int) -> Run:
    """Run one scenario once and diagnose its recording."""
    try:
        recording: Recording = (
            SCENARIOS[name].run(seed)
            if stage == "simulated"
            else SCENARIOS[name].play(seed=seed, time_scale=TIME_SCALE)
        )
    except IcwsError as error:
        return Run(name, stage, seed, failure=f"{type(error).__name__}: {error}")
    found = tuple((finding.id, finding.severity) for finding in recording.doctor())
    ends, beside = ends_of(recording), SCENARIOS[name].beside
    return Run(name, stage, seed, found, ends, len(recording.raw.session_ids), beside=beside)


def ends_of(recording: Recording) -> tuple[str, ...]:
    """Return how the sessions ended, by the first close of each: "4000 Ack message timeout". No end is repeated."""
    ends: dict[str | None, str] = {}
    for frame in recording.raw.frames:
        if frame.op == "close" and frame.session not in ends:
            ends[frame.session] = f"{frame.code or 1005} {frame.reason or ''}".strip()
    return tuple(dict.fromkeys(ends.values()))


def side_by_side(work: Sequence[Callable[[], T]], jobs: int, title: str) -> Iterator[T]:
    """Do the work in ``jobs`` processes and yield each result as it is ready. No process is left behind."""
    if not work:
        return
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    errors = Console(stderr=True)
    if not errors.is_terminal:
        errors.print(f"{title}: {len(work)} …", highlight=False)
    with (
        _pool(jobs) as pool,
        Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress,
    ):
        bar = progress.add_task("", total=len(work))
        done = pool.imap_unordered(_do, work)
        for _ in work:
            yield done.next(PATIENCE_S)
            progress.advance(bar)


def _do(work: Callable[[], T]) -> T:
    return work()


def _pool(jobs: int) -> Pool:
    """Return a pool whose processes ignore interrupts from the start. The parent process ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return get_context("spawn").Pool(jobs)
    finally:
        signal.signal(signal.SIGINT, before)


def play_scenarios(matrix: Matrix, names: Iterable[str], stage: Stage, seeds: int, jobs: int) -> None:
    """Run each scenario with each seed and add the results to the matrix. Print what is wrong at once."""
    tasks = [(name, stage, seed) for name in names for seed in range(1, seeds + 1)]
    # The longest first, so that none runs alone at the end.
    longest = sorted(tasks, key=lambda task: -SCENARIOS[task[0]].plan().duration_s)
    runs: dict[tuple[str, Stage, int], Run] = {}
    for run in side_by_side([partial(run_of, *task) for task in longest], jobs, stage):
        runs[run.scenario, run.stage, run.seed] = run
        if not run.is_named:
            found = ", ".join(f"{name} ({severity})" for name, severity in run.found) or "nothing"
            _complain(f"{run.scenario}, {run.stage}, seed {run.seed}: {run.failure or found}")
    for task in tasks:  # in this order, whichever finished first
        matrix.add(runs[task])


def play_healthy(matrix: Matrix, stage: Stage, wanted: int, jobs: int) -> None:
    """Diagnose healthy sessions and add the results to the matrix. Print false alarms at once."""
    work: Sequence[Callable[[], list[Healthy]]]
    if stage == "simulated":
        parts = range(1, ceil(wanted / PART) + 1)
        work = [*(partial(_listed, healthy, PART, seed) for seed in parts), partial(_listed, planned)]
    else:
        work = [partial(_listed, played, [plan.text]) for plan in plans()]
    for found in side_by_side(work, jobs, f"{stage}, healthy"):
        for recording in found:
            findings = [(finding.id, finding.severity) for finding in recording.findings]
            matrix.add_healthy(stage, findings, recording.sessions)
            if recording.alarms:
                _complain(f"{', '.join(recording.alarms)}: {recording.text}")


def _listed(make: Callable[..., Iterator[Healthy]], *given: object) -> list[Healthy]:
    return list(make(*given))


def _complain(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"✗ {text}", markup=False, highlight=False)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAMES]", type=click.Choice(sorted(SCENARIOS)))
@click.option("--seeds", default=10, show_default=True, help="Simulated runs of each scenario.")
@click.option("--plays", default=2, show_default=True, help="Runs of each scenario over real sockets.")
@click.option(
    "--sessions", default=WANTED, show_default=True, help="Simulated healthy sessions; 0: no healthy sessions."
)
@click.option("--labs", default=2 * (os.cpu_count() or 1), show_default=True, help="Labs that run at the same time.")
def main(names: tuple[str, ...], seeds: int, plays: int, sessions: int, labs: int) -> None:
    """Compute the confusion matrix of all scenarios, or of NAMES.

    The exit code is 1 if a scenario is not named by its own rule alone, or if a healthy session gets an alarm.
    """
    wanted = names or tuple(SCENARIOS)
    matrix = Matrix(sorted(RULES))
    began = time.monotonic()
    cores = os.cpu_count() or 1
    try:
        play_scenarios(matrix, wanted, "simulated", seeds, cores)
        play_scenarios(matrix, wanted, "sockets", plays, labs)
        if not names and sessions:
            play_healthy(matrix, "simulated", sessions, cores)
            play_healthy(matrix, "sockets", sessions, labs)
    except KeyboardInterrupt:
        raise click.Abort from None
    console = Console()
    print_matrix(matrix, console if console.width >= WIDTH else Console(width=WIDTH))
    click.echo(f"{time.monotonic() - began:.0f} s")
    if not names and seeds and plays and sessions:
        matrix.save(DATA)
        write_page(matrix)
        click.echo(f"stored in {DATA} and {PAGE}")
    sys.exit(0 if matrix.is_right else 1)


if __name__ == "__main__":
    main()
