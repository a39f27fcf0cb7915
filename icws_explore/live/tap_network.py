"""The tap in front of a network's HTTP side: what the gateway asks it and what it answers.

The gateway tells its clients nothing of this, so a canister's ``Err`` and a refused call show here
only. Bodies pass unchanged. Polls that went well (ten a second) are left out unless asked for.

Requests go to the network that the user named. A request's target must be a path; it is recorded without its query,
which may contain a token. See listen.py for the clients that are accepted.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from icws_explore.analysis.network_calls import read_exchange
from icws_explore.capture import Frame
from icws_explore.capture.files import shown
from icws_explore.protocol.budgets import HTTP_ANSWER as MAX_BODY
from icws_explore.protocol.credentials import shown_target
from icws_explore.protocol.errors import ConnectError

from .address import Address
from .http import REQUEST_TIMEOUT_S, failure_text, http_client, read_at_most
from .listen import Listen, Visitors
from .network.serving import Bodies, BodyError, runner_of
from .tap_recorder import Recorder

SHUTDOWN_S: Final = 0.5  # real seconds for the requests that are in progress when the tap ends
AT_ONCE: Final = 64  # requests in progress; a gateway's agent makes at most 50
_OF_ONE_HOP: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OWN_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class NetworkTap:
    """An HTTP proxy in front of the network at ``url``; ``every_query`` records the polls that went well too."""

    def __init__(
        self, url: str, recorder: Recorder, visitors: Visitors | None = None, *, every_query: bool = False
    ) -> None:
        self.url = ""
        self._network = Address.network(url)
        self._recorder = recorder
        self._visitors = visitors or Visitors()
        self._every_query = every_query
        self._numbers = itertools.count(1)
        self._bodies = Bodies()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, listen: Listen) -> None:
        """Raises ConnectError when the address is taken."""
        self._http = http_client(self._network, timeout_s=REQUEST_TIMEOUT_S)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        logger = logging.Logger("icws-tap")  # noqa: LOG001  # a shared logger would keep the handlers of every tap
        logger.addHandler(_ToRecorder(self._recorder))
        self._runner = runner_of(application, logger, shutdown_s=SHUTDOWN_S)
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
        headers = request.headers
        asked = (headers.getall(name, []) for name in ("Host", "Origin", "Sec-Fetch-Site"))
        if (refused := self._visitors.refusal(*asked)) is not None:
            self._recorder.fault(refused, f"a request to the network was refused: {refused}")
            return _failed(403, refused)
        if not request.raw_path.startswith("/") or request.raw_path.startswith("//"):
            return _failed(400, "the request must name a path: point a gateway at this address")
        try:
            async with self._bodies.of(request, MAX_BODY) as body, self._room:  # a slow sender takes no room
                return await self._exchange(request, body)
        except BodyError as error:
            self._recorder.fault(error.text, f"a request to the network was refused: {error.text}")
            return _failed(error.status, error.text)

    async def _exchange(self, request: web.Request, body: bytes) -> web.Response:
        began = self._recorder.clock.now_s()
        what = f"{request.method} {shown_target(request.raw_path)}"
        session = f"http-{next(self._numbers)}"
        asked = Frame(began, "out", "request", body, reason=what, session=session)
        is_poll = request.path.endswith("/query") and not self._every_query
        if not is_poll:
            self._recorder.record(asked)
        response = await self._relay(request, body)
        data = response.body if isinstance(response.body, bytes) else b""
        answer = Frame(self._recorder.clock.now_s(), "in", "response", data, response.status, what, session)
        if not is_poll:
            self._recorder.record(answer)
        elif _has_failed(asked, answer):
            self._recorder.record(asked, answer)
        return response

    async def _relay(self, request: web.Request, body: bytes) -> web.Response:
        assert self._http is not None
        try:
            async with self._http.request(
                request.method,
                URL(self._network.url(request.raw_path), encoded=True),
                data=body if request.body_exists else None,
                headers=_passed_on(request.headers),
                allow_redirects=False,
                skip_auto_headers=_OWN_HEADERS,
            ) as answered:
                answer = await read_at_most(answered.content, MAX_BODY)
                if len(answer) > MAX_BODY:
                    return _failed(502, f"{self._network} answered more than {MAX_BODY} bytes")
                response = web.Response(status=answered.status, reason=answered.reason, body=answer)
                response.headers.clear()
                response.headers.extend(_passed_on(answered.headers))
                return response
        except TimeoutError:
            return _failed(504, f"{self._network} did not answer within {REQUEST_TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failed(502, f"no answer from {self._network}: {failure_text(self._network, error)}")


class _ToRecorder(logging.Handler):
    """Turns what aiohttp's server logs, mostly about garbage at its port, into a note a minute."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(logging.WARNING)
        self._recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        error = None if record.exc_info is None else record.exc_info[1]
        kind = type(error).__name__
        what = "" if error is None else f" ({kind}: {shown(str(error))})"
        self._recorder.fault(f"http {kind}", f"the network's address: {record.getMessage()}{what}")


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers without those that concern one connection only. Source: RFC 9110, section 7.6.1."""
    connection = ",".join(value for name, value in headers.items() if name.lower() == "connection")
    dropped = _OF_ONE_HOP | {name.strip().lower() for name in connection.split(",")}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def _has_failed(request: Frame, response: Frame) -> bool:
    """A query that was rejected, or answered with an Err or with what no poller can read."""
    return read_exchange(request, response).failed


def _failed(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"icws tap: {text}\n", headers={"X-Content-Type-Options": "nosniff"})
