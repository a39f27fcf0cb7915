"""The live panel in a real JupyterLab: a lab by one click, a message through the generated form, an edit, a close.

Each picture that is worth a look is written to out/screenshots.
"""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from icws_explore.notebook.explorer.live.form_values import schema_of, start
from icws_explore.notebook.explorer.live.send_form import SendForm
from icws_explore.protocol import candid
from support.candid_cases import LIST_DID, TREE_DID
from support.jupyter_lab import JupyterLab
from support.notebook_page import ACT_MS, OPEN_MS, open_notebook, set_theme, shot, watch_faults, write_notebook
from support.unhurried_clock import IN_A_KERNEL
from support.widget_page import show_widget

CELL = """
from support.fake_explorer import FakeExplorer
from icws_explore.notebook.explorer.live_panel import live_panel
explorer = FakeExplorer(with_tap=True)
panel = live_panel(explorer)
panel
"""
RUN = """async (count) => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  for (let index = 0; index < count; index += 1) {
    panel.content.activeCellIndex = index;
    await window.jupyterapp.commands.execute('notebook:run-cell');
  }
  const outputs = panel.context.model.toJSON().cells.flatMap((cell) => cell.outputs);
  return outputs.filter((output) => output.output_type === 'error').map((output) => output.evalue);
}"""
BUSY_CELL = """
import time
from pathlib import Path
panel.message.say("note", "a cell computes")  # sent by the main shell, which will be busy
print("computing", flush=True)
while not Path("enough").exists():
    time.sleep(0.05)
print("done")
"""
RUN_LAST = """() => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""
# Elements of the panel whose text does not fit into them. Fields and lists scroll, and so may be longer.
CUT = """() => [...document.querySelectorAll('.icws-lp *')]
  .filter((e) => e.clientWidth > 0 && !['TEXTAREA', 'INPUT', 'SELECT'].includes(e.tagName))
  .filter((e) => getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1)
  .map((e) => `${e.className}: ${e.textContent.slice(0, 60)}`)"""
BEYOND = """() => [...document.querySelectorAll('.icws-lp *')].filter((e) => {
  const box = e.getBoundingClientRect();
  const panel = e.closest('.icws-lp').getBoundingClientRect();
  return box.width > 0 && e.namespaceURI.endsWith('xhtml') && box.right > panel.right + 2;
}).map((e) => e.className)"""


def open_panel(page: Page, lab: JupyterLab, name: str, *more: str) -> None:
    """Open a new notebook that shows the panel, and run its first cells; those of ``more`` wait."""
    write_notebook(lab, name, IN_A_KERNEL, CELL, *more)
    open_notebook(page, lab, name)
    page.set_default_timeout(OPEN_MS)
    assert page.evaluate(RUN, 2) == []
    page.set_default_timeout(ACT_MS)


def picture(page: Page, name: str) -> None:
    """Write what the page shows, and check that no text of the panel is cut and nothing sticks out of it."""
    shot(page, name)
    assert page.evaluate(CUT) == []
    assert page.evaluate(BEYOND) == []


def send_an_order(page: Page) -> None:
    """Fill the generated form, partly through the text beside it, and wait for the reply."""
    form = page.get_by_role("group", name="Send a message")
    form.get_by_label("note", exact=True).fill("two tins")
    form.get_by_label("amount: present").check()
    amount = form.get_by_label("amount value", exact=True)
    amount.fill("18446744073709551616")
    expect(form.get_by_role("alert").filter(has_text="nat64 goes from 0")).to_be_visible()
    amount.fill("18446744073709551615")
    form.get_by_label("side: case").select_option(label="sell")
    form.get_by_label("price", exact=True).fill("2.5")
    expect(form.get_by_label("JSON", exact=True)).to_have_value(re.compile('"price": 2.5'))
    text = form.get_by_label("Candid text", exact=True)
    expect(text).to_have_value(re.compile("amount = opt 18446744073709551615"))
    text.fill(text.input_value().replace("two tins", "three tins"))
    note = form.get_by_label("note", exact=True)
    expect(note).to_have_value("three tins")
    note.press("Control+Enter")
    expect(form.get_by_role("log")).to_contain_text("three tins")
    expect(form.get_by_role("log")).to_contain_text("price: 2.5")
    form.scroll_into_view_if_needed()


def edit_and_close(page: Page, name: str) -> None:
    """Change a field of the message that was sent, and close the session with a code and a reason."""
    page.get_by_role("tab", name="Raw, close").click()
    raw = page.get_by_role("group", name="Raw frames and closing")
    number = raw.get_by_label("frame", exact=True)
    number.fill("3")
    number.press("Enter")
    expect(raw).to_contain_text("frame 3: message, sent by the client")
    raw.get_by_label("field", exact=True).select_option("envelope.content.arg.msg.sequence_num")
    value = raw.get_by_label("value", exact=True)
    value.fill("99")
    value.press("Enter")
    expect(raw).to_contain_text("caught by signature")
    raw.get_by_role("button", name="Close the session").scroll_into_view_if_needed()
    picture(page, name)
    raw.get_by_label("code", exact=True).select_option("other")
    raw.get_by_label("Other close code").fill("4123")
    raw.get_by_label("reason").fill("enough")
    raw.get_by_role("button", name="Close the session").click()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
class TestInJupyterLab:
    @pytest.mark.parametrize("theme", ["Light", "Dark"])
    @pytest.mark.parametrize("width", [1024, 1600])
    def test_connects_sends_and_closes(
        self, page: Page, lab: JupyterLab, theme: Literal["Light", "Dark"], width: int
    ) -> None:
        faults = watch_faults(page)
        name = f"live-{theme.lower()}-{width}"
        page.set_viewport_size({"width": width, "height": 1100})
        open_panel(page, lab, f"{name}.ipynb")
        set_theme(page, theme)

        app = page.get_by_label("own app")
        app.fill("orders.py")
        picture(page, f"{name}-1-connect")
        app.press("Enter")
        state = page.get_by_role("group", name="State of the client")
        expect(state.get_by_role("status")).to_contain_text("open: the canister has opened")
        expect(state.locator("[data-state=open]")).to_have_class(re.compile("icws-lp-lit"))
        expect(state.get_by_role("group", name="Time-outs")).to_contain_text("certificate age")

        send_an_order(page)
        expect(state.get_by_role("group", name="Time-outs")).to_contain_text("ack time-out")
        picture(page, f"{name}-2-sent")

        edit_and_close(page, f"{name}-3-raw")
        expect(state).to_contain_text("closed with 4123 enough")
        page.get_by_role("tab", name="Connection").click()
        expect(page.get_by_role("button", name="Connect to this lab")).to_be_visible()
        state.scroll_into_view_if_needed()
        picture(page, f"{name}-4-closed")

        page.get_by_role("tab", name="Canister").click()
        for button, said in (("stop", "stopped: it takes no calls"), ("reinstall", "has forgotten everything")):
            page.get_by_role("button", name=button, exact=True).click()
            expect(page.locator(".icws-canister")).to_contain_text(said, timeout=ACT_MS)
        page.locator(".icws-canister").scroll_into_view_if_needed()
        picture(page, f"{name}-5-canister")
        assert faults == []

    def test_works_by_keyboard_alone_and_no_key_reaches_the_notebook(self, page: Page, lab: JupyterLab) -> None:
        open_panel(page, lab, "live-keyboard.ipynb")
        cells = page.locator(".jp-Notebook-cell").count()
        page.get_by_role("button", name="Start a lab with echo and connect").press("Enter")
        note = page.get_by_role("group", name="Send a message").get_by_label("text", exact=True)
        expect(note).to_be_visible(timeout=ACT_MS)
        expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled(timeout=ACT_MS)
        note.focus()
        page.keyboard.type("abdd m y")  # in command mode these insert, delete and change cells
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Send", exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("log")).to_contain_text("abdd m y")
        page.get_by_role("tab", name="Raw, close").press("Enter")
        for key in ("b", "a", "d", "d"):
            page.get_by_role("button", name="Close the session").press(key)
        assert page.locator(".jp-Notebook-cell").count() == cells

    def test_hears_the_page_while_a_cell_computes(self, page: Page, lab: JupyterLab) -> None:
        open_panel(page, lab, "live-busy.ipynb", BUSY_CELL)
        page.get_by_role("button", name="Start a lab with echo and connect").click()
        send = page.get_by_role("button", name="Send", exact=True)
        expect(send).to_be_enabled()
        page.get_by_role("group", name="Send a message").get_by_label("text", exact=True).fill("before")
        send.click()
        expect(page.get_by_role("log")).to_contain_text("before")
        page.evaluate(RUN_LAST)
        expect(page.locator(".jp-OutputArea-output", has_text="computing")).to_be_visible()
        page.get_by_role("group", name="Send a message").get_by_label("text", exact=True).fill("meanwhile")
        send.click()
        expect(page.get_by_role("log")).to_contain_text("meanwhile")
        (lab.folder / "notebooks" / "enough").touch()
        expect(page.locator(".jp-OutputArea-output", has_text="done")).to_be_visible()

    def test_hostile_text_is_shown_as_text(self, page: Page, lab: JupyterLab) -> None:
        faults = watch_faults(page)
        open_panel(page, lab, "live-hostile.ipynb")
        page.get_by_role("button", name="Start a lab with echo and connect").click()
        form = page.get_by_role("group", name="Send a message")
        expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled(timeout=ACT_MS)
        form.get_by_label("text", exact=True).fill("<img src=x onerror='window.ran=1'>")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("log")).to_contain_text("<img src=x")
        assert page.evaluate("window.ran") is None
        assert page.locator(".icws-lp img").count() == 0
        assert faults == []


TYPES = {
    "tree": TREE_DID,
    "list": LIST_DID,
    "branch first": "type Tree = variant { branch : record { left : Tree; right : Tree }; leaf : nat };",
    "everything": "record { a : opt opt text; b : vec record { blob; principal }; c : variant { x : float32; y }; "
    "d : func () -> (); e : reserved; f : null; g : bool; h : int8 }",
    "endless": "type A = record { a : A; b : nat };",
}


@pytest.mark.browser
@pytest.mark.slow
class TestTheForm:
    def test_begins_in_the_page_as_it_does_in_python(self, page: Page) -> None:
        show_widget(page, SendForm("nat"))
        for name, text in TYPES.items():
            schema = schema_of(candid.parse_type(text))
            found = page.evaluate("(nodes) => window.widget.start(nodes, 0)", list(schema.nodes))
            assert found == start(schema), name
        doubling = "type T40 = nat;" + "".join(
            f"type T{i} = record {{ a : T{i + 1}; b : T{i + 1} }};" for i in range(39, -1, -1)
        )
        schema = schema_of(candid.parse_did(doubling).types["T0"])
        assert page.evaluate("(nodes) => window.widget.start(nodes, 0)", list(schema.nodes)) == start(schema)

    def test_of_recursive_types_grows_on_demand(self, page: Page) -> None:
        form = SendForm(TREE_DID)
        show_widget(page, form)
        page.get_by_label("value: case").select_option(label="branch")
        page.get_by_label("left: case").select_option(label="branch")
        page.get_by_label("left leaf", exact=True).fill("7")
        expect(page.get_by_label("JSON", exact=True)).to_have_value(re.compile('"leaf": 7'))
        inner = {"branch": {"left": {"leaf": 7}, "right": {"leaf": 0}}}
        assert form.value == {"branch": {"left": inner, "right": {"leaf": 0}}}

    def test_items_are_added_and_removed_by_keyboard(self, page: Page) -> None:
        form = SendForm("record { tags : vec text; data : blob }")
        show_widget(page, form)
        add = page.get_by_role("button", name="Add an item to tags")
        for text in ("one", "two"):
            add.press("Enter")
            page.keyboard.type(text)
        page.get_by_role("button", name="Remove item 0 of tags").press("Enter")
        page.get_by_label("data: written as").select_option(label="text")
        page.get_by_label("data", exact=True).fill("é")
        page.get_by_label("data: written as").select_option(label="hex")
        expect(page.get_by_label("JSON", exact=True)).to_have_value(re.compile('"data": "0xc3a9"'))
        assert form.value == {"tags": ["two"], "data": "é".encode()}

    def test_draws_the_first_of_very_many_fields(self, page: Page) -> None:
        fields = "; ".join(f"field_{number} : nat" for number in range(900))
        form = SendForm(
            f"record {{ {fields}; many : vec nat }}", value={f"field_{n}": n for n in range(900)} | {"many": []}
        )
        show_widget(page, form)
        assert page.get_by_label(re.compile("^field_")).count() == 200
        page.get_by_role("button", name="Show more of value").press("Enter")
        page.get_by_label("field_399", exact=True).fill("7")
        expect(page.get_by_label("JSON", exact=True)).to_have_value(re.compile('"field_399": 7'))
        assert form.value["field_899"] == 899

    def test_of_a_hundred_fields_is_one_widget(self, page: Page) -> None:
        fields = "; ".join(f"field_{number} : nat" for number in range(105))
        show_widget(page, SendForm(f"record {{ {fields} }}"))
        expect(page.get_by_label("field_104", exact=True)).to_be_visible()

    def test_an_answer_to_an_earlier_edit_does_not_undo_what_is_being_typed(self, page: Page) -> None:
        form = SendForm("record { a : text; b : text }")
        show_widget(page, form)
        page.get_by_label("a", exact=True).fill("first")
        expect(page.get_by_label("JSON", exact=True)).to_have_value(re.compile("first"))
        page.evaluate("() => { window.hold = true; }")  # answers wait
        page.get_by_label("a", exact=True).fill("second")
        page.wait_for_function("window.held.some((news) => news.contents[0] === 'second')")
        page.get_by_label("b", exact=True).fill("typed meanwhile")
        page.evaluate("() => window.release()")
        expect(page.get_by_label("b", exact=True)).to_have_value("typed meanwhile")
        expect(page.get_by_label("JSON", exact=True)).to_have_value(re.compile("typed meanwhile"))
        assert form.value == {"a": "second", "b": "typed meanwhile"}
