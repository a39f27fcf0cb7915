"""The panel for breakpoints and faults in a real JupyterLab: by mouse and keyboard, light and dark, narrow and wide."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from support.jupyter_lab import JupyterLab
from support.notebook_page import ACT_MS, OPEN_MS, RUN_ALL, open_notebook, set_theme, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOWN: tuple[tuple[Literal["Light", "Dark"], int], ...] = (("Dark", 1600), ("Dark", 1024), ("Light", 1024))
NAME = "fault_panel.ipynb"

SETUP = """
import asyncio
import icws_explore as icws
from icws_explore.notebook.explorer.fault_panel import fault_panel

class Explorer:
    tap = None
    lab = icws.Lab("echo", time_scale=20).start()
    def on_change(self, callback):
        return lambda: None

explorer = Explorer()
panel = fault_panel(explorer)
panel
"""
# A client that talks for ever, and comes back when its session ends.
TALK = """
from IPython.display import display
from ipywidgets import HTML
ends = HTML("no end")
display(ends)
async def talk():
    count = 0
    while True:
        session = await icws.connect(explorer.lab)
        try:
            while True:
                await session.send({"text": "<b>hello</b>"})
                await session.receive(timeout=60)
                await asyncio.sleep(0.2)
        except (icws.SessionClosedError, TimeoutError):
            count += 1
            ids = session.recording.doctor().ids
            ends.value = f"end {count}: {session.close_code} {session.close_reason}; findings: {', '.join(ids)}"
            await asyncio.sleep(1)
talking = asyncio.ensure_future(talk())
"""


@pytest.fixture
def page(page: Page, lab: JupyterLab) -> Page:
    """The page of a notebook that shows the panel."""
    write_notebook(lab, NAME, SETUP, TALK)
    open_notebook(page, lab, NAME)
    page.set_default_timeout(ACT_MS)
    page.evaluate(RUN_ALL)
    page.locator(".icws-fp").wait_for(timeout=OPEN_MS)
    return page


def nothing_is_cut(page: Page) -> list[str]:
    """What is wider than its place."""
    script = """all => all.filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'auto'
      && !['INPUT', 'SELECT', 'TEXTAREA', 'OPTION'].includes(e.tagName) && getComputedStyle(e).display !== 'inline')
      .map(e => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`)"""
    cut: list[str] = page.locator(".icws-fp *").evaluate_all(script)
    return cut


def test_hold_edit_forward_and_a_fault(page: Page, tmp_path: Path) -> None:
    panel = page.locator(".icws-fp").first
    where = panel.get_by_label("hold frames where")

    where.click()
    page.keyboard.type("kind = 3")  # single letters are no commands of JupyterLab here
    page.keyboard.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("cannot read the filter 'kind = 3'", timeout=ACT_MS)

    where.fill("kind == 'app'")
    panel.get_by_role("button", name="Hold", exact=True).click()
    expect(panel.get_by_role("alert")).to_be_hidden()
    row = panel.locator(".held tbody tr").first
    expect(row).to_contain_text("<b>hello</b>", timeout=OPEN_MS)  # a peer's markup is text
    row.locator("input").focus()
    page.keyboard.press("Space")
    area = panel.get_by_label("bytes of the frame")
    expect(area).to_be_visible()
    page.screenshot(path=tmp_path / "held_light_1600.png")
    assert nothing_is_cut(page) == []

    text = area.input_value()
    at = text.rindex("68 65 6c 6c 6f")
    area.fill(f"{text[:at]}69{text[at + 2 :]}")
    expect(panel.locator(".note")).to_have_text("1 byte changed")
    panel.get_by_role("button", name="Forward edited").click()
    expect(panel.locator(".done")).to_contain_text("held by a breakpoint, edited and forwarded")
    ends = page.locator(".widget-html", has_text="end 1")
    expect(ends).to_contain_text("4000 Error receiving message; findings: BODY_HASH", timeout=ACT_MS)

    for theme, width in SHOWN:
        set_theme(page, theme)
        page.set_viewport_size({"width": width, "height": 1000})
        expect(panel.locator(".held tbody tr").first).to_be_visible()
        panel.locator(".held tbody tr input").first.check()
        expect(area).to_be_visible()
        page.wait_for_timeout(500)
        page.screenshot(path=tmp_path / f"held_{theme.lower()}_{width}.png")
        assert nothing_is_cut(page) == []

    panel.get_by_role("button", name="Release and end").click()
    expect(panel.locator(".hold")).to_have_count(0)
    fault = panel.locator("label.fault", has_text="SEQUENCE_GAP_DOWN")
    expect(fault).to_contain_text("the client's SDK: It reports")
    fault.locator("input").check()
    expect(fault).to_contain_text("on")
    expect(page.locator(".widget-html", has_text="SEQUENCE_GAP_DOWN")).to_be_visible(timeout=ACT_MS)
    expect(fault).to_contain_text("acted")
    expect(fault.locator(".state")).to_contain_text("acted once", timeout=ACT_MS)
    page.screenshot(path=tmp_path / "fault_light_1024.png")
    fault.locator("input").uncheck()
    expect(fault.locator("input")).not_to_be_checked()
    expect(fault.locator(".state")).to_have_count(0)
