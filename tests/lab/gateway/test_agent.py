from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from icws_explore.lab.gateway import agent as agent_module
from icws_explore.lab.gateway.agent import Agent
from icws_explore.live.clock import RealClock
from icws_explore.protocol import cbor
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import ConnectError
from icws_explore.protocol.gateway.events import AgentFailed, Rejected, Replied
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed

CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
REJECT = {"reject_code": 3, "reject_message": "no"}
ME = Ed25519Identity.from_secret(b"m" * 32)


class FakeNetwork:
    """Answers every request with ``status`` and ``body``, and keeps the requests in ``asked``."""

    def __init__(self) -> None:
        self.status, self.body = 200, cbor.dumps({"root_key": b"k"}, tagged=True)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(app)

    def will_answer(self, value: object, status: int = 200) -> None:
        self.status = status
        self.body = value if isinstance(value, bytes) else cbor.dumps(value)

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status, body=self.body)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/"))


@pytest.fixture
async def network() -> AsyncIterator[FakeNetwork]:
    network = FakeNetwork()
    await network.server.start_server()
    yield network
    await network.server.close()


@pytest.fixture
async def agent(network: FakeNetwork) -> AsyncIterator[Agent]:
    agent = Agent(network.url, ME, RealClock())
    await agent.open()
    yield agent
    await agent.close()


class TestRequests:
    async def test_the_request_for_the_status_is_that_of_ic_agent(self, network: FakeNetwork, agent: Agent) -> None:
        ((method, path, headers, _),) = network.asked
        assert (method, path, headers["Content-Type"]) == ("GET", "/api/v2/status", "application/cbor")

    async def test_a_query_is_signed_and_has_no_nonce(self, network: FakeNetwork, agent: Agent) -> None:
        network.will_answer({"status": "replied", "reply": {"arg": b"x"}})
        assert await agent.query(CANISTER, "ws_get_messages", b"arg") == Replied(b"x")
        _, path, _, body = network.asked[-1]
        envelope = Envelope.decode(body)
        assert path == f"/api/v2/canister/{CANISTER}/query"
        assert passed(check_envelope(envelope, now_ns=RealClock().now_ns()))
        assert (envelope.sender, envelope.method_name, envelope.nonce) == (ME.principal, "ws_get_messages", None)

    async def test_expiries_are_whole_minutes(self, network: FakeNetwork, agent: Agent) -> None:
        await agent.query(CANISTER, "ws_get_messages", b"")
        expiry_ns = Envelope.decode(network.asked[-1][3]).ingress_expiry_ns
        assert expiry_ns is not None
        assert expiry_ns % 60_000_000_000 == 0
        assert 120e9 <= expiry_ns - RealClock().now_ns() <= 180e9

    async def test_each_call_has_another_nonce(self, network: FakeNetwork, agent: Agent) -> None:
        network.will_answer({"status": "replied", "certificate": b""})
        for _ in range(2):
            assert await agent.call(CANISTER, "ws_close", b"arg") is None
        nonces = {Envelope.decode(body).nonce for _, path, _, body in network.asked if path.endswith("/call")}
        assert len(nonces) == 2
        assert network.asked[-1][1] == f"/api/v3/canister/{CANISTER}/call"

    async def test_an_envelope_is_relayed_unchanged(self, network: FakeNetwork, agent: Agent) -> None:
        network.will_answer(b"", 202)
        envelope = bytes(2_000_000)
        assert await agent.relay(CANISTER, envelope, asynchronous=True) is None
        assert network.asked[-1][1::2] == (f"/api/v2/canister/{CANISTER}/call", envelope)


class TestOutcomes:
    """The kinds of ic-agent's AgentError that the gateway distinguishes."""

    @pytest.mark.parametrize(
        ("value", "status", "outcome"),
        [
            ({"status": "rejected", "reject_code": 2, "reject_message": "later"}, 200, Rejected(2, "later")),
            (b"no such\ncanister", 404, AgentFailed("HttpError", "HTTP 404: no such canister")),
            ({"status": "odd"}, 200, AgentFailed("InvalidCborData", "neither a reply nor a rejection")),
            ([1], 200, AgentFailed("InvalidCborData", "neither a reply nor a rejection")),
        ],
    )
    async def test_of_a_query(
        self, network: FakeNetwork, agent: Agent, value: object, status: int, outcome: object
    ) -> None:
        network.will_answer(value, status)
        assert await agent.query(CANISTER, "ws_get_messages", b"") == outcome

    async def test_of_a_query_whose_answer_is_not_cbor(self, network: FakeNetwork, agent: Agent) -> None:
        network.will_answer(b"\xff")
        outcome = await agent.query(CANISTER, "ws_get_messages", b"")
        assert isinstance(outcome, AgentFailed)
        assert outcome.kind == "InvalidCborData"

    async def test_of_a_query_with_too_large_an_answer(
        self, network: FakeNetwork, agent: Agent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(agent_module, "MAX_ANSWER", 10)
        network.will_answer(bytes(11))
        outcome = await agent.query(CANISTER, "ws_get_messages", b"")
        assert outcome == AgentFailed("ResponseSizeExceededLimit", "more than 10 bytes")

    async def test_of_a_query_to_a_closed_port(self, network: FakeNetwork, agent: Agent) -> None:
        await network.server.close()
        outcome = await agent.query(CANISTER, "ws_get_messages", b"")
        assert isinstance(outcome, AgentFailed)
        assert outcome.kind == "TransportError"

    @pytest.mark.parametrize(
        ("value", "status", "error"),
        [
            (b"", 202, None),
            ({"status": "accepted"}, 200, None),
            (
                {"status": "non_replicated_rejection", "reject_code": 3, "reject_message": "no"},
                200,
                "reject code 3: no",
            ),
            ({"reject_code": 3, "reject_message": "no"}, 200, "reject code 3: no"),
            (b"late", 400, "HttpError: HTTP 400: late"),
            ({"odd": 1}, 200, "InvalidCborData: an unknown kind of answer"),
        ],
    )
    async def test_of_a_call(
        self, network: FakeNetwork, agent: Agent, value: object, status: int, error: str | None
    ) -> None:
        network.will_answer(value, status)
        assert await agent.relay(CANISTER, b"envelope") == error

    async def test_of_a_call_after_close(self, agent: Agent) -> None:
        await agent.close()
        assert await agent.relay(CANISTER, b"envelope") == "TransportError: the agent is closed"


class TestOpen:
    @pytest.mark.parametrize(
        ("value", "status", "text"),
        [
            ({"impl_version": "x"}, 200, "has no root key: is it a replica"),
            ("text", 200, "has no root key: is it a replica"),
            (b"<html>", 200, "no network at"),
            (b"gone", 410, "HTTP 410: gone"),
        ],
    )
    async def test_a_url_that_is_not_a_network_raises(
        self, network: FakeNetwork, value: object, status: int, text: str
    ) -> None:
        network.will_answer(value, status)
        with pytest.raises(ConnectError, match=text):
            await Agent(network.url, ME, RealClock()).open()
