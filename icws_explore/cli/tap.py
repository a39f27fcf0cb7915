"""`icws tap`: a proxy between a dapp and its gateway that shows and records every session."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from typing import Any, Final

import click

from icws_explore.analysis.decode import OwnCloses, application_type, decode_frame
from icws_explore.analysis.recording import frame_row
from icws_explore.capture import Frame
from icws_explore.live.tap import LOOPBACK, Tap

from .console import json_line, note, show, width
from .options import force, keep_recording, parse_root_key

MAX_WAITING: Final = 10_000  # frames that a slow terminal may be behind


@click.command(
    "tap",
    epilog="""\b
Examples:
  icws tap wss://gateway.example --record sessions.icws
  icws tap ws://127.0.0.1:8080 --listen 127.0.0.1:9090 --network http://127.0.0.1:4943 \\
      --network-listen 127.0.0.1:4944 --record sessions.icws

Point the dapp at the address that is shown instead of the gateway. With --network, point the
gateway at the second address to record what it never forwards. Ctrl-C ends it.
""",
)
@click.argument("gateway")
@click.option("--listen", default=LOOPBACK, show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option("--record", type=click.Path(dir_okay=False), metavar="FILE", help="Write every session to FILE.icws.")
@force
@click.option("--network", metavar="URL", help="Note this network's root key, and stand in front of it as well.")
@click.option("--network-listen", default=LOOPBACK, show_default=True, metavar="HOST:PORT")
@click.option("--all-queries", is_flag=True, help="Record the polls that went well, too (ten a second).")
@click.option("--root-key", metavar="HEX|mainnet", help="The network's root key (DER), for the capture.")
@click.option("--canister", metavar="ID", help="The canister, for the capture (default: as the sessions say).")
@click.option("--app-type", metavar="FILE.did", help="The canister's .did, or a type as Candid text.")
@click.option("--ack-interval-ms", type=click.IntRange(1), metavar="N", help="As the dapp configures it.")
@click.option("--json", "as_json", is_flag=True, help="A first line that says where it is, then a line a frame.")
def command(
    gateway: str,
    listen: str,
    record: str | None,
    force: bool,
    network: str | None,
    network_listen: str,
    all_queries: bool,
    root_key: str | None,
    canister: str | None,
    app_type: str | None,
    ack_interval_ms: int | None,
    as_json: bool,
) -> int:
    """Stand between any client and GATEWAY; every frame is shown, and recorded with --record."""
    keep_recording(record, forced=force)
    tap = Tap(
        gateway,
        listen=listen,
        network=network,
        network_listen=network_listen,
        record=record,
        canister=canister,
        root_key=None if root_key is None else parse_root_key(root_key),
        app_type=app_type,
        ack_interval_ms=ack_interval_ms,
        keep=False,
        every_query=all_queries,
    )
    if tap.is_public:
        note("warning: other machines can connect to this tap and reach the gateway through it")
    return asyncio.run(_run(tap, gateway, record, as_json=as_json))


async def _run(tap: Tap, gateway: str, record: str | None, *, as_json: bool) -> int:
    loop = asyncio.get_running_loop()
    passed: asyncio.Queue[Frame | str | None] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, passed.put_nowait, None)
    left_out = 0
    seen: Counter[str | None] = Counter()

    def put(item: Frame | str) -> None:
        nonlocal left_out
        if isinstance(item, Frame):
            seen[item.session] += 1
        if passed.qsize() < MAX_WAITING:
            passed.put_nowait(item)
        else:
            left_out += 1

    tap.watch(lambda frame: loop.call_soon_threadsafe(put, frame), notes=lambda t: loop.call_soon_threadsafe(put, t))
    tap.start()
    try:
        _say_ready(tap, gateway, as_json=as_json)
        await _show(tap, passed, as_json=as_json)
    finally:
        await asyncio.to_thread(tap.stop)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    await asyncio.sleep(0)  # what the end itself had to say
    while not passed.empty():
        if isinstance(item := passed.get_nowait(), str):
            note(item)
    if left_out:
        note(f"{left_out} frames were not shown, because the output was too slow (a recording has them)")
    if record is not None and not as_json:
        told = _counted(seen.total(), "frame"), _counted(len(seen.keys() - {None}), "session")
        click.echo(f"recorded in {record}: {' of '.join(told)}; next: icws doctor {record}")
    return 0


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _say_ready(tap: Tap, gateway: str, *, as_json: bool) -> None:
    if as_json:
        json_line({"ready": True, "url": tap.url, "gateway_url": gateway, "network_url": tap.network_url})
        return
    click.echo(f"{'tap':<9} {tap.url}  →  {gateway}")
    if tap.network_url is not None:
        click.echo(f"{'network':<9} {tap.network_url}  →  {tap.recording.info.network_url}")
    click.echo("Ctrl-C ends it.\n")


async def _show(tap: Tap, passed: asyncio.Queue[Frame | str | None], *, as_json: bool) -> None:
    """Print what passes until a signal puts None into the queue."""
    from icws_explore.views.rows import frame_row as view_row
    from icws_explore.views.text import frame_header, frame_line

    app_type = application_type(tap.recording.raw)
    number = 0
    start: float | None = None
    closes = OwnCloses()
    if not as_json:
        show(frame_header(width()))
    while (item := await passed.get()) is not None:
        if isinstance(item, str):
            note(item)
            continue
        decoded = decode_frame(item, number=number, app_type=app_type, is_after_own_close=closes.see(item))
        start = item.t if start is None else start
        if as_json:
            row: dict[str, Any] = frame_row(decoded) | {"session": item.session}
            json_line(row)
        else:
            show(frame_line(view_row(decoded, start), width()))
        number += 1
