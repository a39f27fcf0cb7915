"""The opening handshake as it passes the tap: which of its lines change, and why.

Only three do. The request's target gets the gateway's path in front, ``Host`` names the gateway (a
server behind a name or TLS answers nobody else), and ``Sec-WebSocket-Extensions`` is taken out, so
that no one compresses and every payload can be read. Origin, subprotocols, cookies and keys stay as
they are, byte by byte; the answer is not touched at all. Source: RFC 6455, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from icws_explore.capture.websocket_stream import HEAD_END, HeadError, header_name

from .target import check_gateway_url

_DROPPED: Final = b"sec-websocket-extensions"


@dataclass(frozen=True, slots=True)
class Upstream:
    """The gateway, by its URL."""

    url: str
    host: str
    port: int
    tls: bool
    prefix: str
    query: str

    @classmethod
    def parse(cls, url: str) -> Upstream:
        """Raises ConnectError unless ``url`` is ws(s)://host."""
        parts = urlsplit(check_gateway_url(url))
        tls = parts.scheme == "wss"
        port = parts.port or (443 if tls else 80)
        assert parts.hostname is not None  # check_gateway_url saw to it
        return cls(url, parts.hostname, port, tls, parts.path.rstrip("/"), parts.query)

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def target(self, asked: str) -> str:
        """What the gateway is asked for when the client asks the tap for ``asked`` (path and query)."""
        path, mark, query = asked.partition("?")
        joined = (self.prefix + path if path != "/" else self.prefix) or "/"
        if mark or not self.query:
            return joined + mark + query
        return f"{joined}?{self.query}"


def rewrite_request(head: bytes, upstream: Upstream) -> bytes:
    """The head that goes to the gateway; ``head`` ends in an empty line. Raises HeadError."""
    first, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1.") or not words[1].startswith(b"/"):
        raise HeadError("not an HTTP request")
    words[1] = upstream.target(words[1].decode("latin-1")).encode("latin-1")
    kept = [b" ".join(words)]
    upgrading = any(header_name(line) == b"upgrade" for line in lines)
    for line in lines:
        name = header_name(line)
        if name == b"host":
            kept.append(line[: len(name)] + b": " + upstream.host_header.encode("ascii"))
        elif name == b"connection" and not upgrading:
            kept.append(b"Connection: close")  # a second request on this connection would not be looked at
        elif name != _DROPPED:
            kept.append(line)
    return b"\r\n".join(kept) + HEAD_END


def refusal(status: str, text: str) -> bytes:
    """An answer of the tap's own, for when there is nothing to relay."""
    body = f"icws tap: {text}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode("latin-1") + body
