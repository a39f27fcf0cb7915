"""`icws simulate`: writes recordings of simulated sessions."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from icws_explore.lab.apps import APPS, App, load
from icws_explore.lab.scenarios import Scenario
from icws_explore.lab.simulator import (
    CanisterSettings,
    Delay,
    NetworkConditions,
    Population,
    Simulation,
    Talker,
    simulate,
)
from icws_explore.lab.simulator.delays import delay
from icws_explore.lab.simulator.scripts import SCRIPT_NAMES
from icws_explore.lab.wasm import WasmApp
from icws_explore.protocol import candid
from icws_explore.protocol.constants import ACK_INTERVAL_MS, KEEP_ALIVE_TIMEOUT_MS, NS_PER_S, POLL_INTERVAL_MS
from icws_explore.protocol.errors import ArgumentValueError, ValueMismatchError
from icws_explore.protocol.wording import duration_ns

from .console import json_line, note
from .faults import as_fault, fault_names, list_faults, only_with
from .options import compiled_canister, own_canister
from .values import value_from_text

PATIENCE_S: Final = 1.0  # real seconds before progress is shown
NOTE_EVERY_S: Final = 10.0  # real seconds between two progress lines where stderr is not a terminal


def _duration(text: str | float) -> float:
    """A duration such as ``1h30m`` in seconds. Raises click.BadParameter."""
    try:
        return duration_ns(text) / NS_PER_S
    except ArgumentValueError as error:
        raise click.BadParameter(str(error), param_hint="--duration") from error


def _delay(text: str) -> Delay:
    """A delay from ``20`` or ``10-80``, in milliseconds. Raises click.BadParameter."""
    try:
        numbers = [float(part) for part in text.split("-")]
        return delay(numbers if len(numbers) > 1 else numbers[0])
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a number of milliseconds or a range such as 10-80") from error


def _list_faults(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked:
        list_faults()
        ctx.exit()


@click.command(
    "simulate",
    epilog="""\b
Examples:
  icws simulate --duration 1h -o hour.icws
  icws simulate --app chat --sessions 20 --latency-ms 10-200 --loss 0.01 --seed 7 -o chat.icws.gz
  icws simulate --ack-interval-ms 120000 --client-ack-interval-ms 60000 -o too_early.icws
  icws simulate --sessions 1000 --crypto stand-in -o many.icws
  icws simulate --wasm my_canister.wasm --sessions 100 --duration 20m -o mine.icws
  icws simulate --wasm my_canister.wasm --send hello --think-ms 5000 -o mine.icws
  icws simulate --fault STALE_NONCE -o stale.icws && icws doctor stale.icws

The same seed and options give the same file.

A latency X is a number of milliseconds or a range: with 10-80, each latency is a random value between 10
and 80. Loss delays WebSocket frames (because TCP sends them again), loses relayed calls and makes polls
fail. Stand-in cryptography is faster than real cryptography, but its proofs cannot be verified.

