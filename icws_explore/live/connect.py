"""`icws_explore.connect`: it opens a session, and each of its errors says what to do."""

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
from icws_explore.protocol.budgets import CLOSE_S as CLOSE_PATIENCE_S
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import ACK_INTERVAL_MS, MAX_CERTIFICATE_AGE_S
from icws_explore.protocol.credentials import shown_url
from icws_explore.protocol.errors import ArgumentValueError, CaptureError, ConnectError, SessionClosedError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.type_checks import checked

from .address import Address, proxy_for
from .clock import Clock, RealClock
from .connection import Connection, Observer
from .http import Network, redirected
from .network.turns import ClientInTurns
from .session import Session
from .target import (
    Endpoint,
    Target,
    check_gateway_url,
    check_root_key,
    find_application_type,
    is_agent,
    network_of,
    require_websocket_canister,
    resolve_app_type,
    resolve_identity,
    session_info,
)

_HOW_TO_OPEN: Final = "write session = await icws.connect(…), or async with icws.connect(…) as session"
HANDSHAKE_TIMEOUT_S: Final = 10.0  # real seconds that a gateway has to send its first frame


class connect:  # noqa: N801  # reads as a verb, as websockets.connect does
    """Open a live IC WebSocket session. Await it, or use it as an asynchronous context manager.

    ::

        session = await icws.connect(lab)

        async with icws.connect(
            "wss://gateway.example",
            network="https://icp-api.io",
            canister="bnz7o-iuaaa-aaaaa-qaaaa-cai",
            identity="me.pem",
            app_type="record { text : text }",
        ) as session:
            await session.send({"text": "hello"})
            print(await session.receive())

    Arguments:

    - ``gateway``: the URL of the gateway, or a `Lab`, which gives the other arguments their values.
    - ``network``: the URL of the network, from which the root key is fetched, or its name: "local", "mainnet", or one
      of a file ``icws.toml``. Mainnet's root key is built in. An Agent of ic-py gives its URL, and its identity unless
      ``identity`` is given.
    - ``canister``: the canister's id.
    - ``identity``: an `Identity`, the path of a PEM file or of an Internet Identity delegation (JSON), or an identity
      or an Agent of ic-py. None: a new Ed25519 key.
    - ``app_type``: the Candid type of the application's messages: a type as text, the text or the path of a .did file,
      or a `candid.Type`. None: it is read from the canister's public metadata (``candid:service``).
    - ``root_key``: the network's root key (DER). Then ``network`` is not needed.
    - ``ack_interval_ms``: the canister's ack interval in milliseconds of protocol time. None: 300 000.
    - ``max_certificate_age_s``: the age in seconds up to which a certificate is accepted.
    - ``clock``: the clock of the session. None: the machine's.
    - ``record``: the path of an .icws file to which every frame is written as it passes.
    - ``ssl``: the `ssl.SSLContext` for a wss:// gateway. None: the default one.
    - ``wait_open``: wait until the canister has opened the session. False: return after the gateway has accepted the
      connection.

    Raises ArgumentTypeError, ArgumentValueError, IdentityError, DidError, PrincipalError or CaptureError for an
    argument, and ConnectError or SessionClosedError if the session does not open. Each is one line that says what
    to do.
    """

    @checked(
        skip=("canister", "identity", "network"),  # these have errors of their own
        gateway="the URL of a gateway, such as ws://127.0.0.1:8080, or a Lab",
        app_type="the .did file, its text, or a type", root_key="its bytes (DER)", ssl="an ssl.SSLContext",
    )  # fmt: skip
    def __init__(
        self,
        gateway: str | Endpoint,
        *,
        network: str | Any | None = None,
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
        if identity is None and is_agent(network):
            identity = getattr(network, "identity", None)
        if network is not None:
            profile = network_of(network)
            network, root_key = profile.url, root_key or profile.root_key
        if not isinstance(gateway, str):
            network = network or gateway.network_url
            canister = canister or gateway.canister_id
            root_key = root_key or gateway.root_key
            app_type = gateway.app_did if app_type is None else app_type
            ack_interval_ms = ack_interval_ms or gateway.ack_interval_ms
            clock = clock or gateway.clock
            gateway = gateway.gateway_url
        gateway_url = check_gateway_url(gateway)  # first: a wrong URL is the most common mistake
        if canister is None:
            raise ArgumentValueError("no canister: pass its id as canister=… (--canister)")
        if ack_interval_ms is not None and not ack_interval_ms > 0:
            raise ArgumentValueError(
                f"ack_interval_ms must be more than 0, not {ack_interval_ms}: pass the canister's interval"
            )
        if root_key is not None:
            check_root_key(root_key)
        if network is None and root_key is None:
            raise ArgumentValueError(
                "no network: pass its URL as network=… (--network), so that the root key can be fetched"
            )
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
        raise AttributeError(f"no session is open yet, so there is no {name!r}: {_HOW_TO_OPEN}", name=name, obj=self)

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
        session.target = target

        async def make(observe: Observer) -> Connection:
            socket = await open_socket(target.gateway_url, target.ssl)
            try:  # only once the gateway has answered, so that a mistyped URL does not empty an existing file
                writer = None if target.record is None else CaptureWriter(target.record, capture.info)
            except CaptureError:
                await socket.close()
                raise
            return Connection(socket, machine, clock=target.clock, capture=capture, writer=writer, observe=observe)

        await session.start(make)
        self._session = session
        if target.wait_open:
            await await_open(session)
        return session


async def _ask_network(target: Target) -> Target:
    """Check the canister, and return ``target`` with the root key and the application's type from the network."""
    if target.network_url is None:
        return target
    async with Network(target.network_url, clock=target.clock) as network:
        root_key = target.root_key or await network.root_key()
        await require_websocket_canister(network, target.canister_id)
        app_type = target.app_type or await find_application_type(network, target.canister_id, root_key)
    return replace(target, root_key=root_key, app_type=app_type)


class _OneAddress(open_websocket):
    """A handshake that does not follow redirects: they are treated as answers that are not a WebSocket."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_socket(url: str, ssl: tls.SSLContext | None = None) -> ClientConnection:
    """Open a WebSocket to ``url``. It sends no pings and returns whole messages. Raises ConnectError.

    It buffers at most three unread messages of `cbor.MAX_SIZE` bytes, and then stops reading.
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
            create_connection=ClientInTurns,
        )
    except (InvalidHandshake, InvalidURI, InvalidProxy, OSError, ValueError) as error:
        failure = _why_no_socket(address, error)
    raise failure  # outside the except block: the library's error may quote a URL or a proxy with its password


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


