from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from icws_explore.capture import Capture, ClockInfo
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import CaptureError
from icws_explore.views.report import html as report_module
from icws_explore.views.report.html import report_html, write_report
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
        assert "✓ nothing is wrong: every frame decodes, and all 13 canister messages verify" in page.text

    def test_says_that_the_clock_was_scaled(self, page: Markup) -> None:
        assert "Not in real time. The clock was scaled × 60" in page.text
        assert "Not in real time" not in Markup(report_html(healthy(clock=ClockInfo()))).text

    def test_has_the_facts_the_figures_the_frames_and_the_walks(self, page: Markup) -> None:
        assert "10 sent, 9 received" in page.text
        assert [name for name, _ in page.elements].count("svg") == 2
        assert page.count("icws-sum") == 29
        assert page.count("icws-verdict") == 13 + 14
        assert page.count("icws-said") == 29

    def test_findings_come_before_everything_else(self, hostile_html: str) -> None:
        heads = re.findall(r"<h2>(.*?)</h2>", hostile_html)
        assert heads == [
            "Findings", "Summary", "Sequence", "Timing against limits", "Verification", "Frames", "Recorded",
            "Reported with",
        ]  # fmt: skip

    def test_each_finding_shows_its_evidence_with_links_into_the_list(self, hostile_html: str) -> None:
        page = Markup(hostile_html)
        targets = {f"#{name}" for name in page.attributes("id") if re.fullmatch(r"f\d+", name)}
        links = [href for href in page.attributes("href") if re.fullmatch(r"#f\d+", href)]
        assert page.count("icws-finding") == page.count("icws-evidence") >= 1
        assert links
        assert set(links) <= targets

    def test_says_what_it_was_made_with(self, page: Markup) -> None:
        assert "Reported with icws_explore" in page.text
        assert "CPython" in page.text

    def test_describes_each_figure_for_who_cannot_see_it(self, page: Markup) -> None:
        labels = page.attributes("aria-label")
        assert len(labels) == 2
        assert "10 messages sent, 9 received, 3 acks, 3 keep-alives" in labels[0]

    def test_says_what_is_wrong(self, hostile_html: str) -> None:
        page = Markup(hostile_html)
        assert re.search(r"✗ [A-Z_, ]+ (?=Findings)", page.text)
        assert "✗ frame 8: sequence fails" in page.text
        assert re.search(r"canister messages \d+ of \d+ hold, 1 fail at sequence", page.text)

    def test_of_another_networks_key_nothing_verifies(self) -> None:
        page = Markup(report_html(healthy(), root_key=MAINNET_ROOT_KEY))
        assert "only 0 of 13 canister messages verify" in page.text

    def test_without_a_key_says_that_nothing_was_verified(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, root_key=None)
        page = Markup(report_html(capture))
        assert "– nothing was verified: the capture names no root key" in page.text
        assert "canister messages nothing was verified" in page.text

    def test_of_an_empty_capture_is_a_page_too(self) -> None:
        assert "0 frames" in Markup(report_html(Capture())).text

    def test_draws_every_session_of_several(self) -> None:
        capture = SessionScript(session="tab 1").opened().capture
        capture.frames += SessionScript(session="tab 2").opened().capture.frames
        page = Markup(report_html(capture))
        assert [name for name, _ in page.elements].count("svg") == 4
        assert "Sequence, session tab 2" in page.text
        assert "tab 2 3 2.300 s yes 0 / 0 0 / 0 open, as far as recorded none" in page.text

    def test_of_sessions_simulated_without_signatures_says_so(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, crypto="stand-in")
        assert "nothing was verified: simulated with stand-in cryptography" in Markup(report_html(capture)).text


class TestBounds:
    """However long the capture, the page stays one that a browser opens and a tracker takes."""

    def test_of_a_long_capture_leaves_out_what_is_far_from_the_evidence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_module, "MAX_FRAMES", 10)
        page = Markup(report_html(healthy()))
        assert page.count("icws-sum") == 10
        assert "19 frames not shown" in page.text

    def test_leaves_out_walks_that_hold_and_counts_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_module, "MAX_VALID", 2)
        page = Markup(report_html(healthy()))
        assert page.count("icws-verdict") == 4
        assert "… 11 more not shown …" in page.text

    def test_draws_a_part_of_a_long_session_and_says_which(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_module, "MAX_DRAWN", 12)
        page = Markup(report_html(healthy()))
        assert "Drawn are 12 of 29 frames, from 17 on." in page.text

    def test_shows_the_sessions_that_findings_are_about(self) -> None:
        capture = Capture(SessionScript().capture.info)
        for number in range(6):
            script = SessionScript(session=str(number)).opened()
            if number == 4:
                script.app_says(5.0, "ahead", sequence_num=9)
            capture.frames += script.capture.frames
        page = Markup(report_html(capture))
        assert re.findall(r"Sequence, session (\d)", page.text) == ["4", "0", "1"]
        assert [name for name, _ in page.elements].count("svg") == 6


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
        page.emulate_media(color_scheme="dark", media="print")
        seen["printed"] = page.evaluate(
            "[document.documentElement, document.querySelector('h1')].map(e => getComputedStyle(e))"
            ".map((style, i) => i ? style.color : style.backgroundColor)"
        )
        page.set_viewport_size({"width": 390, "height": 800})
        page.emulate_media(media="screen")
        seen["overflow on a phone"] = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
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
        assert not seen["overflow on a phone"]
        assert seen["backgrounds"] == ["rgb(255, 255, 255)", "rgb(22, 25, 29)"]

    def test_is_printed_dark_on_light_whatever_the_theme(self, seen: dict[str, Any]) -> None:
        assert seen["printed"] == ["rgb(255, 255, 255)", "rgb(31, 35, 40)"]

    def test_no_table_scrolls_sideways_on_a_phone(self, chromium_path: str, tmp_path: Path) -> None:
        from playwright.sync_api import sync_playwright

        capture = SessionScript(session="a tab with a name that is rather long").opened().capture
        capture.frames += SessionScript(session="tab 2").opened().capture.frames
        path = write_report(capture, tmp_path / "report.html")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path, chromium_sandbox=False)
            page = browser.new_page(viewport={"width": 390, "height": 844})
            page.goto(path.as_uri())
            tables = page.evaluate(
                "[...document.querySelectorAll('.icws-wide')]"
                ".map(e => [e.firstElementChild.className, e.scrollWidth > e.clientWidth])"
            )
            labels = page.evaluate(
                "[...document.querySelectorAll('table.icws-listed tr:last-child td')]"
                ".map(e => getComputedStyle(e, '::before').content)"
            )
            browser.close()
        assert [name for name, _ in tables].count("icws-listed") == 2  # sessions and limits
        assert not any(scrolls for _, scrolls in tables), tables
        assert {'"ended"', '"findings"', '"limit"', '"when"'} <= set(labels)
