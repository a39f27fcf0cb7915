"""One JupyterLab for all browser tests, a browser for each module, a page for each test.

After each test its kernels are ended, with the labs and taps in them, and the theme is put back.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from support.jupyter_lab import JupyterLab, jupyter_lab
from support.notebook_page import ACT_MS, OPEN_MS

# An application whose messages have an option and a variant; it sends each one back.
ORDERS = """
MESSAGE_TYPE = "record { note : text; amount : opt nat64; side : variant { buy; sell : record { price : float64 } } }"

def on_message(context, client, message):
    context.send(client, message)
"""


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """JupyterLab over a copy of the notebooks, with the application orders.py beside them."""
    folder = tmp_path_factory.mktemp("jupyter")
    with jupyter_lab(folder) as running:
        (folder / "notebooks" / "orders.py").write_text(ORDERS, encoding="utf-8")
        yield running


@pytest.fixture
def lab(jupyter: JupyterLab) -> Iterator[JupyterLab]:
    """The same; what a test started there ends with the test."""
    yield jupyter
    jupyter.end_kernels()
    jupyter.forget_theme()


# A browser for each module: Playwright runs a loop in this thread, beside which no asynchronous test can run.
@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox", "--no-proxy-server"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(OPEN_MS)
    expect.set_options(timeout=ACT_MS)
    yield context.new_page()
    context.close()
