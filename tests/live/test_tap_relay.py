"""One connection through the tap, between two bare TCP ends: no byte and no end is changed."""

import asyncio
import contextlib
import random

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Opcode
from websockets.frames import Frame as Packed

from icws_explore.capture import Capture, CaptureWriter, SessionInfo, load
from icws_explore.capture.upgrade import Upgrade
from icws_explore.live import tap_relay
from icws_explore.live.address import Address
from icws_explore.live.breakpoints import PathControl
from icws_explore.live.clock import RealClock
from icws_explore.live.listen import Visitors
from icws_explore.live.path import MAX_FRAMES
from icws_explore.live.tap import Tap
from icws_explore.live.tap_recorder import Recorder
from icws_explore.live.tap_relay import APART_FRAMES, TURN_BYTES, TURN_FRAMES, Leg, Relay, Stage
from icws_explore.protocol.constants import NS_PER_S
from support.raw_tcp import ASK, UPGRADE, frame, raw_server, reset, until, upgrade_as_server, upgraded
from support.servers import free_port

SILENT_SINCE = ("in", "response", b"", 101)


class SteppedClock(RealClock):
    ahead_s = 0

    def now_ns(self):
        return super().now_ns() + self.ahead_s * NS_PER_S


async def opened(tap):
    host, _, port = tap.url.removeprefix("ws://").partition("/")[0].rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def ask(tap, head=ASK):
    """What a raw client reads to the end."""
    reader, writer = await opened(tap)
    writer.write(head)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await until(lambda: tap.open_connections == 0)
    return answer


async def ended(reader):
    with contextlib.suppress(ConnectionResetError):
        await reader.read()


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
        """RFC 6455, section 4.1, has a client wait for the answer: what it sends before that waits here."""
        early = frame(Opcode.BINARY, b"early", masked=True)

        async def gateway(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
            writer.write(UPGRADE + frame(Opcode.BINARY, b"at once"))
            assert await reader.readexactly(len(early)) == early
            await reader.read()
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url, ASK + early)
                assert await reader.readexactly(9) == frame(Opcode.BINARY, b"at once")
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert seen(tap)[:2] == [("in", "binary", b"at once", None), ("out", "binary", b"early", None)]

    async def test_broken_frames_pass_and_are_reported(self):
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

    async def test_a_compressed_frame_without_negotiation_is_broken(self):
        """RSV1 without an extension: nothing of it is unpacked."""
        packed = Packed(Opcode.BINARY, bytes(2**20)).serialize(
            mask=False, extensions=[PerMessageDeflate(True, True, 15, 15)]
        )

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            writer.write(packed)
            writer.close()
            await reader.read()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                assert await reader.read() == packed
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert seen(tap) == [SILENT_SINCE, ("in", "close", b"", 1006)]
        assert "relayed, not recorded" in tap.notes[0]


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

    async def test_the_gateway_may_end_its_side_first(self):
        got = []

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            writer.write(frame(Opcode.CLOSE, b""))
            writer.write_eof()
            got.append(await reader.read())
            writer.close()

        bye = frame(Opcode.CLOSE, b"", masked=True)
        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)
                assert await reader.read() == frame(Opcode.CLOSE, b"")  # the end has come, and this side still writes
                writer.write(bye)
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert got == [bye]

    async def test_a_client_may_end_its_side_with_its_request(self):
        """It still receives: the gateway is dialled, and reads the end behind the request."""

        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            assert await reader.read() == early
            writer.write(frame(Opcode.BINARY, b"hello") + frame(Opcode.CLOSE, b""))
            writer.close()

        for early in (b"", frame(Opcode.BINARY, b"early", masked=True)):
            async with raw_server(gateway) as url:
                with Tap(url) as tap:
                    reader, writer = await opened(tap)
                    writer.write(ASK + early)
                    writer.write_eof()
                    assert (await reader.read()).endswith(frame(Opcode.BINARY, b"hello") + frame(Opcode.CLOSE, b""))
                    writer.close()
                    await until(lambda: tap.open_connections == 0)
            assert ("in", "binary", b"hello", None) in seen(tap)
            assert (("out", "binary", b"early", None) in seen(tap)) == bool(early)

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
                await until(lambda: tap._running and next(iter(tap._running.relays)).stage is Stage.OPEN)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
        assert "cut" in tap.notes[0]
        assert seen(tap) == [SILENT_SINCE, ("in", "close", b"", 1006)]

    async def test_an_unfinished_session_gets_no_close(self):
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


