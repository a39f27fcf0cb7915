"""The explorer in a real JupyterLab and Chromium: a click and a filter with 20 000 frames, and a minute of messages.

A time ends with the frame of the screen that shows the result. Rows are clicked at several depths of the list. Filters
are typed on the keyboard, and their time begins with the last letter. All of it is done over and over while the proofs
are checked and the doctor looks, and once more afterwards. The numbers are milliseconds on the clock.

`live` lets a client and a canister exchange messages in the kernel, and counts how often the page draws the list.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from statistics import median
from typing import Any, Final

from icws_explore.analysis.filter import compile_filter

from .explorer import FRAMES, LIVE_S, large
from .goals import NotMeasuredError

ROOT: Final = Path(__file__).parents[1]
FILTERS: Final = (
    'kind == "ack"', 'size > 400 and direction == "out"', 'frame > 900 and kind in ("app", "message")', "",
)  # fmt: skip
DEPTHS: Final = (0.0, 0.7, 0.35)  # of the list, as a share of its frames
LETTER_MS: Final = 40  # between two letters
AT_LEAST: Final = 8  # filters while the proofs are checked; until then the recording is opened anew

# Runs in the page.
CLICK: Final = """async share => {
  const scroller = document.querySelector(".icws-scroller"), shown = () => new Promise(requestAnimationFrame);
  scroller.scrollTop = share * (scroller.scrollHeight - scroller.clientHeight);
  const rows = () => [...document.querySelectorAll(".icws-row[data-frame]:not(.icws-selected)")];
  do await shown(); while (!rows().at(-6));
  const row = rows().at(-6);
  const wanted = `frame ${row.dataset.frame}`, began = performance.now();
  row.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, button: 0 }));
  do await shown(); while (document.querySelector(".icws-title b")?.textContent !== wanted);
  return performance.now() - began;
}"""
# Waits in the background, so that nothing of the browser's driver is in the time.
AWAIT_LIST: Final = """counted => {
  let last = NaN;
  const box = document.querySelector(".icws-where"), typed = () => { last = performance.now(); };
  const isListed = () => document.querySelector(".icws-counted").textContent === counted
    && document.querySelector(".icws-row[data-frame]");
  box.addEventListener("input", typed);
  window.icwsListed = (async () => {
    do await new Promise(requestAnimationFrame); while (Number.isNaN(last) || !isListed());
    box.removeEventListener("input", typed);
    return performance.now() - last;
  })();
}"""
IS_CHECKED: Final = "() => document.querySelector('.icws-overview')?.textContent.includes('doctor')"
IN_FRONT: Final = "() => window.jupyterapp?.shell.currentWidget?.context?.path.endsWith('bench.ipynb')"
RUN: Final = """async () => {
  await window.jupyterapp.shell.currentWidget.sessionContext.ready;
  window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""
# Frames of the screen in which the list is another one than before.
COUNT_REDRAWS: Final = """() => {
  let isChanged = false;
  window.icwsRedraws = 0;
  const count = () => { if (isChanged) window.icwsRedraws += 1; isChanged = false; };
  const changed = () => { if (!isChanged) requestAnimationFrame(count); isChanged = true; };
  new MutationObserver(changed).observe(document.querySelector(".icws-canvas"), { childList: true, subtree: true });
}"""
CELL: Final = """
import sys
sys.path.insert(0, {root!r})
import icws_explore as icws
from bench.explorer import large
explorer = icws.explore(large())
explorer
"""
LIVE: Final = """
import sys
sys.path.insert(0, {root!r})
from IPython.display import display
from bench.explorer import exchanged
found = await exchanged({seconds!r}, show=display)
"""


@dataclass(slots=True)
class Waits:
    """What a user waited for, in milliseconds: the clicks, and the filters that were typed."""

    clicks: list[float] = field(default_factory=list)
    filters: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return f"click to detail {_range(self.clicks)}; letter to list {_range(self.filters)}"


def _range(times_ms: list[float]) -> str:
    return f"{median(times_ms):.0f} ms (at most {max(times_ms):.0f} ms, {len(times_ms)} times)"


@contextmanager
def page_of(source: str) -> Iterator[Any]:
    """A page with JupyterLab that runs a notebook of one cell."""
    sys.path.insert(0, str(ROOT / "tests"))
    import nbformat
    from playwright.sync_api import sync_playwright

    from support.jupyter_lab import jupyter_lab
    from support.machine import chromium

    path = chromium()
    if path is None:
        raise NotMeasuredError("there is no Chromium")
    with tempfile.TemporaryDirectory() as folder, jupyter_lab(Path(folder)) as lab, sync_playwright() as playwright:
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata=kernel)
        nbformat.write(notebook, lab.folder / "notebooks" / "bench.ipynb")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--no-proxy-server"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(180_000)
        page.goto(lab.address("bench.ipynb"))
        page.wait_for_function(IN_FRONT)
        page.evaluate(RUN)
        yield page
        browser.close()


