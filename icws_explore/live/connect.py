"""`icws_explore.connect`: from a gateway's address to an open session, with errors that say what to do."""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl as tls
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Never

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI

from icws_explore.capture import Capture, CaptureWriter
from icws_explore.capture.files import shown
from icws_explore.protocol import candid, cbor
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import ACK_INTERVAL_MS, MAX_CERTIFICATE_AGE_S
from icws_explore.protocol.credentials import shown_url
from icws_explore.protocol.errors import ArgumentValueError, CaptureError, ConnectError, SessionClosedError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.type_checks import checked

from .address import Address, proxy_for
from .clock import Clock, RealClock
from .connection import CLOSE_PATIENCE_S, Connection, Observer
from .http import Network, redirected
from .session import Session
from .target import (
    Endpoint,
    Target,
    check_gateway_url,
    check_root_key,
    find_application_type,
    require_websocket_canister,
    resolve_app_type,
    resolve_identity,
    session_info,
)

_HOW_TO_OPEN: Final = "write session = await icws.connect(…), or async with icws.connect(…) as session"
HANDSHAKE_PATIENCE_S: Final = 10.0  # real seconds in which a gateway sends its first frame


class connect:  # noqa: N801  # reads as a verb, as websockets.connect does
    """Open a live IC WebSocket session.

    ``await connect(lab)`` or ``async with connect(lab) as session``; or to anything else::

        connect("wss://gateway.example", network="https://icp-api.io", canister="aaaaa-aa",
                identity="me.pem", app_type="type Msg = record { text : text };")

    ``network`` is where the root key is asked for (pinned for mainnet); ``root_key`` (DER) gives it
    directly. ``identity`` is an Identity, a PEM file, Internet Identity's delegation JSON, or None
    for a fresh Ed25519 key. ``app_type`` is Candid text, a .did text or a .did file; without it the
    canister's public ``candid:service`` metadata is asked. ``ack_interval_ms`` must be the canister's
    own. ``record`` names an .icws file that is written frame by frame. ``wait_open=False`` returns
    before the canister has answered.

    Raises ArgumentTypeError, ArgumentValueError, IdentityError, DidError or PrincipalError for an argument,
    and ConnectError or SessionClosedError when the session does not open. The text says what to do.
    """

    @checked(
        skip=("canister", "identity"),  # these have errors of their own
        gateway="a URL such as ws://127.0.0.1:8080, or a Lab", network="a URL such as http://127.0.0.1:4943",
        app_type="a .did file, its text, or a type", root_key="bytes (DER)", ssl="an ssl.SSLContext",
    )  # fmt: skip
    def __init__(
        self,
        gateway: str | Endpoint,
        *,
        network: str | None = None,
        canister: Principal | str | bytes | None = None,
        identity: Identity | str | os.PathLike[str] | Any | None = None,
        app_type: candid.Type | str | os.PathLike[str] | None = None,
        root_key: bytes | None = None,
        ack_interval_ms: int | None = None,
        max_certificate_age_s: int = MAX_CERTIFICATE_AGE_S,
        clock: Clock | None = None,
        record: str | os.PathLike[str] | None = None,
        ssl: tls.SSLContext | None = None,
        wait_open: bool = True,
    ) -> None:
        if not isinstance(gateway, str):
            network = network or gateway.network_url
            canister = canister or gateway.canister_id
            root_key = root_key or gateway.root_key
            app_type = gateway.app_did if app_type is None else app_type
            ack_interval_ms = ack_interval_ms or gateway.ack_interval_ms
            clock = clock or gateway.clock
            gateway = gateway.gateway_url
        gateway_url = check_gateway_url(gateway)
        if canister is None:
            raise ArgumentValueError("no canister is given; pass its id as canister=… (--canister)")
        if ack_interval_ms is not None and not ack_interval_ms > 0:
            raise ArgumentValueError(f"ack_interval_ms must be the canister's own, more than 0, not {ack_interval_ms}")
        if root_key is not None:
            check_root_key(root_key)
        if network is None and root_key is None:
            raise ArgumentValueError("no network is given; pass its URL as network=… (--network)")
        self._target = Target(
            gateway_url=gateway_url,
            network_url=network,
            canister_id=Principal.of(canister),
            identity=resolve_identity(identity),
            root_key=root_key,
            app_type=resolve_app_type(app_type),
            ack_interval_ms=ack_interval_ms or ACK_INTERVAL_MS,
            max_certificate_age_s=max_certificate_age_s,
            clock=clock or RealClock(),
            record=None if record is None else Path(record),
            ssl=ssl,
            wait_open=wait_open,
        )
        self._session: Session | None = None

    def __repr__(self) -> str:
        return f"<connect to {shown_url(self._target.gateway_url)}: not open yet, {_HOW_TO_OPEN}>"

    def __getattr__(self, name: str) -> Never:
        raise AttributeError(f"{name!r} is a session's, and this is none yet: {_HOW_TO_OPEN}", name=name, obj=self)

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def __aenter__(self) -> Session:
        return await self._open()

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def _open(self) -> Session:
        target = await _ask_network(self._target)
        machine = ClientMachine(
            ClientConfig(
                canister_id=target.canister_id,
                root_key=target.root_key,
                ack_interval_ms=target.ack_interval_ms,
                max_certificate_age_s=target.max_certificate_age_s,
                application_type=target.app_type,
            ),
            target.identity,
            entropy=secrets.token_bytes,
        )
        capture = Capture(session_info(target))
        session = Session(machine, target.clock, capture, target.app_type)

        async def make(observe: Observer) -> Connection:
            socket = await open_socket(target.gateway_url, target.ssl)
            try:  # not before the gateway is there: a mistyped address must not empty the file
                writer = None if target.record is None else CaptureWriter(target.record, capture.info)
            except CaptureError:
                await socket.close()
                raise
            return Connection(socket, machine, clock=target.clock, capture=capture, writer=writer, observe=observe)

        await session.start(make)
        self._session = session
        if target.wait_open:
            await _await_open(session, target)
        return session


