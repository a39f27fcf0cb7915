"""What the explorer costs with 20 000 frames: a click, a letter in the filter, a search, frames that arrive.

`explorer_costs` measures what the kernel does for each. `exchanged` lets a client and a canister exchange messages for
a minute through the tap of an explorer. bench/explorer_page.py measures in a real JupyterLab.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.notebook.explorer.explorer import Explorer

from .timing import Cost, cost

FRAMES = 20_000
ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "data" / "sessions" / "healthy.icws"
FILTERS = ('kind == "ack"', 'size > 400 and direction == "out"', 'frame > 19000 and kind in ("app", "message")', "")
PER_S = 200
LIVE_S = 60.0
ANSWERS = 19  # messages of the canister to each of the client
APP = f"""
MESSAGE_TYPE = "record {{ text : text }}"

def on_message(context, client, message):
    for _ in range({ANSWERS}):
        context.send(client, message)
"""
ACK_MS = 10_000  # so that a minute has some acks, each of which the client must answer with a keep-alive


def large() -> Recording:
    """Many sessions of a healthy client one after another: `FRAMES` frames."""
    raw = icws.load(SOURCE).raw
    frames = [
        replace(raw.frames[number % len(raw)], t=raw.frames[number % len(raw)].t + 320 * (number // len(raw)),
                session=str(number // len(raw)))
        for number in range(FRAMES)
    ]  # fmt: skip
    return Recording(Capture(raw.info, frames))


def explorer_costs() -> Iterator[Cost]:
    """Measure each while nothing else runs: the proofs are checked first."""
    recording = large()
    began = time.perf_counter()
    explorer = Explorer(recording)
    took = time.perf_counter() - began
    yield Cost(f"open the explorer on {FRAMES} frames, of which the first show", took, took)
    assert explorer._checker is not None  # noqa: SLF001
    explorer._checker.first_diagnosis.wait()  # noqa: SLF001
    took = time.perf_counter() - began
    yield Cost(f"until {FRAMES} frames are verified and diagnosed", took, took)
    numbers = iter(range(0, FRAMES, 7))
    yield cost(f"from a click to the detail, of {FRAMES} frames", lambda: explorer.select(next(numbers)))
    for where in FILTERS[:-1]:
        yield cost(f"filter {FRAMES} frames by {where}", _chosen(explorer, where))
    explorer.frame_list.where = ""
    explorer.frame_list.text = "nothing has this text"  # the first search reads all contents
    yield cost(f"search {FRAMES} frames", _searched(explorer))
    explorer.close()


def _chosen(explorer: Explorer, where: str) -> Callable[[], None]:
    def choose() -> None:
        explorer.frame_list.where = ""
        explorer.frame_list.where = where

    return choose


def _searched(explorer: Explorer) -> Callable[[], None]:
    def search() -> None:
        explorer.frame_list.text = "pong" if explorer.frame_list.text == "ping" else "ping"

    return search


@dataclass(frozen=True, slots=True)
class Live:
    """What became of a minute of messages: frames recorded and lost, redraws, acks and their keep-alives."""

    sent: int
    received: int
    recorded: int
    lost: int  # answers that did not arrive, frames that are not recorded or not listed
    redraws_per_s: float  # what the kernel sent to the list
    acks: int
    late: int
    slowest_s: float  # from an ack's making to its keep-alive; the canister waits for 60 s
    cpu_s: float  # of lab, client, tap and explorer together
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.sent} messages sent in {self.seconds:.0f} s, {self.received} answers received, {self.lost} frames "
            f"lost of {self.recorded}; {self.acks} acks, {self.late} keep-alives late (the slowest left "
            f"{self.slowest_s:.1f} s after its ack was made); {self.redraws_per_s:.1f} tails a second; "
            f"{self.cpu_s:.0f} s of CPU time"
        )


async def exchanged(seconds: float = LIVE_S, *, show: Callable[[Explorer], object] = lambda _: None) -> Live:
    """Let a client and a lab's canister exchange `PER_S` messages a second under an explorer.

    ``show`` is called with the explorer before the first message.
    """
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "answers.py"
        app.write_text(APP, encoding="utf-8")
        return await _exchange(app, seconds, show)


async def _exchange(app: Path, seconds: float, show: Callable[[Explorer], object]) -> Live:
    with icws.Lab(app=app, ack_interval_ms=ACK_MS) as lab:
        explorer = icws.explore(lab)
        show(explorer)
        redraws = 0

        def count(_change: object) -> None:
            nonlocal redraws
            redraws += 1

        explorer.frame_list.observe(count, names="tail")
        assert explorer.tap is not None
        session = await icws.connect(
            explorer.tap.url, network=lab.network_url, canister=lab.canister_id, ack_interval_ms=ACK_MS
        )
        pace = PER_S / (ANSWERS + 1)
        total, received = round(pace * seconds), 0

        async def receive() -> None:
            nonlocal received
            while received < total * ANSWERS:
                await session.receive(timeout=30)
                received += 1

        receiving = asyncio.create_task(receive())
        began, worked = time.monotonic(), time.process_time()
        sent = 0
        try:
            while sent < total:
                await session.send({"text": str(sent)})
                sent += 1
                await asyncio.sleep(max(0.0, began + sent / pace - time.monotonic()))
            await receiving
        except (icws.IcwsError, TimeoutError) as error:
            print(f"the session ended after {sent} messages: {str(error)[:200]}", file=sys.stderr)
            receiving.cancel()
        took = time.monotonic() - began
        table = session.recording.timing().keep_alives
        late = int(table["outcome"].isin(["timed out", "missed"]).sum())
        slowest = float(table["delay_sent_s"].max()) if len(table) else 0.0
        await session.close()
        passed = len(session.recording)  # the client's own record
        recording = explorer.tap.recording
        for _ in range(100):  # what passed last is listed a moment later
            if explorer.frame_list.total == len(recording):
                break
            await asyncio.sleep(0.1)
        lost = (total * ANSWERS - received) + max(0, passed - len(recording))
        lost += len(recording) - explorer.frame_list.total
        found = Live(
            sent, received, len(recording), lost, redraws / took, len(table), late, slowest,
            time.process_time() - worked, took,
        )  # fmt: skip
        explorer.close()
    return found