def never_opened(tap: Tap) -> tuple[int, str]:
    """The status and the error of the one upgrade that the tap recorded. Nothing else is in the recording."""
    (frame,) = tap.recording.raw.frames
    upgrade = Upgrade.of(frame)
    assert upgrade is not None
    assert upgrade.url == tap.gateway_url
    return upgrade.status, upgrade.error


class TestNoGateway:
    async def test_no_server_is_502(self):
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            assert b"502" in await ask(tap)
        assert "Connection refused" in tap.notes[0]
        assert never_opened(tap) == (0, "Connection refused")

    async def test_no_websocket_there_passes_its_answer(self):
        async def web(reader, writer):
            await upgrade_as_server(reader, writer, b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope")
            writer.close()
            await reader.read()

        async with raw_server(web) as url:
            with Tap(url) as tap:
                assert (await ask(tap)).endswith(b"nope")
        assert "HTTP 404" in tap.notes[0]
        assert never_opened(tap) == (404, "")
        assert tap.recording.doctor().ids == ("SOCKET_NEVER_OPENED",)

    async def test_no_http_there_passes_too(self):
        async def ssh(reader, writer):
            await upgrade_as_server(reader, writer, b"SSH-2.0-x\r\n\r\n")
            writer.close()
            await reader.read()

        async with raw_server(ssh) as url:
            with Tap(url) as tap:
                assert await ask(tap) == b"SSH-2.0-x\r\n\r\n"
        assert "not an HTTP answer" in tap.notes[0]
        status, error = never_opened(tap)
        assert status == 0
        assert "not an HTTP answer" in error

    async def test_a_silent_one_is_reported(self):
        async def mute(reader, writer):
            await upgrade_as_server(reader, writer, b"HTTP/1.1 1")
            writer.close()
            await reader.read()

        async with raw_server(mute) as url:
            with Tap(url) as tap:
                assert await ask(tap) == b"HTTP/1.1 1"
        assert tap.notes == [f"session 1: {url} ended the connection without an answer"]
        assert never_opened(tap) == (0, "empty response")

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        ],
    )
    async def test_after_an_answer_that_is_no_upgrade_nothing_of_the_client_passes(self, answer):
        """A second request on the same connection, which nobody has looked at, is what smuggling needs."""
        smuggled = b"GET /internal HTTP/1.1\r\nHost: internal.example\r\n\r\n"
        got = []

        async def web(reader, writer):
            await upgrade_as_server(reader, writer, answer)
            got.append(await reader.read())
            writer.close()

        async with raw_server(web) as url:
            with Tap(url) as tap:
                reader, writer = await opened(tap)
                writer.write(ASK + smuggled)
                assert await reader.readexactly(len(answer)) == answer
                writer.write(smuggled)
                await writer.drain()
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert got == [b""]


