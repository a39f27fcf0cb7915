"""`icws lab`: the embedded network until interrupted."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from icws_explore.lab import Lab
from icws_explore.lab.apps import APPS
from icws_explore.lab.command import run_lab


def _app_names(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
    """What Tab offers: the examples, then files."""
    return [CompletionItem(name) for name in APPS if name.startswith(begun)] or [CompletionItem(begun, type="file")]


@click.command(
    "lab",
    epilog="""\b
Examples:
  icws lab
  icws lab --app chat --gateway-port 8080 --replica-port 4943
  icws lab --app my_app.py --ack-interval-ms 2000 --keep-alive-timeout-ms 1000 --json

An app of your own is a Python file with MESSAGE_TYPE (Candid), on_open, on_message and on_close.
Real clients want the real clock: shorten the intervals for them, and scale time for `icws` only.
""",
)
@click.option(
    "--app",
    default="pingpong",
    show_default=True,
    metavar="NAME|FILE.py",
    shell_complete=_app_names,
    help=f"{', '.join(APPS)}, or a file.",
)
@click.option("--ack-interval-ms", type=click.IntRange(1), default=300_000, show_default=True, metavar="N")
@click.option("--keep-alive-timeout-ms", type=click.IntRange(1), metavar="N", help="Default: twice the latency bound.")
@click.option("--latency-bound-ms", type=click.IntRange(1), default=30_000, show_default=True, metavar="N")
@click.option("--poll-interval-ms", type=click.IntRange(1), default=100, show_default=True, metavar="N")
@click.option("--time-scale", type=click.FloatRange(0.001, 10_000), default=1.0, show_default=True, metavar="X")
@click.option("--gateways", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="How many.")
@click.option("--gateway-port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Default: a free one.")
@click.option("--replica-port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Default: a free one.")
@click.option("--seed", type=int, metavar="N", help="The same keys and ids every time.")
@click.option("--json", "as_json", is_flag=True, help="A first line that says where it is, then a line an event.")
def command(
    app: str,
    ack_interval_ms: int,
    keep_alive_timeout_ms: int | None,
    latency_bound_ms: int,
    poll_interval_ms: int,
    time_scale: float,
    gateways: int,
    gateway_port: int,
    replica_port: int,
    seed: int | None,
    as_json: bool,
) -> int:
    """Run a replica, a canister and a gateway on loopback until Ctrl-C."""
    lab = Lab(
        app,
        ack_interval_ms=ack_interval_ms,
        keep_alive_timeout_ms=keep_alive_timeout_ms,
        latency_bound_ms=latency_bound_ms,
        poll_interval_ms=poll_interval_ms,
        time_scale=time_scale,
        gateways=gateways,
        gateway_port=gateway_port,
        replica_port=replica_port,
        seed=seed,
    )
    run_lab(lab, as_json=as_json)
    return 0
