"""`icws analyze`: what many recordings have in common, with all cores or on a cluster."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from icws_explore.analysis.dataset.source import Source, sources_in
from icws_explore.analysis.doctor.finding import count
from icws_explore.analysis.fleet.analyze import Analysis, Asked, check_out, counting, parts_of
from icws_explore.analysis.fleet.crew import Crew
from icws_explore.analysis.fleet.tally import BYS, Tally
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.protocol.principal import Principal

from ..console import json_line, leaving, note, printable, show_table
from ..options import crew_options, known_root_key, network_option
from .progress import progress

INTERRUPTED: Final = 128 + signal.SIGINT
UNREADABLE: Final = 3
MOST_SHOWN: Final = 5  # unreadable files that are named
HEADINGS: Final = {"canister": "canister", "gateway": "gateway", "day": "day (UTC)", "version": "version"}


@click.command(
    "analyze",
    epilog="""\b
Examples:
  icws analyze recordings/
  icws analyze recordings/ --out analysis.parquet       # goes on there if it was interrupted
  icws analyze tables/ --by canister --top 20           # a dataset of icws export recordings/ --to parquet
  icws analyze recordings/ --workers 8 --json
  icws analyze /shared/recordings/ --scheduler tcp://10.0.0.5:8786 --out /shared/analysis.csv

For each group: sessions, how many opened and how many lost their connection, sessions with errors and with warnings,
the age of the oldest message when its ack came and the delay of keep-alives (median, 99th percentile, and the least
that was left to the time-out). --json and --out give all numbers.

Processes and clusters need pip install "icws_explore[dask]". The scheduler must be your own: whoever can talk to it
can run code in its workers. They must see the files under the same paths.

\b
Exit codes:
  0  nothing has the severity error
  1  a session has a finding of severity error
  3  a file cannot be read, and none has an error
""",
)
@click.argument("paths", metavar="DIR|FILE...", type=click.Path(), nargs=-1, required=True)
@click.option("--by", type=click.Choice(BYS[1:]), multiple=True, help="Show only these groups.")
@click.option(
    "--top", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="Show N groups of a kind."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the table as .parquet, .csv or .json, and keep what is finished in FILE.parts.",
)
@click.option("--root-key", metavar="HEX|mainnet", help="Verify proofs with this root key (DER).")
@network_option("Verify proofs with the root key of this network.")
@click.option("--canister", metavar="ID", help="The canister, if a recording does not name it.")
@crew_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    paths: tuple[str, ...],
    by: tuple[str, ...],
    top: int,
    out: str | None,
    root_key: str | None,
    network: NetworkProfile | None,
    canister: str | None,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> int:
    """Analyse folders of recordings: findings, timing and versions, by canister, gateway and day."""
    target = None if out is None else check_out(out)
    asked = Asked(known_root_key(root_key, network), None if canister is None else Principal.of(canister))
    sources = sources_in(paths)
    with leaving(INTERRUPTED):
        analysis = Analysis()
        try:
            _count(analysis, sources, asked, Crew(workers, scheduler), target)
        except KeyboardInterrupt:
            note(_how_to_go_on(analysis.recordings, len(sources), out))
            return INTERRUPTED
        if target is not None:
            analysis.save(target)
        if as_json:
            json_line(_as_json(analysis, target))
        else:
            _print(analysis, by or BYS[1:], top)
            if target is not None:
                click.echo(f"written {target}")
    if analysis.total.errors:
        return 1
    return UNREADABLE if analysis.unreadable else 0


def _count(analysis: Analysis, sources: Sequence[Source], asked: Asked, crew: Crew, target: Path | None) -> None:
    kept_in = None if target is None else parts_of(target)
    skipped = 0
    with (
        progress("analysing", len(sources), notes=True) as advance,
        closing(counting(sources, asked, crew, kept_in)) as results,
    ):
        for counted in results:
            analysis.add(counted)
            skipped += counted.skipped
            advance()
    if skipped:
        note(f"{count(skipped, 'recording')} had not changed since the last time, and {_were(skipped)} skipped")


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _how_to_go_on(done: int, total: int, out: str | None) -> str:
    said = f"interrupted after {done:,} of {count(total, 'recording')}"
    if out is None:
        return f"{said}; nothing was kept: with --out FILE, the same command goes on where it was interrupted"
    return f"{said}; the same command with --out {out} goes on there"


def _as_json(analysis: Analysis, target: Path | None) -> dict[str, Any]:
    return {
        "recordings": analysis.recordings,
        "size": analysis.size,
        "states": dict(analysis.states),
        "unreadable": [{"file": file, "error": error} for file, error in analysis.unreadable],
        "output": None if target is None else str(target),
        "groups": [{"by": kind, "name": name, **tally.row()} for kind in BYS for name, tally in analysis.groups(kind)],
    }


def _print(analysis: Analysis, kinds: Sequence[str], top: int) -> None:
    total = analysis.total
    states = ", ".join(f"{number:,} {state}" for state, number in analysis.states.most_common())
    click.echo(f"{count(analysis.recordings, 'recording')} ({decimal(analysis.size)}): {states}")
    click.echo(f"{count(total.sessions, 'session')}, {count(total.frames, 'frame')}")
    for file, error in analysis.unreadable[:MOST_SHOWN]:
        click.echo(click.style("– ", fg="magenta") + f"{printable(file)}  {printable(error)}")
    if len(analysis.unreadable) > MOST_SHOWN:
        click.echo(f"– and {len(analysis.unreadable) - MOST_SHOWN} more that cannot be read")
    if total.causes:
        click.echo("")
        table = _table("finding")
        table.add_column("sessions", justify="right")
        for cause, sessions in total.causes.most_common(top):
            table.add_row(cause, f"{sessions:,}")
        show_table(table)
    for kind in BYS[1:]:
        groups = analysis.groups(kind)
        if kind not in kinds or not groups:
            continue
        click.echo("")
        _print_groups(kind, groups, top)


def _print_groups(kind: str, groups: Sequence[tuple[str, Tally]], top: int) -> None:
    table = _table(HEADINGS[kind])
    for heading in ("sessions", "opened", "lost", "errors", "warnings", "ack age s", "left", "keep-alive s", "left"):
        table.add_column(heading, justify="right", no_wrap=True)
    shown = groups[-top:] if kind == "day" else groups[:top]
    for name, tally in shown:
        table.add_row(
            Text(printable(name), overflow="fold"),
            *(f"{number:,}" for number in (tally.sessions, tally.opened, tally.lost, tally.errors, tally.warnings)),
            _percentiles(tally.ack_age_s.at(0.5), tally.ack_age_s.at(0.99)),
            _seconds(tally.ack_margin_s),
            _percentiles(tally.keep_alive_delay_s.at(0.5), tally.keep_alive_delay_s.at(0.99)),
            _seconds(tally.keep_alive_margin_s),
        )
    show_table(table)
    if len(groups) > len(shown):
        click.echo(f"and {len(groups) - len(shown):,} {'earlier' if kind == 'day' else 'more'}: --top N")


def _table(heading: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(heading, min_width=12)
    return table


def _percentiles(half: float | None, most: float | None) -> str:
    return "" if half is None or most is None else f"{_seconds(half)} / {_seconds(most)}"


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
