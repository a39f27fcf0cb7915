"""Breakpoints and scripts of a tap, over real sockets: what each side gets, and what the recording says."""

import asyncio
import threading

import pytest
from websockets.frames import Close, Opcode

from icws_explore.analysis import edit
from icws_explore.capture import load
from icws_explore.live import path
from icws_explore.live.connect import connect
from icws_explore.live.path import Delivery
from icws_explore.live.tap import Tap
from icws_explore.protocol.errors import ArgumentTypeError, IcwsError, SessionClosedError, StateError
from support.raw_tcp import frame, raw_server, reset, until, upgrade_as_server, upgraded

APP = "kind == 'app'"
BINARY = "kind != 'control'"


def close(code=1000, reason="", *, masked=False):
    return frame(Opcode.CLOSE, Close(code, reason).serialize(), masked=masked)


def down(*data):
    return b"".join(frame(Opcode.BINARY, each) for each in data)


class Wire:
    """A raw client and a raw gateway on both sides of a tap; `gateway` is what the gateway has read."""

    def __init__(self, tap):
        self.tap = tap
        self.gateway = b""
        self.say = None

    async def serve(self, reader, writer):
        say = self.say = asyncio.Queue()  # of the newest session
        await upgrade_as_server(reader, writer)

        async def talk():
            while (data := await say.get()) is not None:
                writer.write(data)
            writer.close()

        talking = asyncio.create_task(talk())
        try:
            while data := await reader.read(2**16):
                self.gateway += data
        except ConnectionResetError:
            self.gateway += b"RESET"
        say.put_nowait(None)
        await talking


async def held(hold, count=1):
    return await asyncio.to_thread(hold.wait, count)


class Over:
    """``async with Over(where) as (wire, reader, writer, held)``."""

    def __init__(self, where=None, **options):
        self.where, self.options = where, options

    async def __aenter__(self):
        self.wire = Wire(None)
        self.server = raw_server(self.wire.serve)
        url = await self.server.__aenter__()
        self.tap = self.wire.tap = Tap(url, **self.options).start()
        hold = self.tap.hold(self.where) if self.where else None
        self.reader, self.writer = await upgraded(self.tap.url)
        return self.wire, self.reader, self.writer, hold

    async def __aexit__(self, *_):
        self.writer.close()
        await until(lambda: self.tap.open_connections == 0)
        self.tap.stop()
        await self.server.__aexit__(None, None, None)


def told(tap):
    return [(f.direction, f.op, f.data, f.did, f.far) for f in tap.recording.raw.frames if f.op != "response"]


