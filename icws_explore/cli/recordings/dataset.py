"""`icws export DIR --to parquet`: a folder of recordings as a dataset."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import click
from rich.filesize import decimal

from icws_explore.analysis.dataset.source import sources_in
from icws_explore.analysis.dataset.write import Wanted, Written, writing
from icws_explore.analysis.doctor.finding import count
from icws_explore.analysis.fleet.crew import Crew

from ..console import json_line, leaving, note, printable
from .progress import progress

INTERRUPTED: Final = 128 + signal.SIGINT
UNREADABLE: Final = 3


def export_dataset(paths: Sequence[str], output: str | None, wanted: Wanted, crew: Crew, *, as_json: bool) -> int:
    """Write recordings and folders of them into the dataset ``output`` (default: DIR.dataset). Returns the exit code.

    Raises CaptureError for a folder without a recording, or a folder with something else as output.
    """
    sources = sources_in(paths)
    folder = Path(output) if output is not None else _beside(paths)
    results: list[Written] = []
    with leaving(INTERRUPTED):
        try:
            with (
                progress("exporting", len(sources), notes=True) as advance,
                closing(writing(sources, folder, wanted, crew)) as written,
            ):
                for result in written:
                    results.append(result)
                    if as_json:
                        json_line({**result.to_json(), "output": str(folder)})
                    elif result.error is not None:
                        note(f"{printable(result.name)} cannot be read: {result.error}")
                    advance()
        except KeyboardInterrupt:
            said = f"interrupted after {len(results):,} of {count(len(sources), 'recording')}"
            note(f"{said}; the same command with -o {folder} goes on there")
            return INTERRUPTED
        if not as_json:
            click.echo(f"written {folder}: {_conclusion(results)}")
    return UNREADABLE if any(result.error is not None for result in results) else 0


def _beside(paths: Sequence[str]) -> Path:
    if len(paths) > 1:
        raise click.UsageError("with several folders, -o names the dataset")
    whole = Path(paths[0]).absolute()
    return whole.with_name(f"{whole.name}.dataset")


def _conclusion(results: Sequence[Written]) -> str:
    read = [result for result in results if result.error is None]
    skipped = sum(result.skipped for result in read)
    frames, size = sum(result.frames for result in read), sum(result.stored for result in read)
    text = f"{count(len(read), 'recording')}, {count(frames, 'frame')}, {decimal(size)}"
    return text + (f"; {skipped:,} had not changed" if skipped else "")
