"""The page of every byte in Chromium, with scripts off: a byte is explained by mouse, keyboard and touch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import icws_explore as icws
from support.data_files import SESSIONS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (390, 1024, 1600)
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    page: Path = tmp_path_factory.mktemp("page") / "every-byte.html"
    page.write_text(icws.report(icws.load(SESSIONS / "healthy.icws")).every_byte, encoding="utf-8")
    return page.as_uri()


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=[*QUIET], chromium_sandbox=False)
        yield browser
        browser.close()


def opened(browser: Any, url: str, width: int, **options: Any) -> Any:
    context = browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=False, **options)
    page = context.new_page()
    page.goto(url)
    return page


def method_name(page: Any) -> Any:
    return page.locator("#frame-1 .b", has_text="ws_open").first


@pytest.mark.parametrize("width", WIDTHS)
class TestPointing:
    def test_with_the_mouse(self, browser: Any, url: str, width: int) -> None:
        page = opened(browser, url, width)
        explained = method_name(page).locator(".x")
        assert not explained.is_visible()
        method_name(page).locator("> code").hover()
        assert explained.is_visible()
        assert "opens the session" in explained.inner_text()
        box = explained.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 800
        page.context.close()

    def test_with_the_keyboard(self, browser: Any, url: str, width: int) -> None:
        page = opened(browser, url, width)
        method_name(page).focus()
        assert method_name(page).locator(".x").is_visible()
        page.keyboard.press("Tab")
        assert not method_name(page).locator(".x").is_visible()
        assert page.locator(".b:focus > .x").is_visible()
        page.context.close()

    def test_with_a_finger(self, browser: Any, url: str, width: int) -> None:
        page = opened(browser, url, width, has_touch=True)
        method_name(page).locator("> code").tap()
        assert method_name(page).locator(".x").is_visible()
        page.context.close()

    def test_every_field_can_have_a_line(self, browser: Any, url: str, width: int) -> None:
        page = opened(browser, url, width)
        page.locator("#frame-1 .lines > summary").click()
        shown = page.locator("#frame-1 .x").all()
        assert len(shown) == 38
        assert all(each.is_visible() for each in shown)
        page.context.close()

    def test_nothing_is_cut_off(self, browser: Any, url: str, width: int) -> None:
        context = browser.new_context(viewport={"width": width, "height": 800})
        page = context.new_page()
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        context.close()
