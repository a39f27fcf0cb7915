"""A session on real sockets: values both ways, the whole round of acks, and nothing left behind."""

import asyncio
import threading

import pytest

from icws_explore.capture import load
from icws_explore.lab import Lab
from icws_explore.live import session as session_module
from icws_explore.live.connect import connect
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import SessionClosedError, StateError, ValueMismatchError
from icws_explore.protocol.messages import WebsocketMessage
from support.jumping_lab import JumpingLab

PATIENCE = 60


def kinds(session):
    return [frame.kind for frame in session.recording]


async def until(session, kind, count=1):
    """Wait until ``count`` frames of ``kind`` have passed."""
    async with asyncio.timeout(PATIENCE):
        async for _ in session.follow():
            if kinds(session).count(kind) >= count:
                return


class TestMessages:
    async def test_values_go_both_ways(self, lab):
        async with connect(lab) as session:
            ping = await session.receive(PATIENCE)
            assert ping["text"] == "ping"
            await session.send({"text": "pong", "timestamp": 1})
            assert (await session.receive(PATIENCE))["text"] == "ping"

    async def test_a_value_of_another_type_is_refused_before_anything_is_sent(self, lab):
        async with connect(lab) as session:
            with pytest.raises(ValueMismatchError, match="timestamp"):
                await session.send({"text": "pong"})
            assert "message" not in kinds(session)

    async def test_iterating_gives_each_message_until_the_end(self, lab):
        async with connect(lab) as session:
            seen = []
            async for value in session:
                seen.append(value["text"])
                if len(seen) == 3:
                    await session.close()
                else:
                    await session.send({"text": "pong", "timestamp": 0})
        assert seen == ["ping"] * 3

    async def test_receive_gives_up_after_its_timeout(self, echo):
        async with connect(echo) as session:
            with pytest.raises(TimeoutError):
                await session.receive(timeout=0.05)


class TestCapture:
    async def test_every_frame_is_recorded_and_verifies(self, lab, tmp_path):
        path = tmp_path / "session.icws"
        async with connect(lab, record=path) as session:
            await session.receive(PATIENCE)
            assert load(path).frames == session.recording.raw.frames[: len(load(path).frames)]
        assert kinds(session)[:3] == ["handshake", "open_request", "open"]
        verdicts = session.verify()
        assert len(verdicts) >= 2
        assert all(verdict.ok for verdict in verdicts)
        written = load(path)
        assert written.frames == session.recording.raw.frames
        assert written.info == session.recording.info
        assert (written.info.clock.kind, written.info.clock.scale) == ("scaled", 60)

    async def test_follow_gives_each_frame_once_and_ends(self, lab):
        async with connect(lab) as session:
            followed = asyncio.create_task(_collect(session))
            await session.receive(PATIENCE)
        assert await followed == session.recording.raw.frames

    async def test_no_secret_is_in_the_file(self, lab, tmp_path):
        from icws_explore.protocol.keys import Ed25519Identity

        secret = bytes(range(32))
        path = tmp_path / "session.icws"
        async with connect(lab, record=path, identity=Ed25519Identity.from_secret(secret)) as session:
            assert secret.hex() not in repr(session)
        assert secret.hex() not in path.read_text()


async def _collect(session):
    return [frame async for frame in session.follow()]


class TestWaiting:
    async def test_of_what_nobody_receives_the_oldest_leave_the_queue(self, lab, monkeypatch):
        monkeypatch.setattr(session_module, "WAITING_BYTES", 1000)
        async with connect(lab) as session:
            await session.receive(PATIENCE)  # no other comes without an answer
            for number in range(10):
                session._keep(WebsocketMessage(session.client_key, number + 1, 0, False, number.to_bytes() * 300))
            received = [(await session.receive_message()).content[0] for _ in range(3)]
            assert received == [7, 8, 9]
            assert (session._waiting_bytes, len(session._messages)) == (0, 0)
        assert ["wait for receive()" in note for note in session.recording.notes] == [True]


