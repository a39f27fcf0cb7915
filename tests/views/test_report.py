from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from icws_explore.capture import Capture, ClockInfo
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import CaptureError
from icws_explore.views import report as report_module
from icws_explore.views.report import report_html, write_report
from support.markup import Markup
from support.session_captures import SessionScript, healthy, hostile


@pytest.fixture(scope="module")
def page() -> Markup:
    return Markup(report_html(healthy()))


@pytest.fixture(scope="module")
def hostile_html() -> str:
    return report_html(hostile())


class TestContents:
    def test_answers_first(self, page: Markup) -> None:
        assert "✓ every frame decodes, and all 13 canister messages verify" in page.text

    def test_says_that_the_clock_was_scaled(self, page: Markup) -> None:
        assert "Not in real time. The clock was scaled × 60" in page.text
        assert "Not in real time" not in Markup(report_html(healthy(clock=ClockInfo()))).text

    def test_has_the_facts_the_figures_the_frames_and_the_walks(self, page: Markup) -> None:
        assert "10 sent, 9 received" in page.text
        assert [name for name, _ in page.elements].count("svg") == 2
        assert page.count("icws-sum") == 29
        assert page.count("icws-verdict") == 13

    def test_describes_each_figure_for_who_cannot_see_it(self, page: Markup) -> None:
        labels = page.attributes("aria-label")
        assert len(labels) == 2
        assert "10 messages sent, 9 received, 3 acks, 3 keep-alives" in labels[0]

    def test_says_what_is_wrong(self, hostile_html: str) -> None:
        page = Markup(hostile_html)
        assert "✗ something in this session is not as it should be" in page.text
        assert "✗ frame 8: sequence fails" in page.text

    def test_of_another_networks_key_nothing_verifies(self) -> None:
        page = Markup(report_html(healthy(), root_key=MAINNET_ROOT_KEY))
        assert "only 0 of 13 canister messages verify" in page.text

    def test_without_a_key_says_that_nothing_was_verified(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, root_key=None)
        page = Markup(report_html(capture))
        assert "– nothing was verified: the capture names no root key" in page.text
        assert page.count("icws-verdict") == 0

    def test_of_an_empty_capture_is_a_page_too(self) -> None:
        assert "0 frames" in Markup(report_html(Capture())).text

    def test_draws_every_session_of_several(self) -> None:
        capture = SessionScript(session="tab 1").opened().capture
        capture.frames += SessionScript(session="tab 2").opened().capture.frames
        page = Markup(report_html(capture))
        assert [name for name, _ in page.elements].count("svg") == 4
        assert "Time, session tab 2" in page.text

    def test_of_a_long_capture_leaves_out_the_middle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_module, "MAX_REPORT_FRAMES", 10)
        page = Markup(report_html(healthy()))
        assert page.count("icws-sum") == 10
        assert "19 frames not shown" in page.text


class TestSelfContained:
    def test_names_nothing_to_load_and_runs_no_script(self, hostile_html: str) -> None:
        page = Markup(hostile_html)
        assert not {"script", "img", "link", "iframe", "object", "embed", "base", "form", "b"} & page.tags
        assert page.handlers == []
        assert all(
            address.startswith("#") for name in ("href", "xlink:href", "src") for address in page.attributes(name)
        )
        assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", hostile_html))
        assert "@import" not in hostile_html

    def test_forbids_it_as_well(self, hostile_html: str) -> None:
        assert "default-src 'none'" in "".join(Markup(hostile_html).attributes("content"))

    def test_a_title_from_outside_is_escaped(self) -> None:
        html = report_html(SessionScript().opened().capture, title="</title><script>alert(1)</script>")
        assert "script" not in Markup(html).tags


class TestWriteReport:
    def test_writes_the_page(self, tmp_path: Path) -> None:
        path = write_report(healthy(), tmp_path / "report.html")
        assert path.read_text(encoding="utf-8") == report_html(healthy())

    def test_says_why_it_cannot(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match="cannot write .*No such file or directory"):
            write_report(healthy(), tmp_path / "nowhere" / "report.html")


@pytest.fixture(scope="module")
def seen(chromium_path: str, hostile_html: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a browser makes of the report of a hostile capture."""
    from playwright.sync_api import sync_playwright

    path = tmp_path_factory.mktemp("report") / "report.html"
    # Without its policy, so that what holds here holds by the escaping alone.
    path.write_text(re.sub(r"<meta http-equiv[^>]*>", "", hostile_html), encoding="utf-8")
    seen: dict[str, Any] = {"requests": [], "dialogs": []}
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=quiet, chromium_sandbox=False)
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.on("request", lambda request: seen["requests"].append(request.url))
        page.on("dialog", lambda dialog: (seen["dialogs"].append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri())
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true }")
        seen["url"] = path.as_uri()
        seen["overflow"] = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        seen["backgrounds"] = []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            seen["backgrounds"].append(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        browser.close()
    return seen


@pytest.mark.browser
class TestInChromium:
    def test_loads_nothing_but_itself(self, seen: dict[str, Any]) -> None:
        assert seen["requests"] == [seen["url"]]

    def test_runs_no_script_from_a_message(self, seen: dict[str, Any]) -> None:
        assert seen["dialogs"] == []

    def test_fits_its_window_and_follows_the_theme(self, seen: dict[str, Any]) -> None:
        assert not seen["overflow"]
        assert seen["backgrounds"] == ["rgb(255, 255, 255)", "rgb(22, 25, 29)"]
