"""The explorer in a real JupyterLab and browser: by mouse and keyboard, in light and dark, narrow and wide."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from support.jupyter_lab import JupyterLab
from support.machine import ROOT
from support.notebook_page import (
    EXECUTE,
    RUN_MS,
    SHOTS,
    SIZES,
    check_nothing_is_cut,
    opened,
    re_word,
    row,
    set_theme,
    shot,
    title,
)
from support.unhurried_clock import IN_A_KERNEL

THEMES: tuple[Literal["Light", "Dark"], ...] = ("Light", "Dark")
TAMPERED = 'import icws_explore as icws\nexplorer = icws.explore("../data/sessions/tampered_body.icws")\nexplorer'
MARKUP = """
import icws_explore as icws
from icws_explore import edit
evil = "<script>window.icwsRan = true</script><img src=x onerror='window.icwsRan = true'>"
evil += "</pre></style></details><svg onload='window.icwsRan = true'>"
echo = icws.load("../data/sessions/markup.icws")
at = next(frame.number for frame in echo if frame.kind == "app")
types = icws.candid.parse_type(echo.info.app_type)
echo.raw.frames[at] = edit.set(echo[at], "content.content.text", evil, app_type=types)
explorer = icws.explore(echo)
explorer.select(at)
explorer
"""
LIVE = """
import icws_explore as icws
lab = icws.Lab(app="ticker", time_scale=60).start()
explorer = icws.explore(lab)
explorer
"""
CONNECT = """
session = await icws.connect(
    explorer.tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock,
    ack_interval_ms=lab.ack_interval_ms,
)
"""
BUSY = """code => {
  window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code });
}"""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
class TestARecording:
    def test_is_read_by_mouse(self, page: Page, lab: JupyterLab) -> None:
        explorer = opened(page, lab, "mouse", TAMPERED)
        expect(explorer.locator(".icws-counted")).to_have_text("17 frames")
        expect(row(explorer, 8)).to_have_class(re_word("icws-failed"))
        expect(row(explorer, 8).locator(".icws-proof-failed")).to_have_text("✗")
        expect(row(explorer, 4).locator(".icws-proof-passed")).to_have_text("✓")
        row(explorer, 8).click()
        expect(title(explorer)).to_have_text("frame 8")
        expect(explorer.locator(".icws-said")).to_contain_text("pwned")
        # A field marks its bytes, and a byte its field.
        field = explorer.locator(".icws-line", has_text="sequence_num").first
        field.hover()
        marked = explorer.locator(".icws-pairs i.icws-pointed")
        expect(marked).to_have_count(1)
        assert marked.inner_text() == "04"
        field.click()
        explorer.locator(".icws-hexpane").evaluate("e => { e.scrollTop = 0; }")
        explorer.locator(".icws-pairs i[data-byte='20']").click()
        expect(explorer.locator(".icws-line.icws-chosen b")).to_have_text("key")
        # The certificate is closed at first, and one click away.
        expect(explorer.locator(".icws-line", has_text="certified_data")).to_have_count(0)
        explorer.get_by_role("button", name="cert", exact=True).click()
        expect(explorer.locator(".icws-line.icws-chosen b")).to_have_text("cert")
        # The proof, to the step that fails, and its trees.
        explorer.get_by_role("tab", name="Proof").click()
        expect(explorer.locator(".icws-step")).to_have_count(9)
        expect(explorer.locator(".icws-step.icws-failed b")).to_have_text("body")
        expect(explorer.locator(".icws-step.icws-not-checked")).to_have_count(2)
        explorer.locator(".icws-trees > summary").click()
        expect(explorer.locator(".icws-drawn svg")).to_be_visible()
        # A link leads to another frame, and a finding to its evidence.
        explorer.get_by_role("tab", name="Related").click()
        explorer.locator(".icws-relations").get_by_role("button", name="frame 15").click()
        expect(title(explorer)).to_have_text("frame 15")
        expect(row(explorer, 15)).to_have_class(re_word("icws-selected"))
        explorer.get_by_role("tab", name="Fields").click()
        explorer.locator(".icws-proving").first.get_by_role("button", name="8", exact=True).click()
        expect(title(explorer)).to_have_text("frame 8")
        expect(explorer.locator(".icws-step.icws-failed b")).to_be_in_viewport()

    def test_is_read_by_keyboard(self, page: Page, lab: JupyterLab) -> None:
        explorer = opened(page, lab, "keyboard", TAMPERED)
        cells = page.locator(".jp-Notebook .jp-Cell").count()
        grid = explorer.get_by_role("grid")
        grid.focus()
        for key, frame in (
            ("ArrowDown", 0),
            ("ArrowDown", 1),
            ("End", 16),
            ("ArrowUp", 15),
            ("Home", 0),
            ("PageDown", 16),
        ):
            page.keyboard.press(key)
            expect(title(explorer)).to_have_text(f"frame {frame}")
        page.keyboard.press("b")  # JupyterLab's own shortcut would insert a cell
        page.keyboard.press("/")
        page.keyboard.type("ki")
        expect(explorer.locator(".icws-options li")).to_have_count(1)
        page.keyboard.press("Tab")
        page.keyboard.type("== ")
        expect(explorer.locator(".icws-options li")).to_have_count(10)
        page.keyboard.type('"ap')
        page.keyboard.press("Tab")
        expect(explorer.locator(".icws-where")).to_have_value('kind == "app" ')
        expect(explorer.locator(".icws-counted")).to_have_text("6 of 17 frames")
        page.keyboard.type("and sizes > 1")
        page.keyboard.press("Enter")
        expect(explorer.locator(".icws-error")).to_contain_text("'sizes' is not one of")
        expect(explorer.locator(".icws-counted")).to_have_text("6 of 17 frames")
        page.keyboard.press("/")
        page.keyboard.type('kind == "app"')
        page.keyboard.press("Enter")
        expect(explorer.locator(".icws-error")).to_be_hidden()
        page.keyboard.press("Home")
        expect(title(explorer)).to_have_text("frame 4")
        page.keyboard.press("Enter")  # into the detail
        page.keyboard.press("ArrowDown")  # into its fields
        for _ in range(3):
            page.keyboard.press("ArrowDown")
        expect(explorer.locator(".icws-line.icws-chosen")).to_have_count(1)
        expect(explorer.locator(".icws-pairs i.icws-chosen").first).to_be_visible()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Escape")  # back to the list
        page.keyboard.press("ArrowDown")
        expect(title(explorer)).to_have_text("frame 6")
        page.keyboard.press("/")
        page.keyboard.press("Escape")  # closes the words that are offered
        page.keyboard.press("Escape")  # and empties the filter
        expect(explorer.locator(".icws-counted")).to_have_text("17 frames")
        assert page.locator(".jp-Notebook .jp-Cell").count() == cells

    @pytest.mark.parametrize("size", SIZES)
    def test_fits_in_light_and_dark(self, page: Page, lab: JupyterLab, size: str) -> None:
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        explorer = opened(page, lab, f"fits_{size}", TAMPERED)
        row(explorer, 8).click()
        expect(title(explorer)).to_have_text("frame 8")
        inks = []
        for theme in THEMES:
            set_theme(page, theme)
            for name in ("Fields", "Proof", "Related"):
                explorer.get_by_role("tab", name=name).click()
                check_nothing_is_cut(explorer)
                shot(page, f"explorer-{size}-{theme.lower()}-{name.lower()}")
            for name in ("Findings", "Timing", "Export"):
                explorer.get_by_role("tab", name=name).click()
                explorer.locator(".icws-tabs-below").scroll_into_view_if_needed()
                if name == "Timing":
                    expect(explorer.locator(".icws-tabs-below svg").first).to_be_visible()
                check_nothing_is_cut(explorer)
                shot(page, f"explorer-{size}-{theme.lower()}-{name.lower()}")
            explorer.get_by_role("tab", name="Findings").click()
            row(explorer, 8).scroll_into_view_if_needed()
            summary = row(explorer, 8).locator(".icws-c-summary")
            inks.append(summary.evaluate("e => getComputedStyle(e).color"))
        assert inks[0] != inks[1]

    def test_runs_no_script_of_a_message(self, page: Page, lab: JupyterLab) -> None:
        explorer = opened(page, lab, "markup", MARKUP)
        expect(explorer.locator(".icws-said")).to_contain_text("<script>window.icwsRan = true</script>")
        for name in ("Proof", "Related", "Fields"):
            explorer.get_by_role("tab", name=name).click()
        explorer.locator("details").evaluate_all("all => all.forEach(e => { e.open = true; })")
        assert explorer.locator("script, img").count() == 0
        assert page.evaluate("typeof window.icwsRan") == "undefined"

    def test_is_saved_by_the_browser(self, page: Page, lab: JupyterLab) -> None:
        explorer = opened(page, lab, "saved", TAMPERED)
        explorer.get_by_role("tab", name="Export", exact=True).click()
        with page.expect_download() as download:
            explorer.get_by_role("button", name="Recording (.icws)").click()
        assert download.value.suggested_filename == "tampered_body.icws"
        original = (ROOT / "data" / "sessions" / "tampered_body.icws").read_text(encoding="utf-8").splitlines()
        saved = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in saved] == [json.loads(line) for line in original]

    def test_leaves_nothing_when_it_is_closed(self, page: Page, lab: JupyterLab) -> None:
        explorer = opened(page, lab, "closed", TAMPERED)
        row(explorer, 8).click()
        expect(title(explorer)).to_have_text("frame 8")
        said = page.evaluate(
            EXECUTE,
            "import ipywidgets, threading\nexplorer.close()\n"
            "print(len(ipywidgets.widgets.widget._instances),"
            " [t.name for t in threading.enumerate() if t.name.startswith('icws') and not t.join(30)"
            " and t.is_alive()])",
        )
        assert said.strip() == "0 []"
        expect(page.locator(".icws-explorer")).to_have_count(0)

    def test_stands_in_an_exported_page_as_its_twin(self, page: Page, lab: JupyterLab, tmp_path: Path) -> None:
        opened(page, lab, "exported", TAMPERED)
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        source = lab.folder / "notebooks" / "exported.ipynb"
        subprocess.run(
            [
                sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", str(source),
                "--output-dir", str(tmp_path),
                "--NbConvertBase.display_data_priority=['text/html','image/png','text/plain']",
            ],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        offline = page.context.browser.new_context(offline=True, viewport={"width": 1100, "height": 900})  # type: ignore[union-attr]
        twin = offline.new_page()
        twin.goto((tmp_path / "exported.html").as_uri())
        expect(twin.locator(".icws-view table.icws-frames tbody tr")).to_have_count(17)
        expect(twin.locator(".icws-view")).to_contain_text("BODY_HASH")
        SHOTS.mkdir(parents=True, exist_ok=True)
        twin.screenshot(path=SHOTS / "explorer-twin.png")
        offline.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
class TestALiveSession:
    def test_is_followed_paused_and_never_jumps(self, page: Page, lab: JupyterLab) -> None:
        explorer = opened(page, lab, "live", IN_A_KERNEL, LIVE)
        expect(explorer.locator(".icws-list .icws-blank")).to_contain_text("a client of your own to ws://")
        assert page.evaluate(EXECUTE, CONNECT) == ""
        counted, scroller = explorer.locator(".icws-counted"), explorer.locator(".icws-scroller")

        def frames() -> int:
            return int(counted.inner_text().split()[0])

        def top() -> int:
            return int(scroller.evaluate("e => e.scrollTop"))

        page.wait_for_function(
            "() => parseInt(document.querySelector('.icws-counted').textContent) > 30", timeout=RUN_MS
        )
        # Following, the newest row is in sight; scrolled up, the list stays where it is.
        page.wait_for_function(
            "() => { const e = document.querySelector('.icws-scroller');"
            " return e.scrollTop > 0 && e.scrollTop + e.clientHeight >= e.scrollHeight - 1; }"
        )
        shot(page, "explorer-live")
        scroller.hover()
        page.mouse.wheel(0, -200)
        expect(explorer.locator(".icws-follow")).to_have_attribute("aria-pressed", "false")
        stays, seen = top(), frames()
        page.wait_for_function(
            "seen => parseInt(document.querySelector('.icws-counted').textContent) > seen + 3", arg=seen, timeout=RUN_MS
        )
        assert top() == stays
        explorer.locator(".icws-pause").click()
        expect(counted).to_contain_text("more since the pause", timeout=RUN_MS)
        held = frames()
        explorer.locator(".icws-pause").click()
        page.wait_for_function(
            "held => parseInt(document.querySelector('.icws-counted').textContent) > held", arg=held, timeout=RUN_MS
        )
        # Frames arrive and details open while a cell computes.
        page.evaluate(BUSY, "import time; time.sleep(40)")
        busy = frames()
        page.wait_for_function(
            "busy => parseInt(document.querySelector('.icws-counted').textContent) > busy", arg=busy, timeout=30_000
        )
        explorer.locator(".icws-row").nth(4).click()
        expect(title(explorer)).to_be_visible(timeout=30_000)
        assert page.locator(".jp-Notebook-ExecutionIndicator").get_attribute("data-status") == "busy"
        page.evaluate(EXECUTE, "await session.close()")
        said = page.evaluate(EXECUTE, "explorer.close(); lab.stop()\nprint(lab.running)")
        assert said.strip() == "False"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_opens_a_file_that_is_dropped(page: Page, lab: JupyterLab) -> None:
    explorer = opened(page, lab, "dropped", "import icws_explore as icws\nicws.explore()")
    content = (ROOT / "data" / "sessions" / "tampered_body.icws").read_text(encoding="utf-8")
    files = page.evaluate_handle(
        "text => { const files = new DataTransfer(); files.items.add(new File([text], 'mine.icws')); return files; }",
        content,
    )
    place = explorer.get_by_role("button", name="drop it here")
    place.dispatch_event("dragover", {"dataTransfer": files})
    shot(page, "explorer-drop")
    place.dispatch_event("drop", {"dataTransfer": files})
    expect(explorer.locator(".icws-top")).to_contain_text("mine.icws")
    expect(explorer.locator(".icws-counted")).to_have_text("17 frames")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
class TestALabOfTheStartPage:
    def test_stands_still_while_one_reads(self, page: Page, lab: JupyterLab) -> None:
        page.set_viewport_size({"width": 1024, "height": 768})
        explorer = opened(page, lab, "newcomer", IN_A_KERNEL, "import icws_explore as icws\nicws.explore()")
        expect(explorer).to_contain_text("The canister sends each message back.")
        explorer.get_by_label("clock", exact=True).select_option("× 60")
        expect(explorer).to_contain_text("An ack every 5 seconds.")
        explorer.get_by_role("button", name="Start a lab", exact=True).click()
        expect(explorer.locator(".icws-list .icws-blank")).to_contain_text("press Connect to this lab")
        expect(explorer.locator(".icws-pane-detail")).to_be_hidden()  # it is empty, and the forms lie below it
        explorer.get_by_role("button", name="Connect to this lab").click()
        live = explorer.locator(".icws-live-panel")
        live.locator("textarea").first.fill("hello")
        live.get_by_role("button", name="Send", exact=True).click()
        answer = live.get_by_role("button", name="frame 4", exact=True)
        expect(answer).to_be_visible()
        explorer.get_by_role("button", name="pause lab").click()
        expect(explorer.get_by_role("button", name="resume lab")).to_be_visible()
        # A link in a tab brings what it selects into sight.
        answer.click()
        expect(title(explorer)).to_have_text("frame 4")
        expect(row(explorer, 4)).to_be_in_viewport()
        expect(explorer.locator(".icws-heading")).to_be_in_viewport()
        check_nothing_is_cut(explorer)
        step = explorer.get_by_role("button", name="step 1 min")
        ack = explorer.locator(".icws-row .icws-c-kind", has_text="ack")
        for _ in range(20):  # the ack comes after 300 s
            step.click()
            expect(step).to_be_enabled(timeout=RUN_MS)
            if ack.count():
                break
        expect(ack.first).to_be_visible()
        expect(explorer.get_by_role("button", name="resume lab")).to_be_visible()
        # A plot is laid out for the room beside JupyterLab's list of files, with letters of their full size.
        explorer.get_by_role("tab", name="Timing").click()
        plot = explorer.locator(".icws-stage > svg")
        expect(plot).to_have_attribute("viewBox", re.compile(r"^0 0 [34]\d\d"))  # points; a wide one has 720
        # One of many faults is found by its name.
        explorer.get_by_role("tab", name="Faults").click()
        expect(explorer.get_by_label("find a fault")).to_be_in_viewport()  # the tabs were at the edge of the screen
        explorer.get_by_label("find a fault").fill("no such fault")
        expect(explorer.get_by_text("No fault that can be switched here")).to_be_visible()
        others = explorer.locator(".faults details")
        expect(others).to_be_hidden()
        explorer.get_by_label("find a fault").fill("keepalive_late")  # a client's own fault
        expect(others.locator("summary")).to_have_text("1 other with these words cannot be switched here")
        others.locator("summary").click()
        expect(others.locator("small:visible")).to_have_count(1)
        expect(others.locator("small:visible")).to_contain_text("freezes the tab")
        explorer.get_by_label("find a fault").fill("body_hash")
        expect(explorer.locator("label.fault:visible")).to_have_count(1)
        shot(page, "explorer-newcomer")
