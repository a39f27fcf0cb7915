"""Which address to listen on, and which clients to accept there.

Any page that is open in the user's browser can connect to a port of this machine. Two headers, which a page cannot
set, show where a request comes from (WHATWG Fetch Standard; RFC 6454; RFC 6455, section 10.2):

- ``Origin`` names the site of the page. Browsers send it with every WebSocket handshake and every POST. Pages of this
  machine (http://localhost:3000) are accepted, and pages that the user names. Programs send no Origin and are accepted.
- ``Host`` names the server that the client asked for. With DNS rebinding, a page's own name resolves to 127.0.0.1; its
  GET requests then have no Origin, but ``Host`` is the page's name. IP addresses and localhost cannot be rebound. They
  are accepted, and so are the name that is listened on and the names that the user gives.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from icws_explore.capture.files import shown
from icws_explore.protocol.errors import ArgumentValueError

from .address import is_loopback_host

ANY: Final = "*"
MAX_NAME: Final = 253  # characters of a name: RFC 1035, section 2.3.4
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_NAME: Final = re.compile(r"[a-z0-9_.-]+")
_HOST: Final = re.compile(r"(?P<host>\[[0-9a-f:.]+(?:%25[a-z0-9_.~-]+)?\]|[a-z0-9_.-]+)(?::[0-9]{1,5})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listen:
    """``host`` and ``port`` (0: a free one)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """``HOST:PORT``, ``[IPV6]:PORT`` or a port alone, which means loopback. Raises ArgumentValueError."""
        host, colon, port = text.strip().rpartition(":")
        if not colon:
            host = "127.0.0.1"
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            host = ""
        if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise ArgumentValueError(f"{text!r} is no address to listen on: write 127.0.0.1:8080 (port 0: a free one)")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def at(self, port: int) -> str:
        """host:port for a URL on this machine; an address that means "any" is reached through loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # only compared
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def taken(self, error: OSError) -> str:
        """Why listening failed, on one line."""
        reason = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)
        return f"cannot listen on {self.host}:{self.port} ({reason}): choose another address"


@dataclass(frozen=True, slots=True)
class Visitors:
    """Which clients are accepted. ``origins`` and ``hosts`` are accepted in addition to those of this machine."""

    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *listens: Listen, origins: Iterable[str] = (), hosts: Iterable[str] = ()) -> Self:
        """Take origins as https://dapp.example, "null" or "*" (any), and hosts as names. Raises ArgumentValueError."""
        own = [_plain(listen.host) for listen in listens]
        return cls(frozenset(map(_allowed_origin, origins)), frozenset([*own, *map(_allowed_host, hosts)]))

    def refusal(self, hosts: Sequence[str], origins: Sequence[str] = (), sites: Sequence[str] = ()) -> str | None:
        """Return why a request with these Host, Origin and Sec-Fetch-Site headers is refused, or None.

        The answer is one line of at most some hundred characters. It names the option that would allow the request.
        """
        if len(hosts) != 1 or len(origins) > 1:
            return f"the request has {len(hosts)} Host and {len(origins)} Origin headers"
        found = _HOST.fullmatch(hosts[0].strip())
        host = _plain(found["host"]) if found is not None and len(found["host"]) <= MAX_NAME else ""
        if not (host and (_is_address(host) or is_loopback_host(host) or {host, ANY} & self.hosts)):
            named = f" ({_how('host', host)})" if host else ""
            return f"requests for the host {shown(hosts[0])!r} are not accepted{named}"
        if origins:
            return self._foreign(origins[0].strip())
        if any(site.strip().lower() == "cross-site" for site in sites) and ANY not in self.origins:
            return "pages of other sites are not accepted"  # requests for images and links have no Origin
        return None

    def _foreign(self, text: str) -> str | None:
        origin = _origin(text)
        if {origin, ANY} & self.origins:
            return None
        if origin is None:
            return f"pages from {shown(text)!r} are not accepted"
        if _is_page_of_loopback(origin):
            return None
        return f"pages from {origin} are not accepted ({_how('origin', origin)})"


def _how(kind: str, value: str) -> str:
    return f"to accept them: --allow-{kind} {value}, or allow_{kind}s=[{value!r}] in Python"


def _allowed_origin(text: str) -> str:
    if text == ANY:
        return text
    origin = _origin(text.strip().removesuffix("/"))
    if origin is None:
        raise ArgumentValueError(f"{text!r} is not a page's origin: write https://dapp.example, or * for any")
    return origin


def _allowed_host(text: str) -> str:
    host = _plain(text.strip())
    if host != ANY and not _NAME.fullmatch(host):
        raise ArgumentValueError(f"{text!r} is not a host's name: write it without a port, as host.docker.internal")
    return host


def _origin(text: str) -> str | None:
    """Normalise an origin: lower case, no default port. None if it is invalid."""
    if text == "null":
        return text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if "@" in text or text.lower() != f"{parts.scheme}://{parts.netloc}".lower() or not _SCHEME.fullmatch(parts.scheme):
        return None
    if len(host) > MAX_NAME or not (_is_address(host) or _NAME.fullmatch(host)):
        return None
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}{'' if port in (None, _PORTS.get(parts.scheme)) else f':{port}'}"


def _is_page_of_loopback(origin: str) -> bool:
    parts = urlsplit(origin)
    host = parts.hostname or ""
    return parts.scheme in ("http", "https") and (is_loopback_host(host) or host in ("0.0.0.0", "::"))  # noqa: S104


def _plain(host: str) -> str:
    """Normalise a host: lower case, no brackets, no dot at the end."""
    return host.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.replace("%25", "%"))
    except ValueError:
        return False
    return True
