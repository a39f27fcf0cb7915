"""The tap in front of the network: what a gateway never forwards is in the capture."""

import asyncio
import gzip

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from icws_explore.capture import Capture
from icws_explore.live import tap_network
from icws_explore.live.clock import RealClock
from icws_explore.live.listen import Listen, Visitors
from icws_explore.live.tap_network import NetworkTap
from icws_explore.live.tap_recorder import Recorder
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import PollResult, encode_poll_args, encode_poll_result
from icws_explore.protocol.envelope import Envelope, query_content
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.principal import Principal
from support.servers import free_port, http_server

CALL = "/api/v3/canister/aaaaa-aa/call"
QUERY = "/api/v2/canister/aaaaa-aa/query"


class Tapped:
    """A tap in front of ``handle``, or of nobody."""

    def __init__(self, handle=None, visitors=None, *, secrets="", **options):
        self.recorder = Recorder(Capture(), RealClock(), None, keep=True)
        self._handle, self._visitors, self._secrets, self._options = handle, visitors, secrets, options

    async def __aenter__(self):
        self._server = http_server(self._handle) if self._handle else None
        url = await self._server.__aenter__() if self._server else f"http://127.0.0.1:{free_port()}"
        url = url.replace("//", f"//{self._secrets}")
        self.tap = NetworkTap(url, self.recorder, self._visitors, **self._options)
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

    async def raw(self, head):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.tap.url.rpartition(":")[2]))
        writer.write(head)
        answer = await asyncio.wait_for(reader.read(2**16), 60)
        writer.close()
        return answer

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
            status, body, again = await tapped.ask("/status", None, "GET")
            assert (status, body) == (418, b"\x1f\x8bodd")
            assert {**again, "Date": back["Date"]} == back  # the second may have changed in between

    async def test_packed_bodies_stay_packed(self):
        async def handle(request):
            return web.Response(text=f"{len(await request.read())} {request.headers['Content-Encoding']}")

        packed = gzip.compress(bytes(100_000))
        async with Tapped(handle) as tapped:
            headers = {"Content-Encoding": "gzip"}
            (_, asked, _) = await tapped.ask(CALL, packed, headers=headers)
            assert tapped.frames[0][2] == packed
            assert asked == b"100000 gzip"  # the test's server unpacks

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
    async def test_no_server(self):
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
        with pytest.raises(ArgumentValueError, match="not a network URL"):
            NetworkTap(url, Recorder(Capture(), RealClock(), None, keep=True))


