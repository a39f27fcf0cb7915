"""`icws load`: many sessions that send messages, against a lab or a gateway of one's own."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final

import click

from icws_explore.analysis.doctor.finding import count
from icws_explore.analysis.fleet.crew import Crew
from icws_explore.analysis.fleet.spread import Spread
from icws_explore.live.http import Network
from icws_explore.live.load.generate import generate, halt_playing, play
from icws_explore.live.load.plan import LIMITS, LoadPlan, check_target
from icws_explore.live.load.result import LoadResult
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.live.target import find_application_type, network_of, require_websocket_canister, resolve_app_type
from icws_explore.protocol import candid
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.principal import Principal

from .console import SUBJECT_BAD, json_line, leaving, note, printable
from .options import complete_networks, scheduler_option
from .values import value_from_text

INTERRUPTED: Final = 128 + signal.SIGINT
NOTE_EVERY_S: Final = 5.0  # real seconds


@click.command(
    "load",
    epilog=f"""\b
Examples:
  icws lab --app echo                       # prints the addresses
  icws load ws://127.0.0.1:8080 --network http://127.0.0.1:4943 --canister ID --sessions 100 --rate 1 --for 60
  icws load ws://127.0.0.1:8080 --network http://127.0.0.1:4943 --canister ID --sessions 500 --workers 2 --json
  icws load wss://gateway.example --network https://icp-api.io --canister ID --sessions 5 --opens-per-s 1 \\
      --target gateway.example --target icp-api.io

Each session has a new key. The n-th message of the application after the first one that was sent counts as the answer
to the n-th message, so the application must answer each message with one. A round trip counts from the moment at which
its message was due. The lag in the output is how late the generator itself was: if it is large, use more --workers.

\b
The target is this machine, unless every other host among GATEWAY and --network is named again with --target.
Then the limits are: {LIMITS}.

\b
Exit codes:
  0  every session opened, and was open until its time was over
  1  some did not open, or ended before