class TestDecisions:
    async def test_an_edited_message_is_refused_by_the_client(self, lab):
        with Tap(lab) as tap:
            hold = tap.hold(APP, timeout_s=600)
            async with connect(tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock) as session:
                (message,) = await held(hold)
                assert message.decoded.kind == "app"
                bent = edit.flip(message.frame, len(message.frame.data) - 1)
                message.forward(bent)
                with pytest.raises(SessionClosedError):
                    await session.receive(60)
            await until(lambda: tap.open_connections == 0)
            (got,) = [f for f in tap.recording.raw.frames if f.did]
            assert (got.data, got.far) == (bent.data, message.frame.data)
            assert got.did == "held by a breakpoint, edited and forwarded"
            assert message.did == got.did
            assert any(not verdict.ok for verdict in tap.recording.verify())

    async def test_a_field_is_edited_by_its_name(self, lab):
        with Tap(lab) as tap:
            hold = tap.hold("kind == 'message'", timeout_s=600)
            async with connect(tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock) as session:
                await session.receive(60)
                sending = asyncio.create_task(session.send({"text": "pong", "timestamp": 1}))
                (message,) = await held(hold)
                await sending
                with pytest.raises(IcwsError, match="no field"):
                    message.edited("nonsense", 1)
                message.forward(message.edited("sequence_num", 9))
                await until(lambda: any(f.did for f in tap.recording.raw.frames))
            (sent,) = [f for f in tap.recording.raw.frames if f.did]
            assert (sent.direction, sent.data) == ("out", message.frame.data)
            assert (sent.far != sent.data, sent.did) == (True, "held by a breakpoint, edited and forwarded")

    async def test_of_the_gateways_frames(self):
        async with Over(BINARY) as (wire, reader, _, hold):
            wire.say.put_nowait(down(b"a", b"b", b"c", b"d") + close(4001, "bye"))
            wire.say.put_nowait(None)
            a, b, c, d = await held(hold, 4)
            c.forward()
            a.drop()
            b.duplicate()
            d.forward(b"D")
            assert await reader.read() == down(b"c", b"b", b"b", b"D") + close(4001, "bye")
        assert told(wire.tap) == [
            ("in", "binary", b"c", "held by a breakpoint, forwarded", None),
            ("in", "binary", b"b", "held by a breakpoint, duplicated", None),
            ("in", "binary", b"b", "held by a breakpoint, duplicated", None),
            ("in", "binary", b"D", "held by a breakpoint, edited and forwarded", b"d"),
            ("in", "close", b"", None, None),
        ]
        assert [note for note in wire.tap.notes if "dropped" in note] == [
            "session 1: from the gateway, malformed (1 bytes): dropped by a breakpoint"
        ]

    async def test_of_the_clients_frames(self, tmp_path):
        file = tmp_path / "s.icws"
        async with Over(BINARY, record=file) as (wire, _, writer, hold):
            for data in (b"a", b"b", b"c"):
                writer.write(frame(Opcode.BINARY, data, masked=True))
            a, b, c = await held(hold, 3)
            assert [f[2] for f in told(wire.tap)] == [b"a", b"b", b"c"]  # on record before anybody decides
            b.drop()
            a.forward(b"AA")
            c.reorder()
            writer.write(frame(Opcode.PING, b"p", masked=True))
            await until(lambda: len(wire.gateway) >= 6 + 2 + 6 + 1 + 6 + 1)
            got = [(f.opcode, f.data) for f in unmasked(wire.gateway)]
        assert got == [(Opcode.BINARY, b"AA"), (Opcode.PING, b"p"), (Opcode.BINARY, b"c")]
        expected = [
            ("out", "binary", b"a", "held by a breakpoint, edited and forwarded", b"AA"),
            ("out", "binary", b"b", "dropped by a breakpoint", None),
            ("out", "binary", b"c", "sent behind the next frame by a breakpoint", None),
            ("out", "ping", b"p", None, None),
        ]
        assert told(wire.tap)[:4] == expected
        loaded = [(f.direction, f.op, f.data, f.did, f.far) for f in load(file).frames if f.op != "response"]
        assert loaded[:4] == expected

    async def test_control_frames_cannot_be_edited(self):
        async with Over("kind == 'control'") as (wire, reader, _, hold):
            wire.say.put_nowait(close(1000))
            (message,) = await held(hold)
            with pytest.raises(StateError, match="a close frame cannot be changed"):
                message.forward(b"x")
            with pytest.raises(ArgumentTypeError):
                message.forward("x")
            message.drop()
            wire.say.put_nowait(None)
            assert await reader.read() == b""


def unmasked(data):
    from icws_explore.capture.websocket_stream import StreamReader

    frames, stream = [], StreamReader()
    stream.feed_data(data)

    def read():
        from websockets.frames import Frame

        while stream.buffer:
            frames.append((yield from Frame.parse(stream.read_exact, mask=True)))

    for _ in read():
        break
    return frames


