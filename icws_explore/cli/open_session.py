"""`icws open`: a live session in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import dataclass

import click

from icws_explore.analysis.decode import decode_frame
from icws_explore.live.connect import connect
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.live.session import Session
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import IcwsError, SessionClosedError, StateError

from .console import SUBJECT_BAD, json_line, leaving, note, show, width
from .options import force, keep_recording, network_option, parse_root_key
from .values import value_from_text


@dataclass(frozen=True, slots=True)
class Talk:
    """The messages to send, and when to close. ``duration_s`` is in real seconds; None means no limit."""

    lines: tuple[str, ...]
    duration_s: float | None
    as_json: bool


@click.command(
    "open",
    epilog="""\b
Examples:
  icws open ws://127.0.0.1:8080 --network http://127.0.0.1:4943 --canister ID --send hello
  icws open wss://gateway.example --network https://icp-api.io --canister ID \\
      --app-type service.did --identity me.pem --record session.icws

On a terminal, the command sends each line that you type as a message, unless --duration is given. In a
script, use --send. Ctrl-C closes the session.

\b
Exit codes:
  0  you or the canister's application closed the session
  1  the session ended for another reason: a lost connection, a time-out, a failed proof
  3  the session did not open
""",
)
@click.argument("gateway")
@network_option("The network, to fetch its root key.")
@click.option("--canister", metavar="ID", required=True, help="The canister to open the session with.")
@click.option(
    "--app-type", type=click.Path(), metavar="FILE.did", help="The canister's .did file, or a type as Candid text."
)
@click.option(
    "--identity", type=click.Path(), metavar="FILE", help="A PEM key or a delegation JSON.  [default: a new key]"
)
@click.option("--root-key", metavar="HEX|mainnet", help="The network's root key (DER), which is then not fetched.")
@click.option("--ack-interval-ms", type=click.IntRange(1), metavar="N", help="The canister's ack interval.")
@click.option(
    "--send",
    "send",
    metavar="TEXT",
    multiple=True,
    help="Send this message when the session is open: JSON or plain text.",
)
@click.option("--duration", type=click.FloatRange(0), metavar="S", help="Close after S seconds.")
@click.option("--record", type=click.Path(dir_okay=False), metavar="FILE", help="Write every frame to FILE.")
@force
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per frame.")
def command(
    gateway: str,
    network: NetworkProfile | None,
    canister: str,
    app_type: str | None,
    identity: str | None,
    root_key: str | None,
    ack_interval_ms: int | None,
    send: tuple[str, ...],
    duration: float | None,
    record: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Open a live session with a canister through GATEWAY, and show its frames as they pass."""
    keep_recording(record, forced=force)
    connecting = connect(
        gateway,
        network=None if network is None else network.name,
        canister=canister,
        app_type=app_type,
        identity=identity,
        root_key=None if root_key is None else parse_root_key(root_key),
        ack_interval_ms=ack_interval_ms,
        record=record,
    )
    return asyncio.run(_talk(connecting, Talk(send, duration, as_json)))


async def _talk(connecting: connect, talk: Talk) -> int:
    with leaving(128 + signal.SIGINT):
        return await _talk_through(connecting, talk)


async def _talk_through(connecting: connect, talk: Talk) -> int:
    note("connecting …")
    async with connecting as session:
        shown = asyncio.create_task(_show(session, talk.as_json))
        unsent = ""
        try:
            async with asyncio.timeout(talk.duration_s):
                await _send_all(session, talk)
                await asyncio.wait({shown})  # unlike `await shown`, this does not cancel the task at the timeout
        except TimeoutError:
            pass  # the duration is over
        except SessionClosedError as error:
            unsent = f"not all messages were sent: {error}"
        except asyncio.CancelledError:
            note("closing …")
        await session.close()
        await shown
    problems = [*session.failures, *([unsent] if unsent else [])]
    if not problems and not _closed_on_purpose(session):
        problems.append(f"neither you nor the canister closed the session: {session.recording[-1].summary}")
    for line in problems:
        note(line)
    return SUBJECT_BAD if problems else 0


def _closed_on_purpose(session: Session) -> bool:
    """Whether this command closed the session, or closed it because the canister's application did."""
    end = session.recording.raw.frames[-1]
    return (
        end.op == "close"
        and end.direction == "out"
        and end.code in (CloseCode.NORMAL_CLOSURE, CloseCode.CLOSED_BY_APPLICATION)
    )


async def _send_all(session: Session, talk: Talk) -> None:
    for line in talk.lines:
        await _send(session, line)
    if sys.stdin.isatty() and talk.duration_s is None:
        await _send_typed(session)


async def _send(session: Session, line: str) -> None:
    if session.app_type is None:
        raise StateError("the canister's message type is unknown: give its .did file with --app-type")
    await session.send(value_from_text(session.app_type, line))


async def _send_typed(session: Session) -> None:
    """Send each line that is typed, until the end of the input or of the session."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: lines.put_nowait(sys.stdin.readline()))
    ended = asyncio.create_task(session.wait_closed())
    try:
        while not ended.done():
            typed = asyncio.create_task(lines.get())
            await asyncio.wait({typed, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not typed.done():
                typed.cancel()
            elif not (line := typed.result()):
                return
            elif line.strip():
                await _send_or_say(session, line.rstrip("\n"))
    finally:
        loop.remove_reader(sys.stdin)
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)


async def _send_or_say(session: Session, line: str) -> None:
    """Send a line, or write a note if the line is no message of the canister's type. The session goes on."""
    try:
        await _send(session, line)
    except SessionClosedError:
        raise
    except IcwsError as error:
        note(str(error))


async def _show(session: Session, as_json: bool) -> None:
    """Print the frames as they pass, until the session ends."""
    from icws_explore.views.rows import frame_row
    from icws_explore.views.text import frame_header, frame_line

    number = 0
    start: float | None = None
    if not as_json:
        show(frame_header(width()))
    with contextlib.suppress(SessionClosedError):
        async for frame in session.follow():
            decoded = decode_frame(frame, number=number, app_type=session.app_type)
            start = frame.t if start is None else start
            if as_json:
                json_line(decoded.to_json())
            else:
                show(frame_line(frame_row(decoded, start), width()))
            number += 1