class TestWhoMayAsk:
    """Without a gateway: what is refused never reaches one."""

    @pytest.mark.parametrize(
        "head",
        [
            b"\x16\x03\x01nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
            ASK.replace(b"GET /path", b"GET http://evil.example/path"),
            ASK.replace(b"GET /path", b"GET @evil.example/path"),
            ASK.replace(b"\r\n\r\n", b"\r\nX: a\nHost: evil.example\r\n\r\n"),
            ASK.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
            ASK.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello"),
        ],
    )
    async def test_what_is_no_clear_request_is_400_and_reported_once_a_minute(self, head):
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            for _ in range(3):
                assert (await ask(tap, head)).startswith(b"HTTP/1.1 400 ")
        assert len(tap.notes) == 1
        assert "was refused" in tap.notes[0]

    async def test_what_is_no_upgrade_is_426(self):
        """A gateway's page would run in a browser as one of this machine."""
        head = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            assert (await ask(tap, head)).startswith(b"HTTP/1.1 426 ")

    @pytest.mark.parametrize(
        ("line", "how"),
        [
            (b"Origin: https://dapp.example", b"--allow-origin https://dapp.example"),
            (b"Origin: null", b"--allow-origin null"),
            (b"Origin: http://localhost.evil.example", b"--allow-origin http://localhost.evil.example"),
        ],
    )
    async def test_a_page_from_elsewhere_is_403_with_what_lets_it_in(self, line, how):
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            answer = await ask(tap, ASK.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n"))
            await ask(tap, ASK.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert how in answer.split(b"\r\n\r\n")[1]
        assert [how.decode() in note for note in tap.notes] == [True]

    @pytest.mark.parametrize("origin", [b"http://localhost:3000", b"http://127.0.0.1:5173", b"http://[::1]"])
    async def test_a_page_of_this_machine_comes_as_far_as_the_gateway(self, origin):
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            assert b"502" in await ask(tap, ASK.replace(b"\r\n\r\n", b"\r\nOrigin: " + origin + b"\r\n\r\n"))

    async def test_what_was_allowed_does_too(self):
        allowed = {"allow_origins": ["https://dapp.example"], "allow_hosts": ["box.example"]}
        head = ASK.replace(b"\r\n\r\n", b"\r\nOrigin: https://dapp.example\r\n\r\n").replace(
            b"127.0.0.1", b"box.example:1"
        )
        with Tap(f"ws://127.0.0.1:{free_port()}", **allowed) as tap:
            assert b"502" in await ask(tap, head)

    @pytest.mark.parametrize("host", [b"evil.example", b"evil.example:8080", b"127.0.0.1.evil.example"])
    async def test_a_name_that_may_be_rebound_is_403(self, host):
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            answer = await ask(tap, ASK.replace(b"127.0.0.1", host))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"--allow-host " + host.partition(b":")[0] in answer

    async def test_half_a_request_is_given_up_on(self, monkeypatch):
        monkeypatch.setattr(tap_relay, "HEAD_PATIENCE_S", 0.05)
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            assert (await ask(tap, ASK[:20])).startswith(b"HTTP/1.1 408 ")
            assert await ask(tap, b"") == b""  # a browser's spare connection is not told of
        assert len(tap.notes) == 1

    async def test_a_hundred_garbage_connections_leave_nothing(self):
        dice = random.Random(5)
        with Tap(f"ws://127.0.0.1:{free_port()}") as tap:
            for number in range(100):
                _, writer = await opened(tap)
                writer.write(dice.randbytes(200) + (b"\r\n\r\n" if number % 2 else b""))
                reset(writer) if number % 3 else writer.close()
            await until(lambda: tap.open_connections == 0)
        assert len(tap.notes) < 10


class TestExtensions:
    @pytest.mark.parametrize(
        "name", [b"permessage-deflate", b"permessage-deflate; server_max_window_bits=15", b"x-own"]
    )
    async def test_that_nobody_offered_end_the_session(self, name):
        """The attack: 603 kB of one became a recording of 827 MB."""
        bomb = Packed(Opcode.BINARY, bytes(2**24)).serialize(
            mask=False, extensions=[PerMessageDeflate(True, True, 15, 15)]
        )
        lost = asyncio.Event()

        async def gateway(reader, writer):
            head = await upgrade_as_server(
                reader, writer, UPGRADE.replace(b"X-Odd", b"Sec-WebSocket-Extensions: " + name + b"\r\nX-Odd") + bomb
            )
            assert b"xtensions" not in head
            await ended(reader)
            lost.set()
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                offered = ASK.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
                answer = await ask(tap, offered)
                assert answer.startswith(b"HTTP/1.1 502 ")
                await asyncio.wait_for(lost.wait(), 60)
        assert seen(tap) == []
        assert "which nobody offered" in tap.notes[0]

    async def test_an_empty_list_gives_none(self):
        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer, UPGRADE.replace(b"X-Odd", b"Sec-WebSocket-Extensions: \r\nX-Odd"))
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                _, writer = await upgraded(tap.url)
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert seen(tap) == [SILENT_SINCE, ("in", "close", b"", 1006)]


class TestCredentials:
    async def test_are_in_no_answer_note_or_frame(self, monkeypatch, tmp_path):
        """Neither the gateway's nor its proxy's, nor what a page hides in a subprotocol or sends as a query."""
        monkeypatch.setenv("https_proxy", f"http://me:s3cr3t@127.0.0.1:{free_port()}")
        for name in ("no_proxy", "NO_PROXY", "ws_proxy", "socks_proxy"):
            monkeypatch.delenv(name, raising=False)
        path = tmp_path / "s.icws"
        head = ASK.replace(b"?q=1", b"?token=s3cr3t").replace(
            b"\r\n\r\n", b"\r\nAuthorization: Bearer s3cr3t\r\nSec-WebSocket-Protocol: s3cr3t\r\nCookie: s3cr3t\r\n\r\n"
        )
        with Tap("ws://me:s3cr3t@gateway.invalid/?token=s3cr3t", record=path) as tap:
            answer = await ask(tap, head)
            shown = f"{tap!r} {tap._plan!r} {tap.notes} {tap.recording.info} {tap.url} {tap.gateway_url}"
        assert b"502 Bad Gateway" in answer
        assert b"through the proxy http://127.0.0.1" in answer
        for text in (answer.decode(), shown, path.read_text()):
            assert "s3cr3t" not in text

    async def test_of_the_gateway_reach_it(self):
        got = {}

        async def gateway(reader, writer):
            got["head"] = await upgrade_as_server(reader, writer)
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url.replace("ws://", "ws://me:s3cr3t@") + "/?token=t0k3n") as tap:
                reader, writer = await upgraded(tap.url, ASK.replace(b"/path?q=1", b"/"))
                await reader.read()
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert got["head"].startswith(b"GET /?token=t0k3n HTTP/1.1\r\n")
        assert b"\r\nAuthorization: Basic bWU6czNjcjN0\r\n" in got["head"]
        assert "t0k3n" not in str(tap.recording.raw.frames)

    async def test_in_a_path_reach_it_too_and_nobody_else(self):
        got = {}

        async def gateway(reader, writer):
            got["head"] = await upgrade_as_server(reader, writer)
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(f"{url}/base;key=t0k3n") as tap:
                reader, writer = await upgraded(tap.url, ASK.replace(b"/path?q=1", b"/"))
                await reader.read()
                writer.close()
                await until(lambda: tap.open_connections == 0)
                assert "t0k3n" not in tap.url
        assert got["head"].startswith(b"GET /base;key=t0k3n HTTP/1.1\r\n")
        assert [frame.reason for frame in tap.recording.raw.frames if frame.op == "response"] == ["GET /base"]

    async def test_in_a_claimed_extension_are_hidden(self):
        async def gateway(reader, writer):
            await upgrade_as_server(
                reader, writer, UPGRADE.replace(b"X-Odd", b"Sec-WebSocket-Extensions: x; t=s3cr3t\r\nX-Odd")
            )
            await ended(reader)
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url.replace("ws://", "ws://s3cr3t@")) as tap:
                answer = await ask(tap)
        assert b"claims the WebSocket extension 'x; t=\xe2\x80\xa6'" in answer
        assert "s3cr3t" not in f"{tap.notes}"

    async def test_a_redirect_passes_and_is_not_followed(self):
        answer = b"HTTP/1.1 302 Found\r\nLocation: ws://internal.example/\r\nContent-Length: 0\r\n\r\n"

        async def web(reader, writer):
            await upgrade_as_server(reader, writer, answer)
            writer.close()

        async with raw_server(web) as url:
            with Tap(url) as tap:
                assert await ask(tap) == answer
        assert tap.notes == [f"session 1: {url} answered HTTP 302"]


