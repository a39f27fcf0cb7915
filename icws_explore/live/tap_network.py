"""The tap in front of a network's HTTP side: what the gateway asks it and what it answers.

The gateway tells its clients nothing of this, so a canister's ``Err`` and a refused call show here
only. Bodies pass unchanged. Polls that went well (ten a second) are left out unless asked for.
"""

from __future__ import annotations

import itertools
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from icws_explore.analysis.network_calls import read_exchange
from icws_explore.capture import Frame
from icws_explore.protocol.errors import ConnectError

from .http import REQUEST_TIMEOUT_S, check_http_url, is_loopback
from .listen import Listen
from .tap_recorder import Recorder

MAX_BODY: Final = 16 * 1024 * 1024  # bytes; a replica takes and gives at most about 3 MiB
_OF_ONE_HOP: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
)
_OWN_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class NetworkTap:
    """An HTTP proxy in front of the network at ``url``; ``every_query`` records the polls that went well too."""

    def __init__(self, url: str, recorder: Recorder, *, every_query: bool = False) -> None:
        self.network_url = check_http_url(url)
        self.url = ""
        self._recorder = recorder
        self._every_query = every_query
        self._numbers = itertools.count(1)
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, listen: Listen) -> None:
        """Raises ConnectError when the address is taken."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        self._http = aiohttp.ClientSession(
            timeout=timeout, auto_decompress=False, trust_env=not is_loopback(self.network_url)
        )
        application = web.Application(client_max_size=MAX_BODY)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, listen.host, listen.port).start()
        except OSError as error:
            await self.stop()
            raise ConnectError(listen.taken(error)) from error
        self.url = f"http://{listen.at(self._runner.addresses[0][1])}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()
        self._runner = self._http = None

    async def _answer(self, request: web.Request) -> web.Response:
        began = self._recorder.clock.now_s()
        what = f"{request.method} {request.raw_path}"
        body = await request.read()
        session = f"http-{next(self._numbers)}"
        is_poll = request.path.endswith("/query") and not self._every_query
        if not is_poll:
            self._recorder.record(session, "out", "request", body, reason=what, t=began)
        response = await self._relay(request, body)
        answer, status = response.body if isinstance(response.body, bytes) else b"", response.status
        if is_poll and _has_failed(
            Frame(began, "out", "request", body), Frame(began, "in", "response", answer, status)
        ):
            self._recorder.record(session, "out", "request", body, reason=what, t=began)
            is_poll = False
        if not is_poll:
            self._recorder.record(session, "in", "response", answer, status, what)
        return response

    async def _relay(self, request: web.Request, body: bytes) -> web.Response:
        assert self._http is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        try:
            async with self._http.request(
                request.method,
                URL(self.network_url + request.raw_path, encoded=True),
                data=body if request.body_exists else None,
                headers=headers,
                allow_redirects=False,
                skip_auto_headers=_OWN_HEADERS,
            ) as answered:
                answer = await answered.content.read(MAX_BODY + 1)
                while len(answer) <= MAX_BODY and not answered.content.at_eof():
                    answer += await answered.content.read(MAX_BODY + 1 - len(answer))
                if len(answer) > MAX_BODY:
                    return _failed(502, f"{self.network_url} answered more than {MAX_BODY} bytes")
                kept = [(name, value) for name, value in answered.headers.items() if name.lower() not in _OF_ONE_HOP]
                response = web.Response(status=answered.status, reason=answered.reason, body=answer)
                response.headers.clear()
                response.headers.extend(kept)
                return response
        except TimeoutError:
            return _failed(504, f"{self.network_url} did not answer within {REQUEST_TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return _failed(502, f"no answer from {self.network_url}: {' '.join(str(error).split())}")


def _has_failed(request: Frame, response: Frame) -> bool:
    """A query that was rejected, or answered with an Err or with what no poller can read."""
    return read_exchange(request, response).failed


def _failed(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"icws tap: {text}\n")
