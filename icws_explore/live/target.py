"""The target of a session: what `connect` and `Tap` take as arguments, checked and resolved.

That includes two questions to the network before a session opens: whether the canister exists and is built with an IC
WebSocket CDK, and the type of its messages. A gateway never says why a ws_open failed. Without the first question, a
wrong canister id would only show as a time-out after a minute.
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
    ArgumentTypeError,
    ArgumentValueError,
    ConnectError,
    DecodeError,
    DidError,
    IcwsError,
    IdentityError,
)
from icws_explore.protocol.hashtree import Found, lookup
from icws_explore.protocol.keys import AnonymousIdentity, Ed25519Identity, Identity, bls
from icws_explore.protocol.keys.files import identity_of, load_identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed
from icws_explore.protocol.type_checks import described

from .address import Address
from .clock import Clock
from .http import Network
from .network.profiles import NetworkProfile, network_profile

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
    """Raise ConnectError if the canister does not exist, is stopped, or has no ws_get_messages.

    Other failures (the canister is busy, the method traps) say nothing about that. Then the session itself will show.
    """
    if canister_id == Principal.MANAGEMENT:
        raise ConnectError(f"{canister_id} is the management canister, which has no sessions: pass your canister's id")
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
    """Return the type of application messages from the canister's public metadata (``candid:service``).

    None if the canister publishes no interface, if the interface has no such type, or if the certificate is not valid.
    Then messages are decoded by their wire types, and sending a value needs a declared type.
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
    """What `connect` and `Tap` read from a `Lab`. Any object with these attributes can take its place."""

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
    """The arguments of a session, checked and resolved."""

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
    """``url`` as it is. Raises ConnectError unless it is ws(s)://host without a space."""
    Address.gateway(url)
    return url


def check_root_key(key: bytes) -> None:
    """Raise ArgumentValueError unless ``key`` is a public key of a network in DER."""
    try:
        bls.key_from_der(key)
    except DecodeError as error:
        raise ArgumentValueError(f"root_key is not the root key of a network (DER, 133 bytes): {error}") from error


def network_of(value: Any) -> NetworkProfile:
    """Return the network of a URL, of a name such as "local" or "mainnet", or of an Agent of ic-py.

    Raises ArgumentTypeError, and ArgumentValueError for an unknown name.
    """
    url = value if isinstance(value, str) else getattr(getattr(value, "client", None), "url", None)
    if isinstance(url, str):
        return network_profile(url)
    raise ArgumentTypeError(
        "network must be the URL of a network, such as http://127.0.0.1:4943, or an Agent of ic-py, "
        f"not {described(value)}"
    )


def is_agent(value: Any) -> bool:
    """Whether ``value`` is an Agent of ic-py: it has an identity and the URL of a network."""
    return hasattr(value, "identity") and isinstance(getattr(getattr(value, "client", None), "url", None), str)


def caller_identity(value: Any) -> Identity:
    """Return the identity that signs calls, in any of the forms that `connect` accepts. None: the anonymous one.

    Raises ArgumentTypeError or IdentityError.
    """
    if value is None:
        return AnonymousIdentity()
    source = Path(value) if isinstance(value, os.PathLike) else value
    return load_identity(source) if isinstance(source, (str, Path)) else identity_of(source)


def resolve_identity(value: Any) -> Identity:
    """Return the identity in any of the forms that `connect` accepts. Raises ArgumentTypeError or IdentityError
    (also for the anonymous identity).
    """
    if value is None:
        return Ed25519Identity.generate()
    identity = caller_identity(value)
    if identity.principal.is_anonymous:
        raise IdentityError("the anonymous identity cannot open a session: pass a key, or None to get a new one")
    return identity


def resolve_app_type(value: candid.Type | str | os.PathLike[str] | None) -> candid.Type | None:
    """Return the Candid type that was given as a type, as text or as a .did file. Raises DidError."""
    return value if value is None or isinstance(value, candid.Type) else read_app_type(value)


def session_info(target: Target) -> SessionInfo:
    """Return the description of this session for the first line of a recording."""
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
