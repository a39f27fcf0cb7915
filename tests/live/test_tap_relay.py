"""One connection through the tap, between two bare TCP ends: no byte and no end is changed."""

import asyncio
import random

import pytest
from websockets.frames import Close, Opcode

from icws_explore.live.clock import RealClock
from icws_explore.live.tap import Tap
from icws_explore.live.tap_relay import Leg
from icws_explore.protocol.constants import NS_PER_S
from support.raw_tcp import ASK, UPGRADE, frame, raw_server, reset, until, upgrade_as_server, upgraded
from support.servers import free_port

SILENT_SINCE = ("in", "response", b"", 101)


class SteppedClock(RealClock):
    ahead_s = 0

    def now_ns(self):
        return super().now_ns() + self.ahead_s * NS_PER_S


def seen(tap):
    return [(f.direction, f.op, f.data, f.code) for f in tap.recording.raw.frames]


class TestBytes:
    async def test_go_across_unchanged_in_both_directions(self):
        dice = random.Random(7)
        down = b"".join(
            [
                frame(Opcode.BINARY, dice.randbytes(300), fin=False),
                frame(Opcode.PING, b"beat"),
                frame(Opcode.CONT, dice.randbytes(70_000)),
                frame(Opcode.TEXT, "grüße".encode()),
                frame(Opcode.CLOSE, Close(4001, "bye").serialize()),
            ]
        )
        up = b"".join(
            [
                frame(Opcode.PONG, b"beat", masked=True),
                frame(Opcode.BINARY, dice.randbytes(5000), masked=True),
                frame(Opcode.CLOSE, Close(4001, "").serialize(), masked=True),
            ]
        )
        got = {}

        async def gateway(reader, writer):
            got["head"] = await upgrade_as_server(reader, writer)
            for start in range(0, len(down), 777):
                writer.write(down[start : start + 777])
                await asyncio.sleep(0)
            got["up"] = await reader.readexactly(len(up))
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                writer.write(up)
                assert await reader.readexactly(len(down)) == down
                assert await reader.read() == b""
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert got["up"] == up
        assert got["head"].startswith(b"GET /path?q=1 HTTP/1.1\r\n")
        ops = {d: [(op, code) for direction, op, _, code in seen(tap) if direction == d] for d in ("in", "out")}
        assert ops == {
            "in": [("ping", None), ("binary", None), ("text", None), ("close", 4001)],
            "out": [("pong", None), ("binary", None), ("close", 4001)],
        }
        assert [len(data) for direction, op, data, _ in seen(tap) if op == "binary" and direction == "in"] == [70_300]

    async def test_are_recorded_at_the_time_of_their_receipt(self, monkeypatch):
        """Not when they have gone on: what answers them would seem to come too early."""
        clock = SteppedClock()
        write = Leg.write

        def slow_write(leg, data):
            write(leg, data)
            clock.ahead_s += 100

        monkeypatch.setattr(Leg, "write", slow_write)

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            await reader.readexactly(7)
            writer.write(frame(Opcode.BINARY, b"answer"))
            await reader.read()
            writer.close()

        async with raw_server(gateway) as url:
            start_s = clock.now_s()
            with Tap(url, clock=clock) as tap:
                reader, writer = await upgraded(tap.url)
                writer.write(frame(Opcode.BINARY, b"x", masked=True))
                assert await reader.readexactly(8) == frame(Opcode.BINARY, b"answer")
                writer.close()
                await until(lambda: tap.open_connections == 0)
        hundreds = [round((f.t - start_s) / 100) for f in tap.recording.raw.frames if f.op == "binary"]
        assert hundreds == [2, 3]  # behind both heads, and behind the question

    async def test_the_answers_head_is_the_gateways(self):
        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                host, _, port = tap.url.removeprefix("ws://").rpartition(":")
                reader, writer = await asyncio.open_connection(host, int(port))
                for byte in ASK:  # a head may come in pieces
                    writer.write(bytes([byte]))
                    await writer.drain()
                assert await reader.read() == UPGRADE
                writer.close()

    async def test_what_is_sent_with_the_head_is_not_lost(self):
        early = frame(Opcode.BINARY, b"early", masked=True)

        async def gateway(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(early)) == early
            writer.write(UPGRADE + frame(Opcode.BINARY, b"at once"))
            await reader.read()
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url, ASK + early)
                assert await reader.readexactly(9) == frame(Opcode.BINARY, b"at once")
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert ("in", "binary", b"at once", None) in seen(tap)

    async def test_broken_frames_pass_too_and_are_told(self):
        broken = b"\xff" * 40

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            writer.write(frame(Opcode.BINARY, b"good") + broken)
            writer.close()
            await reader.read()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                assert await reader.read() == frame(Opcode.BINARY, b"good") + broken
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert seen(tap) == [("in", "binary", b"good", None), ("in", "close", b"", 1006)]
        assert ["not recorded" in note for note in tap.notes] == [True]

    async def test_compression_that_nobody_offered_is_read_all_the_same(self):
        from websockets.extensions.permessage_deflate import PerMessageDeflate
        from websockets.frames import Frame

        answer = UPGRADE.replace(b"X-Odd", b"Sec-WebSocket-Extensions: permessage-deflate\r\nX-Odd")
        packed = Frame(Opcode.BINARY, b"z" * 500).serialize(
            mask=False, extensions=[PerMessageDeflate(True, True, 15, 15)]
        )

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer, answer)
            writer.write(packed)
            writer.close()
            await reader.read()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                assert await reader.read() == packed
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert seen(tap)[0] == ("in", "binary", b"z" * 500, None)


