"""Where a session goes and with what: everything that `connect` takes, checked and resolved."""

from __future__ import annotations

import os
import ssl as tls
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from icws_explore.capture import SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ConnectError, DecodeError, IdentityError
from icws_explore.protocol.keys import Ed25519Identity, Identity, bls
from icws_explore.protocol.keys.files import identity_of, load_identity
from icws_explore.protocol.principal import Principal

from .address import Address
from .clock import Clock
from .did_file import read_app_type


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

    gateway_url: str = field(repr=False)  # it may hold a password or a token
    network_url: str | None = field(repr=False)
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
    Address.gateway(url)
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
        gateway_url=target.gateway_url,
        network_url=target.network_url,
        canister_id=target.canister_id.text,
        root_key=target.root_key,
        client_principal=target.identity.principal.text,
        ack_interval_ms=target.ack_interval_ms,
        app_type=None if target.app_type is None else candid.type_text(target.app_type),
        clock=target.clock.info,
        origin="live",
        started_at=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
