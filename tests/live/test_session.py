"""A session on real sockets: values both ways, the whole round of acks, and nothing left behind."""

import asyncio
import threading
from dataclasses import replace

import pytest

from icws_explore.analysis import edit
from icws_explore.capture import load
from icws_explore.lab import Lab
from icws_explore.live import session as session_module
from icws_explore.live.connect import connect
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentValueError, SessionClosedError, StateError, ValueMismatchError
from icws_explore.protocol.messages import WebsocketMessage
from support.jumping_lab import JumpingLab

PATIENCE = 60


def kinds(session):
    return [frame.kind for frame in session.recording]


def frames_index(session, frame):
    return session.recording.raw.frames.index(frame)


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
    async def test_of_messages_that_are_not_received_the_oldest_leave_the_queue(self, lab, monkeypatch):
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


class TestRawFrames:
    async def test_go_out_as_they_are_and_move_no_counter(self, lab):
        async with connect(lab) as session:
            await session.send({"text": "pong", "timestamp": 0})
            await session.send_frame(b"\xff\x00")
            await session.wait_closed()  # the gateway cannot read it, and ends the session
        frames = [frame for frame in session.recording.raw.frames if frame.direction == "out"]
        assert session.recording[frames_index(session, frames[1])].sequence_num == 1
        assert (frames[2].op, frames[2].data) == ("binary", b"\xff\x00")

    async def test_a_ping_goes_out_and_ends_the_session_as_at_the_real_gateway(self, lab):
        async with connect(lab) as session:
            await session.send_frame(b"hello", "ping")
            await session.wait_closed()
        frames = [frame for frame in session.recording.raw.frames if frame.direction == "out"]
        assert (frames[1].op, frames[1].data) == ("ping", b"hello")
        assert session.close_code == 1006

    @pytest.mark.parametrize(
        ("data", "op", "reason"),
        [
            (b"x" * 126, "ping", "a ping has at most 125 bytes, not 126"),
            (b"a\xff", "text", "but byte 1 is not: send it as binary"),
            (b"", "close", "op is one of binary, text, ping, not 'close'"),
        ],
    )
    async def test_that_no_socket_sends_are_refused(self, lab, data, op, reason):
        async with connect(lab) as session:
            with pytest.raises(ArgumentValueError, match=reason):
                await session.send_frame(data, op)

    async def test_that_were_edited_can_be_signed_again(self, lab):
        async with connect(lab) as session:
            await session.send({"text": "pong", "timestamp": 0})
            frame = next(frame for frame in session.recording if frame.kind == "message")
            edited = edit.set(frame, "envelope.content.arg.msg.sequence_num", 2)
            assert edit.see(session.recording, frame.number, edited).failure.step == "signature"
            again = replace(edited, data=session.sign_frame(edited.data))
            assert edit.see(session.recording, frame.number, again).ok

    async def test_after_the_end_there_is_nobody_to_send_them_to(self, lab):
        session = await connect(lab)
        await session.close()
        with pytest.raises(SessionClosedError):
            await session.send_frame(b"")


class TestWatching:
    async def test_sees_the_rows_that_the_machine_takes_until_it_is_ended(self, lab):
        seen = []
        session = await connect(lab, wait_open=False)
        end = session.watch(lambda _: seen.extend(row.to for row in session.taken))
        await session.wait_open()
        assert ClientState.OPEN in seen
        end()
        end()  # a second call changes nothing
        before = len(seen)
        await session.close()
        assert len(seen) == before


class TestTheEnd:
    async def test_close_is_1000_and_leaves_nothing_running(self, lab):
        before = set(threading.enumerate())
        async with connect(lab) as session:
            assert any(thread.name == "icws-live" for thread in threading.enumerate())
        assert (session.close_code, session.state) == (1000, "closed")
        assert set(threading.enumerate()) <= before
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    async def test_another_code_and_a_reason_are_in_the_close_frame(self, lab):
        session = await connect(lab)
        await session.close(4123, "enough")
        assert (session.close_code, session.close_reason) == (4123, "enough")
        # A message of the canister may still come after our close.
        (frame,) = [frame for frame in session.recording.raw.frames if frame.op == "close"]
        assert (frame.direction, frame.code, frame.reason) == ("out", 4123, "enough")
        assert session.state == "closed"

    async def test_a_code_that_cannot_be_sent_ends_nothing(self, lab):
        async with connect(lab) as session:
            with pytest.raises(ArgumentValueError, match="1006"):
                await session.close(1006)
            assert session.is_open

    async def test_after_it_every_command_says_so(self, lab):
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

    async def test_an_observer_that_raises_is_reported_and_ends_nothing(self, lab):
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
