"""Networks by name: ``local``, ``mainnet``, and those of a file.

``local`` is whatever runs on this machine: the first of `LOCAL_URLS` at which somebody listens. Others are tables in
a file ``icws.toml``, in the working directory or a folder above it, or in ``~/.config/icws/``::

    [networks.staging]
    url = "http://10.0.0.7:4943"
    gateway = "ws://10.0.0.7:8080"
    root_key = "308182…"                 # DER in hex; without it, the key in the network's status is trusted
    canister = "bkyz2-fmaaa-aaaaa-qaaaq-cai"

A file may define ``local``, but not ``mainnet``: whoever wrote the file could otherwise choose its root key.

Sources of the ports: dfx (4943), icp-cli (8000), a replica started by hand (8080). PocketIC's HTTP gateway listens
where ``make_live`` says; give that URL, or write it in a file.
"""

from __future__ import annotations

import contextlib
import socket
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.credentials import shown_url
from icws_explore.protocol.errors import ArgumentValueError, DecodeError
from icws_explore.protocol.keys import bls
from icws_explore.protocol.principal import Principal

from ..address import Address

LOCAL_URLS: Final = ("http://127.0.0.1:4943", "http://127.0.0.1:8000", "http://127.0.0.1:8080")
FILE_NAME: Final = "icws.toml"
MAX_FILE_BYTES: Final = 1024 * 1024
MAX_DOTS: Final = 100  # in a line; a key of many parts costs the square of them
_LISTEN_S: Final = 0.2  # real seconds to find out whether somebody listens on this machine
_KEYS: Final = ("url", "gateway", "root_key", "canister")


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """A network by name. ``root_key`` is DER; None: the one in the network's status. ``source`` says who defines it."""

    name: str
    url: str
    gateway: str | None = None
    root_key: bytes | None = None
    canister: Principal | None = None
    source: str = "built in"


def network_profile(name: str, *, file: Path | None = None) -> NetworkProfile:
    """Return the network of that name; a URL is its own name.

    ``file`` is a file of networks; None: ``icws.toml``, see the module. A file's ``local`` wins over the built-in one.
    Raises ArgumentValueError for an unknown name and for a file that cannot be used.
    """
    if "://" in name:
        return NetworkProfile(name, name, source="the URL")
    own = own_profiles(file)
    if name in own:
        return own[name]
    if name == "mainnet":
        return NetworkProfile(name, "https://icp-api.io", root_key=MAINNET_ROOT_KEY)
    if name == "local":
        return NetworkProfile(name, _listening() or LOCAL_URLS[0])
    known = ", ".join(sorted({"local", "mainnet", *own}))
    raise ArgumentValueError(
        f"{shown_url(name)!r} is not a network URL: write http://127.0.0.1:4943 or https://icp-api.io, "
        f"or the name of a network: {known}"
    )


def network_names() -> tuple[str, ...]:
    """Return the names that `network_profile` knows without a file of its own. Raises ArgumentValueError."""
    return tuple(sorted({"local", "mainnet", *own_profiles()}))


def own_profiles(file: Path | None = None) -> dict[str, NetworkProfile]:
    """Return the networks in ``file`` (None: the nearest ``icws.toml``) by name. Raises ArgumentValueError."""
    path = file or next((path for path in _places() if path.is_file()), None)
    if path is None:
        return {}
    try:
        with path.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ArgumentValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(text) > MAX_FILE_BYTES:
        raise ArgumentValueError(f"{path} has more than {MAX_FILE_BYTES} bytes: is it a file of networks?")
    if any(line.count(b".") > MAX_DOTS for line in text.splitlines()):
        raise ArgumentValueError(f"{path} has a line with more than {MAX_DOTS} dots: is it a file of networks?")
    try:
        tables = tomllib.loads(text.decode("utf-8")).get("networks", {})
    except (ValueError, RecursionError) as error:  # also what Python says of a number with too many digits
        raise ArgumentValueError(f"{path} is not TOML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(tables, Mapping):
        raise ArgumentValueError(f"{path}: networks must be tables, such as [networks.staging]")
    if "mainnet" in tables:
        raise ArgumentValueError(f"{path}: mainnet is built in, with its root key; give your network another name")
    return {name: _profile(path, name, table) for name, table in tables.items()}


def _profile(path: Path, name: str, table: Any) -> NetworkProfile:
    where = f"{path}: networks.{name}"
    if not isinstance(table, Mapping) or not all(isinstance(value, str) for value in table.values()):
        raise ArgumentValueError(f"{where} must be a table of texts with {', '.join(_KEYS)}")
    unknown = [key for key in table if key not in _KEYS]
    if unknown:
        raise ArgumentValueError(f"{where} has {', '.join(unknown)}; it can have {', '.join(_KEYS)}")
    if "url" not in table:
        raise ArgumentValueError(f'{where} has no url; write url = "http://127.0.0.1:4943"')
    try:
        Address.network(table["url"])
        if "gateway" in table:
            Address.gateway(table["gateway"])
        canister = Principal.of(table["canister"]) if "canister" in table else None
        return NetworkProfile(
            name, table["url"], table.get("gateway"), _root_key(table.get("root_key")), canister, str(path)
        )
    except (ArgumentValueError, DecodeError, ValueError) as error:
        raise ArgumentValueError(f"{where}: {error}") from error


def _root_key(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        key = bytes.fromhex(text)
        bls.key_from_der(key)
    except (ValueError, DecodeError) as error:
        raise ArgumentValueError("root_key must be a root key in hex (DER, 133 bytes)") from error
    return key


def _places() -> Iterator[Path]:
    """Where a file of networks may be, the nearest place first."""
    here = Path.cwd()
    yield from (folder / FILE_NAME for folder in (here, *here.parents))
    with contextlib.suppress(RuntimeError):  # no home
        yield Path.home() / ".config" / "icws" / FILE_NAME


def _listening() -> str | None:
    """The first of the local addresses at which somebody listens."""
    for url in LOCAL_URLS:
        address = Address.network(url)
        with contextlib.suppress(OSError), socket.create_connection((address.host, address.port), _LISTEN_S):
            return url
    return None
