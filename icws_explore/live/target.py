"""Where a session goes and with what: everything that `connect` takes, checked and resolved.

An application's message type from what a user has at hand: a .did file, its text, or a type's text.

What to ask a network before a session: is the canister there, and which messages does it take.

The gateway never tells a client why its ws_open came to nothing, so a wrong canister id would show
as a silent minute and a time-out. One query tells in advance.
"""

from __future__ import annotations

import os
import ssl as tls
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from icws_explore.capture import SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import encode_poll_args
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ConnectError, DecodeError, DidError, IcwsError, IdentityError
from icws_explore.protocol.hashtree import Found, lookup
from icws_explore.protocol.keys import Ed25519Identity, Identity, bls
from icws_explore.protocol.keys.files import identity_of, load_identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed

from .clock import Clock
from .http import Network, is_url, without_password

MAX_DID_BYTES: Final = 4 * 1024 * 1024


def read_app_type(source: str | os.PathLike[str]) -> candid.Type:
    """The type of application messages: ``T`` of ``ws_message : (…, opt T)``, or the type given.

    ``source`` is a path (or the name of a .did file) or Candid text. Raises DidError, which says
    what to change where ``ws_message`` does not name a type.
    """
    if isinstance(source, os.PathLike) or _is_file_name(source):
        path = Path(source)
        try:
            text = path.read_bytes()[: MAX_DID_BYTES + 1].decode("utf-8")
        except OSError as error:
            raise DidError(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise DidError(f"{path} is not text: a .did file is UTF-8") from error
        try:
            return app_type_of(text)
        except DidError as error:
            raise DidError(f"{error.reason} (in {path})", error.line, error.column) from error
    return app_type_of(source)


def app_type_of(text: str) -> candid.Type:
    """The application's type in Candid text: a service's, or the one type that the text is."""
    if len(text) > MAX_DID_BYTES:
        raise DidError(f"{len(text)} characters are more than the {MAX_DID_BYTES} allowed")
    if "service" in text and "ws_message" in text:
        return candid.parse_did(text).application_type()
    return candid.parse_type(text)


def _is_file_name(source: str | os.PathLike[str]) -> bool:
    text = os.fspath(source)
    return "\n" not in text and text.endswith(".did")


DESTINATION_INVALID: Final = 3  # reject code: no such canister
CANISTER_ERROR: Final = 5  # reject code: no such method, stopped, trapped


async def require_websocket_canister(network: Network, canister_id: Principal) -> None:
    """Raise ConnectError when the network says that the canister cannot take part.

    An answer that does not settle it (a canister that is busy, a method that traps) is no reason
    to refuse: the session itself will show.
    """
    if canister_id == Principal.MANAGEMENT:
        raise ConnectError(f"{canister_id} is the management canister, which takes no part: name your own canister")
    try:
        answer = await network.query(canister_id, "ws_get_messages", encode_poll_args(0))
    except ConnectError as error:
        if "canister_not_found" in str(error) or "not found" in str(error).lower():
            raise _missing(network, canister_id) from error
        raise
    if answer.reject_code == DESTINATION_INVALID:
        raise _missing(network, canister_id)
    if answer.reject_code == CANISTER_ERROR and "no query method" in answer.reject_message:
        raise ConnectError(f"canister {canister_id} has no ws_get_messages: it is not built with an IC WebSocket CDK")
    if answer.error_code in ("IC0508", "IC0509"):
        raise ConnectError(f"canister {canister_id} is stopped: start it and try again")


async def find_application_type(network: Network, canister_id: Principal, root_key: bytes) -> candid.Type | None:
    """The type of application messages by the canister's public ``candid:service`` metadata.

    None where the canister publishes none, where it names no type, or where the certificate does
    not hold: then messages are shown by their wire types, and sending needs a declared type.
    """
    path = [b"canister", canister_id.raw, b"metadata", b"candid:service"]
    try:
        raw = await network.read_state(canister_id, [path])
        certificate, steps = check_certificate(
            raw, canister_id=canister_id, root_key=root_key, now_ns=network.clock.now_ns()
        )
        if certificate is None or not passed(steps):
            return None
        found = lookup(certificate.tree, path)
        return app_type_of(found.value.decode("utf-8")) if isinstance(found, Found) else None
    except (ConnectError, DidError, UnicodeDecodeError):
        return None


def _missing(network: Network, canister_id: Principal) -> IcwsError:
    return ConnectError(f"canister {canister_id} does not exist on {network.url}: check the id and the network")


class Endpoint(Protocol):
    """What a lab offers to connect to; whatever has these attributes will do."""

    @property
    def gateway_url(self) -> str: ...
    @property
    def network_url(self) -> str: ...
    @property
    def canister_id(self) -> Principal: ...
    @property
    def root_key(self) -> bytes: ...
    @property
    def app_did(self) -> str: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ack_interval_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Target:
    """Everything that a session needs to know, resolved."""

    gateway_url: str
    network_url: str | None
    canister_id: Principal
    identity: Identity
    root_key: bytes | None
    app_type: candid.Type | None
    ack_interval_ms: int
    max_certificate_age_s: int
    clock: Clock
    record: Path | None
    ssl: tls.SSLContext | None
    wait_open: bool


def check_gateway_url(url: str) -> str:
    """``url`` as it is. Raises ConnectError unless it is ws(s)://host."""
    if not is_url(url, ("ws", "wss")):
        raise ConnectError(f"{url!r} is not a gateway URL: write ws://127.0.0.1:8080 or wss://gateway.example")
    return url


def check_root_key(key: bytes) -> None:
    """Raise ConnectError unless ``key`` is a network's public key in DER form."""
    try:
        bls.key_from_der(key)
    except DecodeError as error:
        raise ConnectError(f"not a network's root key (DER, 133 bytes): {error}") from error


def resolve_identity(value: Any) -> Identity:
    """An identity from whatever ``connect`` takes. Raises IdentityError; anonymous is refused."""
    if value is None:
        return Ed25519Identity.generate()
    source = Path(value) if isinstance(value, os.PathLike) else value
    identity = load_identity(source) if isinstance(source, (str, Path)) else identity_of(source)
    if identity.principal.is_anonymous:
        raise IdentityError("the anonymous identity cannot open a session: pass a key, or none to get a fresh one")
    return identity


def resolve_app_type(value: candid.Type | str | os.PathLike[str] | None) -> candid.Type | None:
    """A Candid type from a type, Candid text, .did text or a .did file. Raises DidError."""
    return value if value is None or isinstance(value, candid.Type) else read_app_type(value)


def session_info(target: Target) -> SessionInfo:
    """What a capture of this session says of itself in its first line."""
    started = datetime.fromtimestamp(target.clock.now_ns() / NS_PER_S, UTC)
    return SessionInfo(
        gateway_url=without_password(target.gateway_url),
        network_url=None if target.network_url is None else without_password(target.network_url),
        canister_id=target.canister_id.text,
        root_key=target.root_key,
        client_principal=target.identity.principal.text,
        ack_interval_ms=target.ack_interval_ms,
        app_type=None if target.app_type is None else candid.type_text(target.app_type),
        clock=target.clock.info,
        origin="live",
        started_at=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
