from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from icws_explore.analysis.recording import load
from icws_explore.lab import Lab
from icws_explore.live.connect import connect
from icws_explore.notebook.explorer.live_panel import CONNECTION, MESSAGE, NO_SESSION, LivePanel, live_panel
from icws_explore.protocol import candid
from support.fake_explorer import FakeExplorer
from support.lab_requests import eventually
from support.machine import ROOT

pytestmark = pytest.mark.usefixtures("nothing_left_open")


@asynccontextmanager
async def panel_of(explorer: FakeExplorer) -> AsyncIterator[LivePanel]:
    panel = live_panel(explorer)
    try:
        yield panel
    finally:
        panel.close()
        await explorer.end()


def tell(form: Any, **message: Any) -> None:
    form._handle_custom_msg(message, [])


class TestWithoutASession:
    async def test_asks_to_connect(self) -> None:
        async with panel_of(FakeExplorer()) as panel:
            assert panel.tabs.selected_index == CONNECTION
            assert panel.message.refusal == panel.raw.refusal == NO_SESSION
            assert panel.state.state == ""

    async def test_begins_with_the_parties_of_a_recording(self) -> None:
        explorer = FakeExplorer()
        async with panel_of(explorer) as panel:
            explorer.open(load(ROOT / "data" / "sessions" / "healthy.icws"))
            assert explorer.recording is not None
            assert panel.connection.known["canister"] == explorer.recording.info.canister_id


class TestAWholeRound:
    async def test_from_the_first_click_to_the_close(self) -> None:
        explorer = FakeExplorer(with_tap=True)
        async with panel_of(explorer) as panel:
            tell(panel.connection, do="lab", app="chat", scale=60, fields={})
            await eventually(lambda: panel.connection.status[0] in ("good", "bad"))
            assert panel.connection.status[0] == "good"
            await eventually(lambda: panel.message.refusal == "")
            assert panel.tabs.selected_index == MESSAGE
            assert panel.connection.lab == "chat, clock × 60"
            assert explorer.tap is not None
            assert explorer.session is not None
            assert explorer.session.recording.info.gateway_url == explorer.tap.url

            contents = {"case": 0, "value": ["Zoë", "hello", False]}
            tell(panel.message, do="form", contents=contents, n=1)
            tell(panel.message, do="send")
            await eventually(lambda: panel.message.replies)
            ((number, text),) = panel.message.replies
            assert "Zoë" in text
            assert explorer.recording is not None
            assert explorer.recording[number].kind == "app"  # its number in the tap's recording
            tell(panel.message, do="select", frame=number)
            assert explorer.selected == number

            tell(panel.raw, do="close", code=4123, reason="enough")
            await eventually(lambda: panel.state.state == "closed")
            await eventually(lambda: panel.message.refusal == "the session is closed: see Findings, connect again")
            assert panel.state.ending == "closed with 4123 enough"
            assert panel.raw.refusal == panel.message.refusal

            tell(panel.connection, do="connect to the lab", fields={})
            await eventually(lambda: panel.message.refusal == "")
            assert panel.message.contents == contents  # the same type: what was typed stays

    async def test_an_edited_frame_is_sent_again(self, lab: Lab) -> None:
        explorer = FakeExplorer()
        async with panel_of(explorer) as panel, connect(lab) as session:
            explorer.open(session)
            await session.send({"JoinedChat": "me"})
            await eventually(lambda: session.recording[-1].kind == "app")
            number = next(frame.number for frame in session.recording if frame.kind == "message")
            explorer.selected = number
            tell(panel.raw, do="load selected")
            path = "envelope.content.arg.msg.sequence_num"
            tell(panel.raw, do="change", hex=panel.raw.loaded["hex"], op="binary", path=path, value="9")
            edited = bytes.fromhex(panel.raw.changed[1])
            tell(panel.raw, do="send", hex=panel.raw.changed[1], op="binary")
            await eventually(lambda: any(frame.data == edited for frame in session.recording.raw.frames))
            await eventually(lambda: panel.raw.status[0] == "good")


class TestFollowing:
    async def test_a_session_that_is_given(self, lab: Lab) -> None:
        explorer = FakeExplorer()
        async with connect(lab) as session:
            explorer.open(session)
            async with panel_of(explorer) as panel:
                assert panel.tabs.selected_index == MESSAGE
                assert panel.message.type == session.app_type
                await eventually(lambda: panel.state.state == "open")
            assert session._observers == []
            assert explorer.callbacks == []
            assert session.is_open  # it is not the panel's

    async def test_a_type_that_is_given_is_the_sessions(self, lab: Lab) -> None:
        explorer = FakeExplorer()
        async with connect(lab) as session:
            session.app_type = None
            explorer.open(session)
            async with panel_of(explorer) as panel:
                assert panel.message.needs_type
                tell(panel.message, do="type", text="record { a : nat }")
                assert session.app_type == candid.parse_type("record { a : nat }")

    async def test_trouble_is_shown_where_it_is_said(self, lab: Lab) -> None:
        explorer = FakeExplorer()
        async with connect(lab) as session:
            explorer.open(session)
            async with panel_of(explorer) as panel:
                assert panel.tabs.selected_index == MESSAGE
                panel.connection.say("bad", "nobody listens")
                assert panel.tabs.selected_index == CONNECTION

    async def test_many_messages_are_shown_a_few_at_a_time(self, lab: Lab) -> None:
        explorer = FakeExplorer()
        async with connect(lab) as session:
            explorer.open(session)
            async with panel_of(explorer) as panel:
                for number in range(12):
                    await session.send({"JoinedChat": f"number {number}"})
                await eventually(lambda: panel.message.replies and "number 11" in panel.message.replies[-1][1])
                assert len(panel.message.replies) <= 3
                assert panel.state.updates < 30


class TestTheEnd:
    async def test_leaves_no_thread(self, lab: Lab) -> None:
        before = threading.active_count()
        async with connect(lab) as session:
            explorer = FakeExplorer()
            explorer.open(session)
            for _ in range(5):
                panel = live_panel(explorer)
                panel.refresh()
                panel.close()
                panel.close()
            panel.refresh()  # late, from the explorer
            assert session._observers == []
        assert threading.active_count() == before
