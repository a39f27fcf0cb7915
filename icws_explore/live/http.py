"""The HTTP interface of a network: status, queries, calls and read_state, for clients. Answers are untrusted.

Source: interface specification, "HTTPS interface".
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
from icws_explore.protocol.budgets import HTTP_ANSWER as MAX_BODY
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


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The outcome of a query: ``reply`` (Candid), or the fields of a reject."""

    reply: bytes | None
    reject_code: int | None = None
    reject_message: str = ""
    error_code: str = ""


def is_mainnet(url: str) -> bool:
    """Whether ``url`` is an API host of mainnet. Mainnet's root key is built in and never fetched."""
    host = urlsplit(url).hostname or ""
    return any(host == domain or host.endswith("." + domain) for domain in MAINNET_DOMAINS)


def http_client(address: Address, *, timeout_s: float, **options: Any) -> aiohttp.ClientSession:
    """Return an aiohttp session for requests to ``address``, with its credentials and its proxy. Raises ConnectError.

    ``timeout_s`` is real seconds for one request; ``options`` are those of aiohttp's ClientSession. Credentials of a
    .netrc file are not added, which aiohttp would do. Answers are not decompressed, because a few compressed bytes
    can become a gigabyte.
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
    """A client of a network's HTTP endpoints (a replica or a boundary node). Use it as an async context manager.

    ``identity`` signs the requests (None: anonymous). ``clock`` gives the ingress expiry of a request. Every method
    raises ConnectError if the network cannot be reached or its answer is invalid.
    """

    def __init__(self, url: str, *, identity: Identity | None = None, clock: Clock | None = None) -> None:
        self._address = Address.network(url)
        self.url = self._address.shown.rstrip("/")  # without credentials, so it can be shown
        self.identity = identity or AnonymousIdentity()
        self.clock = clock or RealClock()
        self._is_open = False
        self._http: aiohttp.ClientSession | None = None  # created by the first request

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
        """Return the root key (DER): for mainnet the built-in one, otherwise the one in the network's status.

        The status is trusted, because the key of another network cannot be verified.
        """
        if is_mainnet(self.url):
            return MAINNET_ROOT_KEY
        status = await self.status()
        key = status.get("root_key")
        if not isinstance(key, bytes):
            raise ConnectError(f"{self.url} answers, but its status has no root key: is it a replica?")
        try:
            bls.key_from_der(key)
        except DecodeError as error:
            raise ConnectError(f"{self.url} has an unusable root key: {error}") from error
        return key

    async def status(self) -> dict[str, Any]:
        """Return the decoded status of the replica."""
        return await self._exchange("GET", "/api/v2/status", None)

    async def query(self, canister_id: Principal, method: str, arg: bytes) -> QueryAnswer:
        """Send a query with ``arg`` (Candid). Returns its answer, which may be a reject."""
        content = query_content(
            canister_id, method, arg, self.identity.principal, ingress_expiry_ns(self.clock.now_ns())
        )
        answer = await self.post(f"/api/v2/canister/{canister_id}/query", content)
        reply = answer.get("reply")
        if answer.get("status") == "replied" and isinstance(reply, dict) and isinstance(reply.get("arg"), bytes):
            return QueryAnswer(reply["arg"])
        code = answer.get("reject_code")
        if answer.get("status") == "rejected" and isinstance(code, int):
            return QueryAnswer(None, code, str(answer.get("reject_message", "")), str(answer.get("error_code") or ""))
        raise ConnectError(f"{self.url} answered a query with neither a reply nor a rejection")

    async def read_state(self, canister_id: Principal, paths: Sequence[Sequence[bytes]], *, version: int = 2) -> bytes:
        """Return the certificate (CBOR) for ``paths`` of the state tree. The certificate is not verified.

        ``version`` is that of the endpoint: 2, or 3 for delegations with sharded canister ranges.
        """
        content = read_state_content(paths, self.identity.principal, ingress_expiry_ns(self.clock.now_ns()))
        answer = await self.post(f"/api/v{version}/canister/{canister_id}/read_state", content)
        certificate = answer.get("certificate")
        if not isinstance(certificate, bytes):
            raise ConnectError(f"{self.url} answered read_state without a certificate")
        return certificate

    async def call(self, canister_id: Principal, method: str, arg: bytes) -> dict[str, Any]:
        """Send an update call with ``arg`` (Candid) to the synchronous endpoint (v3). Returns the decoded answer.

        The answer is {"status": "replied", "certificate": …}, a non_replicated_rejection, or {} for 202 Accepted.
        """
        content = call_content(
            canister_id,
            method,
            arg,
            self.identity.principal,
            ingress_expiry_ns(self.clock.now_ns()),
            secrets.token_bytes(16),
        )
        return await self.post(f"/api/v3/canister/{canister_id}/call", content)

    async def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Sign ``content`` and post it to ``path`` (/api/…). Returns the decoded answer; {} for 202 Accepted."""
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
        raise failure  # outside the except block: the library's error may quote a proxy with its password

    def _why_none(self, error: Exception) -> ConnectError:
        if isinstance(error, aiohttp.ClientConnectorError):
            return ConnectError(f"no network at {self.url} ({self._reason(error)}): start a replica or correct the URL")
        if isinstance(error, TimeoutError):
            return ConnectError(f"{self.url} did not answer within {REQUEST_TIMEOUT_S:g} s")
        return ConnectError(f"no valid answer from {self.url}: {self._reason(error)}")

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
            raise ConnectError(f"{self.url}{path} answered HTTP {status}: {text}", http_status=status)
        try:
            value = cbor.loads(answer, what="the network's answer", max_size=MAX_BODY)
        except DecodeError as error:
            raise ConnectError(f"{self.url} is not a replica: {error}") from error
        if not isinstance(value, dict):
            raise ConnectError(f"{self.url} is not a replica: its answer is not a map")
        return value


def failure_text(address: Address, error: BaseException) -> str:
    """Return a library's error of a request to ``address`` in one line, without the credentials of server or proxy."""
    text = address.hide(" ".join(str(error).split()))
    proxy = proxy_for(address)
    return (text if proxy is None else proxy.hide(text)) or type(error).__name__


def redirected(url: str, status: int, elsewhere: str) -> str:
    """Return the text for a redirect. It is not followed: a server must not choose which host the client asks."""
    there = f" to {shown(elsewhere)}" if elsewhere else " elsewhere"
    return f"{url} redirects its clients{there} (HTTP {status}), which is not followed: pass the right URL"


async def read_at_most(stream: aiohttp.StreamReader, most: int) -> bytes:
    """Read a body of at most ``most`` bytes. One byte more is returned if there are more."""
    parts: list[bytes] = []
    size = 0
    while size <= most and (part := await stream.read(most + 1 - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)