class TestEnds:
    @pytest.mark.parametrize("how", ["fin", "rst"])
    @pytest.mark.parametrize("after_close", [False, True])
    async def test_a_gateway_that_drops_is_1006(self, how, after_close):
        """Gateway 1.4.6 never answers a close frame: a client that closes with 1000 sees 1006."""
        bye = frame(Opcode.CLOSE, Close(1000, "").serialize(), masked=True)

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            writer.write(frame(Opcode.BINARY, b"x"))
            await writer.drain()
            await reader.readexactly(len(bye) if after_close else 1)
            reset(writer) if how == "rst" else writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                await reader.readexactly(3)
                writer.write(bye if after_close else b"\x82")
                if how == "rst":
                    with pytest.raises(ConnectionResetError):
                        await reader.read()
                else:
                    assert await reader.read() == b""
                writer.close()
                await until(lambda: tap.open_connections == 0)
        expected = [("in", "binary", b"x", None), ("in", "close", b"", 1006)]
        if after_close:
            expected.insert(1, ("out", "close", b"", 1000))
        assert seen(tap) == expected

    @pytest.mark.parametrize("how", ["fin", "rst"])
    async def test_a_client_that_vanishes_is_1006_from_its_side(self, how):
        end = {}

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            try:
                end["read"] = await reader.read()
            except ConnectionResetError:
                end["read"] = "reset"
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                _, writer = await upgraded(tap.url)
                reset(writer) if how == "rst" else writer.close()
                await until(lambda: tap.open_connections == 0)
        assert end["read"] == ("reset" if how == "rst" else b"")
        assert seen(tap) == [SILENT_SINCE, ("out", "close", b"", 1006)]

    async def test_since_when_a_gateway_is_silent_shows_in_the_upgrade(self):
        """NO_HANDSHAKE: no frame would tell when the connection was made."""

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            await reader.read()
            writer.close()

        clock = SteppedClock()
        async with raw_server(gateway) as url:
            with Tap(url, clock=clock) as tap:
                _, writer = await upgraded(tap.url, ASK.replace(b"GET / ", b"GET /path?token=secret "))
                clock.ahead_s = 60
                writer.close()
                await until(lambda: tap.open_connections == 0)
        upgrade, close = tap.recording.raw.frames
        assert (upgrade.op, upgrade.code, upgrade.reason) == ("response", 101, "GET /path")
        assert upgrade.session == close.session
        assert close.t - upgrade.t >= 60

    async def test_one_side_may_end_before_the_other(self):
        """A half-closed connection still carries the other direction."""

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            assert await reader.read() == bye
            writer.write(frame(Opcode.BINARY, b"last words") + frame(Opcode.CLOSE, b""))
            writer.close()

        bye = frame(Opcode.CLOSE, b"", masked=True)
        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                writer.write(bye)
                writer.write_eof()
                assert (await reader.read()).endswith(frame(Opcode.CLOSE, b""))
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert seen(tap) == [
            SILENT_SINCE,
            ("out", "close", b"", 1005),
            ("in", "binary", b"last words", None),
            ("in", "close", b"", 1005),
        ]

    async def test_a_client_that_leaves_before_anything(self):
        async with raw_server(lambda _r, _w: asyncio.sleep(0)) as url:
            with Tap(url) as tap:
                host, _, port = tap.url.removeprefix("ws://").rpartition(":")
                _, writer = await asyncio.open_connection(host, int(port))
                await until(lambda: tap.open_connections == 1)
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert seen(tap) == []

    async def test_the_end_of_the_tap_cuts_and_says_so(self):
        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                await until(lambda: tap._running and next(iter(tap._running.relays)).client.messages)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
        assert "cut" in tap.notes[0]
        assert seen(tap) == [SILENT_SINCE, ("in", "close", b"", 1006)]

    async def test_a_session_that_said_something_is_cut_without_a_word_about_its_end(self):
        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer, UPGRADE + frame(Opcode.BINARY, b"hello"))
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                await until(lambda: seen(tap))
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
        assert seen(tap) == [("in", "binary", b"hello", None)]


