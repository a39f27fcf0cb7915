"""What the gateway asks of a network over HTTP, and how it names what goes wrong: as ic-agent 0.39.1 does.

The answers' certificates are not verified here: nothing that the gateway does depends on what they
say (the real one only logs it), and the client verifies what reaches it.
"""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from icws_explore.live.clock import Clock
from icws_explore.live.http import is_loopback
from icws_explore.protocol import cbor
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import call_content, query_content, sign_envelope
from icws_explore.protocol.errors import ConnectError, DecodeError
from icws_explore.protocol.gateway.events import AgentFailed, PollOutcome, Rejected, Replied
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

MAX_REQUESTS: Final = 50  # at once, as ic-agent
MAX_ANSWER: Final = 8 * 1024 * 1024  # bytes; a replica's largest is about 3 MiB
TIMEOUT_S: Final = 360.0  # real seconds
_EXPIRY_NS: Final = 180 * NS_PER_S
_MINUTE_NS: Final = 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class _Failed(Exception):  # noqa: N818 - an outcome, caught below
    kind: str
    detail: str


class Agent:
    """One identity on one network. `open` before use, `close` after it."""

    def __init__(self, network_url: str, identity: Identity, clock: Clock) -> None:
        self.network_url = network_url.rstrip("/")
        self._identity = identity
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Connect to the network and see that it is one. Raises ConnectError."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_REQUESTS),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            headers={"Content-Type": "application/cbor"},
            trust_env=not is_loopback(self.network_url),
        )
        try:
            status = await self._exchange("GET", "/api/v2/status", None)
            if not isinstance(status, dict) or not isinstance(status.get("root_key"), bytes):
                raise ConnectError(f"{self.network_url} answers, but its status names no root key: is it a replica?")
        except _Failed as failed:
            await self.close()
            raise ConnectError(f"no network at {self.network_url}: {failed.detail}") from failed
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Release the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def query(self, canister_id: Principal, method: str, arg: bytes) -> PollOutcome:
        """A query under the agent's identity, with the outcome that a poller tells apart."""
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
        """An update call under the agent's identity. None, or why it failed."""
        nonce = secrets.token_bytes(16)
        content = call_content(canister_id, method, arg, self._identity.principal, self._expiry_ns(), nonce)
        return await self.relay(canister_id, sign_envelope(content, self._identity).encode())

    async def relay(self, canister_id: Principal, envelope: bytes, *, asynchronous: bool = False) -> str | None:
        """Somebody's signed call, as it is. None, or why it failed.

        ``asynchronous`` uses the endpoint that answers as soon as the call is taken up.
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
        return "InvalidCborData: an answer of an unknown kind"

    def _expiry_ns(self) -> int:
        """Three minutes on, floored to the minute."""
        return (self._clock.now_ns() + _EXPIRY_NS) // _MINUTE_NS * _MINUTE_NS

    async def _exchange(self, verb: str, path: str, body: bytes | None) -> Any:
        """The decoded answer; None for 202 Accepted. Raises _Failed."""
        if self._http is None:
            raise _Failed("TransportError", "the agent is closed")
        try:
            # As a file, because aiohttp sends large bytes in one go and warns of it.
            data = None if body is None else io.BytesIO(body)
            async with self._http.request(verb, self.network_url + path, data=data) as response:
                answer = await _read(response)
        except aiohttp.ClientError as error:
            raise _Failed("TransportError", str(error) or type(error).__name__) from error
        except (TimeoutError, OSError) as error:
            raise _Failed("TransportError", str(error) or type(error).__name__) from error
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
