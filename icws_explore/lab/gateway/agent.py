"""The gateway's agent: its HTTP requests to a network, and the names of their errors, as in ic-agent 0.39.1.

The certificates in the answers are not verified here. Nothing that the gateway does depends on them (the real one only
logs them), and the client verifies what it receives.
"""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from icws_explore.live.address import Address
from icws_explore.live.clock import Clock
from icws_explore.live.http import failure_text, http_client
from icws_explore.protocol import cbor
from icws_explore.protocol.budgets import HTTP_ANSWER as MAX_ANSWER
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import call_content, query_content, sign_envelope
from icws_explore.protocol.errors import ConnectError, DecodeError
from icws_explore.protocol.gateway.events import AgentFailed, PollOutcome, Rejected, Replied
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

MAX_REQUESTS: Final = 50  # at the same time, as in ic-agent
TIMEOUT_S: Final = 360.0  # real seconds
_EXPIRY_NS: Final = 180 * NS_PER_S
_MINUTE_NS: Final = 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class _Failed(Exception):  # noqa: N818 -- an outcome, which this module catches
    """A request failed. ``kind`` is the name of ic-agent's error."""

    kind: str
    detail: str


def agent_expiry_ns(now_ns: int) -> int:
    """Return the ingress expiry that ic-agent sets at ``now_ns``: three minutes later, rounded down to a minute."""
    return (now_ns + _EXPIRY_NS) // _MINUTE_NS * _MINUTE_NS


class Agent:
    """Requests to one network under one identity. Call `open` before use and `close` after it."""

    def __init__(self, network_url: str, identity: Identity, clock: Clock) -> None:
        self._address = Address.network(network_url)
        self.network_url = self._address.shown.rstrip("/")
        self._identity = identity
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Connect to the network and check that its status has a root key. Raises ConnectError."""
        self._http = http_client(
            self._address,
            timeout_s=TIMEOUT_S,
            connector=aiohttp.TCPConnector(limit=MAX_REQUESTS),
            headers={"Content-Type": "application/cbor", "Accept-Encoding": "identity"},
        )
        try:
            status = await self._exchange("GET", "/api/v2/status", None)
            if not isinstance(status, dict) or not isinstance(status.get("root_key"), bytes):
                raise ConnectError(f"{self.network_url} answers, but its status has no root key: is it a replica?")
        except _Failed as failed:
            await self.close()
            raise ConnectError(f"no network at {self.network_url}: {failed.detail}") from failed
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def query(self, canister_id: Principal, method: str, arg: bytes) -> PollOutcome:
        """Send a query under the agent's identity. Returns the outcome in the terms of the gateway's poller."""
        content = query_content(canister_id, method, arg, self._identity.principal, self._expiry_ns())
        body = sign_envelope(content, self._identity).encode()
        try:
            answer = await self._exchange("POST", f"/api/v2/canister/{canister_id}/query", body)
        except _Failed as failed:
            return AgentFailed(failed.kind, failed.detail)
        match answer:
            case {"status": "replied", "reply": {"arg": bytes(arg)}}:
                return Replied(arg)
            case {"status": "rejected", "reject_code": int(code), "reject_message": str(message)}:
                return Rejected(code, message)
        return AgentFailed("InvalidCborData", "neither a reply nor a rejection")

    async def call(self, canister_id: Principal, method: str, arg: bytes) -> str | None:
        """Send an update call under the agent's identity. Returns None, or why it failed."""
        nonce = secrets.token_bytes(16)
        content = call_content(canister_id, method, arg, self._identity.principal, self._expiry_ns(), nonce)
        return await self.relay(canister_id, sign_envelope(content, self._identity).encode())

    async def relay(self, canister_id: Principal, envelope: bytes, *, asynchronous: bool = False) -> str | None:
        """Send a client's signed call unchanged. Returns None, or why it failed.

        ``asynchronous`` uses the endpoint that answers as soon as the replica has accepted the call.
        """
        path = f"/api/{'v2' if asynchronous else 'v3'}/canister/{canister_id}/call"
        try:
            answer = await self._exchange("POST", path, envelope)
        except _Failed as failed:
            return f"{failed.kind}: {failed.detail}"
        match answer:
            case None | {"status": "replied"} | {"status": "accepted"}:
                return None
            case {"reject_code": code, "reject_message": message}:
                return f"reject code {code}: {message}"
        return "InvalidCborData: an unknown kind of answer"

    def _expiry_ns(self) -> int:
        return agent_expiry_ns(self._clock.now_ns())

    async def _exchange(self, verb: str, path: str, body: bytes | None) -> Any:
        """Send a request and return the decoded answer; None for 202 Accepted. Raises _Failed."""
        if self._http is None:
            raise _Failed("TransportError", "the agent is closed")
        try:
            # As a file, because aiohttp sends a large bytes object in one piece and warns about it.
            data = None if body is None else io.BytesIO(body)
            url = URL(self._address.url(path), encoded=True)
            async with self._http.request(verb, url, data=data, allow_redirects=False) as response:
                answer = await _read(response)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise _Failed("TransportError", failure_text(self._address, error)) from error
        if response.status == 202:
            return None
        if response.status != 200:
            text = " ".join(answer[:300].decode("utf-8", "replace").split())
            raise _Failed("HttpError", f"HTTP {response.status}: {text}")
        try:
            return cbor.loads(answer, what="the network's answer")
        except DecodeError as error:
            raise _Failed("InvalidCborData", str(error)) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    answer = b""
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) > MAX_ANSWER:
            raise _Failed("ResponseSizeExceededLimit", f"more than {MAX_ANSWER} bytes")
    return answer