class TestAcks:
    async def test_each_ack_is_answered_by_a_keep_alive(self):
        with JumpingLab(app="pingpong", seed=1) as lab:
            async with connect(lab) as session:
                await session.receive(PATIENCE)
                await session.send({"text": "pong", "timestamp": 0})
                await session.receive(PATIENCE)
                for _ in range(2):
                    await asyncio.to_thread(lab.pass_interval)
                assert session.is_open
                assert 0 < session.deadlines["ack"] <= 330
        assert kinds(session).count("keep_alive") == 2
        acks_ns = [frame.message.timestamp_ns for frame in session.recording if frame.kind == "ack"]
        assert acks_ns[1] - acks_ns[0] == 300 * NS_PER_S

    async def test_a_busy_loop_on_this_side_delays_no_keep_alive(self):
        """A notebook cell that computes until the keep-alive has come, and never lets its loop run."""
        with JumpingLab(app="pingpong", seed=1) as lab:
            async with connect(lab) as session:
                for _ in range(2):
                    lab.pass_interval()  # the point: this loop is blocked
                assert session.is_open
        assert kinds(session).count("keep_alive") == 2


class TestTheEnd:
    async def test_close_is_1000_and_leaves_nothing_running(self, lab):
        before = set(threading.enumerate())
        async with connect(lab) as session:
            assert any(thread.name == "icws-live" for thread in threading.enumerate())
        assert (session.close_code, session.state) == (1000, "closed")
        assert set(threading.enumerate()) <= before
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    async def test_after_it_everything_says_so(self, lab):
        async with connect(lab) as session:
            await session.receive(PATIENCE)
        with pytest.raises(SessionClosedError, match="1000") as caught:
            await session.send({"text": "pong", "timestamp": 0})
        assert caught.value.code == 1000
        with pytest.raises(SessionClosedError):
            await session.receive()
        await session.close()

    async def test_what_was_received_before_it_can_still_be_read(self, lab):
        async with connect(lab) as session:
            await until(session, "app")
        assert (await session.receive())["text"] == "ping"

    async def test_a_close_of_the_canister_gives_its_reason(self, lab):
        async with connect(lab) as session:
            session._machine._session.outbox.number(b"", 0, is_service_message=False)  # a number that is never sent
            await session.send({"text": "pong", "timestamp": 0})
            await asyncio.wait_for(session.wait_closed(), PATIENCE)
        with pytest.raises(SessionClosedError) as caught:
            await session.send({"text": "pong", "timestamp": 0})
        assert caught.value.detail == "the canister closed the session: WrongSequenceNumber"
        assert "[object Object]" not in str(caught.value)

    async def test_a_gateway_that_dies_ends_the_session_with_1006_or_its_code(self):
        with Lab(app="echo") as mortal:
            session = await connect(mortal)
            mortal.stop()
            await asyncio.wait_for(session.wait_closed(), PATIENCE)
        assert session.close_code in (1001, 1005, 1006)
        assert session.recording[-1].frame.direction == "in"

    async def test_without_a_known_type_sending_says_what_to_do(self, echo):
        async with connect(echo) as session:
            session.app_type = None
            with pytest.raises(StateError, match="app_type="):
                await session.send("hello")

    async def test_an_observer_that_raises_is_told_of_and_ends_nothing(self, lab):
        def broken(_event):
            raise RuntimeError("mine")

        async with connect(lab) as session:
            session.watch(broken)
            await session.send({"text": "pong", "timestamp": 0})
            assert (await session.receive(PATIENCE))["text"] == "ping"
        assert session.failures == ["watch: RuntimeError: mine; this observer is not called again"]
        assert session.close_code == 1000

    async def test_many_sessions_share_one_thread(self, lab):
        sessions = await asyncio.gather(*(connect(lab) for _ in range(8)))
        assert len([thread for thread in threading.enumerate() if thread.name == "icws-live"]) == 1
        assert len({session.principal for session in sessions}) == 8
        for session in sessions:
            assert (await session.receive(PATIENCE))["text"] == "ping"
        await asyncio.gather(*(session.close() for session in sessions))
        assert [thread for thread in threading.enumerate() if thread.name == "icws-live"] == []
