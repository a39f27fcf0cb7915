"""Breakpoints of a lab: at the client's end of the wire, in both directions."""

from __future__ import annotations

import asyncio

import pytest

from icws_explore.analysis import edit
from icws_explore.lab import Lab
from icws_explore.live import path
from icws_explore.live.breakpoints import HeldFrame, Hold
from icws_explore.live.connect import connect
from icws_explore.protocol.errors import ArgumentValueError, IcwsError, SessionClosedError, StateError
from support.lab_requests import eventually


@pytest.fixture
def lab():
    with Lab("echo", time_scale=20) as running:
        yield running


async def held(hold: Hold, count: int = 1) -> tuple[HeldFrame, ...]:
    return await asyncio.to_thread(hold.wait, count)


def done(lab: Lab) -> list[str]:
    return [event.text for event in lab.events if event.kind == "breakpoint"]


class TestHold:
    async def test_an_edited_message_is_refused_by_the_client(self, lab):
        hold = lab.hold("kind == 'app'")
        async with connect(lab) as session:
            await session.send({"text": "hello"})
            (message,) = await held(hold)
            assert (hold.where, lab.breakpoints) == ("kind == 'app'", (hold,))
            assert message.decoded.sequence_num == 2
            message.forward(edit.flip(message.frame, 300))
            with pytest.raises(SessionClosedError):
                await session.receive(60)
        assert done(lab) == [
            f"session 1: the gateway's frame of {len(message.frame.data)} bytes was held by a breakpoint, "
            f"edited and forwarded; from byte 300 on, {message.frame.data[300]:02x} became "
            f"{message.frame.data[300] ^ 1:02x}"
        ]
        assert message.sent == edit.flip(message.frame, 300).data

    async def test_what_a_client_sends_is_held_too(self, lab):
        hold = lab.hold("kind == 'message'")
        async with connect(lab) as session:
            await session.send({"text": "one"})
            (one,) = await held(hold)
            one.drop()
            await session.send({"text": "two"})
            (two,) = await held(hold)
            two.forward()
            await eventually(lambda: any("sequence" in event.text for event in lab.events))
        assert "dropped by a breakpoint" in done(lab)[0]

    async def test_only_the_session_that_is_named(self, lab):
        hold = lab.hold("kind == 'app'", session=2)
        async with connect(lab) as first, connect(lab) as second:
            for session in (first, second):
                await session.send({"text": "hello"})
            assert await first.receive(60) == {"text": "hello"}
            (message,) = await held(hold)
            message.duplicate()
            with pytest.raises(SessionClosedError):  # the second copy has a number that was there
                for _ in range(2):
                    await second.receive(60)

    async def test_a_release_ends_it(self, lab):
        hold = lab.hold("kind == 'app'")
        async with connect(lab) as session:
            await session.send({"text": "hello"})
            await held(hold)
            hold.release()
            assert await session.receive(60) == {"text": "hello"}
            await session.send({"text": "again"})
            assert await session.receive(60) == {"text": "again"}
        assert len(done(lab)) == 1

    async def test_the_end_of_a_session_drops_what_is_held(self, lab):
        hold = lab.hold("kind == 'app'")
        async with connect(lab) as session:
            await session.send({"text": "hello"})
            (message,) = await held(hold)
        await eventually(lambda: not message.is_held)
        with pytest.raises(StateError, match="not held any more"):
            message.forward()

    async def test_the_end_of_the_lab_too(self, lab):
        hold = lab.hold("kind == 'app'")
        async with connect(lab) as session:
            await session.send({"text": "hello"})
            (message,) = await held(hold)
            await asyncio.to_thread(lab.stop)
            assert not message.is_held
        hold.release()
        assert lab.breakpoints == ()

    async def test_a_client_whose_frames_are_held_is_not_read_for_ever(self, lab, monkeypatch):
        monkeypatch.setattr(path, "MAX_FRAMES", 3)
        hold = lab.hold("kind == 'message'")
        async with connect(lab) as session:
            for number in range(8):
                await session.send({"text": str(number)})
            await held(hold, 3)
            await asyncio.sleep(0.1)
            assert len(hold) < 8
            hold.release()
            assert [(await session.receive(60))["text"] for _ in range(8)] == [str(number) for number in range(8)]

    def test_bad_arguments_are_one_line(self, lab):
        with pytest.raises(IcwsError, match="cannot read the filter"):
            lab.hold("kind ==")
        with pytest.raises(ArgumentValueError, match="timeout_s"):
            lab.hold("kind == 'app'", timeout_s=0)

    async def test_one_set_before_the_start_holds(self):
        lab = Lab("echo", time_scale=20)
        hold = lab.hold("kind == 'handshake'")
        with lab:
            opening = asyncio.ensure_future(_open(lab))
            (handshake,) = await held(hold)
            handshake.delay(0.5)
            session = await opening
            await session.close()


async def _open(lab):
    return await connect(lab)
