"""The opening handshake through the tap: who may ask, which lines change on the way, and how the gateway is reached.

Of the client's request these lines change (RFC 6455, section 4): the target gets the gateway's path in front;
``Host`` names the gateway (a server behind a name or TLS answers nobody else); ``Sec-WebSocket-Extensions`` is taken
out, so that no one compresses and every payload can be read; ``Proxy-…`` lines are for a proxy; and a browser's
``Cookie`` is for the tap's host, where other programs of this machine set it. ``Authorization`` is added where the
gateway's URL has a user. All others stay as they are, byte by byte, and so does the answer.

What two readers could read differently (a bare line feed, a folded line, a body) is refused, so that what was
checked is what the gateway sees.
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
from icws_explore.protocol.errors import ConnectError

from .address import Address, proxy_for

CONNECT_PATIENCE_S: Final = 20.0  # real seconds for TCP, the proxy and TLS

_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_TARGET: Final = re.compile(r"/[!\"$-~]*")  # no blank, no fragment
_DROPPED: Final = frozenset({b"sec-websocket-extensions", b"proxy-authorization", b"proxy-connection"})


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """A request for a WebSocket: ``target`` is path and query, ``lines`` are name (in lower case) and the line."""

    target: str
    lines: Sequence[tuple[bytes, bytes]]

    @classmethod
    def read(cls, head: bytes) -> Self:
        """``head`` ends in an empty line. Raises HeadError for what is no request, or not told clearly."""
        first, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
        words = first.decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            raise HeadError("not an HTTP request")
        if words[0] != "GET" or words[2] != "HTTP/1.1" or not _TARGET.fullmatch(words[1]):
            raise HeadError("not a request for a path, by GET and HTTP/1.1")
        named: list[tuple[bytes, bytes]] = []
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None:
                raise HeadError("a header line of its request is malformed")
            named.append((found[1].lower(), line))
        request = cls(words[1], named)
        if request.values("transfer-encoding") or set(request.values("content-length")) - {"0"}:
            raise HeadError("its request has a body")
        return request

    def values(self, name: str) -> list[str]:
        """What the lines called ``name`` (in lower case) say."""
        wanted = name.encode("ascii")
        return [line.partition(b":")[2].strip().decode("latin-1") for known, line in self.lines if known == wanted]

    @property
    def is_upgrade(self) -> bool:
        return any("websocket" in value.lower() for value in self.values("upgrade"))

    def forwarded(self, gateway: Address) -> bytes:
        """The head that goes to the gateway."""
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
    """An answer of the tap's own, for when there is nothing to relay."""
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
    """Connect ``protocol()`` to the gateway, through a proxy where the environment names one.

    Raises ConnectError; its text says what to look at.
    """
    proxy = proxy_for(gateway)
    try:
        async with asyncio.timeout(CONNECT_PATIENCE_S):
            await _connect(gateway, proxy, protocol, ssl)
            return
    except (OSError, ProxyError, ValueError) as error:  # TimeoutError is an OSError
        reason = "it does not answer" if isinstance(error, TimeoutError) else reason_of(error)
    way = f"no connection to {gateway}" + (f" through the proxy {proxy}" if proxy else "")
    hidden = gateway.hide(reason) if proxy is None else proxy.hide(gateway.hide(reason))
    raise ConnectError(f"{way}: {hidden}")  # not from within: a library may quote the proxy's password


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
    """An operating system's, TLS's or a library's reason on one line."""
    if isinstance(error, tls.SSLError):
        return str(getattr(error, "verify_message", "") or getattr(error, "reason", "") or error)
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)  # below 0: an unknown name
    return " ".join(str(error).split()) or type(error).__name__
