"""The doctor for many recordings: each examined by itself, on all cores, and the findings counted by cause.

A file that cannot be read is a result like any other (state "unreadable"). Workers are fresh processes (spawn), because
a fork beside running event loops is unsafe. A worker that dies, for example because memory ran out, costs the file
that it was examining; the others go on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from icws_explore.protocol.errors import ArgumentTypeError, CaptureError, IcwsError
from icws_explore.protocol.principal import Principal

from ..imports import load_any
from .diagnose import diagnose as diagnose_capture
from .finding import SEVERITIES, Finding, Findings, State

if TYPE_CHECKING:
    from ..table import Table

# What is looked for in folders
SUFFIXES: Final = (".icws", ".icws.gz", ".har", ".pcap", ".pcapng", ".cap", ".flow", ".flows", ".mitm")
_AHEAD: Final = 4  # files that wait for each worker
_SMALL: Final = 1_000_000  # bytes

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What the doctor said of one file. ``error`` says why it could not be examined; then there are no findings."""

    file: str
    state: State | Literal["unreadable"]
    frames: int = 0
    sessions: int = 0
    findings: tuple[Finding, ...] = ()
    conclusion: str = ""
    not_checked: tuple[str, ...] = ()
    left_out: int = 0
    error: str | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The causes, each once, the worst first."""
        return tuple(dict.fromkeys(finding.id for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """The object that `icws doctor FILE… --json` prints for a file."""
        return {
            "file": self.file,
            "state": self.state,
            "frames": self.frames,
            "sessions": self.sessions,
            "findings": [finding.to_json() for finding in self.findings],
            "not_checked": list(self.not_checked),
            "left_out": self.left_out,
            "error": self.error,
        }


@dataclass(slots=True)
class Cause:
    """A cause in several files: how often it was found, and the first place."""

    first: Finding
    example: str
    files: int = 0
    sessions: int = 0

    def to_json(self) -> dict[str, Any]:
        """The object that `icws doctor FILE… --json` prints for a cause."""
        return {
            "id": self.first.id,
            "severity": self.first.severity,
            "files": self.files,
            "sessions": self.sessions,
            "example": self.example,
            "frames": list(self.first.frames),
            "explanation": self.first.explanation,
            "fix": self.first.fix,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every file: see `diagnose`."""

    root_key: bytes | None = None
    canister_id: Principal | None = None
    url: str = ""
    app_type: str | None = None


def diagnose(
    paths: PathLike | Iterable[PathLike],
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    url: str = "",
    workers: int | None = None,
) -> Table:
    """Examine recordings and folders of recordings, and return a table with a row for each finding of each file.

    Columns: ``file``, ``state`` (passed, failed, not checked, unreadable), ``cause`` (the finding's id),
    ``severity``, ``sessions`` (number), ``frames`` (numbers in the file), ``explanation`` and ``fix``. A file without
    findings has one row without a cause; an unreadable one has the reason in ``explanation``.
    ``table.groupby("cause").file.nunique()`` counts files by cause.

    ``root_key`` (DER), ``canister_id`` and ``url`` are as for a single recording. ``workers`` processes work at the
    same time: by default one for each core, or none besides this one if the files are small. A script that uses
    several must guard its start with ``if __name__ == "__main__":``. Raises ArgumentTypeError, and CaptureError for
    a folder without a recording.
    """
    import pandas as pd

    from ..table import Table

    results = examine_files(files_in(as_paths(paths)), Question(root_key, canister_id, url), workers=workers)
    rows = [row for result in results for row in _rows(result)]
    return Table(pd.DataFrame(rows, columns=list(_COLUMNS)))


_COLUMNS: Final = ("file", "state", "cause", "severity", "sessions", "frames", "explanation", "fix")


def _rows(result: FileResult) -> Iterator[tuple[Any, ...]]:
    head = result.file, result.state
    for entry in result.findings:
        yield *head, entry.id, entry.severity, max(1, len(entry.sessions)), entry.frames, entry.explanation, entry.fix
    if not result.findings:
        yield *head, None, None, result.sessions, (), result.error or result.conclusion, None


def as_paths(paths: PathLike | Iterable[PathLike]) -> list[PathLike]:
    """One path or several, as a list. Raises ArgumentTypeError."""
    found = [paths] if isinstance(paths, (str, os.PathLike)) or not isinstance(paths, Iterable) else list(paths)
    for path in found:
        if not isinstance(path, (str, os.PathLike)):
            raise ArgumentTypeError(f"paths must be a path or several, not {type(path).__name__}")
    return found


