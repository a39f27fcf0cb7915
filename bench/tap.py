"""What the tap adds to a frame: round trips to an echo server, direct and through the tap.

Server and tap run in processes of their own. Direct and tapped round trips are measured in turns, so other work on
the machine affects both. A round trip is two frames. Run it alone with ``python -m bench.tap``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from websockets.sync.client import ClientConnection, connect

from .timing import Cost, duration_text

SIZES = (100, 2_000, 100_000)  # bytes; a canister message is about 2 kB
BATCHES, ROUND_TRIPS = 20, 50
ECHO = """
import asyncio, websockets
from contextlib import suppress
async def echo(connection):
    with suppress(websockets.ConnectionClosed):  # a measurement that is cut short closes with 1011
        async for message in connection:
            await connection.send(message)
async def main():
    async with websockets.serve(echo, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
TAP = """
import sys, threading
from icws_explore.live.tap import Tap
with Tap(sys.argv[1], record=sys.argv[2], keep=False) as tap:
    print(tap.url, flush=True)
    threading.Event().wait()
"""


@contextmanager
def running(program: str, *arguments: str) -> Iterator[str]:
    """A Python program in a process of its own; gives the first line that it prints."""
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def round_trips(socket: ClientConnection, data: bytes, count: int) -> float:
    """Return the mean duration of a round trip in seconds."""
    before = time.perf_counter()
    for _ in range(count):
        socket.send(data)
        socket.recv()
    return (time.perf_counter() - before) / count


def tap_costs(batches: int = BATCHES, count: int = ROUND_TRIPS) -> Iterator[Cost]:
    """Yield for each size: a direct round trip, one through a tap that records into a file, and the cost per frame."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(running(ECHO))
        tap_url = stack.enter_context(running(TAP, url, str(Path(folder) / "bench.icws")))
        direct, tapped = (
            stack.enter_context(connect(to, compression=None, proxy=None, max_size=None)) for to in (url, tap_url)
        )
        for size in SIZES:
            pairs = [
                (round_trips(direct, bytes(size), count), round_trips(tapped, bytes(size), count))
                for _ in range(batches)
            ]
            for name, times in (("direct", [d for d, _ in pairs]), ("through the tap", [t for _, t in pairs])):
                yield Cost(f"round trip of {size:,} bytes, {name}", min(times), median(times))
            added = [(through - plain) / 2 for plain, through in pairs]
            yield Cost(f"what the tap adds to a frame of {size:,} bytes", min(added), median(added))


def main() -> None:
    for line in tap_costs():
        print(f"{line.name:<50} {duration_text(line.best_s):>10} {duration_text(line.median_s):>10}")


if __name__ == "__main__":
    main()
