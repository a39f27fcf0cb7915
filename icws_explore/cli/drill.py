"""`icws drill`: plays the faults of a gateway against a dapp that reconnects, and tells how it took them."""

from __future__ import annotations

import click
from rich.table import Table

from icws_explore.lab.drill import PATIENCE_S, RETURN_S, SLOW, Drill, DrillRow, drill_faults
from icws_explore.lab.scenarios import Scenario
from icws_explore.live.tap import LOOPBACK, Tap

from .console import SUBJECT_BAD, json_line, note, printable, show_table
from .faults import as_faults, fault_names

_MARKS = {
    "yes": ("✓ yes", "green"),
    "no": ("✗ no", "red"),
    "not checked": ("? not checked", "yellow"),
    "not needed": ("– not needed", "dim"),
}


@click.command(
    "drill",
    epilog=f"""\b
Examples:
  icws drill ws://127.0.0.1:8080
  icws drill wss://gateway.example --fault BODY_HASH --fault CONNECTION_LOST

Let the dapp connect to the address that is shown, and keep it busy: most
faults act on messages from the canister. The dapp should come back when its
session ends. Each fault is switched on when a session is open, and off when
the session has ended.

\b
The exit code is 1 if the dapp did not notice a fault or did not recover.
The faults that take minutes or bursts of messages are only played with --slow
or by name: {", ".join(SLOW[:3])},
{", ".join(SLOW[3:])}.
""",
)
@click.argument("gateway")
@click.option("--listen", default=LOOPBACK, show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=as_faults,
    shell_complete=fault_names,
    metavar="NAME",
    help="Only this fault; may be repeated.",
)
@click.option("--slow", is_flag=True, help="Also the faults that take minutes.")
@click.option("--record", type=click.Path(dir_okay=False), metavar="FILE", help="Write every session to FILE.icws.")
@click.option("--patience", default=PATIENCE_S, show_default=True, metavar="S", help="Seconds for the dapp to react.")
@click.option("--return", "return_s", default=RETURN_S, show_default=True, metavar="S", help="Seconds to come back.")
@click.option("--allow-origin", multiple=True, metavar="ORIGIN", help="Accept pages from there (* for any).")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Accept this name of the tap (* for any).")
@click.option("--json", "as_json", is_flag=True, help="A first line that says where it is, then a line a fault.")
def command(
    gateway: str,
    listen: str,
    faults: tuple[Scenario, ...],
    slow: bool,
    record: str | None,
    patience: float,
    return_s: float,
    allow_origin: tuple[str, ...],
    allow_host: tuple[str, ...],
    as_json: bool,
) -> int:
    """Play gateway faults against a dapp that connects to GATEWAY through this command."""
    tap = Tap(gateway, listen=listen, record=record, allow_origins=allow_origin, allow_hosts=allow_host)
    chosen = drill_faults(tap, [fault.name for fault in faults], slow=slow)
    rows: list[DrillRow] = []
    with tap:
        drill = Drill(tap, patience_s=patience, return_s=return_s)
        if as_json:
            json_line(
                {
                    "ready": True,
                    "url": tap.url,
                    "gateway_url": tap.gateway_url,
                    "faults": [scenario.name for scenario in chosen],
                }
            )
        else:
            click.echo(f"drill     {tap.url}  →  {tap.gateway_url}")
            click.echo(f"{len(chosen)} faults, one after another; waiting for the dapp. Ctrl-C ends it.\n")
        for number, fault in enumerate(chosen, start=1):
            if not as_json:
                note(f"{number}/{len(chosen)} {fault.name}: {fault.about}")
            rows += drill.run([fault])
            if as_json:
                json_line(rows[-1].to_json())
            else:
                note(f"    {rows[-1].did}")
    if not as_json:
        show_table(_table(rows))
    return SUBJECT_BAD if any("no" in (row.noticed, row.recovered) for row in rows) else 0


def _table(rows: list[DrillRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("fault", "what the dapp did", "noticed", "recovered"):
        table.add_column(name, overflow="fold", no_wrap=name == "fault")
    for row in rows:
        marks = [f"[{colour}]{text}[/{colour}]" for text, colour in (_MARKS[row.noticed], _MARKS[row.recovered])]
        table.add_row(row.fault, printable(row.did).replace("[", "\\["), *marks)
    return table