def files_in(paths: Iterable[PathLike]) -> list[Path]:
    """The files that are named, and those in the folders that are named, each once. Raises CaptureError."""
    found: list[Path] = []
    for each in paths:
        path = Path(each)
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(file for file in path.rglob("*") if file.name.endswith(SUFFIXES) and file.is_file())
        if not inside:
            raise CaptureError(f"{path} contains no recording: no file whose name ends in {', '.join(SUFFIXES)}")
        found += inside
    return list(dict.fromkeys(found))


def examine_file(question: Question, path: Path) -> FileResult:
    """Examine one file; whatever is wrong with the file itself is in the result."""
    try:
        capture = load_any(path, url=question.url)
        if not capture.frames:
            raise CaptureError(f"{path} contains no frames: there is nothing to examine")
    except IcwsError as error:
        return FileResult(str(path), "unreadable", error=str(error))
    if question.app_type is not None:
        capture.info = replace(capture.info, app_type=question.app_type)
    findings = diagnose_capture(capture, root_key=question.root_key, canister_id=question.canister_id)
    return FileResult(
        str(path),
        findings.state,
        len(capture),
        len(capture.session_ids),
        tuple(findings),
        findings.conclusion,
        tuple(map(str, findings.unchecked)),
        len(findings.left_out),
    )


def examine_files(
    paths: Sequence[Path],
    question: Question | None = None,
    *,
    workers: int | None = None,
    examine: Callable[[Question, Path], FileResult] = examine_file,
) -> Generator[FileResult, None, None]:
    """Examine files, ``workers`` at the same time (default: a process for each core), and yield results in order.

    Files that are small in all are examined in this process, which is quicker than starting others. Closing the
    iterator, or an interrupt, ends the workers at once.
    """
    asked = question or Question()
    count = min(workers or (os.cpu_count() or 1 if _size(paths) > _SMALL else 1), len(paths))
    if count <= 1:
        yield from (examine(asked, path) for path in paths)
        return
    rest = list(paths)
    while rest:
        yield from _pooled(rest, partial(examine, asked), count)


def _size(paths: Iterable[Path]) -> int:
    """The bytes of all files; those that cannot be read count as empty."""
    total = 0
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            total += path.stat().st_size
    return total


def _pooled(rest: list[Path], examine: Callable[[Path], FileResult], count: int) -> Iterator[FileResult]:
    """Results of the files in ``rest``, which are taken out of it, until there are no more or a worker died."""
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context)
    waiting: list[Future[FileResult]] = []
    try:
        while rest:
            with contextlib.suppress(BrokenProcessPool), interrupts_held():
                while len(waiting) < min(len(rest), count * _AHEAD):
                    waiting.append(pool.submit(examine, rest[len(waiting)]))
            result = _result(waiting.pop(0)) if waiting else None
            if result is None:
                # Somebody died. Alone, a file shows whether it was the cause.
                yield _alone(examine, rest.pop(0))
                return
            del rest[0]
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if rest:
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()


def _result(future: Future[FileResult]) -> FileResult | None:
    """The result of a file; None if a worker died."""
    try:
        return future.result()
    except BrokenProcessPool:
        return None


def _alone(examine: Callable[[Path], FileResult], path: Path) -> FileResult:
    """Examine one file in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        with interrupts_held():
            waiting = pool.submit(examine, path)
        try:
            return waiting.result()
        except BrokenProcessPool:
            return FileResult(str(path), "unreadable", error=f"the process that examined {path} died: out of memory?")


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Start workers that do not see Ctrl-C, which goes to every process of a terminal: the parent decides."""
    resource_tracker.ensure_running()  # the first start of a process would start it, which lets SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def causes(results: Iterable[FileResult]) -> list[Cause]:
    """The findings of all files by cause: the worst first, then what most files have."""
    found: dict[str, Cause] = {}
    for result in results:
        for finding in result.findings:
            cause = found.setdefault(finding.id, Cause(finding, result.file))
            cause.files += 1  # a file has at most one finding of a cause
            cause.sessions += max(1, len(finding.sessions))
    return sorted(
        found.values(), key=lambda entry: (SEVERITIES.index(entry.first.severity), -entry.files, entry.first.id)
    )


def has_errors(results: Iterable[FileResult]) -> bool:
    """Whether any file has a finding of severity error."""
    return any(Findings(result.findings).has_errors for result in results)
