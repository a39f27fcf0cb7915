"""The tab of parties: what it draws, where it looks, and what a click on a message does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.lab import Lab
from icws_explore.notebook.explorer.parties_panel import MESSAGES
from support.explorer_scene import WAIT_S, explored, growing, open_comms
from support.machine import ROOT
from support.session_captures import healthy
from support.timing_captures import two_hours

HEALTHY = ROOT / "data" / "sessions" / "healthy.icws"


async def settled(panel: Any) -> None:
    """Wait until the panel has drawn what it was asked for."""
    await asyncio.wait_for(panel.newest.wait(), WAIT_S)


class TestOfAFile:
    async def test_begins_at_the_start_and_says_what_is_not_known(self) -> None:
        with explored(HEALTHY) as explorer:
            panel = explorer.panel("Parties")
            await settled(panel)
            assert panel.picture.svg.startswith("<svg")
            assert "icws-frame-0-label" in panel.picture.svg
            assert panel.place.value == "1 to 17 of 17 messages"
            assert "<!--" not in panel.picture.svg  # matplotlib repeats each label in a comment
            assert "holds only the client" in panel.notice.value
            assert panel.clients.layout.display == "none"

    async def test_a_click_selects_the_frame(self) -> None:
        with explored(HEALTHY) as explorer:
            panel = explorer.panel("Parties")
            panel.picture._handle_custom_msg({"type": "link", "frame": 4}, [])
            assert explorer.selected == 4
            await settled(panel)
            assert panel.picture.selected == 4

    async def test_goes_to_later_messages_and_to_the_selected_one(self) -> None:
        capture = two_hours()
        assert len(capture) > 3 * MESSAGES
        with explored(Recording(capture)) as explorer:
            explorer.frame_list.live = False
            panel = explorer.panel("Parties")
            panel.move_to(0)
            await settled(panel)
            assert panel.place.value.startswith(f"1 to {MESSAGES} of ")
            assert panel.earlier.disabled
            panel.later.click()
            await settled(panel)
            assert panel.place.value.startswith(f"{MESSAGES + 1} to {2 * MESSAGES} of ")
            explorer.select(len(capture) - 1)
            await settled(panel)
            assert f"icws-frame-{len(capture) - 1}-label" in panel.picture.svg
            panel.last.click()
            await settled(panel)
            assert panel.last.disabled

    async def test_what_cannot_be_drawn_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object, **__: object) -> None:
            raise ValueError("<b>no</b>")

        with explored(HEALTHY) as explorer:
            monkeypatch.setattr("icws_explore.notebook.explorer.parties_panel.passages", fails)
            panel = explorer.panel("Parties")
            await settled(panel)
            assert "ValueError: &lt;b&gt;no" in panel.notice.value


class TestLive:
    async def test_follows_a_recording_that_grows(self) -> None:
        capture, until = growing(healthy(), begin=3)
        with explored(Recording(capture)) as explorer:
            panel = explorer.panel("Parties")
            await settled(panel)
            assert panel.place.value == "1 to 3 of 3 messages"
            until(6)
            while explorer.index.take():
                pass
            panel.draw()
            await settled(panel)
            assert panel.place.value == "1 to 6 of 6 messages"

    async def test_of_a_lab_shows_the_gateways_times_and_a_lane_for_each_client(self, chat: Lab) -> None:
        with icws.explore(chat) as explorer:
            assert explorer.tap is not None
            url = explorer.tap.url
            sessions = [
                await icws.connect(url, network=chat.network_url, canister=chat.canister_id, clock=chat.clock)
                for _ in range(2)
            ]
            await sessions[0].send({"JoinedChat": "Ada"})
            for session in sessions:
                await session.receive(timeout=WAIT_S)
            panel = explorer.panel("Parties")
            async with asyncio.timeout(WAIT_S):
                while "app 2 of client 2: canister" not in panel.picture.words:
                    panel.draw()
                    await settled(panel)
                    await asyncio.sleep(0.05)
            line = next(w for w in panel.picture.words.splitlines() if "app 2 of client 2" in w)
            assert line.count("→") == 2
            assert panel.notice.value == ""
            names = [name for name, _ in panel.clients.options]
            assert names == ["all clients", "client 1", "client 2"]
            panel.clients.value = ("2",)
            await settled(panel)
            assert "of client 1" not in panel.picture.words
            for session in sessions:
                await session.close()


async def test_leaves_nothing_behind() -> None:
    before = open_comms()
    with explored(HEALTHY) as explorer:
        panel = explorer.panel("Parties")
        await settled(panel)
        panel.update()  # plans the next picture
    assert open_comms() == before
    assert panel._due is None
    panel.draw()
    panel.update()
    assert panel._due is None


@pytest.fixture
def chat() -> Iterator[Lab]:
    with Lab(app="chat", time_scale=60, seed=4) as running:
        yield running