class TestBackPressure:
    async def test_a_slow_reader_slows_the_sender(self):
        """64 MiB offered; the tap holds far less while nobody reads."""
        offered = 64 * 2**20
        sent = 0
        chunk = frame(Opcode.BINARY, bytes(2**20))

        async def gateway(reader, writer):
            nonlocal sent
            await upgrade_as_server(reader, writer)
            while sent < offered:
                writer.write(chunk)
                sent += 2**20
                await writer.drain()
            writer.write(frame(Opcode.CLOSE, b""))
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url, keep=False) as tap:
                reader, writer = await upgraded(tap.url)
                reader._transport.pause_reading()
                stalled_at = -1
                while sent != stalled_at:  # nothing tells that something stands still
                    stalled_at = sent
                    await asyncio.sleep(0.5)
                assert stalled_at < offered / 2  # what kernels buffer, and little more
                reader._transport.resume_reading()
                left = 64 * len(chunk) + 2
                while left:
                    left -= len(await reader.read(2**20))
                writer.close()
                await until(lambda: tap.open_connections == 0)


class TestNoGateway:
    async def ask(self, tap, head=ASK):
        host, _, port = tap.url.removeprefix("ws://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        await until(lambda: tap.open_connections == 0)
        return answer

    async def test_nobody_there_is_502(self):
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            assert b"502" in await self.ask(tap)
        assert "Connection refused" in tap.notes[0]
        assert seen(tap) == []

    async def test_no_websocket_there_passes_its_answer(self):
        async def web(reader, writer):
            await upgrade_as_server(reader, writer, b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope")
            writer.close()
            await reader.read()

        async with raw_server(web) as url:
            with Tap(url) as tap:
                assert (await self.ask(tap)).endswith(b"nope")
        assert "HTTP 404" in tap.notes[0]

    async def test_no_http_there_passes_too(self):
        async def ssh(reader, writer):
            await upgrade_as_server(reader, writer, b"SSH-2.0-x\r\n\r\n")
            writer.close()
            await reader.read()

        async with raw_server(ssh) as url:
            with Tap(url) as tap:
                assert await self.ask(tap) == b"SSH-2.0-x\r\n\r\n"
        assert "not an HTTP answer" in tap.notes[0]

    @pytest.mark.parametrize("head", [b"\x16\x03\x01nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000])
    async def test_what_is_no_request_is_400(self, head):
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            assert b"400" in await self.ask(tap, head)
