"""Notebooks in a real JupyterLab and browser: write one, run it, look at it. The fixtures are in tests/browser."""

from __future__ import annotations

import re
from typing import Any, Literal

import nbformat
from playwright.sync_api import Locator, Page, expect

from support.jupyter_lab import JupyterLab
from support.machine import ROOT

OPEN_MS = 180_000
RUN_MS = 240_000
ACT_MS = 60_000  # for what follows an action; a busy machine takes a part of it
SHOTS = ROOT / "out" / "screenshots"  # to look at, as a user would
SIZES = {"projector": (1024, 768), "desk": (1600, 1000)}

RUN_ALL = """async () => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await app.commands.execute('notebook:run-all-cells');
  return panel.context.model.toJSON();
}"""
# Runs cell after cell, and code between them.
RUN_SLOWLY = """async between => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  const notebook = panel.content;
  for (let index = 0; index < notebook.widgets.length; index += 1) {
    notebook.activeCellIndex = index;
    notebook.deselectAll();
    if (notebook.activeCell.model.type !== "code") continue;
    await app.commands.execute("notebook:run-cell");
    await panel.sessionContext.session.kernel.requestExecute({ code: between }).done;
  }
  return panel.context.model.toJSON();
}"""
# Runs code in the kernel, and says what it printed.
EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code });
  let said = "";
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === "stream") said += content.text;
    if (header.msg_type === "error") said += content.evalue;
  };
  await future.done;
  return said;
}"""
SET_THEME = "name => window.jupyterapp.commands.execute('apputils:change-theme', { theme: name })"


def write_notebook(lab: JupyterLab, name: str, *sources: str) -> None:
    """A notebook of code cells beside the lessons."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.folder / "notebooks" / name)


def open_notebook(page: Page, lab: JupyterLab, name: str) -> None:
    """Open a notebook, and wait until it is in front."""
    page.goto(lab.address(name))
    page.wait_for_function(
        "name => window.jupyterapp?.shell.currentWidget?.context?.path.endsWith(name)", arg=name, timeout=OPEN_MS
    )


def run(page: Page, lab: JupyterLab, name: str) -> Any:
    """Open a notebook, run all of its cells, and give it back with its outputs."""
    open_notebook(page, lab, name)
    page.set_default_timeout(RUN_MS)
    return page.evaluate(RUN_ALL)


def run_slowly(page: Page, between: str) -> Any:
    """Run the open notebook cell by cell, the code ``between`` after each, and give it back with its outputs."""
    page.set_default_timeout(RUN_MS)
    return page.evaluate(RUN_SLOWLY, between)


def execute_code(page: Page, code: str) -> str:
    """Run code in the kernel of the open notebook, and say what it printed."""
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.isReady", timeout=OPEN_MS)
    return str(page.evaluate(EXECUTE, code))


def failures(notebook: Any) -> list[str]:
    """Cells that did not run, and what those said that raised."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    idle = [f"{cell['id']} did not run" for cell in code if not cell["execution_count"]]
    raised = [output["evalue"] for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    return idle + raised


def set_theme(page: Page, name: Literal["Light", "Dark"]) -> None:
    """Change JupyterLab's theme, and wait until the page has it."""
    page.evaluate(SET_THEME, f"JupyterLab {name}")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(name == "Light").lower(), timeout=ACT_MS)


def watch_faults(page: Page) -> list[str]:
    """The errors of the page's scripts, as they come."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    return faults


# The explorer on the page


def opened(page: Page, lab: JupyterLab, name: str, *sources: str) -> Locator:
    """The explorer that the last of ``sources`` shows."""
    write_notebook(lab, f"{name}.ipynb", *sources)
    assert failures(run(page, lab, f"{name}.ipynb")) == []
    explorer = page.locator(".icws-explorer").first
    expect(explorer).to_be_visible(timeout=RUN_MS)
    page.set_default_timeout(ACT_MS)
    return explorer


def shot(page: Page, name: str) -> None:
    """Write what the page shows to out/screenshots."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def re_word(word: str) -> re.Pattern[str]:
    """A word among others, as in a list of classes."""
    return re.compile(rf"\b{re.escape(word)}\b")


def row(explorer: Locator, frame: int) -> Locator:
    """The row of a frame in the list."""
    return explorer.locator(f".icws-row[data-frame='{frame}']")


def title(explorer: Locator) -> Locator:
    """The title of the selected frame's detail."""
    return explorer.locator(".icws-title b")


def tab(explorer: Locator, name: str) -> None:
    """Bring a tab below the frames to the front."""
    explorer.locator(".icws-tabs-below").first.get_by_role("tab", name=name, exact=True).click()


def check_nothing_is_cut(explorer: Locator) -> None:
    """Neither the explorer nor one of its bars is wider than the place that it has, and the list's bar is one row."""
    wide = explorer.evaluate(
        """(root, bars) => [root, ...root.querySelectorAll(bars)]
          .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.className)""",
        ".icws-bar, .icws-tabs, .icws-heading, .icws-foot, .icws-fieldbar, .icws-top",
    )
    assert wide == []
    # The controls of a list stay in one row: a button below the others is not found.
    rows = explorer.locator(".icws-bar").evaluate_all(
        """bars => bars.map(bar => new Set([...bar.children].filter(e => e.offsetParent)
          .map(e => Math.round(e.getBoundingClientRect().top))).size)"""
    )
    assert set(rows) <= {0, 1}, rows
    outside = explorer.evaluate(
        """root => { const edge = root.getBoundingClientRect().right + 1;
          return [...root.querySelectorAll("button, input, select")].filter(e => e.offsetParent)
            .filter(e => e.getBoundingClientRect().right > edge).map(e => e.textContent || e.placeholder); }"""
    )
    assert outside == []