class Wire(asyncio.Transport):
    """A transport in a test's hand: what is written stays here, and the other end is what the test says."""

    def __init__(self, on_write=lambda: None):
        super().__init__()
        self.sent = b""
        self.is_read = True
        self.ends = []
        self._on_write = on_write

    def write(self, data):
        self._on_write()
        self.sent += bytes(data)

    def pause_reading(self):
        self.is_read = False

    def resume_reading(self):
        self.is_read = True

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.ends.append("fin")

    def close(self):
        self.ends.append("close")

    def abort(self):
        self.ends.append("reset")

    def is_closing(self):
        return bool({"close", "reset"} & set(self.ends))


class Joined:
    """A relay that is open, between two wires."""

    def __init__(self, recorder, name="1", on_write=lambda: None, control=None):
        self.gone = []
        gateway = Address.gateway("ws://gateway")
        self.relay = Relay(name, gateway, recorder, Visitors(), control=control, ssl=None, on_gone=self.gone.append)
        self.client, self.gateway = Wire(), Wire(on_write)
        self.relay.client.connection_made(self.client)
        self.relay.gateway.connection_made(self.gateway)
        self.relay.stage = Stage.ANSWERING
        self.relay.gateway.data_received(UPGRADE)
        assert self.relay.stage is Stage.OPEN
        self.client.sent = b""

    def say(self, data):
        self.relay.client.data_received(data)

    async def all_turns(self):
        legs = (self.relay.client, self.relay.gateway)
        while any(leg.inbox or leg.late or leg.work is not None for leg in legs):  # noqa: ASYNC110  # turns are callbacks
            await asyncio.sleep(0)
        await asyncio.sleep(0)


