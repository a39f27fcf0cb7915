"""The tap in front of the network: what a gateway never forwards is in the capture."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from icws_explore.capture import Capture
from icws_explore.live import tap_network
from icws_explore.live.clock import RealClock
from icws_explore.live.listen import Listen
from icws_explore.live.tap_network import NetworkTap
from icws_explore.live.tap_recorder import Recorder
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import PollResult, encode_poll_args, encode_poll_result
from icws_explore.protocol.envelope import Envelope, query_content
from icws_explore.protocol.errors import ConnectError
from icws_explore.protocol.principal import Principal
from support.servers import free_port, http_server

CALL = "/api/v3/canister/aaaaa-aa/call"
QUERY = "/api/v2/canister/aaaaa-aa/query"


class Tapped:
    """A tap in front of ``handle``, or of nobody."""

    def __init__(self, handle=None, **options):
        self.recorder = Recorder(Capture(), RealClock(), None, keep=True)
        self._handle, self._options = handle, options

    async def __aenter__(self):
        self._server = http_server(self._handle) if self._handle else None
        url = await self._server.__aenter__() if self._server else f"http://127.0.0.1:{free_port()}"
        self.tap = NetworkTap(url, self.recorder, **self._options)
        await self.tap.start(Listen("127.0.0.1", 0))
        return self

    async def __aexit__(self, *_):
        await self.tap.stop()
        if self._server:
            await self._server.__aexit__(None, None, None)

    async def ask(self, path, body=b"\x01", method="POST", **more):
        url = URL(self.tap.url + path, encoded=True)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.request(method, url, data=body, **more) as answer,
        ):
            return answer.status, await answer.read(), dict(answer.headers)

    @property
    def frames(self):
        return [(f.op, f.direction, f.data, f.code, f.reason, f.session) for f in self.recorder.capture.frames]


class TestPasses:
    async def test_unchanged_in_both_directions(self):
        seen = {}

        async def handle(request):
            seen.update(
                path=request.raw_path, body=await request.read(), headers=dict(request.headers), how=request.method
            )
            return web.Response(status=418, body=b"\x1f\x8bodd", headers={"Content-Encoding": "gzip", "X-Ic": "1"})

        async with Tapped(handle) as tapped:
            headers = {"Content-Type": "application/cbor", "User-Agent": "agent", "X-Own": "2"}
            status, body, back = await tapped.ask("/a%2Fb?c=%20d", b"\xd9\xd9\xf7", headers=headers)
            assert (status, body, back["X-Ic"], back["Content-Encoding"]) == (418, b"\x1f\x8bodd", "1", "gzip")
            assert (seen["path"], seen["body"], seen["how"]) == ("/a%2Fb?c=%20d", b"\xd9\xd9\xf7", "POST")
            assert {name: seen["headers"][name] for name in headers} == headers
            assert await tapped.ask("/status", None, "GET") == (418, b"\x1f\x8bodd", back)

    async def test_redirects_are_the_clients(self):
        async def handle(_request):
            return web.Response(status=307, headers={"Location": "/elsewhere"})

        async with Tapped(handle) as tapped:
            status, _, headers = await tapped.ask("/", allow_redirects=False)
            assert (status, headers["Location"]) == (307, "/elsewhere")


class TestRecords:
    async def test_a_call_and_its_answer(self):
        async def handle(_request):
            return web.Response(body=b"answer")

        async with Tapped(handle) as tapped:
            await tapped.ask(CALL, b"question")
            what = f"POST {CALL}"
            assert tapped.frames == [
                ("request", "out", b"question", None, what, "http-1"),
                ("response", "in", b"answer", 200, what, "http-1"),
            ]
            times = [frame.t for frame in tapped.recorder.capture.frames]
            assert times == sorted(times)

    @pytest.mark.parametrize(
        ("status", "body", "every", "recorded"),
        [
            (200, b"\xa1fstatusgreplied", False, 0),
            (200, b"\xa1fstatusgreplied", True, 2),
            (200, cbor.dumps({"status": "rejected", "reject_code": 5, "reject_message": "no"}), False, 2),
            (200, b"\xff", False, 2),
            (503, b"busy", False, 2),
        ],
    )
    async def test_polls_that_went_well_are_left_out(self, status, body, every, recorded):
        async def handle(_request):
            return web.Response(status=status, body=body)

        async with Tapped(handle, every_query=every) as tapped:
            await tapped.ask(QUERY)
            assert len(tapped.frames) == recorded

    @pytest.mark.parametrize(("answer", "recorded"), [("no such gateway", 2), (PollResult((), b"", b"", True), 0)])
    async def test_a_poll_that_a_canister_answers_with_an_err_did_not_go_well(self, answer, recorded):
        reply = cbor.dumps({"status": "replied", "reply": {"arg": encode_poll_result(answer)}})

        async def handle(_request):
            return web.Response(body=reply)

        content = query_content(Principal.MANAGEMENT, "ws_get_messages", encode_poll_args(0), Principal.MANAGEMENT, 1)
        async with Tapped(handle) as tapped:
            await tapped.ask(QUERY, Envelope(content).encode())
            assert len(tapped.frames) == recorded

    async def test_many_at_once_keep_their_answers(self):
        """They are answered when all are there, the last one first."""
        answered = [asyncio.Event() for _ in range(11)]
        answered[10].set()
        all_there = asyncio.Barrier(10)

        async def handle(request):
            body = await request.read()
            await all_there.wait()
            await answered[body[0] + 1].wait()
            answered[body[0]].set()
            return web.Response(body=body * 2)

        async with Tapped(handle) as tapped:
            await asyncio.gather(*(tapped.ask(CALL, bytes([n])) for n in range(10)))
            asked = {f[5]: f[2] for f in tapped.frames if f[0] == "request"}
            answers = {f[5]: f[2] for f in tapped.frames if f[0] == "response"}
        assert len(asked) == 10
        assert answers == {session: body * 2 for session, body in asked.items()}


class TestFailures:
    async def test_nobody_there(self):
        async with Tapped() as tapped:
            status, body, _ = await tapped.ask(CALL)
            assert (status, body[:20]) == (502, b"icws tap: no answer ")
            assert tapped.frames[-1][3] == 502

    async def test_silence(self, monkeypatch):
        monkeypatch.setattr(tap_network, "REQUEST_TIMEOUT_S", 0.2)

        is_over = asyncio.Event()

        async def handle(_request):
            await is_over.wait()
            return web.Response()

        async with Tapped(handle) as tapped:
            assert (await tapped.ask(CALL))[0] == 504
            is_over.set()

    async def test_an_endless_answer(self, monkeypatch):
        monkeypatch.setattr(tap_network, "MAX_BODY", 1000)

        async def handle(_request):
            return web.Response(body=bytes(2000))

        async with Tapped(handle) as tapped:
            assert (await tapped.ask(CALL))[0] == 502
            assert (await tapped.ask(CALL, bytes(2000)))[0] == 413

    @pytest.mark.parametrize("url", ["ws://x", "nonsense"])
    def test_no_network_url(self, url):
        with pytest.raises(ConnectError, match="not a network URL"):
            NetworkTap(url, Recorder(Capture(), RealClock(), None, keep=True))