The clients of a compiled canister only listen: they open sessions, receive, and answer acks. Use --script or --send to
have them send messages.
""",
)
@click.option(
    "--app",
    default="pingpong",
    show_default=True,
    metavar="NAME|FILE.py",
    help=f"The app of the canister: {', '.join(APPS)} or a file.",
)
@own_canister
@click.option(
    "--duration",
    type=_duration,
    default="10m",
    show_default=True,
    metavar="TIME",
    help="The simulated time, such as 1h, 90s or 1h30m.",
)
@click.option(
    "--sessions",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    metavar="N",
    help="The number of sessions.",
)
@click.option(
    "--latency-ms",
    type=_delay,
    default="20",
    show_default=True,
    metavar="X",
    help="The latency from client to gateway, one way.",
)
@click.option(
    "--replica-latency-ms",
    type=_delay,
    default="5",
    show_default=True,
    metavar="X",
    help="The latency from gateway to replica, one way.",
)
@click.option(
    "--update-latency-ms",
    type=_delay,
    default="50",
    show_default=True,
    metavar="X",
    help="The time until the replica runs a call.",
)
@click.option(
    "--poll-interval-ms",
    type=click.IntRange(1),
    default=POLL_INTERVAL_MS,
    show_default=True,
    metavar="N",
    help="The gateways' pause between polls.",
)
@click.option(
    "--loss",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="P",
    help="The probability of a loss.",
)
@click.option("--unordered", is_flag=True, help="Relayed calls may overtake each other, as in the real gateway.")
@click.option(
    "--script",
    type=click.Choice(SCRIPT_NAMES),
    metavar="NAME",
    help=f"What the clients do: {', '.join(SCRIPT_NAMES)}.  [default: as the app; with --wasm: listen]",
)
@click.option(
    "--send",
    "text",
    metavar="TEXT",
    help="What each client sends, again and again: JSON or plain text.",
)
@click.option(
    "--think-ms",
    type=_delay,
    metavar="X",
    help="The time until a client answers, or until it sends again.  [default: by the script]",
)
@click.option(
    "--ack-interval-ms",
    type=click.IntRange(1),
    default=ACK_INTERVAL_MS,
    show_default=True,
    metavar="N",
    help="The canister's ack interval.",
)
@click.option("--client-ack-interval-ms", type=click.IntRange(1), metavar="N", help="The interval that clients expect.")
@click.option(
    "--keep-alive-timeout-ms",
    type=click.IntRange(1),
    default=KEEP_ALIVE_TIMEOUT_MS,
    show_default=True,
    metavar="N",
    help="The canister's keep-alive time-out.",
)
@click.option(
    "--skew-ms", type=float, default=0.0, show_default=True, metavar="X", help="How far clients' clocks are ahead."
)
@click.option(
    "--gateways", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="The number of gateways."
)
@click.option(
    "--crypto",
    type=click.Choice(["real", "stand-in"]),
    default="real",
    show_default=True,
    help="How signatures are made.",
)
@click.option(
    "--fault",
    callback=as_fault,
    shell_complete=fault_names,
    metavar="NAME",
    help="Simulate the scenario of this fault. The options above do not apply.",
)
@click.option(
    "--list-faults", is_flag=True, is_eager=True, expose_value=False, callback=_list_faults, help="List all faults."
)
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="The seed of all random values.")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The .icws or .icws.gz file to write.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def command(
    app: str,
    wasm: str | None,
    did: str | None,
    init: str | None,
    duration: float,
    sessions: int,
    latency_ms: Delay,
    replica_latency_ms: Delay,
    update_latency_ms: Delay,
    poll_interval_ms: int,
    loss: float,
    unordered: bool,
    script: str | None,
    text: str | None,
    think_ms: Delay | None,
    ack_interval_ms: int,
    client_ack_interval_ms: int | None,
    keep_alive_timeout_ms: int,
    skew_ms: float,
    gateways: int,
    crypto: Literal["real", "stand-in"],
    fault: Scenario | None,
    seed: int,
    out: Path,
    as_json: bool,
) -> int:
    """Simulate sessions with a canister on a virtual clock, and write their recording."""
    began = time.monotonic()
    if fault is not None:
        only_with("--fault", "seed", "out", "as_json")
        simulation = fault.run(seed)
        simulation.save(out)
        _report(
            simulation, {"seed": seed, "crypto": "real", "took_s": round(time.monotonic() - began, 3)}, out, as_json
        )
        return 0
    conditions = NetworkConditions(
        client_latency_ms=latency_ms,
        replica_latency_ms=replica_latency_ms,
        update_latency_ms=update_latency_ms,
        poll_interval_ms=poll_interval_ms,
        loss=loss,
        ordered=not unordered,
    )
    if script is not None and text is not None:
        raise click.UsageError("--send takes the place of --script: leave one of them out")
    loaded = compiled_canister(wasm, did, init) or load(app)
    if isinstance(loaded, WasmApp) and script is None and text is None:
        if think_ms is not None:
            raise click.UsageError("--think-ms goes with --send or --script: the clients of a .wasm only listen")
        note("the clients only listen; --send TEXT or --script NAME makes them send messages")
    with _Progress() as progress:
        simulation = simulate(
            loaded,
            duration=duration,
            seed=seed,
            population=Population(
                sessions=sessions,
                script=script if text is None else _talker(loaded, text, think_ms),
                think_ms=think_ms if text is None else None,
                ack_interval_ms=client_ack_interval_ms,
                skew_ms=skew_ms,
                gateways=gateways,
            ),
            conditions=conditions,
            ack_interval_ms=ack_interval_ms,
            canister=CanisterSettings(keep_alive_timeout_ms=keep_alive_timeout_ms),
            crypto=crypto,
            progress=progress,
        )
    simulation.save(out)
    _report(simulation, {"seed": seed, "crypto": crypto, "took_s": round(time.monotonic() - began, 3)}, out, as_json)
    return 0


def _talker(app: App, text: str, think_ms: Delay | None) -> Talker:
    """A script that sends the message. Raises IcwsError if it is not one of the canister's message type."""
    try:
        value = value_from_text(app.message_type, text)
        candid.encode([app.message_type], [value])
    except ValueMismatchError as error:
        wanted = candid.type_text(app.message_type)
        raise ArgumentValueError(f"--send: {error}; the canister takes {wanted}") from error
    return Talker(value) if think_ms is None else Talker(value, think_ms)


def _report(simulation: Simulation, facts: dict[str, Any], out: Path, as_json: bool) -> None:
    counts = simulation.counts
    if as_json:
        json_line({"file": str(out), **counts.to_json(), **facts})
        return
    ends = ", ".join(f"{count} × {how}" if count > 1 else how for how, count in counts.ended.items())
    rows = [
        ("sessions", f"{counts.sessions}, {counts.opened} opened"),
        ("messages", f"{counts.sent} sent, {counts.received} received"),
        ("acks", counts.acks),
        ("keep-alives", counts.keep_alives),
        ("closed with", ends),
        ("clock", f"virtual: {counts.duration_s:.1f} s in {facts['took_s']:.1f} s, seed {facts['seed']}"),
        ("cryptography", facts["crypto"]),
        ("file", f"{out}, {counts.frames} frames"),
    ]
    for name, value in rows:
        click.echo(f"{name:<13} {value}")


class _Progress:
    """Shows progress after a second: a bar on a terminal, otherwise a line every ten seconds."""

    def __init__(self) -> None:
        self._began = self._noted = time.monotonic()
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._show: Callable[[float], None] = self._draw if sys.stderr.isatty() else self._write

    def __call__(self, part: float) -> None:
        if time.monotonic() - self._began >= PATIENCE_S:
            self._show(part)

    def _draw(self, part: float) -> None:
        if self._bar is None:
            columns = (
                TextColumn("simulating"),
                BarColumn(),
                TextColumn("{task.percentage:.0f} %"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("simulating", total=1.0)
            self._bar.start()
        self._bar.update(self._task, completed=part)

    def _write(self, part: float) -> None:
        now = time.monotonic()
        if self._noted == self._began or now - self._noted >= NOTE_EVERY_S:
            self._noted = now
            note(f"simulated {part:.0%} …")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