def recorder_of(path=None, *, keep=True):
    writer = None if path is None else CaptureWriter(path, SessionInfo())
    return Recorder(Capture(), RealClock(), writer, keep=keep)


ONE = frame(Opcode.BINARY, b"x", masked=True)


class TestTurns:
    async def test_a_flood_leaves_the_others_their_turns(self):
        """37 449 frames came in one read: another session's frame waited for all of them, 8 to 14 s."""
        recorder = recorder_of()
        flood, quiet = Joined(recorder, "flood"), Joined(recorder, "quiet")
        flood.say(ONE * 37_449)
        quiet.say(ONE)
        assert quiet.gateway.sent == ONE
        frames = recorder.capture.frames
        assert [f.session for f in frames] == ["flood"] * TURN_FRAMES + ["quiet"]
        for _ in range(10):
            before = len(frames)
            await asyncio.sleep(0)
            quiet.say(ONE)
            assert len(frames) - before <= TURN_FRAMES + 1
            assert frames[-1].session == "quiet"
        flood.relay.cut()

    @pytest.mark.parametrize("where", ["size == 0", "size == 1"])
    async def test_also_while_frames_are_looked_at_or_held(self, where):
        recorder = recorder_of()
        control = PathControl(RealClock, lambda function: function(), recorder.note)
        control.hold(where, session="flood")
        flood, quiet = Joined(recorder, "flood", control=control), Joined(recorder, "quiet", control=control)
        flood.say(ONE * 5_000)
        frames = recorder.capture.frames
        for _ in range(10):
            before = len(frames)
            await asyncio.sleep(0)
            quiet.say(ONE)
            assert len(frames) - before <= APART_FRAMES + 1
            assert frames[-1].session == "quiet"
        for _ in range(1000):
            await asyncio.sleep(0)
        held = sum(frame.session == "flood" for frame in frames)
        assert held == 5_000 if where == "size == 0" else MAX_FRAMES <= held < MAX_FRAMES + APART_FRAMES
        assert flood.client.is_read == (where == "size == 0")
        flood.relay.cut()
        quiet.relay.cut()

    async def test_two_floods_take_turns(self):
        recorder = recorder_of()
        one, two = Joined(recorder, "one"), Joined(recorder, "two")
        one.say(ONE * 1000)
        two.say(ONE * 1000)
        await one.all_turns()
        await two.all_turns()
        ahead = 0
        for frame_ in recorder.capture.frames:
            ahead += 1 if frame_.session == "one" else -1
            assert abs(ahead) <= TURN_FRAMES
        assert one.gateway.sent == two.gateway.sent == ONE * 1000

    async def test_what_waits_for_a_turn_holds_up_who_sent_it(self):
        joined = Joined(recorder_of())
        joined.say(ONE * (TURN_FRAMES - 1))
        assert joined.client.is_read
        joined.say(ONE * 1000)
        assert not joined.client.is_read
        await joined.all_turns()
        assert joined.client.is_read
        assert joined.gateway.sent == ONE * (1000 + TURN_FRAMES - 1)

    async def test_so_does_a_side_that_does_not_read(self):
        joined = Joined(recorder_of())
        joined.relay.gateway.pause_writing()
        assert not joined.client.is_read
        joined.say(ONE * 1000)  # was under way
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(joined.gateway.sent) <= len(ONE) * TURN_FRAMES
        joined.relay.gateway.resume_writing()
        await joined.all_turns()
        assert joined.gateway.sent == ONE * 1000
        assert joined.client.is_read

    async def test_an_end_comes_after_what_waits(self):
        joined = Joined(recorder_of())
        joined.say(ONE * 1000)
        joined.relay.client.eof_received()
        assert joined.gateway.ends == []
        await joined.all_turns()
        assert joined.gateway.sent == ONE * 1000
        assert joined.gateway.ends == ["fin"]

    async def test_a_lost_connection_too(self):
        recorder = recorder_of()
        joined = Joined(recorder)
        joined.say(ONE * 1000)
        joined.relay.client.connection_lost(ConnectionResetError())
        assert joined.gateway.ends == []
        await joined.all_turns()
        assert joined.gateway.sent == ONE * 1000
        assert joined.gateway.ends == ["reset"]
        assert (recorder.capture.frames[-1].op, recorder.capture.frames[-1].code) == ("close", 1006)

    @pytest.mark.parametrize("cut", [1, 7, 63, 449, 5000])
    async def test_every_byte_passes_however_it_comes(self, cut):
        dice = random.Random(cut)
        sent = [dice.randbytes(dice.choice([0, 1, 5, 200, 70_000 if cut > 1000 else 300])) for _ in range(300)]
        stream = b"".join(frame(Opcode.BINARY, data, masked=True) for data in sent) + b"\xff" * 100
        recorder = recorder_of()
        joined = Joined(recorder)
        at = 0
        while at < len(stream):
            size = dice.randint(1, 2 * cut)
            if joined.client.is_read:
                joined.say(stream[at : at + size])
                at += size
            await asyncio.sleep(0)
        await joined.all_turns()
        assert joined.gateway.sent == stream
        assert [f.data for f in recorder.capture.frames if f.op == "binary"] == sent
        assert "relayed, not recorded" in recorder.capture.notes[0]

    async def test_a_large_message_takes_several_and_stands_in_the_file_in_one_piece(self, tmp_path):
        """Its line alone takes 50 ms to make at 16 MiB; the others' frames are recorded and passed meanwhile."""
        recorder = recorder_of(tmp_path / "s.icws")
        large, quiet = Joined(recorder, "large"), Joined(recorder, "quiet")
        data = random.Random(1).randbytes(5 * TURN_BYTES + 1)
        sent = frame(Opcode.BINARY, data, masked=True) + ONE
        large.say(sent)
        assert not large.client.is_read
        large.say(ONE)  # was under way
        turns = 0
        while not large.gateway.sent:
            quiet.say(ONE)
            assert quiet.gateway.sent == ONE * (turns + 1)
            await asyncio.sleep(0)
            turns += 1
        await large.all_turns()
        assert turns > 5
        assert large.gateway.sent == sent + ONE
        assert large.client.is_read
        recorder.close()
        frames = load(tmp_path / "s.icws").frames
        assert frames == recorder.capture.frames
        assert [f.data for f in frames if f.session == "large"] == [data, b"x", b"x"]
        assert frames[turns].data == data

    async def test_a_large_message_that_is_cut_is_neither_recorded_nor_passed(self):
        recorder = recorder_of()
        joined = Joined(recorder)
        joined.say(frame(Opcode.BINARY, bytes(2 * TURN_BYTES), masked=True))
        joined.relay.cut()
        await joined.all_turns()
        assert joined.gateway.sent == b""
        assert [f.op for f in recorder.capture.frames] == ["response", "close"]