class TestHolding:
    async def test_does_not_hold_up_other_sessions_or_the_other_direction(self):
        async with Over("session == '1' and direction == 'in'") as (wire, reader, writer, hold):
            wire.say.put_nowait(down(b"a"))
            (a,) = await held(hold)
            writer.write(frame(Opcode.BINARY, b"up", masked=True))
            await until(lambda: wire.gateway)
            other_reader, other_writer = await upgraded(wire.tap.url)
            wire.say.put_nowait(down(b"b"))
            assert await other_reader.readexactly(3) == down(b"b")
            other_writer.close()
            a.forward()
            assert (await reader.readexactly(3)) == down(b"a")

    async def test_ends_by_itself(self):
        async with Over() as (wire, reader, _, _hold):
            hold = wire.tap.hold(BINARY, timeout_s=0.01)
            wire.say.put_nowait(down(b"a"))
            assert await reader.readexactly(3) == down(b"a")
            assert hold.frames == ()
        assert told(wire.tap)[0][3] == "held by a breakpoint until its time-out"

    async def test_ends_with_a_release(self):
        async with Over(BINARY) as (wire, reader, _, hold):
            wire.say.put_nowait(down(b"a", b"b"))
            await held(hold, 2)
            assert (hold.is_set, len(hold), hold[1].frame.data) == (True, 2, b"b")
            assert hold in wire.tap.breakpoints
            hold.release()
            hold.release()
            assert await reader.readexactly(6) == down(b"a", b"b")
            assert (hold.is_set, len(hold), wire.tap.breakpoints) == (False, 0, ())

    async def test_of_nothing_is_told(self):
        async with Over(BINARY) as (_, _, _, hold):
            with pytest.raises(StateError, match="0 frames are held"):
                hold.wait(timeout_s=0.01)

    async def test_a_full_lane_stops_the_sender(self, monkeypatch):
        monkeypatch.setattr(path, "MAX_FRAMES", 100)
        async with Over(BINARY) as (wire, reader, _, hold):
            wire.say.put_nowait(down(*[bytes(2000)] * 2000))
            await held(hold, 100)
            await asyncio.sleep(0.1)
            assert len(hold) <= 100 + 64  # those of one turn
            hold.release()
            assert len(await reader.readexactly(2000 * 2004)) == 2000 * 2004

    async def test_all_lanes_together_are_bounded(self, monkeypatch):
        monkeypatch.setattr(path, "MAX_TOTAL", 200_000)
        async with Over(BINARY) as (wire, reader, _, hold):
            wire.say.put_nowait(down(*[bytes(2000)] * 1000))
            await held(hold, 100)
            await asyncio.sleep(0.1)
            assert wire.tap.control.is_full
            assert len(hold) <= 100 + 64  # those of one turn
            hold.release()
            assert len(await reader.readexactly(1000 * 2004)) == 1000 * 2004
            assert not wire.tap.control.is_full

    async def test_listeners_are_told(self):
        async with Over(BINARY) as (wire, _, _, hold):
            changed = threading.Event()
            stop = wire.tap.control.listen(changed.set)
            wire.say.put_nowait(down(b"a"))
            (a,) = await held(hold)
            assert changed.wait(10)
            changed.clear()
            a.drop()
            assert changed.wait(10)
            stop()


class TestEnds:
    async def test_the_gateways_end_comes_behind_what_is_held(self):
        async with Over(BINARY) as (wire, reader, _, hold):
            wire.say.put_nowait(down(b"a"))
            (a,) = await held(hold)
            wire.say.put_nowait(None)
            await asyncio.sleep(0.05)
            a.forward()
            assert await reader.read() == down(b"a")

    async def test_the_clients_end_too(self):
        async with Over(BINARY) as (wire, _, writer, hold):
            writer.write(frame(Opcode.BINARY, b"a", masked=True) + close(masked=True))
            writer.write_eof()
            (a,) = await held(hold)
            a.forward()
            await until(lambda: len(unmasked(wire.gateway)) == 2)

    async def test_a_receiver_that_has_gone_gets_nothing(self):
        async with Over(BINARY) as (wire, _, writer, hold):
            wire.say.put_nowait(down(b"a"))
            (a,) = await held(hold)
            reset(writer)
            await until(lambda: wire.tap.open_connections == 0)
            with pytest.raises(StateError, match="not held any more"):
                a.forward()
        assert any("dropped, because its receiver has gone" in note for note in wire.tap.notes)

    async def test_the_end_of_the_tap_drops_and_says_so(self):
        async with Over(BINARY) as (wire, reader, _, hold):
            wire.say.put_nowait(down(b"a"))
            (a,) = await held(hold)
            wire.tap.stop()
            assert not a.is_held
            with pytest.raises(ConnectionResetError):
                await reader.read()
        assert any("dropped, because the tap ended the session" in note for note in wire.tap.notes)