""",
)
@click.argument("gateway")
@click.option(
    "--network",
    metavar="NAME|URL",
    required=True,
    shell_complete=complete_networks,
    help="The network, to fetch its root key.",
)
@click.option("--canister", metavar="ID", required=True, help="The canister to open the sessions with.")
@click.option(
    "--app-type", type=click.Path(), metavar="FILE.did", help="The canister's .did file, or a type as Candid text."
)
@click.option("--ack-interval-ms", type=click.IntRange(1), metavar="N", help="The canister's ack interval.")
@click.option(
    "--send", "text", metavar="TEXT", default="hello", show_default=True, help="The message: JSON or plain text."
)
@click.option("--sessions", type=click.IntRange(1, 100_000), default=10, show_default=True, metavar="N")
@click.option(
    "--rate",
    type=click.FloatRange(0, 10_000),
    default=1.0,
    show_default=True,
    metavar="X",
    help="Messages a second of each session.",
)
@click.option(
    "--for",
    "duration",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="S",
    help="Send for S seconds.",
)
@click.option(
    "--opens-per-s",
    type=click.FloatRange(0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="X",
    help="Open X sessions a second.",
)
@click.option("--target", "targets", metavar="HOST", multiple=True, help="Name a host that is not this machine again.")
@click.option(
    "--workers", type=click.IntRange(1, 1024), default=1, show_default=True, metavar="N", help="Play it in N processes."
)
@scheduler_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    gateway: str,
    network: str,
    canister: str,
    app_type: str | None,
    ack_interval_ms: int | None,
    text: str,
    sessions: int,
    rate: float,
    duration: float,
    opens_per_s: float,
    targets: tuple[str, ...],
    workers: int,
    scheduler: str | None,
    as_json: bool,
) -> int:
    """Open sessions with a canister through GATEWAY, send messages at a steady rate, and measure."""
    profile = network_of(network)
    plan = LoadPlan(
        gateway_url=gateway,
        canister_id=Principal.of(canister),
        root_key=b"",
        content=b"",
        sessions=sessions,
        rate=rate,
        duration_s=duration,
        opens_per_s=opens_per_s,
        ack_interval_ms=ack_interval_ms,
    )
    check_target(plan, profile.url, targets)
    plan = asyncio.run(_asked(plan, profile, app_type, text))
    began = time.monotonic()
    if workers == 1 and scheduler is None:
        result, is_whole = asyncio.run(_here(plan))
    else:
        result, is_whole = _elsewhere(plan, Crew(workers, scheduler), workers)
    with leaving(INTERRUPTED):
        _print(plan, result, time.monotonic() - began, as_json=as_json)
    if not is_whole:
        return INTERRUPTED
    return SUBJECT_BAD if result.is_bad else 0


async def _asked(plan: LoadPlan, profile: NetworkProfile, app_type: str | None, text: str) -> LoadPlan:
    """The plan with what the network says once for all sessions, and the message encoded."""
    declared = resolve_app_type(app_type)
    async with Network(profile.url) as network:
        root_key = profile.root_key or await network.root_key()
        await require_websocket_canister(network, plan.canister_id)
        declared = declared or await find_application_type(network, plan.canister_id, root_key)
    if declared is None:
        raise StateError("the canister's message type is unknown: give its .did file with --app-type")
    content = candid.encode([declared], [value_from_text(declared, text)])
    return replace(plan, root_key=root_key, content=content, app_type=candid.type_text(declared))


async def _here(plan: LoadPlan) -> tuple[LoadResult, bool]:
    """Play it in this process. Returns what was measured, and whether it came to its end."""
    result = LoadResult()
    playing = asyncio.create_task(generate(plan, result))
    telling = asyncio.create_task(_tell(plan, result))
    with leaving(INTERRUPTED):
        try:
            await asyncio.shield(playing)
            return result, True
        except asyncio.CancelledError:
            note("closing the sessions …")
            playing.cancel()
            await playing
            return result, False
        finally:
            telling.cancel()


async def _tell(plan: LoadPlan, result: LoadResult) -> None:
    while True:
        await asyncio.sleep(NOTE_EVERY_S)
        note(f"{result.opened:,} of {count(plan.sessions, 'session')} opened, {result.answered:,} messages answered …")


def _elsewhere(plan: LoadPlan, crew: Crew, parts: int) -> tuple[LoadResult, bool]:
    """Play it in other processes."""
    result = LoadResult()
    load = secrets.token_hex(8)

    def halt(everywhere: Callable[[Callable[[], object]], object]) -> None:
        note("closing the sessions … (Ctrl-C again ends at once, without what other processes have measured)")
        everywhere(partial(halt_playing, load))

    note(f"starting {parts} processes …" if crew.scheduler is None else f"asking {crew.scheduler} …")
    try:
        work = partial(play, load=load)
        with leaving(INTERRUPTED), closing(crew.each(work, plan.parts(parts), halt=halt)) as results:
            for part, played in results:
                if isinstance(played, str):
                    result.failed[played] += part.sessions
                else:
                    result.merge(played)
    except KeyboardInterrupt:
        return result, False
    return result, True


def _print(plan: LoadPlan, result: LoadResult, took_s: float, *, as_json: bool) -> None:
    if as_json:
        json_line({"sessions": plan.sessions, "took_s": round(took_s, 3), **result.to_json()})
        return
    failed = result.failed.total()
    rows = [
        ("sessions", f"{plan.sessions:,}: {result.opened:,} opened, {failed:,} failed"),
        ("opening", _spread(result.opening_s)),
        ("messages", f"{result.sent:,} sent, {result.answered:,} answered, in {took_s:.1f} s"),
        ("round trip", _spread(result.round_trip_s)),
        ("lag", _spread(result.lag_s)),
    ]
    for name, value in rows:
        click.echo(f"{name:<11} {value}")
    for name, reasons in (("failed", result.failed), ("closed", result.ended)):
        for reason, number in reasons.most_common():
            click.echo(f"{name:<11} {number:,} × {printable(reason)}")


def _spread(spread: Spread) -> str:
    half, most, worst = (spread.at(share) for share in (0.5, 0.99, 1.0))
    if half is None or most is None or worst is None:
        return "nothing was measured"
    return f"p50 {_ms(half)}, p99 {_ms(most)}, at most {_ms(worst)}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
