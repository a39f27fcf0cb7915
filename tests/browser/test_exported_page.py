"""A page made of a notebook with every widget shows something in each place, without a network and without a kernel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from support.machine import ROOT
from support.notebook_page import SHOTS

SESSIONS = ROOT / "data" / "sessions"
LIVE = """
lab = icws.Lab(app="echo", time_scale=60).start()
session = await icws.connect(lab)
live_timing(session)
"""
CELLS = {
    "explorer": f"icws.explore({str(SESSIONS / 'tampered_body.icws')!r})",
    "start page": "icws.explore()",
    "interactive plot": "interactive(icws.plots.timeline(recording))",
    "sliders": "SimulationSliders('timeline')",
    "live timing": LIVE,
    "send form": "SendForm('record { text : text; at : opt nat64 }')",
    "parties": "icws.plots.parties(recording)",
    "end": "await session.close(); lab.stop()",
}
IMPORTS = f"""
import icws_explore as icws
from icws_explore.notebook.explorer.live.send_form import SendForm
from icws_explore.notebook.interactive_plot import interactive
from icws_explore.notebook.live_timing import live_timing
from icws_explore.notebook.sliders import SimulationSliders
recording = icws.load({str(SESSIONS / "lost_message.icws")!r})
"""
# What docs/how-to/teach.md says: the twins first, because widgets need their scripts from the network.
PRIORITY = "--NbConvertBase.display_data_priority=['text/html','image/svg+xml','image/png','text/plain']"
DRAWN = ("interactive plot", "sliders", "live timing", "parties")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, made by nbconvert in a fresh kernel."""
    folder = tmp_path_factory.mktemp("exported")
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (IMPORTS, *CELLS.values())]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "widgets.ipynb")
    subprocess.run(
        [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "html", "widgets.ipynb", PRIORITY],
        check=True, capture_output=True, timeout=500, cwd=folder,
    )  # fmt: skip
    return folder / "widgets.html"


@pytest.fixture
def page(browser: Browser, exported: Path) -> Iterator[Page]:
    context = browser.new_context(offline=True, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.goto(exported.as_uri())
    yield page
    context.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_shows_a_twin_in_each_place(page: Page) -> None:
    outputs = page.locator(".jp-Cell-outputArea .jp-OutputArea-output")
    expect(outputs).to_have_count(len(CELLS) - 1)
    for place, name in enumerate(list(CELLS)[:-1]):
        output = outputs.nth(place)
        drawn = output.locator("svg, img")
        assert output.inner_text().strip() or drawn.count(), name
        box = output.bounding_box()
        assert box is not None, name
        assert box["height"] > 15, name
        assert box["width"] > 300, name
        if name in DRAWN:
            expect(drawn.first).to_be_visible()
    expect(outputs.first.locator("table.icws-frames tbody tr")).to_have_count(17)
    assert "Loading widget" not in page.content()
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "exported-page.png", full_page=True)