class TestRecordingFirst:
    @pytest.mark.parametrize("name", ["s.icws", "s.icws.gz"])
    async def test_what_has_passed_is_in_the_file(self, tmp_path, name):
        recorder = recorder_of(tmp_path / name)
        in_file = []
        joined = Joined(recorder, on_write=lambda: in_file.append(len(load(tmp_path / name).frames)))
        joined.say(ONE * 300)
        await joined.all_turns()
        in_file_at_last = in_file[-1]
        passed = [min(300, TURN_FRAMES * (number + 1)) for number in range(len(in_file))]
        assert in_file == passed
        assert in_file_at_last == 300
        recorder.close()

    async def test_of_half_a_frame_half_passes(self, tmp_path):
        joined = Joined(recorder_of())
        joined.say(ONE + ONE[:3])
        assert joined.gateway.sent == ONE + ONE[:3]


class TestBudget:
    async def test_a_session_that_is_over_it_is_relayed_and_its_end_recorded(self, monkeypatch):
        monkeypatch.setattr(tap_relay, "SESSION_BYTES", 1000)
        recorder = recorder_of()
        joined, other = Joined(recorder, "1"), Joined(recorder, "2")
        bye = frame(Opcode.CLOSE, Close(1000, "").serialize(), masked=True)
        joined.say(ONE * 50)
        joined.say(bye)
        other.say(ONE)
        assert joined.gateway.sent == ONE * 50 + bye
        ops = [f.op for f in recorder.capture.session("1").frames]
        assert ops == ["binary"] * 9 + ["close"]
        assert len(recorder.capture.session("2").frames) == 1
        assert recorder.capture.notes == ["session 1 has sent more than 1000 bytes: from here on it is not recorded"]

    async def test_what_is_held_before_the_gateway_answers_is_little(self):
        relay = Relay("1", Address.gateway("ws://g"), recorder_of(), Visitors(), ssl=None, on_gone=lambda _: None)
        client = Wire()
        relay.client.connection_made(client)
        relay.stage = Stage.ANSWERING
        relay.client.data_received(bytes(tap_relay.HELD))
        assert client.is_read
        relay.client.data_received(b"x")
        assert not client.is_read


class TestFaults:
    async def test_of_the_tap_itself_end_the_session_and_are_reported(self, monkeypatch):
        recorder = recorder_of()
        joined = Joined(recorder)
        joined.say(ONE * 100)

        def broken(*_frames):
            raise RuntimeError("mine")

        monkeypatch.setattr(recorder, "record", broken)
        await joined.all_turns()
        assert "session 1 was ended by a fault of the tap: RuntimeError: mine" in recorder.capture.notes
        assert joined.client.ends == joined.gateway.ends == ["reset"]

    async def test_in_reading_too(self, monkeypatch):
        async def gateway(reader, writer):
            await upgrade_as_server(reader, writer)
            await ended(reader)
            writer.close()

        async with raw_server(gateway) as url:
            with Tap(url) as tap:
                reader, writer = await upgraded(tap.url)

                def broken(*_frames):
                    raise RuntimeError("mine")

                monkeypatch.setattr(tap._running.recorder, "record", broken)
                writer.write(ONE)
                await ended(reader)
                monkeypatch.undo()
                writer.close()
                await until(lambda: tap.open_connections == 0)
        assert ["mine" in note for note in tap.notes] == [True]
