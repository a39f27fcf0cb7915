"""Whether a browser lets a page connect to its gateway and network: the URL, mixed content, the page's policy.

Sources of a Content Security Policy are compared by scheme, host and port, as Chromium compares them for a
WebSocket: a source with ws: or wss:, a ``*``, or ``'self'`` for the page's own host and port allows one; ``https:``
and a host without a scheme do not. Paths of sources are not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from .finding import Finding, Findings

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SECURE: Final = {"http": "https", "ws": "wss"}  # a source with the first scheme allows the second as well
_SOURCE: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<host>\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)"
    r"(?::(?P<port>[0-9]{1,5}|\*))?(?:/.*)?",
    re.IGNORECASE,
)
_LOOPBACK: Final = re.compile(r"localhost|.*\.localhost|127(\.\d{1,3}){3}|::1")
_ANY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104  # compared with, not listened on
_BLOCKS: Final = "The browser makes no connection: onerror, then onclose with code 1006."


@dataclass(frozen=True, slots=True)
class _Blocked:
    """A URL that a policy does not allow, and the directive that blocks it, as it was written."""

    url: str
    directive: str


def check_page(
    *, gateway_url: str, policy: str | None = None, network_url: str | None = None, page_url: str | None = None
) -> Findings:
    """What keeps a page at ``page_url`` from connecting to its gateway and network.

    ``policy`` is the value of its Content-Security-Policy header. Several policies in one header (separated by
    commas) all have to allow a connection.
    """
    urls = [gateway_url, *([] if network_url is None else [network_url])]
    found = Findings(_addresses(gateway_url))
    if page_url is not None:
        found += _mixed_content(urls, page_url, policy or "")
    policies = [] if policy is None else policy.split(",")
    blocked = [block for each in policies for url in urls if (block := _blocked(each, url, page_url)) is not None]
    if blocked:
        found.append(_csp_finding(list({block.url: block for block in blocked}.values()), page_url))
    return found


def _addresses(gateway_url: str) -> list[Finding]:
    parts = urlsplit(gateway_url)
    found = _with_fragment(parts) if parts.fragment else []
    host = parts.hostname
    if host not in _ANY_ADDRESS:
        return found
    return [
        *found,
        Finding(
            "GATEWAY_ADDRESS",
            "error",
            (),
            f"{gateway_url} names {host}, which is an address to listen on, not one to connect to. Some browsers and "
            "operating systems connect to the own machine, others refuse it.",
            _BLOCKS,
            "Write 127.0.0.1 or localhost for a gateway on the own machine, else the host's name.",
            "Chromium, private network access; RFC 1122, section 3.2.1.3",
        ),
    ]


def _with_fragment(parts: SplitResult) -> list[Finding]:
    return [
        Finding(
            "GATEWAY_ADDRESS",
            "warning",
            (),
            "The gateway's URL has a fragment (# and what follows). Browsers up to 2023 refuse it, and later ones drop "
            "it: the server never sees it.",
            "new WebSocket throws SyntaxError in browsers up to 2023.",
            f"Write {_source_of(parts.geturl())}{parts.path}: a WebSocket's URL has no fragment.",
            "RFC 6455, section 3; WebSockets standard",
        )
    ]


def _mixed_content(urls: Iterable[str], page_url: str, policy: str) -> list[Finding]:
    """The URLs without TLS that a page with TLS cannot connect to, or that its policy turns into TLS ones."""
    page = urlsplit(page_url)
    is_upgraded = any(part.split()[:1] == ["upgrade-insecure-requests"] for part in policy.lower().split(";"))
    plain = [url for url in urls if urlsplit(url).scheme in _SECURE and not _is_loopback(urlsplit(url).hostname)]
    if not plain or (page.scheme != "https" and not is_upgraded):
        return []
    named = " and ".join(plain)
    secure = " and ".join(_source_of(url).replace("ws://", "wss://").replace("http://", "https://") for url in plain)
    text = (
        f"The policy's upgrade-insecure-requests makes the browser connect to {secure} instead of {named}. It fails "
        "unless the server speaks TLS at that port."
        if is_upgraded
        else f"A page served over https cannot connect to {named}: the browser blocks it as mixed content, whatever "
        "the policy allows. Only localhost and 127.0.0.1 are exempt."
    )
    return [
        Finding(
            "MIXED_CONTENT",
            "error",
            (),
            text,
            f'{_BLOCKS} new WebSocket("ws://…") throws SecurityError on an https page.',
            f"Use {secure}: put the gateway behind TLS (its --tls-certificate options, or a proxy).",
            "W3C Mixed Content; HTML standard, WebSockets",
        )
    ]


def _is_loopback(host: str | None) -> bool:
    return host is not None and _LOOPBACK.fullmatch(host) is not None


def _csp_finding(blocked: Sequence[_Blocked], page_url: str | None) -> Finding:
    by_directive = {
        block.directive: [other.url for other in blocked if other.directive == block.directive] for block in blocked
    }
    text = " ".join(f'"{name}" does not allow {" and ".join(urls)}.' for name, urls in by_directive.items())
    sources = [source for block in blocked for source in block.directive.split()[1:]]
    if any(_is_websocket(block.url) for block in blocked) and _names_the_host(blocked):
        text += " A source with https:// or without a scheme does not allow a WebSocket."
    if page_url is None and "'self'" in (source.lower() for source in sources):
        text += " 'self' is the page's own host and port: name the page's URL if the gateway is served there."
    add = " ".join(dict.fromkeys(_source_of(block.url) for block in blocked))
    return Finding(
        "CSP_BLOCK",
        "error",
        (),
        text,
        f'{_BLOCKS} For the network: "Failed to fetch" of its root key, which the SDK asks every network for.',
        f"Add to the page's connect-src: {add}",
        "CSP Level 3, connect-src; ic-websocket-js 0.5.0 ic-websocket.ts",
    )


def _source_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _names_the_host(blocked: Iterable[_Blocked]) -> bool:
    """Whether the gateway's host is in the policy, with a scheme that is not a WebSocket's."""
    return any(
        (found := _SOURCE.fullmatch(source)) is not None
        and (found["scheme"] or "https").lower() in ("http", "https")
        and _is_host(found["host"], urlsplit(block.url).hostname or "")
        for block in blocked
        if _is_websocket(block.url)
        for source in block.directive.split()[1:]
    )


def _is_websocket(url: str) -> bool:
    return urlsplit(url).scheme in ("ws", "wss")


def _blocked(policy: str, url: str, page_url: str | None) -> _Blocked | None:
    directives: dict[str, str] = {}
    for part in policy.split(";"):
        words = part.split()
        if words:
            directives.setdefault(words[0].lower(), " ".join(words))  # of two the first counts
    directive = directives.get("connect-src", directives.get("default-src"))
    if directive is None:
        return None
    page = None if page_url is None else urlsplit(page_url)
    sources = directive.split()[1:]
    return None if any(_allows(source, urlsplit(url), page) for source in sources) else _Blocked(url, directive)


def _allows(source: str, url: SplitResult, page: SplitResult | None) -> bool:
    if source == "*":
        return url.scheme in _PORTS
    if source.lower() == "'self'":
        return page is not None and _is_self(url, page)
    if re.fullmatch(r"[a-z][a-z0-9+.-]*:", source, re.IGNORECASE):
        return _covers(source[:-1].lower(), url.scheme)
    found = _SOURCE.fullmatch(source)
    if found is None:
        return False  # a nonce, a hash, a keyword, or something unknown
    scheme = (found["scheme"] or _default_scheme(page, url)).lower()
    return (
        _covers(scheme, url.scheme)
        and _is_host(found["host"], url.hostname or "")
        and _is_port(found["port"], url, found["scheme"])
    )


def _default_scheme(page: SplitResult | None, url: SplitResult) -> str:
    """The scheme of a source that names none: the page's. If that is unknown, one that may allow the URL."""
    if page is not None:
        return page.scheme
    return "http" if url.scheme in ("http", "https") else "https"


def _covers(allowed: str, scheme: str) -> bool:
    return scheme in (allowed, _SECURE.get(allowed))


def _is_self(url: SplitResult, page: SplitResult) -> bool:
    schemes = {"http": ("http", "https", "ws", "wss"), "https": ("https", "wss")}.get(page.scheme, ())
    is_same_port = _port(url) == _port(page) or (_port(page), _port(url)) == (80, 443)
    return url.scheme in schemes and url.hostname == page.hostname and is_same_port


def _is_host(pattern: str, host: str) -> bool:
    pattern = pattern.lower()
    if pattern == "*":
        return True
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _is_port(port: str | None, url: SplitResult, scheme: str | None) -> bool:
    if port == "*":
        return True
    if port is None:
        return _port(url) == _PORTS.get(url.scheme)
    is_upgrade = int(port) == 80 and _port(url) == 443 and (scheme or "").lower() in _SECURE
    return int(port) == _port(url) or is_upgrade


def _port(url: SplitResult) -> int | None:
    return url.port or _PORTS.get(url.scheme)
