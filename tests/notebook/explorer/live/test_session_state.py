from __future__ import annotations

import asyncio
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from icws_explore.lab import Lab
from icws_explore.live.connect import connect
from icws_explore.notebook.explorer.live.session_state import COUNTDOWNS, WORDS, SessionState, state_diagram, table_rows
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.client.table import TRANSITIONS
from support.jumping_lab import JumpingLab
from support.lab_requests import eventually

SVG = "{http://www.w3.org/2000/svg}"


class TestDiagram:
    def test_has_each_state_and_each_way_of_the_table_once(self) -> None:
        drawn = ET.fromstring(state_diagram())
        states = [part.get("data-state") for part in drawn.iter(f"{SVG}g") if part.get("data-state")]
        moves = [part.get("data-move") for part in drawn.iter(f"{SVG}g") if part.get("data-move")]
        assert states == [str(state) for state in ClientState]
        assert sorted(moves) == sorted({f"{row.state} {row.to}" for row in TRANSITIONS if row.state is not row.to})

    def test_lies_within_its_box(self) -> None:
        drawn = ET.fromstring(state_diagram())
        width, height = (float(number) for number in (drawn.get("viewBox") or "").split()[2:])
        for box in drawn.iter(f"{SVG}rect"):
            assert 0 <= float(box.get("x", "")) <= width - float(box.get("width", ""))
            assert 0 <= float(box.get("y", "")) <= height - float(box.get("height", ""))

    def test_words_are_for_every_state_and_every_countdown(self) -> None:
        assert set(WORDS) == set(ClientState)
        assert set(COUNTDOWNS) == {"open", "ack", "keep_alive", "next_ack", "certificate"}

    def test_rows_are_those_of_the_table(self) -> None:
        assert len(table_rows()) == len(TRANSITIONS)
        assert ["open", "ack timeout", "", "closing", "close(4000, 'Ack message timeout')"] in table_rows()


@pytest.mark.usefixtures("nothing_left_open")
class TestFollowing:
    def test_without_a_session_shows_the_diagram_alone(self) -> None:
        widget = SessionState()
        assert (widget.state, widget.countdowns) == ("", [])
        assert "No session is open" in widget._repr_mimebundle_()[0]["text/plain"]
        widget.close()

    async def test_lights_each_state_and_says_how_it_came_to_it(self) -> None:
        with JumpingLab() as lab:  # at the machine's pace: no ack comes before the test has looked
            await self._lights_each_state(lab)

    async def _lights_each_state(self, lab: Lab) -> None:
        session = await connect(lab, wait_open=False)
        widget = SessionState(session)
        await eventually(lambda: widget.state == "open")
        await eventually(lambda: widget.taken == ["opening", "open", "OpenMessage"])
        names = [one["name"] for one in widget.countdowns]
        assert set(names) == {"certificate", "next_ack"}
        assert widget.scale == session.clock.scale
        await session.send({"text": "x", "timestamp": 0})
        await eventually(lambda: "ack" in [one["name"] for one in widget.countdowns])
        await session.close(4321, "done")
        await eventually(lambda: widget.state == "closed")
        assert (widget.ending, widget.countdowns) == ("closed with 4321 done", [])
        assert widget.taken == ["closing", "closed", "connection lost"]
        widget.close()

    async def test_says_why_it_ended(self, lab: Lab) -> None:
        session = await connect(lab)
        widget = SessionState(session)
        await session.send_frame(b"\xff")
        await session.wait_closed()
        await eventually(lambda: widget.state == "closed")
        assert widget.ending.startswith("closed with 1")
        widget.close()

    async def test_sends_nothing_while_nothing_happens(self, lab: Lab) -> None:
        async with connect(lab) as session:
            widget = SessionState(session)
            await eventually(lambda: widget.state == "open")
            await _settled(widget)
            before, frames = widget.updates, len(session.recording)
            await asyncio.sleep(0.5)  # real time, in which what polls would have sent something
            assert widget.updates == before or len(session.recording) > frames
            widget.close()

    async def test_countdowns_are_the_machines_own(self) -> None:
        with JumpingLab() as lab:
            async with connect(lab) as session:
                await session.send({"text": "x", "timestamp": 0})
                widget = SessionState(session)
                await eventually(lambda: "ack" in [one["name"] for one in widget.countdowns])
                widget.show()
                (ack,) = [one for one in widget.countdowns if one["name"] == "ack"]
                assert ack["left"] == pytest.approx(session.deadlines["ack"], abs=0.5 * session.clock.scale)
                widget.close()

    async def test_time_that_stands_still_is_said_and_followed_when_it_goes_on(self) -> None:
        with Lab("echo", time_scale=60, paused=True) as lab:
            async with connect(lab) as session:
                widget = SessionState(session)
                await eventually(lambda: widget.state == "open" and bool(widget.countdowns))
                await eventually(lambda: widget.scale == 0)
                before = widget.countdowns
                await asyncio.to_thread(lambda: lab.step("50s"))
                await eventually(lambda: widget.countdowns[-1]["left"] < before[-1]["left"] - 40)
                lab.resume()
                await eventually(lambda: widget.scale == 60)
                widget.close()

    async def test_another_session_takes_its_place(self, lab: Lab) -> None:
        async with connect(lab) as one, connect(lab) as other:
            widget = SessionState(one)
            widget.follow(other)
            await one.close()
            await eventually(lambda: widget.state == "open")
            assert widget.ending == ""
            widget.follow(None)
            assert widget.state == ""
            widget.close()
            assert one._observers == []

    async def test_a_view_that_comes_later_gets_the_numbers_of_now(self, lab: Lab) -> None:
        async with connect(lab) as session:
            widget = SessionState(session)
            await eventually(lambda: bool(widget.countdowns))
            before = widget.updates
            widget._handle_custom_msg({"do": "now"}, [])
            await eventually(lambda: widget.updates > before)
            widget.close()


async def _settled(widget: Any) -> None:
    before = -1
    while before != widget.updates:
        before = widget.updates
        await asyncio.sleep(0.4)