async def await_open(session: Session) -> None:
    """Wait until the canister has opened the session. Else closes it and raises ConnectError, which says what to do."""
    opening = asyncio.ensure_future(session.wait_open())
    try:
        done, _ = await asyncio.wait({opening}, timeout=HANDSHAKE_TIMEOUT_S)
        if not done and not session.recording.raw.frames:
            raise ConnectError(
                f"{session.recording.info.gateway_url} sent no handshake in {HANDSHAKE_TIMEOUT_S:g} s: "
                "it is not an IC WebSocket gateway, or it is older than 1.1.0"
            )
        await opening
    except SessionClosedError as error:
        await session.close()
        raise ConnectError(_why_not_open(session, error)) from error
    except BaseException:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await session.close()
        raise


def _why_not_open(session: Session, error: SessionClosedError) -> str:
    frames = [frame for frame in session.recording.raw.frames if frame.op != "close"]
    where = session.recording.info.gateway_url
    if not frames:
        return f"{where} closed before its handshake ({error.code}): is it an IC WebSocket gateway?"
    if session.state == "handshake" or len(frames) == 1:
        return f"{where} is not an IC WebSocket gateway: {error.detail or error}"
    if error.reason == "Open connection timeout":
        return (
            f"canister {session.recording.info.canister_id} did not open the session within 60 s, and a gateway does "
            "not say why: check the canister id, this machine's clock and the canister's logs"
        )
    return f"the session did not open: {error}"


def _os_reason(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
