"""The opening handshake through the tap: how the client's request is checked and changed, and how to reach the gateway.

These lines of the client's request change (RFC 6455, section 4):

- The target gets the gateway's path in front.
- ``Host`` names the gateway, because servers behind a name or TLS answer no other.
- ``Sec-WebSocket-Extensions`` is removed, so that nobody compresses and every payload can be read.
- ``Proxy-Authorization`` and ``Proxy-Connection`` are removed, because they are meant for a proxy.
- ``Cookie`` is removed if a browser sent it. A browser's cookies belong to the tap's host: they are those of other
  servers on this machine, JupyterLab's login for example.
- ``Authorization`` is added if the gateway's URL has a user and the client sent none.

All other lines, and the gateway's answer, pass unchanged. A request that two programs could understand differently
(a bare line feed, a folded line, a body) is refused, so that the gateway sees the same request that was checked.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl as tls
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy

from icws_explore.capture.websocket_stream import HEAD_END, HeadError
from icws_explore.protocol.budgets import TAP_CONNECT_S as CONNECT_PATIENCE_S
from icws_explore.protocol.errors import ConnectError

from .address import Address, proxy_for

_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
# Printable ASCII without blanks and fragment. Some programs take what follows two slashes for a host.
_TARGET: Final = re.compile(r"/(?!/)[!\"$-~]*")
_DROPPED: Final = frozenset({b"sec-websocket-extensions", b"proxy-authorization", b"proxy-connection"})


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A client's request. ``target`` is path and query; ``lines`` are pairs of a name in lower case and the line."""

    target: str
    lines: Sequence[tuple[bytes, bytes]]

    @classmethod
    def read(cls, head: bytes) -> Self:
        """Parse a head that ends in an empty line. Raises HeadError if it is not a clear request for a path."""
        first, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
        words = first.decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            raise HeadError("the request is not HTTP")
        if words[0] != "GET" or words[2] != "HTTP/1.1" or not _TARGET.fullmatch(words[1]):
            raise HeadError("the request must be GET, a path and HTTP/1.1")
        named: list[tuple[bytes, bytes]] = []
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None:
                raise HeadError("the request has a malformed header line")
            named.append((found[1].lower(), line))
        request = cls(words[1], named)
        if request.values("transfer-encoding") or set(request.values("content-length")) - {"0"}:
            raise HeadError("the request has a body")
        return request

    def values(self, name: str) -> list[str]:
        """Return the values of all lines called ``name`` (in lower case)."""
        wanted = name.encode("ascii")
        return [line.partition(b":")[2].strip().decode("latin-1") for known, line in self.lines if known == wanted]

    @property
    def is_upgrade(self) -> bool:
        return any("websocket" in value.lower() for value in self.values("upgrade"))

    def forwarded(self, gateway: Address) -> bytes:
        """Return the head to send to the gateway."""
        dropped = _DROPPED | {b"cookie"} if self.values("origin") else _DROPPED
        kept = [f"GET {gateway.target(self.target)} HTTP/1.1".encode("latin-1")]
        for name, line in self.lines:
            if name == b"host":
                kept.append(line[: len(name)] + b": " + gateway.authority.encode("ascii"))
            elif name not in dropped:
                kept.append(line)
        if gateway.authorization is not None and not self.values("authorization"):
            kept.append(b"Authorization: " + gateway.authorization.encode("ascii"))
        return b"\r\n".join(kept) + HEAD_END


def own_answer(status: str, text: str) -> bytes:
    """Return an HTTP answer of the tap itself, as ``status`` with ``text`` in its body."""
    body = f"icws tap: {text}\n".encode()
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if status.startswith("426"):
        lines.append("Upgrade: websocket")
    return "\r\n".join(lines).encode("latin-1") + HEAD_END + body


async def dial(gateway: Address, protocol: Callable[[], asyncio.Protocol], ssl: tls.SSLContext | None) -> None:
    """Connect ``protocol()`` to the gateway, through a proxy if the environment names one. Raises ConnectError."""
    proxy = proxy_for(gateway)
    try:
        async with asyncio.timeout(CONNECT_PATIENCE_S):
            await _connect(gateway, proxy, protocol, ssl)
            return
    except (OSError, ProxyError, ValueError) as error:  # TimeoutError is an OSError
        reason = "it does not answer" if isinstance(error, TimeoutError) else reason_of(error)
    way = f"no connection to {gateway}" + (f" through the proxy {proxy}" if proxy else "")
    hidden = gateway.hide(reason) if proxy is None else proxy.hide(gateway.hide(reason))
    raise ConnectError(f"{way}: {hidden}")  # outside the handler: the library's error may quote the proxy's password


async def _connect(
    gateway: Address, proxy: Address | None, protocol: Callable[[], asyncio.Protocol], ssl: tls.SSLContext | None
) -> None:
    loop = asyncio.get_running_loop()
    context = (ssl or tls.create_default_context()) if gateway.is_tls else None
    if proxy is None:
        await loop.create_connection(protocol, gateway.host, gateway.port, ssl=context)
        return
    url = proxy.secret_url.replace("socks5h:", "socks5:", 1).replace(
        "socks4a:", "socks4:", 1
    )  # it resolves names anyway
    sock = await Proxy.from_url(url).connect(gateway.host, gateway.port)
    name = gateway.host if context is not None else None
    await loop.create_connection(protocol, sock=sock, ssl=context, server_hostname=name)


def reason_of(error: Exception) -> str:
    """Return the reason that the operating system, TLS or a library gives, on one line."""
    if isinstance(error, tls.SSLError):
        return str(getattr(error, "verify_message", "") or getattr(error, "reason", "") or error)
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)  # below 0: an unknown name
    return " ".join(str(error).split()) or type(error).__name__