class TestTargets:
    """``https://icp-api.io`` and ``.evil.example/`` make one URL when they are put together as texts."""

    @pytest.mark.parametrize(
        "target",
        [b"http://evil.example/x", b".evil.example/", b"@evil.example/", b":1@evil.example/", b"*", b"evil.example:443",
         b"http://[::1/", b"ws://evil.example/", b"//evil.example/"],
    )  # fmt: skip
    async def test_that_are_no_path_are_refused_and_never_asked_for(self, target, caplog, capfd):
        asked = []

        async def handle(request):
            asked.append(request.path)
            return web.Response()

        async with Tapped(handle) as tapped:
            answer = await tapped.raw(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert answer.split()[1] == (b"404" if target == b"*" else b"400")
            assert tapped.frames == []
        assert asked == []
        assert "Traceback" not in caplog.text + capfd.readouterr().err

    @pytest.mark.parametrize("path", ["/", "/@evil.example", "/.evil.example/", "/:1@evil.example/"])
    async def test_that_are_one_reach_the_network_that_was_named(self, path):
        asked = []

        async def handle(request):
            asked.append((request.headers["Host"], request.raw_path))
            return web.Response(body=b"ok")

        async with Tapped(handle) as tapped:
            answer = await tapped.raw(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"200 OK" in answer
            network = tapped.tap._network.authority
        assert asked == [(network, path)]

    async def test_garbage_is_reported_once_a_minute_and_not_printed(self, caplog, capfd):
        async with Tapped() as tapped:
            for _ in range(20):
                await tapped.raw(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nBad\r\n\r\n")
            assert len(tapped.recorder.capture.notes) == 1
        assert "Traceback" not in caplog.text + capfd.readouterr().err


class TestVisitors:
    @pytest.mark.parametrize(
        ("headers", "said"),
        [
            ({"Host": "evil.example"}, b"--allow-host evil.example"),
            ({"Origin": "https://evil.example"}, b"--allow-origin https://evil.example"),
            ({"Origin": "null"}, b"--allow-origin null"),
            ({"Sec-Fetch-Site": "cross-site"}, b"other sites"),
        ],
    )
    async def test_others_are_refused_and_leave_nothing_in_the_recording_but_a_note(self, headers, said):
        asked = []

        async def handle(request):
            asked.append(request)
            return web.Response()

        async with Tapped(handle) as tapped:
            for _ in range(3):
                status, body, answered = await tapped.ask("/api/v2/status", None, "GET", headers=headers)
            assert status == 403
            assert said in body
            assert "Access-Control-Allow-Origin" not in answered
            assert tapped.frames == []
            assert len(tapped.recorder.capture.notes) == 1
        assert asked == []

    @pytest.mark.parametrize("origin", ["http://localhost:3000", "https://dapp.example"])
    async def test_preflights_of_pages_that_are_let_in_pass(self, origin):
        async def handle(request):
            return web.Response(status=204, headers={"Access-Control-Allow-Origin": request.headers["Origin"]})

        async with Tapped(handle, Visitors.of(origins=["https://dapp.example"])) as tapped:
            status, _, headers = await tapped.ask(CALL, None, "OPTIONS", headers={"Origin": origin})
            assert (status, headers["Access-Control-Allow-Origin"]) == (204, origin)


class TestCredentials:
    async def test_of_the_url_reach_the_network_and_nothing_else(self):
        seen = []

        async def handle(request):
            seen.append(request.headers.get("Authorization"))
            return web.Response(body=b"ok")

        async with Tapped(handle, secrets="me:s3cr3t@") as tapped:
            await tapped.ask(CALL)
            await tapped.ask(CALL, headers={"Authorization": "Bearer own", "Proxy-Authorization": "Basic s3cr3t"})
        assert seen == ["Basic bWU6czNjcjN0", "Bearer own"]

    async def test_are_in_no_answer_and_no_frame(self):
        async with Tapped(secrets="me:s3cr3t@") as tapped:
            status, body, _ = await tapped.ask(f"{CALL}?token=t0k3n", headers={"Authorization": "Bearer t0k3n"})
            assert (status, tapped.frames[0][4]) == (502, f"POST {CALL}")
            await tapped.ask(f"{CALL};key=t0k3n")
            assert tapped.frames[2][4] == f"POST {CALL}"
            for text in (body.decode(), str(tapped.frames), repr(tapped.tap._network)):
                assert "s3cr3t" not in text
                assert "t0k3n" not in text

    async def test_headers_between_two_neighbours_stay_there(self):
        seen = {}

        async def handle(request):
            seen.update(request.headers)
            return web.Response(headers={"Connection": "close, X-Hop", "X-Hop": "1", "X-Kept": "2"})

        async with Tapped(handle) as tapped:
            headers = {"Connection": "X-Mine", "X-Mine": "1", "Proxy-Authorization": "Basic x", "X-Sent": "2"}
            _, _, answered = await tapped.ask(CALL, headers=headers)
        assert ("X-Mine" in seen, "Proxy-Authorization" in seen, seen["X-Sent"]) == (False, False, "2")
        assert ("X-Hop" in answered, answered["X-Kept"]) == (False, "2")


class TestRecordingFirst:
    async def test_a_request_is_on_record_before_the_network_has_it_and_an_answer_before_the_gateway(self):
        at = []

        async def handle(_request):
            at.append(len(tapped.frames))
            return web.Response(body=b"ok")

        async with Tapped(handle) as tapped:
            await tapped.ask(CALL)
            at.append(len(tapped.frames))
        assert at == [1, 2]

    async def test_at_once_there_is_room_for_a_bounded_number(self, monkeypatch):
        monkeypatch.setattr(tap_network, "AT_ONCE", 2)
        at_once, most = 0, 0
        two = asyncio.Barrier(2)

        async def handle(_request):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await two.wait()
            at_once -= 1
            return web.Response(body=b"ok")

        async with Tapped(handle) as tapped:
            await asyncio.gather(*(tapped.ask(CALL) for _ in range(8)))
        assert most == 2

    async def test_who_sends_slowly_takes_no_room(self, monkeypatch):
        monkeypatch.setattr(tap_network, "AT_ONCE", 1)

        async def handle(_request):
            return web.Response(body=b"ok")

        async with Tapped(handle) as tapped:
            port = int(tapped.tap.url.rpartition(":")[2])
            slow = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(3)]
            for writer in slow:
                writer.write(f"POST {CALL} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nhalf".encode())
            assert (await tapped.ask(CALL))[:2] == (200, b"ok")
            assert [frame[2] for frame in tapped.frames] == [b"\x01", b"ok"]
            for writer in slow:
                writer.close()
                await writer.wait_closed()
