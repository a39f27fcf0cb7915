"""Requests to a lab's replica as an agent makes them, and a bare client without the package's own machine."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from icws_explore.lab import Lab
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import encode_message_args, encode_open_args
from icws_explore.protocol.candid import encode, parse_type
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import call_content, query_content, read_state_content, sign_envelope
from icws_explore.protocol.keys import Ed25519Identity, Identity
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import encode_service
from icws_explore.protocol.steps import Step
from icws_explore.protocol.verify import authentic, check_message

T = TypeVar("T")

PATIENCE_S = 60.0  # real seconds, for what takes one on a busy machine
CBOR = {"Content-Type": "application/cbor"}
FOUR_MINUTES_NS = 240 * NS_PER_S
PING = parse_type("record { text : text; timestamp : nat64 }")


@dataclass(slots=True)
class Requests:
    """Bodies of HTTP requests, signed by ``identity``, that expire in four minutes unless told otherwise."""

    canister_id: Principal
    now_ns: int
    identity: Identity = field(default_factory=Ed25519Identity.generate)

    def call(self, method: str, arg: bytes, *, expiry_ns: int | None = None, nonce: bytes | None = None) -> bytes:
        nonce = secrets.token_bytes(16) if nonce is None else nonce
        content = call_content(self.canister_id, method, arg, self.identity.principal, self._expiry(expiry_ns), nonce)
        return sign_envelope(content, self.identity).encode()

    def query(self, method: str, arg: bytes, *, expiry_ns: int | None = None) -> bytes:
        content = query_content(self.canister_id, method, arg, self.identity.principal, self._expiry(expiry_ns))
        return sign_envelope(content, self.identity).encode()

    def read_state(self, paths: Sequence[Sequence[bytes]], *, expiry_ns: int | None = None) -> bytes:
        content = read_state_content(paths, self.identity.principal, self._expiry(expiry_ns))
        return sign_envelope(content, self.identity).encode()

    def open(self, gateway: Principal, client_nonce: int = 1) -> bytes:
        return self.call("ws_open", encode_open_args(client_nonce, gateway))

    def _expiry(self, expiry_ns: int | None) -> int:
        return self.now_ns + FOUR_MINUTES_NS if expiry_ns is None else expiry_ns


def requests_for(lab: Lab, identity: Identity | None = None) -> Requests:
    return Requests(lab.canister_id, lab.clock.now_ns(), identity or Ed25519Identity.generate())


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cbor(self) -> Any:
        assert self.status == 200, self.text
        return cbor.loads(self.body)


async def ask(
    url: str, body: bytes | None = None, *, verb: str = "POST", headers: dict[str, str] | None = None
) -> Answer:
    headers = CBOR if headers is None else headers
    data = None if body is None else io.BytesIO(body)
    async with aiohttp.ClientSession() as http, http.request(verb, url, data=data, headers=headers) as response:
        return Answer(response.status, dict(response.headers), await response.read())


async def eventually(holds: Callable[[], T]) -> T:
    """Wait until ``holds`` returns something true, and return that."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := holds()):  # noqa: ASYNC110 -- it is another thread that we wait for
            await asyncio.sleep(0.01)
    return found


class BareClient:
    """A client on `websockets` and nothing else: it checks what it gets, and only sends what it is told."""

    def __init__(self, lab: Lab, *, gateway_url: str | None = None, identity: Identity | None = None) -> None:
        self.canister_id, self.root_key, self.clock = lab.canister_id, lab.root_key, lab.clock
        self.identity = identity or Ed25519Identity.generate()
        self.gateway_url = gateway_url or lab.gateway_url
        self.key = ClientKey(self.identity.principal, secrets.randbits(64))
        self.gateway: Principal | None = None
        self.received: list[WebsocketMessage] = []
        self._sent = 0
        self._socket: ClientConnection | None = None

    @property
    def socket(self) -> ClientConnection:
        assert self._socket is not None
        return self._socket

    async def __aenter__(self) -> Self:
        self._socket = await connect(self.gateway_url, ping_interval=None, compression=None, proxy=None)
        self.gateway = Handshake.decode(await self._next_frame()).gateway_principal
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.socket.transport.abort()  # the gateway answers no close frame, so there is nothing to wait for
        await self.socket.wait_closed()

    async def ask_to_open(self) -> None:
        assert self.gateway is not None
        await self.send_call("ws_open", encode_open_args(self.key.client_nonce, self.gateway))

    async def open(self) -> WebsocketMessage:
        await self.ask_to_open()
        return await self.receive()

    async def send_call(self, method: str, arg: bytes, canister_id: Principal | None = None) -> None:
        content = call_content(
            canister_id or self.canister_id,
            method,
            arg,
            self.identity.principal,
            self.clock.now_ns() + FOUR_MINUTES_NS,
            secrets.token_bytes(16),
        )
        await self.socket.send(sign_envelope(content, self.identity).encode_frame())

    async def send(self, content: bytes, *, is_service_message: bool = False) -> None:
        self._sent += 1
        message = WebsocketMessage(self.key, self._sent, self.clock.now_ns(), is_service_message, content)
        await self.send_call("ws_message", encode_message_args(message))

    async def send_text(self, text: str) -> None:
        await self.send(encode([PING], [{"text": text, "timestamp": 0}]))

    async def send_service(self, message: Any) -> None:
        await self.send(encode_service(message), is_service_message=True)

    async def receive(self) -> WebsocketMessage:
        """The next message, whose proof holds."""
        message, steps = await self.receive_unchecked()
        assert authentic(steps), steps
        self.received.append(message)
        return message

    async def receive_unchecked(self) -> tuple[WebsocketMessage, list[Step]]:
        message = CanisterMessage.decode(await self._next_frame())
        steps = check_message(
            message,
            canister_id=self.canister_id,
            root_key=self.root_key,
            now_ns=self.clock.now_ns(),
            client_key=self.key,
        )
        return message.message, steps

    async def _next_frame(self) -> bytes:
        frame = await self.socket.recv()
        assert isinstance(frame, bytes)
        return frame
