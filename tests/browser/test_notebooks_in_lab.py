"""Notebooks 02 to 06 in a real JupyterLab and browser: they run, pointing marks, sliders act, no message does."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from support.jupyter_lab import JupyterLab
from support.notebook_page import ACT_MS, RUN_MS, failures, run, set_theme, write_notebook
from support.unhurried_clock import IN_A_KERNEL

NOTEBOOKS = ("02_envelopes.ipynb", "03_hash_trees.ipynb", "04_certificates.ipynb")
CLEAR = "rgba(0, 0, 0, 0)"

# Puts a message into a recording that would set a flag in the window if any view let it run, and shows every view.
HOSTILE_CELL = """
from dataclasses import replace
from IPython.display import HTML, display
evil = "<script>window.icwsRan = true</script><img src=x onerror='window.icwsRan = true'>"
evil += "</pre></style></details><svg onload='window.icwsRan = true'>"
echo = icws.load("../data/sessions/markup.icws")
at = next(frame.number for frame in echo if frame.kind == "app")
types = icws.candid.parse_type(echo.info.app_type)
echo.raw.frames[at] = edit.set(echo[at], "content.content.text", evil, app_type=types)
cards = icws.certificate_card(echo, at), icws.envelope_card(echo, at - 1)
display(icws.inspect(echo, at), echo[at], echo, echo.verify(), *cards)
display(edit.see(echo, at, echo[at]), echo.check_envelopes())
display(icws.plots.anatomy(echo, at), icws.plots.chain(echo, at))
display(HTML("<img src=x onerror='window.icwsControl = true'>"))
"""

# A session on the lab under the widget that follows it.
LIVE_CELL = """
import icws_explore as icws
from icws_explore.notebook.live_timing import live_timing
lab = icws.Lab(app="pingpong", time_scale=60, ack_interval_ms=100_000).start()
session = await icws.connect(lab)
live_timing(session)
"""

DARK_PAPER = "rgb(17, 17, 17)"  # JupyterLab's own


def number_of(locator: Locator, prefix: str) -> str:
    """The number that ties a field to its bytes, from its class."""
    found = re.search(rf"\b{prefix}(\d+)\b", locator.get_attribute("class") or "")
    assert found is not None
    return found[1]


def background(locator: Locator) -> str:
    return str(locator.evaluate("element => getComputedStyle(element).backgroundColor"))


def check_marking(page: Page, pane: Locator, name: str) -> None:
    """Pointing at the field ``name`` marks its bytes and no others; pointing at a byte of it marks the field."""
    field = (
        pane.locator("li:not(.icws-form)").filter(has=page.locator(f":scope > .icws-hl > b:text-is('{name}')")).first
    )
    label = field.locator("> .icws-hl")
    number = number_of(field, "t")
    content = pane.locator(f".h{number}").first
    page.mouse.move(0, 0)
    assert background(content) == CLEAR
    label.scroll_into_view_if_needed()
    label.hover(timeout=ACT_MS)
    expect(content).not_to_have_css("background-color", CLEAR, timeout=ACT_MS)
    marked = pane.locator(".icws-hex-grid span").evaluate_all(
        "(all, clear) => all.filter(e => getComputedStyle(e).backgroundColor !== clear).map(e => e.className)", CLEAR
    )
    assert marked == [f"h{number}"]
    page.mouse.move(0, 0)
    expect(content).to_have_css("background-color", CLEAR, timeout=ACT_MS)
    byte = content.locator("i").first
    byte.scroll_into_view_if_needed()
    byte.hover(timeout=ACT_MS)
    expect(label).not_to_have_css("background-color", CLEAR, timeout=ACT_MS)


def check_sliders(page: Page) -> None:
    """Their names are not cut; moving one runs the session again; the arrows say what the plot's markers are."""
    cell = page.locator(".jp-OutputArea-output:has(.widget-hslider)").first
    cut = cell.locator(".widget-hslider .widget-label").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"
    )
    assert cut == []
    expect(cell).to_contain_text("Ack message timeout")
    clock = cell.locator(".noUi-handle").last
    clock.focus()
    page.keyboard.press("End")  # 400 s ahead
    expect(cell).to_contain_text("not opened", timeout=ACT_MS)
    cell.locator("select").select_option(label="timeline")
    plot = cell.locator(".icws[tabindex]")
    expect(plot.locator("svg")).to_have_attribute("aria-label", re.compile("^Session timeline"), timeout=ACT_MS)
    plot.focus()
    page.keyboard.press("ArrowRight")
    expect(plot.get_by_role("status")).to_contain_text(re.compile(r"at \d+\.\d\d s"))


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
class TestInJupyterLab:
    @pytest.mark.parametrize("name", NOTEBOOKS)
    def test_runs_and_draws(self, page: Page, lab: JupyterLab, name: str) -> None:
        assert failures(run(page, lab, name)) == []
        views = page.locator(".jp-OutputArea-output .icws-view")
        expect(views.first).to_be_visible()
        expect(page.locator(".jp-OutputArea-output .icws-fallback").first).to_be_hidden()
        if name != "04_certificates.ipynb":
            field = "ingress_expiry" if name == "02_envelopes.ipynb" else "sequence_num"
            check_marking(page, page.locator(".icws-hex").first, field)
        else:
            card = page.locator(".icws-view:has(.icws-nodes)").first
            expect(card.locator("figure svg").first).to_be_visible()
            card.locator(".icws-nodes summary").click()
            lit = card.locator(".icws-nodes[open] .icws-lit", has_text="certified_data").first
            expect(lit.locator(".icws-digest")).to_have_text(re.compile("^[0-9a-f]{64}$"))
        assert page.title() != "a message ran"

    @pytest.mark.parametrize("name", ["05_sequences.ipynb", "06_acks_and_keepalive.ipynb"])
    def test_of_time_runs_and_draws(self, page: Page, lab: JupyterLab, name: str) -> None:
        assert failures(run(page, lab, name)) == []
        expect(page.locator(".jp-OutputArea-output .icws-view svg").first).to_be_visible()
        if name.startswith("06"):
            check_sliders(page)

    @pytest.mark.parametrize("name", ["01_first_session.ipynb", "10_your_own_canister.ipynb"])
    def test_of_a_lab_runs_and_draws(self, page: Page, lab: JupyterLab, name: str) -> None:
        """With the explorer among its cells, and the picture of the parties at the start."""
        assert failures(run(page, lab, name)) == []
        parties = page.locator("svg.icws-trust").first
        expect(parties).to_be_visible()
        expect(parties.get_by_text("Trusted by nobody")).to_be_visible()

    def test_a_live_session_is_followed(self, page: Page, lab: JupyterLab) -> None:
        write_notebook(lab, "live.ipynb", IN_A_KERNEL, LIVE_CELL)
        assert failures(run(page, lab, "live.ipynb")) == []
        countdowns = page.locator(".jp-OutputArea-output .widget-html-content").first
        expect(countdowns).to_contain_text("ack time-out", timeout=RUN_MS)
        plot, words = page.locator(".jp-OutputArea-output .icws[tabindex] svg").first, countdowns.inner_text()
        path = "e => e.outerHTML.length + e.outerHTML.slice(-4000)"
        drawn = plot.evaluate(path)
        expect(countdowns).not_to_have_text(words, timeout=ACT_MS)
        page.wait_for_function(
            f"drawn => ({path})(document.querySelector('.jp-OutputArea-output .icws[tabindex] svg')) !== drawn",
            arg=drawn,
            timeout=ACT_MS,
        )
        set_theme(page, "Dark")
        paper = plot.locator("[id^=figure] path").first
        expect(paper).to_have_css("fill", DARK_PAPER, timeout=ACT_MS)

    def test_no_script_of_a_message_runs(self, page: Page, lab: JupyterLab) -> None:
        write_notebook(lab, "hostile.ipynb", "import icws_explore as icws\nfrom icws_explore import edit", HOSTILE_CELL)
        assert failures(run(page, lab, "hostile.ipynb")) == []
        # The same markup, not escaped, does run here: the flag below would be set if a view let it through.
        page.wait_for_function("window.icwsControl === true", timeout=ACT_MS)
        expect(page.locator(".jp-OutputArea-output .icws-view")).to_have_count(10)
        expect(page.locator(".icws-hex").first).to_contain_text("<script>window.icwsRan = true</script>")
        page.locator(".icws-view details").evaluate_all("all => all.forEach(e => { e.open = true; })")
        check_marking(page, page.locator(".icws-hex").first, "sequence_num")
        assert page.evaluate("typeof window.icwsRan") == "undefined"
        assert page.locator(".icws-view script, .icws-view img").count() == 0
