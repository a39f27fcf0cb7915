"""Where a session goes and with what: everything that `connect` takes, checked and resolved.

An application's message type from what a user has at hand: a .did file, its text, or a type's text.

What to ask a network before a session: is the canister there, and which messages does it take.

The gateway never tells a client why its ws_open came to nothing, so a wrong canister id would show
as a silent minute and a time-out. One query tells in advance.
"""

from __future__ import annotations

import os
import ssl as tls
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from icws_explore.capture import SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import encode_poll_args
from icws_explore.protocol.candid.limits import MAX_DID_SIZE
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import (
    ArgumentValueError,
    ConnectError,
    DecodeError,
    DidError,
    IcwsError,
    IdentityError,
)
from icws_explore.protocol.hashtree import Found, lookup
from icws_explore.protocol.keys import Ed25519Identity, Identity, bls
from icws_explore.protocol.keys.files import identity_of, load_identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed

from .address import Address
from .clock import Clock
from .http import Network

MAX_DID_BYTES: Final = 4 * MAX_DID_SIZE  # of one file; the characters of UTF-8 have up to four bytes


def read_app_type(source: str | os.PathLike[str]) -> candid.Type:
    """The type of application messages: ``T`` of ``ws_message : (…, opt T)``, or the type given.

    ``source`` is a path (or the name of a .did file) or Candid text. A file may import files: see `_DidFolder`.
    Raises DidError, which says what to change if ``ws_message`` does not name a type.
    """
    if not isinstance(source, os.PathLike) and not _is_file_name(source):
        return candid.parse_application_type(source)
    path = Path(source)
    with _named(path):
        folder = _DidFolder(path)
        return candid.parse_application_type(folder.text(), read_import=folder.read_import, name=folder.name)


def read_did(source: str | os.PathLike[str]) -> candid.DidFile:
    """The interface in a .did file and the files that it imports (see `_DidFolder`). Raises DidError."""
    path = Path(source)
    with _named(path):
        folder = _DidFolder(path)
        return candid.parse_did(folder.text(), read_import=folder.read_import, name=folder.name)


class _DidFolder:
    """Reads a .did file and the files that it imports, relative to the importing file.

    Only files in the folder of the first file and in the folders below it are read, also through symbolic links, and
    only regular files. A .did file may come from anyone, and error texts show parts of what was read.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._folder = path.parent.resolve()

    def text(self) -> str:
        """The text of the first file. Raises DidError."""
        return _read_text(self._path, str(self._path))

    def read_import(self, wanted: str, importer: str) -> tuple[str, str]:
        """The name (relative to the folder) and the text of an imported file. Raises DidError."""
        shown = repr(wanted[:200])
        try:
            file = (self._folder / importer).parent.joinpath(wanted).resolve()
            is_regular = file.is_relative_to(self._folder) and file.is_file()
        except (OSError, ValueError, RuntimeError) as error:  # a null character, a loop of links
            raise DidError(f"cannot import {shown}: not the path of a file") from error
        if not file.is_relative_to(self._folder):
            raise DidError(f"cannot import {shown}: outside the folder of {self.name}; copy the file into that folder")
        if not is_regular:
            raise DidError(f"cannot import {shown}: there is no such file")
        return file.relative_to(self._folder).as_posix(), _read_text(file, shown)


def _read_text(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DID_BYTES + 1)
    except OSError as error:
        raise DidError(f"cannot read {shown}: {error.strerror}") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DidError(f"{shown} is not text: a .did file is UTF-8") from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Adds the file to a DidError that has a place in it."""
    try:
        yield
    except DidError as error:
        if str(path) in error.reason:
            raise
        raise DidError(f"{error.reason} (in {path})", error.line, error.column) from error


def _is_file_name(source: str) -> bool:
    return "\n" not in source and source.endswith(".did")


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
        if not isinstance(found, Found):
            return None
        return candid.parse_application_type(found.value.decode("utf-8"))
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


_WEBSOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}


def check_gateway_url(url: str) -> str:
    """``url`` as it is. Raises ArgumentValueError unless it is ws(s)://host without a space."""
    if any(character.isspace() for character in url):
        raise ArgumentValueError(
            f"{url!r} is not a gateway URL: it holds a space, and new WebSocket throws SyntaxError"
        )
    scheme, _, rest = url.partition("://")
    if scheme in _WEBSOCKET_SCHEMES and rest:
        raise ArgumentValueError(
            f"{url!r} is not a gateway URL: write {_WEBSOCKET_SCHEMES[scheme]}://{rest} (new WebSocket takes "
            f"{scheme}:// in new browsers only)"
        )
    Address.gateway(url)
    return url


def check_root_key(key: bytes) -> None:
    """Raise ArgumentValueError unless ``key`` is a network's public key in DER form."""
    try:
        bls.key_from_der(key)
    except DecodeError as error:
        raise ArgumentValueError(f"root_key is not a network's root key (DER, 133 bytes): {error}") from error


def resolve_identity(value: Any) -> Identity:
    """An identity from whatever ``connect`` takes. Raises ArgumentTypeError or IdentityError; anonymous is refused."""
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
