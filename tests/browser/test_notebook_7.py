"""The explorer in Notebook 7: it opens, shows a frame and the parties, and closes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from support.jupyter_lab import JupyterLab, jupyter_lab
from support.notebook_page import check_nothing_is_cut, opened, re_word, row, shot, tab, title

CELL = 'import icws_explore as icws\nexplorer = icws.explore("../data/sessions/tampered_body.icws")\nexplorer'


@pytest.fixture
def notebook_7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    with jupyter_lab(tmp_path_factory.mktemp("notebook"), "notebook") as running:
        yield running


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_shows_a_frame_and_closes(page: Page, notebook_7: JupyterLab) -> None:
    faults: list[str] = []  # of the widgets' scripts, which are blobs; Notebook 7.6 reports an error of its own
    page.on("pageerror", lambda error: faults.append(error.message) if "blob:" in (error.stack or "") else None)
    page.set_viewport_size({"width": 1024, "height": 900})
    explorer = opened(page, notebook_7, "seven", CELL)
    row(explorer, 8).click()
    expect(title(explorer)).to_have_text("frame 8")
    expect(row(explorer, 8)).to_have_class(re_word("icws-failed"))
    tab(explorer, "Parties")
    expect(explorer.locator(".icws-parties svg")).to_be_visible()
    check_nothing_is_cut(explorer)
    shot(page, "notebook-7")
    # A key of the explorer reaches no command of the notebook.
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    explorer.get_by_role("grid").focus()
    page.keyboard.press("b")
    page.keyboard.press("End")
    expect(title(explorer)).to_have_text("frame 16")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    assert faults == []
