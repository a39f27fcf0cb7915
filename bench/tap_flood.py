"""How a flooding session slows down another session: through the tap, and on direct connections to the server.

Server, tap and flood run in processes of their own. The flood is a client's: frames of 7 bytes, the smallest that a
client can send, or large frames, as fast as they are accepted. Run it alone with ``python -m bench.tap_flood``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from websockets.sync.client import connect

from .timing import duration_text

SECONDS = 6.0  # of round trips during each flood
PAUSE_S = 0.01  # between two round trips
PAYLOAD = bytes(100)

# Echoes the frames of connections to /echo. Discards the bytes of all other connections unread.
SERVER = """
import asyncio
from websockets.frames import Opcode
from websockets.server import ServerProtocol

class Session(asyncio.Protocol):
    sink = False

    def connection_made(self, transport):
        self.transport, self.protocol = transport, ServerProtocol(max_size=None)

    def data_received(self, data):
        if self.sink:
            return
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if not hasattr(event, "opcode"):
                self.protocol.send_response(self.protocol.accept(event))
                self.sink = event.path != "/echo"
            elif event.opcode is Opcode.BINARY:
                self.protocol.send_binary(event.data)
        self.transport.writelines([data for data in self.protocol.data_to_send() if data])

async def main():
    server = await asyncio.get_running_loop().create_server(Session, "127.0.0.1", 0)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
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
FLOOD = """
import os, sys
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect
socket = connect(sys.argv[1] + "/flood", compression=None, proxy=None, close_timeout=0)
one = Frame(Opcode.BINARY, bytes(int(sys.argv[2]))).serialize(mask=True)
many = one * max(1, 2**20 // len(one))
print("flooding", flush=True)
while True:
    socket.socket.sendall(many)
"""
COMMAND = ("-m", "icws_explore.cli", "tap")


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Round trips of 100 bytes during a flood, in seconds. ``recorded`` is the number of bytes written meanwhile."""

    name: str
    count: int
    median_s: float
    p99_s: float
    worst_s: float
    recorded: int


@contextmanager
def running(*arguments: str, stdout: int = subprocess.PIPE) -> Iterator[str]:
    """Run Python and return the first line that it prints. The process is killed at the end, as it may be stuck."""
    with subprocess.Popen([sys.executable, *arguments], stdout=stdout, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.send_signal(signal.SIGKILL)


def round_trips(name: str, url: str, payload: int | None, record: Path | None = None) -> RoundTrips:
    """Measure round trips at ``url`` during a flood of frames with ``payload`` bytes (None: no flood)."""
    times: list[float] = []
    with ExitStack() as stack:
        if payload is not None:
            stack.enter_context(running("-c", FLOOD, url, str(payload)))
        socket = stack.enter_context(connect(f"{url}/echo", compression=None, proxy=None, close_timeout=0))
        end = time.perf_counter() + SECONDS
        while (before := time.perf_counter()) < end:
            socket.send(PAYLOAD)
            socket.recv()
            times.append(time.perf_counter() - before)
            time.sleep(PAUSE_S)
    hundredths = quantiles(times, n=100) if len(times) > 1 else times * 99
    return RoundTrips(
        name, len(times), hundredths[49], hundredths[98], max(times), record.stat().st_size if record else 0
    )


def flood_costs() -> Iterator[RoundTrips]:
    """Yield the round trips for each flood: direct, through a `Tap`, and through ``icws tap``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(running("-c", SERVER))
        for size in (None, 1, 100_000, 1_000_000):
            flood = "no flood" if size is None else f"a flood of {size:,} bytes"
            yield round_trips(f"{flood}, direct", url, size)
            record = folder / f"library-{size}.icws"
            with running("-c", TAP, url, str(record)) as tap_url:
                yield round_trips(f"{flood}, Tap(record=…)", tap_url, size, record)
            record.unlink()
            record = folder / f"command-{size}.icws"
            read, write = os.pipe()  # nobody reads the command's output
            command = running(*COMMAND, url, "--record", str(record), stdout=write)
            with command, os.fdopen(read, encoding="utf-8") as shown:
                yield round_trips(f"{flood}, icws tap, not read", shown.readline().split()[1], size, record)
            os.close(write)
            record.unlink()


def main() -> None:
    for line in flood_costs():
        texts = [duration_text(value) for value in (line.median_s, line.p99_s, line.worst_s)]
        print(
            f"{line.name:<45} {line.count:>5} × {texts[0]:>9} {texts[1]:>9} {texts[2]:>9} {line.recorded:>12,}",
            flush=True,
        )


if __name__ == "__main__":
    main()
