from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from icws_explore.capture import Capture, ClockInfo
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.views.report import html as report_module
from icws_explore.views.report.file import report
from support.markup import Markup
from support.session_captures import SessionScript, healthy, hostile


@pytest.fixture(scope="module")
def page() -> Markup:
    return Markup(report(healthy()).html)


@pytest.fixture(scope="module")
def hostile_html() -> str:
    return report(hostile()).html


class TestContents:
    def test_begin_with_the_answer(self, page: Markup) -> None:
        assert "nothing wrong was found (every frame decodes, and all 13 canister messages verified)" in page.text
        assert "but 1 check could not be made" in page.text

    def test_say_that_the_clock_was_scaled(self, page: Markup) -> None:
        assert "Not in real time. Clock: scaled × 60" in page.text
        assert "Not in real time" not in Markup(report(healthy(clock=ClockInfo())).html).text

    def test_have_facts_figures_frames_and_verifications(self, page: Markup) -> None:
        assert "10 sent, 9 received" in page.text
        assert [name for name, _ in page.elements].count("svg") == 2
        assert page.count("icws-sum") == 29
        assert page.count("icws-verdict") == 13 + 14
        assert page.count("icws-said") == 29

    def test_have_findings_first(self, hostile_html: str) -> None:
        heads = re.findall(r"<h2>(.*?)</h2>", hostile_html)
        assert heads == [
            "Findings", "Summary", "Sequence", "Timing against limits", "Verification", "Frames", "Recording",
            "Software",
        ]  # fmt: skip

    def test_show_evidence_with_links_into_the_frame_list(self, hostile_html: str) -> None:
        page = Markup(hostile_html)
        targets = {f"#{name}" for name in page.attributes("id") if re.fullmatch(r"f\d+", name)}
        links = [href for href in page.attributes("href") if re.fullmatch(r"#f\d+", href)]
        assert page.count("icws-finding") == page.count("icws-evidence") >= 1
        assert links
        assert set(links) <= targets

    def test_name_the_software(self, page: Markup) -> None:
        assert "Software icws_explore" in page.text
        assert "CPython" in page.text

    def test_describe_each_figure_in_words(self, page: Markup) -> None:
        labels = page.attributes("aria-label")
        assert len(labels) == 2
        assert "10 messages sent, 9 received, 3 acks, 3 keep-alives" in labels[0]

    def test_say_what_is_wrong(self, hostile_html: str) -> None:
        page = Markup(hostile_html)
        assert re.search(r"✗ [A-Z_, ]+ (?=Findings)", page.text)
        assert "✗ frame 8: sequence failed" in page.text
        assert re.search(r"canister messages \d+ of \d+ passed, 1 failed at sequence", page.text)

    def test_under_another_networks_key_fail(self) -> None:
        page = Markup(report(healthy(), root_key=MAINNET_ROOT_KEY).html)
        assert "only 0 of 13 canister messages verified" in page.text

    def test_without_a_key_are_not_checked(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, root_key=None)
        page = Markup(report(capture).html)
        assert "– not checked: no root key is in the recording" in page.text
        assert "canister messages not checked" in page.text

    def test_of_an_empty_recording_are_a_page_too(self) -> None:
        assert "0 frames" in Markup(report(Capture()).html).text

    def test_draw_every_session(self) -> None:
        capture = SessionScript(session="tab 1").opened().capture
        capture.frames += SessionScript(session="tab 2").opened().capture.frames
        page = Markup(report(capture).html)
        assert [name for name, _ in page.elements].count("svg") == 4
        assert "Sequence, session tab 2" in page.text
        assert "tab 2 3 2.300 s yes 0 / 0 0 / 0 still open at the end of the recording none" in page.text

    def test_of_a_simulation_without_signatures_are_not_checked(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, crypto="stand-in")
        assert "not checked: the simulation used stand-in cryptography" in Markup(report(capture).html).text


class TestBounds:
    """However long the recording is, a browser can open the page and an issue tracker takes it."""

    def test_leave_out_frames_far_from_the_evidence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_module, "MAX_FRAMES", 10)
        page = Markup(report(healthy()).html)
        assert page.count("icws-sum") == 10
        assert "19 frames not shown" in page.text

    def test_leave_out_passed_verifications(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_module, "MAX_PASSED", 2)
        page = Markup(report(healthy()).html)
        assert page.count("icws-verdict") == 4
        assert "… 11 more not shown …" in page.text

    def test_draw_a_part_of_a_long_session(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report_module, "MAX_DRAWN", 12)
        page = Markup(report(healthy()).html)
        assert "The figures show 12 of 29 frames, from frame 17 on." in page.text

    def test_show_sessions_with_findings(self) -> None:
        capture = Capture(SessionScript().capture.info)
        for number in range(6):
            script = SessionScript(session=str(number)).opened()
            if number == 4:
                script.app_says(5.0, "ahead", sequence_num=9)
            capture.frames += script.capture.frames
        page = Markup(report(capture).html)
        assert re.findall(r"Sequence, session (\d)", page.text) == ["4", "0", "1"]
        assert [name for name, _ in page.elements].count("svg") == 6


class TestSelfContained:
    def test_loads_nothing_and_runs_no_script(self, hostile_html: str) -> None:
        page = Markup(hostile_html)
        assert not {"script", "img", "link", "iframe", "object", "embed", "base", "form", "b"} & page.tags
        assert page.handlers == []
        assert all(
            address.startswith("#") for name in ("href", "xlink:href", "src") for address in page.attributes(name)
        )
        assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", hostile_html))
        assert "@import" not in hostile_html

    def test_forbids_both_by_its_policy(self, hostile_html: str) -> None:
        assert "default-src 'none'" in "".join(Markup(hostile_html).attributes("content"))

    def test_a_title_from_outside_is_escaped(self) -> None:
        html = report(SessionScript().opened().capture, title="</title><script>alert(1)</script>").html
        assert "script" not in Markup(html).tags


@pytest.fixture(scope="module")
def seen(chromium_path: str, hostile_html: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How a browser shows the report of a hostile recording."""
    from playwright.sync_api import sync_playwright

    path = tmp_path_factory.mktemp("report") / "report.html"
    # Without its policy, so that only the escaping protects.
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

    def test_is_printed_dark_on_light(self, seen: dict[str, Any]) -> None:
        assert seen["printed"] == ["rgb(255, 255, 255)", "rgb(31, 35, 40)"]

    def test_no_table_scrolls_sideways_on_a_phone(self, chromium_path: str, tmp_path: Path) -> None:
        from playwright.sync_api import sync_playwright

        capture = SessionScript(session="a tab with a name that is rather long").opened().capture
        capture.frames += SessionScript(session="tab 2").opened().capture.frames
        path = report(capture).save(tmp_path / "report.html")
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
