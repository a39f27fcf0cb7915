"""The address of a server, parsed from the URL that the user wrote, and the proxy that leads to it.

Request targets are appended to a parsed address, so they cannot change the host. An address is printed without its
password and its query, because tokens are passed there.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import SplitResult, quote, unquote, unquote_plus, urlsplit
from urllib.request import getproxies, proxy_bypass

from icws_explore.protocol.credentials import shown_url, without_credentials
from icws_explore.protocol.errors import ArgumentValueError, ConnectError

PROXY_SCHEMES: Final = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_PORTS: Final = {"ws": 80, "http": 80, "wss": 443, "https": 443} | dict.fromkeys(PROXY_SCHEMES[2:], 1080)
_WEBSOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}
_LEAST_SECRET: Final = 4  # characters; a shorter query value may occur in any text
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")  # names of containers contain underscores
_KEPT: Final = "/%:@!$&'()*+,;=-._~"  # characters that a path may contain unquoted; RFC 3986, section 3.3


def is_url(url: str, schemes: Sequence[str]) -> bool:
    """Whether ``url`` has one of ``schemes``, a valid host and a valid port."""
    return _split(url, schemes) is not None


def is_loopback(url: str) -> bool:
    """Whether ``url`` is on this machine. No proxy is used for it."""
    return is_loopback_host(urlsplit(url).hostname or "")


def is_loopback_host(host: str) -> bool:
    """Whether a name or an IP address always means this machine. Source: RFC 6761, section 6.3."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        name = host.lower().removesuffix(".")
        return name == "localhost" or name.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL. ``user``, ``password`` and ``query`` are sent to the server only, and never shown."""

    scheme: str
    host: str  # ASCII; an IPv6 address without brackets
    port: int
    path: str
    shown: str
    query: str = field(repr=False)
    user: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def parse(cls, url: str, schemes: Sequence[str], what: str, *, example: str) -> Self:
        """Parse ``url``. Raises ArgumentValueError: "… is not ``what``: write ``example``"."""
        parts = _split(url, schemes)
        if parts is None or parts.hostname is None:
            raise ArgumentValueError(f"{shown_url(url)!r} is not {what}: write {example}")
        host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode("ascii")
        return cls(
            scheme=parts.scheme,
            host=host,
            port=parts.port or _PORTS[parts.scheme],
            path=quote(parts.path, safe=_KEPT),
            shown=shown_url(url),
            query=quote(parts.query, safe=_KEPT + "?"),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    @classmethod
    def gateway(cls, url: str) -> Self:
        """A gateway's. Raises ArgumentValueError unless it is ws(s)://host without a space."""
        if any(character.isspace() for character in url):
            said = f"{shown_url(url)!r} is not a gateway URL: it contains a space, and new WebSocket throws SyntaxError"
            raise ArgumentValueError(said)
        scheme, _, rest = shown_url(url).partition("://")
        if scheme in _WEBSOCKET_SCHEMES and rest:
            raise ArgumentValueError(
                f"{scheme}://{rest} is not a gateway URL: write {_WEBSOCKET_SCHEMES[scheme]}://{rest} (new WebSocket "
                f"accepts {scheme}:// in new browsers only)"
            )
        return cls.parse(url, ("ws", "wss"), "a gateway URL", example="ws://127.0.0.1:8080 or wss://gateway.example")

    @classmethod
    def network(cls, url: str) -> Self:
        """Parse a network's URL. Raises ArgumentValueError unless it is http(s)://host."""
        return cls.parse(url, ("http", "https"), "a network URL", example="http://127.0.0.1:4943 or https://icp-api.io")

    def __str__(self) -> str:
        return self.shown

    @property
    def is_tls(self) -> bool:
        return self.scheme in ("wss", "https")

    @property
    def is_loopback(self) -> bool:
        return is_loopback_host(self.host)

    @property
    def authority(self) -> str:
        """The value of a ``Host`` header: the host, and the port if it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def authorization(self) -> str | None:
        """The value of an ``Authorization`` header with the URL's user and password. Source: RFC 7617."""
        if not self.user and not self.password:
            return None
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")

    @property
    def secret_url(self) -> str:
        """The URL with user and password, for a library that takes them in no other form."""
        user = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.authorization else ""
        return f"{self.scheme}://{user}{self.authority}"

    def target(self, asked: str) -> str:
        """Return the path and query to request from the server for a client that asks for ``asked``.

        ``asked`` begins with a slash. The address's path is put in front unless ``asked`` is below it already. The
        address's query is added if ``asked`` has none.
        """
        path, mark, query = asked.partition("?")
        prefix = self.path.rstrip("/")
        if path == "/":
            path = self.path or "/"
        elif path != prefix and not path.startswith(f"{prefix}/"):
            path = prefix + path
        if mark or not self.query:
            return path + mark + query
        return f"{path}?{self.query}"

    def url(self, asked: str) -> str:
        """Return the same as a complete URL, without user and password."""
        return f"{self.scheme}://{self.authority}{self.target(asked)}"

    def hide(self, text: str) -> str:
        """Remove credentials, this address's own included, from a text that the server or a library wrote."""
        own = [self.password, self.query, (self.authorization or "").removeprefix("Basic ")]
        if not self.password:
            own.append(self.user)  # then it is a token
        for part in re.split("[&;]", f"{self.query};{self.path.partition(';')[2]}"):
            name, mark, value = part.partition("=")
            own.append(value if mark else name)
        own += [unquote_plus(secret) for secret in own] + [quote(secret, safe="") for secret in own]
        return without_credentials(
            text, *sorted((secret for secret in own if len(secret) >= _LEAST_SECRET), key=len, reverse=True)
        )


def proxy_for(address: Address) -> Address | None:
    """Return the proxy that the environment names for this server, never one for loopback. Raises ConnectError.

    For a WebSocket the variables are tried in the same order as by the websockets library.
    """
    if address.is_loopback or proxy_bypass(f"{address.host}:{address.port}"):
        return None
    schemes: tuple[str, ...] = (address.scheme,)
    if address.scheme in ("ws", "wss"):
        schemes = ("wss", "socks", "https") if address.is_tls else ("ws", "socks", "https", "http")
    named = getproxies()
    url = next((named[scheme] for scheme in schemes if named.get(scheme)), None)
    if url is None:
        return None
    if not is_url(url, PROXY_SCHEMES):
        raise ConnectError(
            f"no way to {address}: {shown_url(url)!r} is not a proxy's URL, as http://proxy.example:3128 is; "
            "correct the proxy in the environment"
        )
    return Address.parse(url, PROXY_SCHEMES, "a proxy's URL", example="http://proxy.example:3128")


def _split(url: str, schemes: Sequence[str]) -> SplitResult | None:
    """Return the parts of a URL, or None if it is invalid or programs may disagree about its host."""
    if not url.isprintable() or " " in url or "\\" in url:  # urlsplit drops some; browsers read \\ as a slash
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        is_named = ":" in host or _NAME.fullmatch(host.encode("idna").decode("ascii")) is not None
    except ValueError:  # UnicodeError is one: a label is empty or too long
        return None
    return parts if parts.scheme in schemes and host and is_named and port != 0 else None