def waits() -> tuple[Waits, Waits]:
    """What a user waits for while the proofs are checked, and afterwards."""
    counted = {where: _counted(where) for where in FILTERS}
    checking, afterwards = Waits(), Waits()
    with page_of(CELL.format(root=str(ROOT))) as page:
        from support.notebook_page import EXECUTE

        page.locator(".icws-row").first.wait_for()
        filters = cycle(FILTERS)
        _while_checking(page, counted, filters, checking)
        while len(checking.filters) < AT_LEAST:
            page.evaluate(EXECUTE, "explorer.open(large())")
            _while_checking(page, counted, filters, checking)
        page.locator(".icws-where").fill("")
        page.locator(".icws-counted", has_text=re.compile(f"^{FRAMES} frames$")).wait_for()
        for turn in range(2 * len(FILTERS)):
            afterwards.clicks.append(page.evaluate(CLICK, DEPTHS[turn % len(DEPTHS)]))
            where = FILTERS[turn % len(FILTERS)]
            afterwards.filters.append(_typed(page, where, counted[where]))
    return checking, afterwards


def _while_checking(page: Any, counted: dict[str, str], filters: Iterator[str], found: Waits) -> None:
    """Click and type until the doctor has spoken. What ends later does not count."""
    for turn in count():
        click = page.evaluate(CLICK, DEPTHS[turn % len(DEPTHS)])
        # While a large recording is taken in, a filter shows a part of it: then only clicks are measured.
        where = next(filters) if _is_taken(page) else None
        typed = [] if where is None else [_typed(page, where, counted[where])]
        if page.evaluate(IS_CHECKED):
            return
        found.clicks.append(click)
        found.filters += typed


def _counted(where: str) -> str:
    """What the list says below a filter."""
    if not where:
        return f"{FRAMES} frames"
    wanted, recording = compile_filter(where), large()
    return f"{sum(wanted(decoded, recording.raw[0].t) for decoded in recording)} of {FRAMES} frames"


def _is_taken(page: Any) -> bool:
    return str(FRAMES) in page.locator(".icws-counted").inner_text()


def _typed(page: Any, where: str, counted: str) -> float:
    page.locator(".icws-where").click()
    page.keyboard.press("Control+a")
    page.evaluate(AWAIT_LIST, counted)
    if where:
        page.keyboard.type(where, delay=LETTER_MS)
    else:
        page.keyboard.press("Delete")
    return float(page.evaluate("() => window.icwsListed"))


@dataclass(frozen=True, slots=True)
class LiveInPage:
    """See `bench.explorer.Live`. ``redraws_per_s`` counts the page's drawings of the list."""

    lost: int
    late: int
    acks: int
    redraws_per_s: float
    words: str

    def __str__(self) -> str:
        return f"{self.words}; the page drew the list {self.redraws_per_s:.1f} times a second"


def live(seconds: float = LIVE_S) -> LiveInPage:
    """A minute of messages with the explorer on a page."""
    with page_of(LIVE.format(root=str(ROOT), seconds=seconds)) as page:
        from support.notebook_page import EXECUTE

        page.locator(".icws-list").wait_for()
        page.evaluate(COUNT_REDRAWS)
        # It runs after the cell.
        said = page.evaluate(
            EXECUTE, "import dataclasses, json; print(json.dumps([dataclasses.asdict(found), str(found)]))"
        )
        found, words = json.loads(said)
        redraws = page.evaluate("() => window.icwsRedraws")
    if found["acks"] < 3:
        raise NotMeasuredError(f"only {found['acks']} acks came: {words}")
    return LiveInPage(found["lost"], found["late"], found["acks"], redraws / found["seconds"], words)


if __name__ == "__main__":
    print(f"live: {live()}")
    for when, found in zip(("while proofs are checked", "afterwards"), waits(), strict=True):
        print(f"{FRAMES} frames, {when}: {found}")
        print("  clicks", *(f"{ms:.0f}" for ms in found.clicks), " filters", *(f"{ms:.0f}" for ms in found.filters))