async def _ask_network(target: Target) -> Target:
    """The target with what only the network can tell, and a first look at the canister."""
    if target.network_url is None:
        return target
    async with Network(target.network_url, clock=target.clock) as network:
        root_key = target.root_key or await network.root_key()
        await require_websocket_canister(network, target.canister_id)
        app_type = target.app_type or await find_application_type(network, target.canister_id, root_key)
    return replace(target, root_key=root_key, app_type=app_type)


class _OneAddress(open_websocket):
    """The handshake with the address that was asked for: a redirect is an answer like any other, and not followed."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_socket(url: str, ssl: tls.SSLContext | None = None) -> ClientConnection:
    """A WebSocket to ``url``, without pings and whole messages only. Raises ConnectError.

    It holds three messages at most that nobody has read yet, `cbor.MAX_SIZE` bytes each, and then reads no more.
    """
    address = Address.gateway(url)
    proxy = proxy_for(address)
    tls_options: dict[str, Any] = {"ssl": ssl or True} if address.is_tls else {}
    headers = {"Authorization": address.authorization} if address.authorization else {}
    try:
        return await _OneAddress(
            address.url("/"),
            **tls_options,
            additional_headers=headers,
            proxy=None if proxy is None else proxy.secret_url,
            ping_interval=None,  # the real gateway ends a session that pings
            compression=None,
            max_size=cbor.MAX_SIZE,
            max_queue=1,
            close_timeout=CLOSE_PATIENCE_S,
        )
    except (InvalidHandshake, InvalidURI, InvalidProxy, OSError, ValueError) as error:
        failure = _why_no_socket(address, error)
    raise failure  # not from within: the library's own error may quote a URL or a proxy with its password


def _why_no_socket(address: Address, error: Exception) -> ConnectError:
    match error:
        case InvalidStatus(response=response) if 300 <= response.status_code < 400:
            elsewhere = address.hide(response.headers.get("Location", ""))
            return ConnectError(redirected(address.shown, response.status_code, elsewhere))
        case InvalidStatus(response=response):
            status = response.status_code
            return ConnectError(f"{address} answers HTTP {status}, not a WebSocket: check the gateway's URL and path")
        case InvalidURI() | InvalidHandshake():
            reason = shown(address.hide(str(error)))
            return ConnectError(f"{address} is not a WebSocket server: {reason}; check the gateway's URL")
        case TimeoutError():
            return ConnectError(f"{address} accepts connections but does not answer: is it a gateway?")
        case tls.SSLCertVerificationError(verify_message=reason):
            return ConnectError(f"{address}'s certificate is not trusted ({reason}): check the host, or pass ssl=…")
        case tls.SSLError() | ConnectionResetError():
            reason = getattr(error, "reason", None) or _os_reason(error)
            if not address.is_tls:
                return ConnectError(f"{address} drops connections ({reason}): is it a wss:// gateway?")
            return ConnectError(f"no TLS with {address} ({reason}): is it a ws:// gateway?")
        case OSError():
            reason = _os_reason(error)
            return ConnectError(f"nobody listens at {address} ({reason}): start a gateway or correct the URL")
    return ConnectError(f"no way to {address}: {shown(address.hide(str(error)))}; correct the proxy in the environment")


async def _await_open(session: Session, target: Target) -> None:
    """Wait for the OpenMessage, and say what failed on the way in terms of what to do."""
    opening = asyncio.ensure_future(session.wait_open())
    try:
        done, _ = await asyncio.wait({opening}, timeout=HANDSHAKE_PATIENCE_S)
        if not done and not session.recording.raw.frames:
            raise ConnectError(
                f"{shown_url(target.gateway_url)} sent no handshake in {HANDSHAKE_PATIENCE_S:g} s: "
                "it is not an IC WebSocket gateway, or one older than 1.1.0"
            )
        await opening
    except SessionClosedError as error:
        await session.close()
        raise ConnectError(_why_not_open(session, target, error)) from error
    except BaseException:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await session.close()
        raise


def _why_not_open(session: Session, target: Target, error: SessionClosedError) -> str:
    frames = [frame for frame in session.recording.raw.frames if frame.op != "close"]
    where = shown_url(target.gateway_url)
    if not frames:
        return f"{where} closed before its handshake ({error.code}): is it an IC WebSocket gateway?"
    if session.state == "handshake" or len(frames) == 1:
        return f"{where} is not an IC WebSocket gateway: {error.detail or error}"
    if error.reason == "Open connection timeout":
        return (
            f"canister {target.canister_id} did not open the session within 60 s; the gateway tells no reasons: "
            "check the canister id, the machine's clock, and the canister's logs"
        )
    return f"the session did not open: {error}"


def _os_reason(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
