"""The HTTP side of a network: what a client may ask a replica, and the pinned key of mainnet.

Requests are as the interface specification's "HTTPS interface" has them; answers are untrusted.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from icws_explore.capture.files import shown
from icws_explore.protocol import cbor
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.envelope import (
    call_content,
    ingress_expiry_ns,
    query_content,
    read_state_content,
    sign_envelope,
)
from icws_explore.protocol.errors import ConnectError, DecodeError
from icws_explore.protocol.keys import AnonymousIdentity, Identity, bls
from icws_explore.protocol.principal import Principal

from .address import Address, proxy_for
from .clock import Clock, RealClock

MAINNET_DOMAINS: Final = ("ic0.app", "icp0.io", "icp-api.io", "internetcomputer.org")
REQUEST_TIMEOUT_S: Final = 30.0  # real seconds for one HTTP exchange
MAX_BODY: Final = 8 * 1024 * 1024  # bytes of an answer; a replica's largest is about 3 MiB


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """A query's outcome: ``reply`` (Candid), or why it was rejected."""

    reply: bytes | None
    reject_code: int | None = None
    reject_message: str = ""
    error_code: str = ""


def is_mainnet(url: str) -> bool:
    """Whether ``url`` is an API host of mainnet, whose root key is pinned and never fetched."""
    host = urlsplit(url).hostname or ""
    return any(host == domain or host.endswith("." + domain) for domain in MAINNET_DOMAINS)


def check_http_url(url: str) -> str:
    """``url`` without a trailing slash. Raises ArgumentValueError unless it is http(s)://host."""
    Address.network(url)
    return url.rstrip("/")


def http_client(address: Address, *, timeout_s: float, **options: Any) -> aiohttp.ClientSession:
    """A session for requests to ``address``, with its credentials and through its proxy. Raises ConnectError.

    Nothing else goes along: aiohttp would add what a .netrc has for the host. Answers are not unpacked: a few
    packed bytes may be a gigabyte.
    """
    headers = dict(options.pop("headers", {}))
    if address.authorization is not None:
        headers["Authorization"] = address.authorization
    proxy = proxy_for(address)
    if proxy is not None:
        options["proxy"] = URL(proxy.secret_url)
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    return aiohttp.ClientSession(timeout=timeout, headers=headers, auto_decompress=False, **options)


