"""What the explorer costs with 20 000 frames: a click, a letter in the filter, a search, frames that arrive.

`explorer_costs` measures what the kernel does for each. `live` lets a client and a canister exchange messages for a
minute through the tap of an explorer. `in_a_browser` measures the whole way in a real JupyterLab and Chromium: from
the click to the detail on the page, and from the last letter to the new list. ``python -m bench.explorer`` runs the
last two alone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.notebook.explorer.explorer import Explorer
from icws_explore.notebook.explorer.source import MAX_REDRAWS_PER_S

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
LIMIT_MS = 300.0  # from a click to the detail, and from a letter to the list


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
    """What became of a minute of messages: frames recorded and listed, redraws, acks and their keep-alives."""

    sent: int
    received: int
    recorded: int
    listed: int
    redraws_per_s: float
    acks: int
    late: int
    slowest_s: float  # from an ack's making to its keep-alive; the canister waits for 60 s
    cpu_s: float  # of lab, client, tap and explorer together
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether no frame was lost, no keep-alive was late, and the list was redrawn at most 5 times a second."""
        is_whole = self.recorded == self.listed and self.received == ANSWERS * self.sent
        return is_whole and not self.late and self.redraws_per_s <= MAX_REDRAWS_PER_S

    def __str__(self) -> str:
        return (
            f"{'✓' if self.is_good else '✗'} live: {self.sent} messages sent in {self.seconds:.0f} s, {self.received} "
            f"answers received, {self.listed} of {self.recorded} frames listed, {self.redraws_per_s:.1f} redraws a "
            f"second; {self.acks} acks, {self.late} keep-alives late (the slowest left "
            f"{self.slowest_s:.1f} s after its ack was made); {self.cpu_s:.0f} s of CPU time"
        )


def live(seconds: float = LIVE_S) -> Live:
    """Let a client and a lab's canister exchange `PER_S` messages a second under an explorer."""
    return asyncio.run(_live(seconds))


async def _live(seconds: float) -> Live:
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "answers.py"
        app.write_text(APP, encoding="utf-8")
        return await _exchange(app, seconds)


async def _exchange(app: Path, seconds: float) -> Live:
    with icws.Lab(app=app, ack_interval_ms=ACK_MS) as lab:
        explorer = icws.explore(lab)
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
        recording = explorer.tap.recording
        for _ in range(100):  # what passed last is listed a moment later
            if explorer.frame_list.total == len(recording):
                break
            await asyncio.sleep(0.1)
        found = Live(
            sent, received, len(recording), explorer.frame_list.total, redraws / took, len(table), late, slowest,
            time.process_time() - worked, took,
        )  # fmt: skip
        explorer.close()
    return found


# Runs in the page. The times end when the page shows the result.
CLICK = """async at => { const row = document.querySelectorAll(".icws-row")[at]; const began = performance.now();
  row.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, button: 0 }));
  while (document.querySelector(".icws-title b")?.textContent !== `frame ${row.dataset.frame}`)
    await new Promise(done => setTimeout(done, 1));
  return performance.now() - began; }"""
TYPE = """async where => { const box = document.querySelector(".icws-where");
  const said = document.querySelector(".icws-counted");
  const before = said.textContent, began = performance.now();
  box.value = where; box.dispatchEvent(new Event("input", { bubbles: true }));
  while (said.textContent === before) await new Promise(done => setTimeout(done, 1));
  return performance.now() - began; }"""
CELL = """
import sys
sys.path.insert(0, {root!r})
import icws_explore as icws
from bench.explorer import large
explorer = icws.explore(large())
explorer
"""


def in_a_browser() -> Iterator[str]:
    """Measure in JupyterLab, first while the proofs are checked, then afterwards."""
    sys.path.insert(0, str(ROOT / "tests"))
    import nbformat
    from playwright.sync_api import sync_playwright

    from support.jupyter_lab import jupyter_lab
    from support.machine import chromium

    with jupyter_lab(Path(tempfile.mkdtemp())) as lab, sync_playwright() as playwright:
        cell = nbformat.v4.new_code_cell(CELL.format(root=str(ROOT)))
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(
            nbformat.v4.new_notebook(cells=[cell], metadata=kernel), lab.folder / "notebooks" / "bench.ipynb"
        )
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--no-proxy-server"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(180_000)
        page.goto(lab.address("bench.ipynb"))
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.path.endsWith('bench.ipynb')")
        page.evaluate(
            "async () => { const panel = window.jupyterapp.shell.currentWidget; await panel.sessionContext.ready;"
            " await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )
        page.locator(".icws-row").first.wait_for()
        for when in ("while proofs are checked", "afterwards"):
            clicks = [page.evaluate(CLICK, at) for at in (3, 9, 15, 6, 12, 4, 8, 2)]
            letters = [page.evaluate(TYPE, where) for where in FILTERS]
            sign = "✓" if max(*clicks, *letters) <= LIMIT_MS else "✗"
            yield (
                f"{sign} {FRAMES} frames, {when}: click to detail {_range(clicks)}; letter to list {_range(letters)}, "
                "120 ms of it a wait"
            )
            page.wait_for_function(
                "() => document.querySelector('.icws-overview')?.textContent.includes('doctor')", timeout=600_000
            )
        browser.close()


def _range(times_ms: list[float]) -> str:
    return f"{median(times_ms):.0f} ms (at most {max(times_ms):.0f} ms)"


if __name__ == "__main__":
    print(live())
    for line in in_a_browser():
        print(line)
