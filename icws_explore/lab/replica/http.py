"""The replica's HTTP endpoints: those that the agents of ic-websocket-js use, and the current ones.

The endpoints up to call v3, query v2 and read_state v2 answer with certificates that hold the canister ranges in the
classic layout (``/subnet/<id>/canister_ranges``). Those of call v4, query v3 and read_state v3 use the sharded layout
(``/canister_ranges/<id>``).

A real replica answers every page (CORS: *). This one runs its user's code on its user's machine, so it answers only the
pages that `live.listen.Visitors` allows. An allowed page may read every answer.

Sources: interface specification, "HTTPS interface"; the requests that the real SDK and the real gateway make.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from icws_explore.live.listen import Visitors
from icws_explore.live.network.serving import Bodies, BodyError
from icws_explore.protocol import cbor
from icws_explore.protocol.budgets import LAB_REQUEST as MAX_BODY
from icws_explore.protocol.canister import Reject
from icws_explore.protocol.certificate import Layout
from icws_explore.protocol.errors import PrincipalError
from icws_explore.protocol.principal import Principal

from ..faults import Faults, HttpRequest
from .admission import NotReplicated, Refused
from .read_state import Target
from .replica import ReplicaLoop

CBOR_TYPE: Final = "application/cbor"
_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type",
    # Browsers let a page of another site talk to loopback only if the answer allows it (Private Network Access).
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
}
_LAYOUT: Final[dict[tuple[str, str], Layout]] = {
    ("query", "v2"): "classic",
    ("query", "v3"): "sharded",
    ("read_state", "v2"): "classic",
    ("read_state", "v3"): "sharded",
    ("call", "v3"): "classic",
    ("call", "v4"): "sharded",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(replica_loop: ReplicaLoop, visitors: Visitors, faults: Faults) -> web.Application:
    """Return the application that serves the replica of ``replica_loop`` to ``visitors``.

    ``faults`` may refuse calls and queries, as a boundary node in front of a replica does.
    """
    app = web.Application(middlewares=[_only_for(visitors), _for_everybody])
    endpoints = _Endpoints(replica_loop, faults)
    app.router.add_get("/api/v2/status", endpoints.status)
    app.router.add_post("/api/v2/canister/{id}/call", endpoints.call_async)
    for name, handler in (
        ("call", endpoints.call_sync),
        ("query", endpoints.query),
        ("read_state", endpoints.read_state),
    ):
        for version in (version for kind, version in _LAYOUT if kind == name):
            app.router.add_post(f"/api/{{version:{version}}}/canister/{{id}}/{name}", handler)
    app.router.add_post("/api/{version:v2|v3}/subnet/{id}/read_state", endpoints.read_subnet_state)
    app.router.add_post("/api/{version:v4}/subnet/{id}/call", endpoints.call_sync)
    return app


def _only_for(visitors: Visitors) -> Middleware:
    @web.middleware
    async def admit(request: web.Request, handler: _Handler) -> web.StreamResponse:
        asked = (request.headers.getall(name, []) for name in ("Host", "Origin", "Sec-Fetch-Site"))
        if (refused := visitors.refusal(*asked)) is not None:
            return web.Response(status=403, text=f"icws lab: {refused}\n")
        return await handler(request)

    return admit


@web.middleware
async def _for_everybody(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer preflight requests, turn refusals into answers, and add the CORS headers to every answer."""
    try:
        response = web.Response(status=204) if request.method == "OPTIONS" else await handler(request)
    except Refused as refused:
        response = web.Response(status=refused.status, text=refused.text)
    except BodyError as error:
        response = web.Response(status=error.status, text=error.text)
    except web.HTTPException as error:  # no such path, another method
        response = web.Response(status=error.status, text=error.reason)
    response.headers.update(_CORS)
    return response


def _cbor(value: Any) -> web.Response:
    return web.Response(body=cbor.dumps(value, tagged=True), content_type=CBOR_TYPE)


def _effective_id(request: web.Request) -> Principal:
    text = request.match_info["id"]
    try:
        return Principal.from_text(text)
    except PrincipalError as error:
        raise Refused(400, f"Invalid URL: Cannot parse `effective_canister_id` with value `{text}`: {error}") from error


def not_replicated_answer(reject: Reject, *, asynchronous: bool) -> dict[str, Any]:
    """Return the answer to a call that the ingress filter rejects; ``asynchronous`` at the endpoint v2."""
    fields = {"reject_code": reject.code, "reject_message": reject.text, "error_code": reject.error_code}
    return fields if asynchronous else {"status": "non_replicated_rejection", **fields}


def certified_answer(certificate: bytes) -> dict[str, Any]:
    """Return the answer to a call whose outcome is in ``certificate`` (CBOR)."""
    return {"status": "replied", "certificate": certificate}


class _Endpoints:
    """One method for each kind of request."""

    def __init__(self, replica_loop: ReplicaLoop, faults: Faults) -> None:
        self._replica_loop = replica_loop
        self._replica = replica_loop.replica
        self._faults = faults
        self._bodies = Bodies()

    async def status(self, _request: web.Request) -> web.Response:
        return _cbor(self._replica.status())

    async def call_async(self, request: web.Request) -> web.Response:
        """Accept a call and answer 202 at once. The agent polls read_state for the outcome."""
        self._pass_on("call")
        try:
            self._replica_loop.submit(await self._body(request), _effective_id(request))
        except NotReplicated as rejected:
            return _cbor(not_replicated_answer(rejected.reject, asynchronous=True))
        return web.Response(status=202)

    async def call_sync(self, request: web.Request) -> web.Response:
        """Accept a call and answer with the certificate of its outcome, or with 202 if that takes too long."""
        self._pass_on("call")
        try:
            submission = self._replica_loop.submit(await self._body(request), _effective_id(request))
        except NotReplicated as rejected:
            return _cbor(not_replicated_answer(rejected.reject, asynchronous=False))
        reason = await self._replica_loop.wait_for(submission)
        if reason is not None:
            return web.Response(status=202, text=reason)
        certificate = self._replica.certify_request(submission.request_id, self._layout(request, "call"))
        return _cbor(certified_answer(certificate))

    async def query(self, request: web.Request) -> web.Response:
        self._pass_on("query")
        layout = self._layout(request, "query")
        return _cbor(self._replica.query(await self._body(request), _effective_id(request), layout))

    async def read_state(self, request: web.Request) -> web.Response:
        return await self._read_state(request, Target.CANISTER)

    async def read_subnet_state(self, request: web.Request) -> web.Response:
        return await self._read_state(request, Target.SUBNET)

    async def _read_state(self, request: web.Request, target: Target) -> web.Response:
        layout = self._layout(request, "read_state")
        certificate = self._replica.read_state(await self._body(request), _effective_id(request), target, layout)
        return _cbor({"certificate": certificate})

    async def _body(self, request: web.Request) -> bytes:
        if request.content_type != CBOR_TYPE:
            raise Refused(400, f"Unexpected content-type, expected {CBOR_TYPE}.")
        async with self._bodies.of(request, MAX_BODY) as body:
            return body

    def _pass_on(self, request: HttpRequest) -> None:
        """Raises Refused if a fault refuses such a request."""
        if (refused := self._faults.refusal(request)) is not None:
            raise Refused(*refused)

    @staticmethod
    def _layout(request: web.Request, kind: str) -> Layout:
        return _LAYOUT[kind, request.match_info["version"]]
