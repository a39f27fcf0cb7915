"""The doctor's confusion matrix, made anew: every scenario in the simulator and over real sockets.

``make scenarios``, or ``python -m bench.scenarios [NAMES]``. What it finds is printed, and stored where
all scenarios were played: in data/scenarios/confusion_matrix.csv and docs/scenarios.md.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from multiprocessing import get_context
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from icws_explore.analysis.doctor import RULES
from icws_explore.analysis.recording import Recording
from icws_explore.lab.scenarios import SCENARIOS
from icws_explore.protocol.errors import IcwsError

from .confusion import Matrix, Run, Stage
from .confusion_page import DATA, PAGE, WIDTH, print_matrix, write_page
from .healthy import WANTED, healthy

Task = tuple[str, Stage, int]
PATIENCE_S: Final = 600.0  # real seconds for the next of the runs


def run_of(task: Task) -> Run:
    """Play one scenario and ask the doctor."""
    name, stage, seed = task
    try:
        recording: Recording = SCENARIOS[name].run(seed) if stage == "simulated" else SCENARIOS[name].play(seed=seed)
    except IcwsError as error:
        return Run(name, stage, seed, failure=f"{type(error).__name__}: {error}")
    found = tuple((finding.id, finding.severity) for finding in recording.doctor())
    return Run(name, stage, seed, found, ends_of(recording), len(recording.raw.session_ids))


def ends_of(recording: Recording) -> tuple[str, ...]:
    """How each session ended, by the first close in it: "4000 Ack message timeout"."""
    ends: dict[str | None, str] = {}
    for frame in recording.raw.frames:
        if frame.op == "close" and frame.session not in ends:
            ends[frame.session] = f"{frame.code or 1005} {frame.reason or ''}".strip()
    return tuple(dict.fromkeys(ends.values()))


def runs_of(tasks: list[Task], jobs: int) -> Iterator[Run]:
    """Each task's run as it is done, ``jobs`` side by side in processes of their own; none is left behind."""
    with get_context("spawn").Pool(jobs, initializer=_leave_interrupts_to_the_parent) as pool:
        done = pool.imap_unordered(run_of, tasks)
        for _ in tasks:
            yield done.next(PATIENCE_S)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def filled(matrix: Matrix, tasks: Iterable[Task], jobs: int, title: str) -> None:
    """Play the tasks into the matrix; what is wrong is said at once."""
    tasks = list(tasks)
    if not tasks:
        return
    errors = Console(stderr=True)
    with Progress(*_columns(title), console=errors, transient=True) as progress:
        bar = progress.add_task("", total=len(tasks))
        runs: dict[Task, Run] = {}
        for run in runs_of(tasks, jobs):
            runs[run.scenario, run.stage, run.seed] = run
            progress.update(bar, advance=1, description=run.scenario)
            if not run.is_named:
                found = ", ".join(f"{name} ({severity})" for name, severity in run.found) or "nothing"
                errors.print(f"✗ {run.scenario}, {run.stage}, seed {run.seed}: {run.failure or found}", markup=False)
        for task in tasks:  # in their order, whichever was done first
            matrix.add(runs[task])


def judge_healthy(matrix: Matrix, wanted: int) -> None:
    """Simulated sessions in which nothing is wrong; what the doctor finds all the same is said at once."""
    errors, sessions = Console(stderr=True), 0
    with Progress(*_columns("healthy sessions"), console=errors, transient=True) as progress:
        bar = progress.add_task("", total=wanted)
        for it in healthy(wanted):
            matrix.add_healthy("simulated", [(each.id, each.severity) for each in it.findings], it.sessions)
            sessions += it.sessions
            progress.update(bar, completed=min(sessions, wanted))
            if it.alarms:
                errors.print(f"✗ {', '.join(it.alarms)}: {it.text}", markup=False)


def _columns(title: str) -> tuple[ProgressColumn, ...]:
    told = TextColumn("{task.description}")
    return TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), told


@click.command()
@click.argument("names", nargs=-1, metavar="[NAMES]", type=click.Choice(sorted(SCENARIOS)))
@click.option("--seeds", default=10, show_default=True, help="Simulated runs of each.")
@click.option("--plays", default=1, show_default=True, help="Runs of each over real sockets.")
@click.option("--sessions", default=WANTED, show_default=True, help="Healthy sessions, for a whole matrix.")
@click.option("--labs", default=2 * (os.cpu_count() or 1), show_default=True, help="Labs side by side.")
def main(names: tuple[str, ...], seeds: int, plays: int, sessions: int, labs: int) -> None:
    """The confusion matrix of all scenarios, or of NAMES. Exit code 1 if any is not named by its own rule alone."""
    wanted = names or tuple(SCENARIOS)
    matrix = Matrix(sorted(RULES))
    began = time.monotonic()
    simulated: list[Task] = [(name, "simulated", seed) for name in wanted for seed in range(1, seeds + 1)]
    # The longest first, so that none is left running alone at the end.
    played: list[Task] = [(name, "sockets", seed) for name in wanted for seed in range(1, plays + 1)]
    played.sort(key=lambda task: -SCENARIOS[task[0]].plan().duration_s)
    try:
        filled(matrix, simulated, os.cpu_count() or 1, "simulated")
        filled(matrix, played, labs, "over sockets")
        if not names and sessions:
            judge_healthy(matrix, sessions)
    except KeyboardInterrupt:
        raise click.Abort from None
    console = Console()
    print_matrix(matrix, console if console.width >= WIDTH else Console(width=WIDTH))
    click.echo(f"{time.monotonic() - began:.0f} s")
    if not names and seeds and plays:
        matrix.save(DATA)
        write_page(matrix)
        click.echo(f"stored in {DATA} and {PAGE}")
    sys.exit(0 if matrix.is_right else 1)


if __name__ == "__main__":
    main()
