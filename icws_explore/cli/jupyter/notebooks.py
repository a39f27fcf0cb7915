"""`icws notebooks`: copies the course's notebooks, and the recordings that they read, into a folder."""

from __future__ import annotations

from pathlib import Path

import click

from icws_explore.notebook.course import NOTEBOOKS, write_course


@click.command(
    "notebooks",
    epilog="""\b
Examples:
  icws notebooks course                     # then: jupyter lab course/notebooks/00_index.ipynb
  icws notebooks for-teachers --solutions
  icws notebooks course --force             # starts over: replaces the copies in the folder

The copies have no outputs. A student's copy has no solutions. Nothing is fetched from the network.
""",
)
@click.argument("folder", type=click.Path())
@click.option("--solutions", is_flag=True, help="The teacher's copies: with the solutions.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def command(folder: str, solutions: bool, force: bool) -> int:
    """Copy the course into FOLDER: the notebooks, and the recordings and certificates that they read."""
    written = write_course(folder, solutions=solutions, overwrite=force)
    notebooks = sorted(path for path in written if path.suffix == ".ipynb")
    click.echo(f"{Path(folder) / NOTEBOOKS}: {len(notebooks)} notebooks, {len(written) - len(notebooks)} other files")
    click.echo(f"begin with: jupyter lab {notebooks[0]}")
    return 0
