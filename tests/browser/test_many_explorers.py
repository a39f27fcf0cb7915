"""Ten explorers in one notebook: all of them work, and nothing of them stays in the kernel or on the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from support.jupyter_lab import JupyterLab
from support.notebook_page import EXECUTE, RUN_MS, failures, run, shot, watch_faults, write_notebook

NUMBER = 10
START = "import icws_explore as icws\nexplorers = []"
SHOW = """
explorer = icws.explore("../data/sessions/tampered_body.icws")
explorers.append(explorer)
explorer
"""
HELD = """
import threading, ipywidgets
left = sorted(t.name for t in threading.enumerate() if t.name.startswith("icws-explorer"))
print(len(ipywidgets.widgets.widget._instances), left)
"""
CLOSE = """
import threading, ipywidgets
for explorer in explorers:
    explorer.close()
for thread in threading.enumerate():
    if thread.name.startswith("icws-explorer"):
        thread.join(30)
"""
# Elements of the explorer that are in the page, and the models that JupyterLab keeps of them.
ON_THE_PAGE = """async () => document.querySelectorAll('.icws-explorer, .icws-list, .icws-detail').length"""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_leave_nothing(page: Page, lab: JupyterLab) -> None:
    faults = watch_faults(page)
    write_notebook(lab, "ten.ipynb", START, *[SHOW] * NUMBER)
    assert failures(run(page, lab, "ten.ipynb")) == []
    explorers = page.locator(".icws-explorer")
    expect(explorers).to_have_count(NUMBER, timeout=RUN_MS)
    for place in range(NUMBER):
        row = explorers.nth(place).locator(".icws-row[data-frame='8']")
        row.scroll_into_view_if_needed()
        row.click()
        expect(explorers.nth(place).locator(".icws-title b")).to_have_text("frame 8")
    # Each has a selection of its own, and another one for the parties.
    explorers.nth(3).locator(".icws-tabs-below").first.get_by_role("tab", name="Parties", exact=True).click()
    expect(explorers.nth(3).locator(".icws-parties svg")).to_be_visible()
    shot(page, "explorer-ten")
    assert page.evaluate(EXECUTE, CLOSE) == ""
    assert page.evaluate(EXECUTE, HELD).strip() == "0 []"
    expect(explorers).to_have_count(0)
    assert page.evaluate(ON_THE_PAGE) == 0
    assert faults == []
