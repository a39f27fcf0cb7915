"""A session beside one that floods: its round trips through the tap, and on direct connections to the same server.

Server, tap and flood are processes of their own. The flood is a client's, of the smallest frames that a client
can send (7 bytes) or of large ones, as fast as they are taken. Alone: ``python -m bench.tap_flood``.
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

SECONDS = 6.0  # of round trips beside each flood
PAUSE_S = 0.01  # between two of them
PAYLOAD = bytes(100)

# Answers what comes at /echo, and throws away, unread, what comes anywhere else.
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
class Beside:
    """Round trips of 100 bytes beside a flood, in seconds; ``recorded`` bytes were written meanwhile."""

    name: str
    count: int
    median_s: float
    p99_s: float
    worst_s: float
    recorded: int


@contextmanager
def running(*arguments: str, stdout: int = subprocess.PIPE) -> Iterator[str]:
    """A Python process; gives the first line that it prints. It is killed in the end: it may be stuck."""
    with subprocess.Popen([sys.executable, *arguments], stdout=stdout, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.send_signal(signal.SIGKILL)


def beside(name: str, url: str, payload: int | None, record: Path | None = None) -> Beside:
    """Play ping-pong at ``url`` beside a flood of frames with ``payload`` bytes (None: no flood)."""
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
    return Beside(name, len(times), hundredths[49], hundredths[98], max(times), record.stat().st_size if record else 0)


def flood_costs() -> Iterator[Beside]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(running("-c", SERVER))
        for size in (None, 1, 100_000, 1_000_000):
            flood = "no flood" if size is None else f"a flood of {size:,} bytes"
            yield beside(f"{flood}, direct", url, size)
            record = folder / f"library-{size}.icws"
            with running("-c", TAP, url, str(record)) as tap_url:
                yield beside(f"{flood}, Tap(record=…)", tap_url, size, record)
            record.unlink()
            record = folder / f"command-{size}.icws"
            read, write = os.pipe()  # nobody reads what the command shows
            command = running(*COMMAND, url, "--record", str(record), stdout=write)
            with command, os.fdopen(read, encoding="utf-8") as shown:
                yield beside(f"{flood}, icws tap, not read", shown.readline().split()[1], size, record)
            os.close(write)
            record.unlink()


def main() -> None:
    for line in flood_costs():
        told = [duration_text(value) for value in (line.median_s, line.p99_s, line.worst_s)]
        print(
            f"{line.name:<45} {line.count:>5} × {told[0]:>9} {told[1]:>9} {told[2]:>9} {line.recorded:>12,}", flush=True
        )


if __name__ == "__main__":
    main()