class Network:
    """A replica's or a boundary node's HTTP endpoints. Use as an async context manager.

    Ingress expiries are stamped with ``clock``. Every method raises ConnectError when the network
    cannot be reached or answers nonsense.
    """

    def __init__(self, url: str, *, identity: Identity | None = None, clock: Clock | None = None) -> None:
        self._address = Address.network(url)
        self.url = self._address.shown.rstrip("/")  # as it may be shown
        self.identity = identity or AnonymousIdentity()
        self.clock = clock or RealClock()
        self._is_open = False
        self._http: aiohttp.ClientSession | None = None  # from the first request on

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._is_open = False
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def root_key(self) -> bytes:
        """The network's root key (DER): pinned for mainnet, else as its status says (trust on first use)."""
        if is_mainnet(self.url):
            return MAINNET_ROOT_KEY
        status = await self.status()
        key = status.get("root_key")
        if not isinstance(key, bytes):
            raise ConnectError(f"{self.url} answers, but its status names no root key: is it a replica?")
        try:
            bls.key_from_der(key)
        except DecodeError as error:
            raise ConnectError(f"{self.url} has an unusable root key: {error}") from error
        return key

    async def status(self) -> dict[str, Any]:
        """The replica's status, decoded."""
        return await self._exchange("GET", "/api/v2/status", None)

    async def query(self, canister_id: Principal, method: str, arg: bytes) -> QueryAnswer:
        """One query call. A rejection is an answer, not an error."""
        content = query_content(
            canister_id, method, arg, self.identity.principal, ingress_expiry_ns(self.clock.now_ns())
        )
        answer = await self._post(f"/api/v2/canister/{canister_id}/query", content)
        reply = answer.get("reply")
        if answer.get("status") == "replied" and isinstance(reply, dict) and isinstance(reply.get("arg"), bytes):
            return QueryAnswer(reply["arg"])
        code = answer.get("reject_code")
        if answer.get("status") == "rejected" and isinstance(code, int):
            return QueryAnswer(None, code, str(answer.get("reject_message", "")), str(answer.get("error_code") or ""))
        raise ConnectError(f"{self.url} answered a query with neither a reply nor a rejection")

    async def read_state(self, canister_id: Principal, paths: Sequence[Sequence[bytes]]) -> bytes:
        """The certificate for ``paths``. It is not verified here."""
        content = read_state_content(paths, self.identity.principal, ingress_expiry_ns(self.clock.now_ns()))
        answer = await self._post(f"/api/v2/canister/{canister_id}/read_state", content)
        certificate = answer.get("certificate")
        if not isinstance(certificate, bytes):
            raise ConnectError(f"{self.url} answered read_state without a certificate")
        return certificate

    async def call(self, canister_id: Principal, method: str, arg: bytes) -> dict[str, Any]:
        """Submit an update call to the synchronous endpoint; the answer as it came, decoded.

        {"status": "replied", "certificate": …}, a non_replicated_rejection, or {} for 202 Accepted.
        """
        content = call_content(
            canister_id,
            method,
            arg,
            self.identity.principal,
            ingress_expiry_ns(self.clock.now_ns()),
            secrets.token_bytes(16),
        )
        return await self._post(f"/api/v3/canister/{canister_id}/call", content)

    async def _post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        return await self._exchange("POST", path, sign_envelope(content, self.identity).encode())

    async def _exchange(self, verb: str, path: str, body: bytes | None) -> dict[str, Any]:
        if not self._is_open:
            raise ConnectError("the network is not open: use it as an async context manager")
        if self._http is None:
            wanted = {"Accept-Encoding": "identity"}
            self._http = http_client(self._address, timeout_s=REQUEST_TIMEOUT_S, headers=wanted)
        headers = {"Content-Type": "application/cbor"} if body is not None else {}
        url = URL(self._address.url(path), encoded=True)
        try:
            async with self._http.request(verb, url, data=body, headers=headers, allow_redirects=False) as response:
                status, elsewhere = response.status, response.headers.get("Location", "")
                answer = await read_at_most(response.content, MAX_BODY)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            failure = self._why_none(error)
        else:
            return self._decode(status, path, answer, elsewhere)
        raise failure  # not from within: the library's own error may quote a proxy with its password

    def _why_none(self, error: Exception) -> ConnectError:
        if isinstance(error, aiohttp.ClientConnectorError):
            return ConnectError(f"no network at {self.url} ({self._reason(error)}): start a replica or correct the URL")
        if isinstance(error, TimeoutError):
            return ConnectError(f"{self.url} did not answer within {REQUEST_TIMEOUT_S:g} s")
        return ConnectError(f"no sensible answer from {self.url}: {self._reason(error)}")

    def _reason(self, error: BaseException) -> str:
        cause = getattr(error, "os_error", None) or error
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno)
        return failure_text(self._address, cause)

    def _decode(self, status: int, path: str, answer: bytes, elsewhere: str) -> dict[str, Any]:
        if status == 202:
            return {}
        if 300 <= status < 400:
            raise ConnectError(redirected(self.url, status, self._address.hide(elsewhere)))
        if status != 200:
            text = self._address.hide(" ".join(answer[:200].decode("utf-8", "replace").split()))
            raise ConnectError(f"{self.url}{path} answered HTTP {status}: {text}")
        try:
            value = cbor.loads(answer, what="the network's answer", max_size=MAX_BODY)
        except DecodeError as error:
            raise ConnectError(f"{self.url} is not a replica: {error}") from error
        if not isinstance(value, dict):
            raise ConnectError(f"{self.url} is not a replica: its answer is not a map")
        return value


def failure_text(address: Address, error: BaseException) -> str:
    """What a library says of a failed request to ``address``, on a line, without its or its proxy's credentials."""
    text = address.hide(" ".join(str(error).split()))
    proxy = proxy_for(address)
    return (text if proxy is None else proxy.hide(text)) or type(error).__name__


def redirected(url: str, status: int, elsewhere: str) -> str:
    """Why a redirect is not followed: whoever answers would choose which host is asked, or shown, in ``url``'s name."""
    there = f" to {shown(elsewhere)}" if elsewhere else ""
    return f"{url} sends its clients elsewhere{there} (HTTP {status}), which is not followed: name the right address"


async def read_at_most(stream: aiohttp.StreamReader, most: int) -> bytes:
    """A body, up to ``most`` bytes and one, which tells that there are more."""
    parts: list[bytes] = []
    size = 0
    while size <= most and (part := await stream.read(most + 1 - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)