class TestScripts:
    async def test_change_drop_and_delay(self):
        def script(decoded):
            data = decoded.frame.data
            return {b"a": b"A", b"b": [], b"c": [data, Delivery(b"late", 20)]}.get(data)

        async with Over() as (wire, reader, _, _hold):
            stop = wire.tap.script(script)
            wire.say.put_nowait(down(b"a", b"b", b"c", b"d"))
            assert await reader.readexactly(3 + 3 + 6 + 3) == down(b"A", b"c", b"late", b"d")
            stop()
            wire.say.put_nowait(down(b"a"))
            assert await reader.readexactly(3) == down(b"a")
        assert [f[3] for f in told(wire.tap)][:4] == [
            "edited by the script",
            "copy 1 of 2 by the script",
            "edited, delayed for 0.02 s, copy 2 of 2 by the script",
            None,
        ]

    @pytest.mark.parametrize("script", [lambda _: 1 / 0, lambda _: "text", lambda _: [1]])
    async def test_that_fail_change_nothing_and_are_told_once(self, script):
        async with Over() as (wire, reader, _, _hold):
            wire.tap.script(script, name="mine.py")
            wire.say.put_nowait(down(b"a", b"b"))
            assert await reader.readexactly(6) == down(b"a", b"b")
        assert len([note for note in wire.tap.notes if note.startswith("mine.py failed: ")]) == 1


class TestChanges:
    async def test_between_bytes_and_frames_lose_nothing(self):
        """Breakpoints come and go while a fragmented message passes in small pieces."""
        message = frame(Opcode.BINARY, b"x" * 300, fin=False) + frame(Opcode.CONT, b"y" * 300)
        async with Over() as (wire, reader, _, _hold):
            got = b""
            for start in range(0, len(message) * 3, 97):
                wire.say.put_nowait((message * 3)[start : start + 97])
                await asyncio.sleep(0.002)
                if start % 2:
                    wire.tap.hold("size == 1")
                else:
                    for hold in wire.tap.breakpoints:
                        hold.release()
            wire.say.put_nowait(close())
            wire.say.put_nowait(None)
            got = await reader.read()
        whole = frame(Opcode.BINARY, b"x" * 300 + b"y" * 300)
        left = got.removesuffix(close())
        while left:  # each message is as it came, or in one piece
            part = next(each for each in (message, whole) if left.startswith(each))
            left = left.removeprefix(part)
        assert got.count(b"x" * 300) == 3

    async def test_garbage_ends_the_session_and_is_told(self):
        async with Over(BINARY) as (wire, reader, _, _hold):
            wire.say.put_nowait(b"\xff\xff\xff")
            with pytest.raises(ConnectionResetError):
                await reader.read()
        assert any("cannot pass while frames may be held" in note for note in wire.tap.notes)

    async def test_faults_from_outside(self):
        async with Over() as (wire, reader, _, _hold):
            wire.say.put_nowait(down(b"hello"))
            await reader.readexactly(7)
            wire.tap.send("1", b"made up", by="a test")
            wire.tap.drop("1", 4001)
            wire.tap.drop("1", 4002)
            wire.tap.drop("2")
            assert await reader.read() == down(b"made up") + close(4001)
        assert told(wire.tap)[1:] == [
            ("in", "binary", b"made up", "made by a test", None),
            ("in", "close", b"", None, None),
        ]
