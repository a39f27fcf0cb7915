"""The HTTP side of a network: what a client may ask a replica, and the pinned key of mainnet.

Requests are as the interface specification's "HTTPS interface" has them; answers are untrusted.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp

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


def is_loopback(url: str) -> bool:
    """Whether ``url`` is on this machine, where no proxy has any business."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_url(url: str, schemes: Sequence[str]) -> bool:
    """Whether ``url`` has one of ``schemes``, a host that can be looked up and a port that can be."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # UnicodeError is one: a label is empty or too long
        return False


def without_password(url: str) -> str:
    """``url`` without user:password@, which belongs in no recording and on no screen."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def check_http_url(url: str) -> str:
    """``url`` without a trailing slash. Raises ConnectError unless it is http(s)://host."""
    if not is_url(url, ("http", "https")):
        raise ConnectError(f"{url!r} is not a network URL: write http://127.0.0.1:4943 or https://icp-api.io")
    return url.rstrip("/")


class Network:
    """A replica's or a boundary node's HTTP endpoints. Use as an async context manager.

    Ingress expiries are stamped with ``clock``. Every method raises ConnectError when the network
    cannot be reached or answers nonsense.
    """

    def __init__(self, url: str, *, identity: Identity | None = None, clock: Clock | None = None) -> None:
        self.url = check_http_url(url)
        self.identity = identity or AnonymousIdentity()
        self.clock = clock or RealClock()
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        self._http = aiohttp.ClientSession(timeout=timeout, trust_env=not is_loopback(self.url))
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
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
        if self._http is None:
            raise ConnectError("the network is not open: use it as an async context manager")
        headers = {"Content-Type": "application/cbor"} if body is not None else {}
        try:
            async with self._http.request(verb, self.url + path, data=body, headers=headers) as response:
                status = response.status
                answer = await response.content.read(MAX_BODY + 1)
                while len(answer) <= MAX_BODY and not response.content.at_eof():
                    answer += await response.content.read(MAX_BODY + 1 - len(answer))
        except aiohttp.ClientConnectorError as error:
            raise ConnectError(
                f"no network at {self.url} ({_reason(error)}): start a replica or correct the URL"
            ) from error
        except TimeoutError as error:
            raise ConnectError(f"{self.url} did not answer within {REQUEST_TIMEOUT_S:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a proxy's URL that is none
            raise ConnectError(f"no sensible answer from {self.url}: {_reason(error)}") from error
        return self._decode(status, path, answer)

    def _decode(self, status: int, path: str, answer: bytes) -> dict[str, Any]:
        if status == 202:
            return {}
        if status != 200:
            text = " ".join(answer[:200].decode("utf-8", "replace").split())
            raise ConnectError(f"{self.url}{path} answered HTTP {status}: {text}")
        try:
            value = cbor.loads(answer, what="the network's answer", max_size=MAX_BODY)
        except DecodeError as error:
            raise ConnectError(f"{self.url} is not a replica: {error}") from error
        if not isinstance(value, dict):
            raise ConnectError(f"{self.url} is not a replica: its answer is not a map")
        return value


def _reason(error: BaseException) -> str:
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return str(cause) or type(cause).__name__
