"""A user's way through the explorer in a real JupyterLab, from the start page to a closed explorer, by one test.

Once by mouse, once by keyboard alone, which goes from control to control with the tabulator key as a user does. Each
writes a picture of each station to out/screenshots.
"""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

import icws_explore as icws
from support.jupyter_lab import JupyterLab
from support.notebook_page import (
    EXECUTE,
    check_nothing_is_cut,
    opened,
    re_word,
    row,
    set_theme,
    shot,
    title,
    watch_faults,
)
from support.unhurried_clock import IN_A_KERNEL

START = "import icws_explore as icws\nexplorer = icws.explore()\nexplorer"
MOST_TABS = 120
# The key that leads from what is focused towards a control; "" on the control.
WAY = """wanted => { const here = document.activeElement;
  if (here === wanted) return "";
  return wanted.compareDocumentPosition(here) & Node.DOCUMENT_POSITION_FOLLOWING ? "Shift+Tab" : "Tab"; }"""
CLOSE = """
import ipywidgets, threading
running = explorer.lab
explorer.close()
left = [t.name for t in threading.enumerate() if t.name.startswith("icws-explorer") and not t.join(30) and t.is_alive()]
print(len(ipywidgets.widgets.widget._instances), left, running is None or running.running)
"""


class Mouse:
    """What a user does with a control, by mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, control: Locator) -> None:
        control.click()

    def write(self, field: Locator, text: str) -> None:
        field.fill(text)

    def check(self, box: Locator) -> None:
        box.click()

    def choose(self, select: Locator, label: str) -> None:
        select.select_option(label=label)

    def choose_line(self, line: Locator) -> None:
        """A field of the selected frame; pointing at it marks its bytes."""
        line.hover()
        expect(line.page.locator(".icws-pairs i.icws-pointed").first).to_be_visible()
        line.click()

    def choose_row(self, explorer: Locator, number: int) -> None:
        row(explorer, number).click()


class Keyboard(Mouse):
    """The same by keyboard: nothing is focused except by keys."""

    def reach(self, control: Locator) -> None:
        """Go to a control with the tabulator key, forwards or backwards."""
        expect(control).to_be_visible()
        for _ in range(MOST_TABS):
            way = control.evaluate(WAY)
            if not way:
                return
            self.page.keyboard.press(way)
        raise AssertionError(f"{control} is not reached with the tabulator key")

    def press(self, control: Locator) -> None:
        expect(control).to_be_enabled()
        if control.get_attribute("role") == "tab":
            self.reach_tab(control)
        else:
            self.reach(control)
        self.page.keyboard.press("Enter")

    def reach_tab(self, wanted: Locator) -> None:
        """To the tab of its row that the tabulator key leads to, and on with the arrow keys."""
        row_of_tabs = wanted.locator("xpath=ancestor::*[@role='tablist'][1]")
        self.reach(row_of_tabs.locator("[role=tab][tabindex='0']").first)
        for _ in range(row_of_tabs.get_by_role("tab").count()):
            if wanted.evaluate("e => e === document.activeElement"):
                return
            self.page.keyboard.press("ArrowRight")
        raise AssertionError(f"{wanted} is not reached with the arrow keys")

    def write(self, field: Locator, text: str) -> None:
        self.reach(field)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def check(self, box: Locator) -> None:
        self.reach(box)
        self.page.keyboard.press("Space")

    def choose(self, select: Locator, label: str) -> None:
        self.reach(select)
        self.page.keyboard.press("Home")
        for _ in range(select.locator("option").count()):
            if select.evaluate("e => e.selectedOptions[0].textContent") == label:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{label} is not chosen with the arrow keys")

    def choose_line(self, line: Locator) -> None:
        self.reach(line.page.get_by_role("tree", name="fields"))
        for _ in range(MOST_TABS):
            self.page.keyboard.press("ArrowDown")
            if "icws-chosen" in (line.get_attribute("class") or ""):
                return
        raise AssertionError("the field is not reached with the arrow keys")

    def choose_row(self, explorer: Locator, number: int) -> None:
        self.reach(explorer.get_by_role("grid", name="frames"))
        self.page.keyboard.press("Home")
        while int(title(explorer).inner_text().split()[1]) < number:
            before = title(explorer).inner_text()
            self.page.keyboard.press("ArrowDown")
            expect(title(explorer)).not_to_have_text(before)


class Journey:
    """The stations, in order. Each leaves a picture."""

    def __init__(self, page: Page, explorer: Locator, name: str, hands: Mouse) -> None:
        self.page = page
        self.explorer = explorer
        self.name = name
        self.hands = hands
        self.pictures = 0

    def picture(self, words: str, at: Locator | None = None) -> None:
        if at is not None:
            at.scroll_into_view_if_needed()
        self.pictures += 1
        shot(self.page, f"journey-{self.name}-{self.pictures:02}-{words}")
        check_nothing_is_cut(self.explorer)
        cut = self.explorer.locator(".lm-TabBar-tabLabel:visible, .icws-comparison .icws-wide").evaluate_all(
            "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 40))"
        )
        assert cut == []

    def tab(self, name: str) -> None:
        """Bring a tab below the frames to the front."""
        self.hands.press(self.explorer.locator(".icws-tabs-below").first.get_by_role("tab", name=name, exact=True))

    def detail_tab(self, name: str) -> None:
        self.hands.press(self.explorer.locator(".icws-detail").get_by_role("tab", name=name))

    def select_newest(self, where: str) -> None:
        """Filter the list by typing, and select the last row."""
        field = self.explorer.locator(".icws-where")
        self.hands.write(field, where)
        self.page.keyboard.press("Enter")
        expect(self.explorer.locator(".icws-counted")).to_contain_text(" of ")
        self.hands.press(self.explorer.get_by_role("grid", name="frames"))
        self.page.keyboard.press("End")
        expect(title(self.explorer)).to_be_visible()

    def start(self) -> None:
        self.picture("start")
        self.hands.press(self.explorer.get_by_role("button", name="Start a lab", exact=True))
        expect(self.explorer.get_by_label("own app")).to_be_visible()
        self.picture("lab", self.explorer.get_by_label("own app"))

    def connect(self) -> None:
        self.hands.choose(self.explorer.get_by_label("clock", exact=True), "real time")
        self.hands.write(self.explorer.get_by_label("own app"), "orders.py")
        self.page.keyboard.press("Enter")
        state = self.explorer.get_by_role("group", name="State of the client")
        expect(state.get_by_role("status")).to_contain_text("open: the canister has opened")
        self.picture("connected", state)

    def send(self, note: str, *, times: int = 1) -> None:
        """Send an order through the generated form."""
        self.tab("Live")
        form = self.explorer.get_by_role("group", name="Send a message")
        self.hands.write(form.get_by_label("note", exact=True), note)
        if not form.get_by_label("amount: present").is_checked():
            self.hands.check(form.get_by_label("amount: present"))
        self.hands.write(form.get_by_label("amount value", exact=True), "12")
        self.hands.choose(form.get_by_label("side: case"), "sell")
        self.hands.write(form.get_by_label("price", exact=True), "2.5")
        expect(form.get_by_label("JSON", exact=True)).to_have_value(re.compile(note))
        for _ in range(times):
            self.hands.press(form.get_by_role("button", name="Send", exact=True))

    def read(self) -> None:
        """The reply: its row, a field's bytes, and its proof up to the root key."""
        self.send("two tins")
        form = self.explorer.get_by_role("group", name="Send a message")
        expect(form.get_by_role("log")).to_contain_text("two tins")
        self.picture("sent", form)
        self.select_newest("kind == 'app'")
        expect(self.explorer.locator(".icws-said")).to_contain_text("two tins")
        self.detail_tab("Fields")
        field = self.explorer.locator(".icws-line", has_text="sequence_num").first
        self.hands.choose_line(field)
        expect(self.explorer.locator(".icws-pairs i.icws-chosen").first).to_be_visible()
        self.picture("field", self.explorer.locator(".icws-panes"))
        self.detail_tab("Proof")
        expect(self.explorer.locator(".icws-step.icws-passed")).to_have_count(9)
        last = self.explorer.locator(".icws-step", has_text="root key").last
        expect(last).to_have_class(re_word("icws-passed"))
        self.hands.press(self.explorer.locator(".icws-trees > summary"))
        expect(self.explorer.locator(".icws-drawn svg")).to_be_visible()
        self.picture("proof", last)

    def switch_a_fault_on(self) -> None:
        self.tab("Faults")
        fault = self.explorer.locator("label.fault", has_text="SEQUENCE_GAP_DOWN")
        self.hands.write(self.explorer.get_by_label("find a fault"), "sequence_gap_down")
        self.hands.check(fault.locator("input"))
        expect(fault.locator(".state")).to_contain_text("on")
        self.send("one of five", times=5)  # it acts on the fourth
        self.tab("Faults")
        expect(fault.locator(".state")).to_contain_text("acted once")
        self.picture("fault", fault)
        self.hands.check(fault.locator("input"))
        expect(fault.locator("input")).not_to_be_checked()
        self.tab("Findings")
        finding = self.explorer.locator(".icws-findings .icws-card", has_text="SEQUENCE_GAP_DOWN")
        expect(finding).to_be_visible()
        self.picture("finding", finding)

    def hold_and_edit(self) -> None:
        self.tab("Live")
        self.hands.press(self.explorer.get_by_role("tab", name="Connection"))
        self.hands.press(self.explorer.get_by_role("button", name="Connect to this lab"))
        state = self.explorer.get_by_role("group", name="State of the client")
        expect(state.get_by_role("status")).to_contain_text("open: the canister has opened")
        self.tab("Faults")
        panel = self.explorer.locator(".icws-fp")
        self.sign_again(panel)
        self.hold(panel, "kind == 'app'", "honest")
        self.edit(panel, "content.content.note", "'honest'", "'pwned!'")
        expect(panel.get_by_role("button", name="Sign again")).to_have_count(0)  # who could sign for the subnet?
        self.picture("held", panel)
        self.hands.press(panel.get_by_role("button", name="Forward edited"))
        expect(panel.locator(".done")).to_contain_text("edited and forwarded")
        self.hands.press(panel.get_by_role("button", name="Release and end"))
        self.tab("Findings")
        finding = self.explorer.locator(".icws-findings .icws-card", has_text="BODY_HASH")
        expect(finding).to_be_visible()
        self.hands.press(finding.locator("button.icws-link").first)
        expect(self.explorer.locator(".icws-said")).to_contain_text("pwned!")
        self.detail_tab("Proof")
        expect(self.explorer.locator(".icws-step.icws-failed b")).to_have_text("body")
        self.picture("caught", self.explorer.locator(".icws-panes"))

    def hold(self, panel: Locator, where: str, note: str) -> None:
        """Hold the next message that fits, and select it."""
        self.hands.write(panel.get_by_label("hold frames where"), where)
        self.hands.press(panel.get_by_role("button", name="Hold", exact=True))
        expect(panel.locator(".hold")).to_have_count(1)
        self.send(note)
        self.tab("Faults")
        held = panel.locator(".held tbody tr").first
        expect(held).to_contain_text(note)
        self.hands.check(held.locator("input"))

    def edit(self, panel: Locator, path: str, was: str, now: str) -> None:
        """Give a field of the held frame another value."""
        self.hands.choose(panel.get_by_label("field", exact=True), path)
        value = panel.get_by_label("new value")
        expect(value).to_have_value(was)
        self.hands.write(value, now)
        self.hands.press(panel.get_by_role("button", name="Set", exact=True))
        expect(panel.get_by_role("button", name="Forward edited")).to_be_visible()

    def sign_again(self, panel: Locator) -> None:
        """A message of the client's is edited on its way, and signed again: the canister takes it."""
        self.hold(panel, "kind == 'message'", "one tin")
        self.edit(panel, "envelope.content.arg.msg.content.note", "'one tin'", "'ten tins'")
        self.hands.press(panel.get_by_role("button", name="Sign again"))
        expect(panel.locator(".signed")).to_have_text("signed again by the session's identity")
        self.picture("signed", panel)
        self.hands.press(panel.get_by_role("button", name="Forward edited"))
        expect(panel.locator(".done")).to_contain_text("edited and forwarded")
        self.hands.press(panel.get_by_role("button", name="Release and end"))
        expect(panel.locator(".hold")).to_have_count(0)
        self.tab("Live")
        expect(self.explorer.get_by_role("group", name="Send a message").get_by_role("log")).to_contain_text("ten tins")
        self.tab("Faults")

    def compare(self) -> None:
        self.tab("Compare")
        self.hands.write(self.explorer.get_by_label("compare with"), "../data/sessions/healthy.icws")
        self.page.keyboard.press("Enter")
        first = self.explorer.get_by_role("button", name="the first difference")
        expect(first).to_be_visible()
        comparison = self.explorer.locator(".icws-comparison")
        expect(comparison).to_contain_text("healthy.icws")
        self.picture("compared", comparison)
        assert comparison.locator("tr.icws-first button").count() == 1
        self.hands.press(first)
        frame = re.search(r"frame (\d+)", first.inner_text())
        assert frame is not None
        expect(title(self.explorer)).to_have_text(frame[0])

    def export_and_load(self, lab: JupyterLab) -> None:
        self.tab("Export")
        with self.page.expect_download() as download:
            self.hands.press(self.explorer.get_by_role("button", name="HAR (.har)"))
        self.picture("exported", self.explorer.locator(".icws-export"))
        har = lab.folder / "notebooks" / f"{self.name}.har"
        download.value.save_as(har)
        frames = len(icws.load(har).raw)
        assert frames > 10
        self.hands.press(self.explorer.get_by_role("button", name="open another"))
        self.picture("another")
        self.hands.write(self.explorer.get_by_role("textbox", name="path", exact=True), har.name)
        self.hands.press(self.explorer.get_by_role("button", name="Open the file"))
        expect(self.explorer.locator(".icws-top")).to_contain_text(har.name)
        self.hands.press(self.explorer.get_by_role("button", name="remove the filter"))
        expect(self.explorer.locator(".icws-counted")).to_have_text(f"{frames} frames")
        self.hands.choose_row(self.explorer, 3)
        expect(title(self.explorer)).to_have_text("frame 3")
        self.picture("loaded")

    def close(self) -> None:
        assert self.page.evaluate(EXECUTE, CLOSE).strip() == "0 [] True"
        expect(self.page.locator(".icws-explorer")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("theme", "width", "height", "way"),
    [
        ("Light", 1600, 1000, Mouse),
        ("Dark", 1024, 768, Mouse),
        ("Light", 1024, 768, Keyboard),
        ("Dark", 1600, 1000, Keyboard),
    ],
)
def test_leads_from_a_lab_to_a_tampered_message(
    page: Page, lab: JupyterLab, theme: Literal["Light", "Dark"], width: int, height: int, way: type[Mouse]
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    faults = watch_faults(page)
    name = f"{theme.lower()}-{width}-{way.__name__.lower()}"
    explorer = opened(page, lab, name, IN_A_KERNEL, START)
    set_theme(page, theme)
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    explorer.locator("select").first.focus()
    journey = Journey(page, explorer, name, way(page))
    journey.start()
    journey.connect()
    journey.read()
    journey.switch_a_fault_on()
    journey.hold_and_edit()
    journey.compare()
    journey.export_and_load(lab)
    journey.close()
    assert faults == []
