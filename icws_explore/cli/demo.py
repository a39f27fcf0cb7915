"""`icws demo`: a whole session on an embedded network, without a notebook."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any, Final

import click

from icws_explore.analysis.decode import decode_frame, decode_frames
from icws_explore.analysis.recording import Summary, summarise
from icws_explore.analysis.verify import verify_frames
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.live.connect import connect
from icws_explore.live.session import Session
from icws_explore.protocol.errors import CaptureError, SessionClosedError

from .console import json_line, leaving, note, show, width

TIME_SCALE: Final = 100.0  # a 300 s ack interval passes in 3 s
ACKS: Final = 2
ROUNDS: Final = 4  # pings that the client answers before each ack
PAUSE_S: Final = 30.0  # protocol seconds between a ping and its pong
PATIENCE_S: Final = 30.0  # real seconds to wait for a ping or an ack


@click.command(
    "demo",
    epilog="""\b
Example:
  icws demo --out out

The command writes session.icws, report.html and two figures to the folder.
""",
)
@click.option(
    "--out",
    default="out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    show_default=True,
    help="The folder to write to.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object, without the frames.")
def command(out: Path, as_json: bool) -> int:
    """Play ping-pong with a canister on an embedded network, then verify and report the recording."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaptureError(f"cannot make the folder {out}: {error.strerror}") from error
    capture = asyncio.run(_play(out / "session.icws", as_json))
    frames = list(decode_frames(capture))
    verdicts = list(verify_frames(frames, capture, root_key=capture.info.root_key or b""))
    summary = summarise(frames, verdicts)
    note("drawing …")
    files = [out / "session.icws", *_write_views(capture, out)]
    if as_json:
        json_line({**summary.to_json(), "time_scale": capture.info.clock.scale, "files": [str(f) for f in files]})
    else:
        _print_summary(summary, capture, files)
    done = summary.opened and summary.all_valid and summary.acks >= ACKS and summary.keep_alives >= ACKS
    return 0 if done else 1


async def _play(record: Path, quiet: bool) -> Capture:
    """Play one session that lasts for some ack intervals."""
    with leaving(128 + signal.SIGINT), Lab(app="pingpong", time_scale=TIME_SCALE) as lab:
        note(
            f"The embedded network's clock runs {TIME_SCALE:g} times as fast as yours: the ack interval of "
            f"{lab.ack_interval_ms / 1000:g} s takes {lab.ack_interval_ms / 1000 / TIME_SCALE:g} s."
        )
        async with connect(lab, record=record) as session:
            shown = asyncio.create_task(_show(session, quiet))
            for acks in range(1, ACKS + 1):
                await _play_rounds(session)
                await _await_keep_alives(session, acks)
            await session.close()
            await shown
    return session.recording.raw


async def _play_rounds(session: Session) -> None:
    """Answer some pings of the canister. The canister sends the next ping when an answer arrives."""
    for _ in range(ROUNDS):
        ping = await session.receive(timeout=PATIENCE_S)
        await session.clock.sleep(PAUSE_S)
        await session.send({"text": "pong", "timestamp": ping["timestamp"]})


async def _await_keep_alives(session: Session, count: int) -> None:
    """Wait until the client has answered ``count`` acks with keep-alives."""
    seen = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for frame in session.follow():
                seen += decode_frame(frame).kind == "keep_alive"
                if seen >= count:
                    return
    except (TimeoutError, SessionClosedError):
        return  # the summary shows what is missing


async def _show(session: Session, quiet: bool) -> None:
    from icws_explore.views.rows import frame_row
    from icws_explore.views.text import frame_header, frame_line

    if quiet:
        return
    show(frame_header(width()))
    number = 0
    async for frame in session.follow():
        decoded = decode_frame(frame, number=number, app_type=session.app_type)
        show(frame_line(frame_row(decoded, session.recording.raw[0].t), width()))
        number += 1


def _write_views(capture: Capture, out: Path) -> list[Path]:
    from icws_explore.views import plots
    from icws_explore.views.report.file import report

    files = [report(capture).save(out / "report.html")]
    for name, draw in (("timeline", plots.timeline), ("sequence_numbers", plots.sequence_numbers)):
        figure = draw(capture)
        pictures = [out / f"{name}.{ending}" for ending in ("png", "svg")]
        figure.save(*pictures)
        files += pictures
    return files


def _print_summary(summary: Summary, capture: Capture, files: list[Path]) -> None:
    latency = "" if summary.open_latency_s is None else f" in {summary.open_latency_s:.3f} s of protocol time"
    from rich.text import Text

    from icws_explore.views.text import hanging_lines

    rows: list[tuple[str, Any]] = [
        ("opened", f"yes{latency}" if summary.opened else "no"),
        ("messages", f"{summary.sent} sent, {summary.received} received"),
        ("acks", summary.acks),
        ("keep-alives", summary.keep_alives),
        ("certificates", f"{summary.certificates_valid} of {summary.certificates} valid"),
        ("closed", summary.ended or "no"),
        ("clock", f"{capture.info.clock}: {summary.duration_s:.1f} s of protocol time"),
        ("files", " ".join(str(path) for path in files)),
    ]
    click.echo()
    for name, value in rows:
        for line in hanging_lines(Text(f"{name:<13} "), str(value), width()):
            show(line)
