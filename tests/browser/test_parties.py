"""The tab of parties in a real JupyterLab: a chat of two clients, seen at each party; a click selects a frame."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from support.jupyter_lab import JupyterLab
from support.notebook_page import EXECUTE, check_nothing_is_cut, opened, set_theme, shot, tab, title, watch_faults
from support.unhurried_clock import IN_A_KERNEL

CHAT = """
import asyncio
import icws_explore as icws
lab = icws.Lab(app="chat", time_scale=20, seed=3).start()
explorer = icws.explore(lab)
explorer
"""
TALK = """
ada, bob = [
    await icws.connect(
        explorer.tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock,
        ack_interval_ms=lab.ack_interval_ms,
    )
    for _ in range(2)
]
await ada.send({"JoinedChat": "Ada"})
for one in (ada, bob):
    await one.receive(timeout=120)
await bob.send({"GroupMessage": {"name": "Bob", "message": "<img src=x onerror='window.ran=1'>", "isTyping": False}})
for one in (ada, bob):
    await one.receive(timeout=120)
"""
LOSE = """
lab.faults.on("SEQUENCE_GAP_DOWN")
try:
    for _ in range(8):
        await ada.send({"JoinedChat": "again"})
        await ada.receive(timeout=120)
except icws.IcwsError as error:
    print(type(error).__name__)
"""
VIEW = "document.querySelector('.icws-parties svg')?.viewBox.baseVal.width"
WIDE, NARROW = f"() => {VIEW} > 700", f"() => {VIEW} < 500"  # points: the drawing follows the room that it has
SHOWN: tuple[tuple[Literal["Light", "Dark"], int], ...] = (
    ("Light", 1600),
    ("Dark", 1600),
    ("Light", 1024),
    ("Dark", 1024),
)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_shows_a_chat_at_every_party(page: Page, lab: JupyterLab) -> None:
    faults = watch_faults(page)
    explorer = opened(page, lab, "parties", IN_A_KERNEL, CHAT)
    tab(explorer, "Parties")
    assert page.evaluate(EXECUTE, TALK) == ""
    picture = explorer.locator(".icws-parties svg")
    label = picture.locator("[data-part=label][aria-label*='app 3 of client 2']")
    expect(label).to_be_visible()
    expect(label).to_have_attribute("aria-label", re.compile("canister .* → gateway .* → client "))
    label.click()
    frame = label.get_attribute("data-frame")
    expect(title(explorer)).to_have_text(f"frame {frame}")
    expect(label).to_have_attribute("aria-pressed", "true")
    # By keyboard, and from the list to the picture.
    first = picture.locator("[data-part=label]").first
    first.focus()
    page.keyboard.press("Enter")
    expect(title(explorer)).to_have_text(f"frame {first.get_attribute('data-frame')}")
    expect(label).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("window.ran") is None
    assert picture.locator("img, script").count() == 0

    assert "SessionClosedError" in page.evaluate(EXECUTE, LOSE)
    for theme, width in SHOWN:
        page.set_viewport_size({"width": width, "height": 1000})
        set_theme(page, theme)
        page.wait_for_function(NARROW if width == 1024 else WIDE)
        explorer.locator(".icws-parties").scroll_into_view_if_needed()
        check_nothing_is_cut(explorer)
        shot(page, f"parties-{theme.lower()}-{width}")
    explorer.get_by_role("button", name="first", exact=True).click()
    expect(explorer.locator(".widget-html-content", has_text="1 to ")).to_be_visible()
    said = page.evaluate(EXECUTE, "explorer.close(); lab.stop(); print(lab.running)")
    assert said.strip() == "False"
    assert faults == []
