"""Whether a page's Content Security Policy lets the SDK reach the gateway and the network.

Matching is that of CSP Level 3 as Chromium applies it to a WebSocket: only a source that says ws: or
wss:, a ``*``, or ``'self'`` for the page's own host and port, covers one; ``https:`` and a host without
a scheme do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from .finding import Finding, Findings

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SECURE: Final = {"http": "https", "ws": "wss"}  # a source for the one covers the other, too
_SOURCE: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<host>\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)"
    r"(?::(?P<port>[0-9]{1,5}|\*))?(?P<path>/.*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Blocked:
    """A URL that a policy does not allow, and the directive that says so, as it was written."""

    url: str
    directive: str


def check_csp(
    policy: str, *, gateway_url: str, network_url: str | None = None, page_url: str | None = None
) -> Findings:
    """CSP_BLOCK for what ``policy``, a header's value, keeps a page at ``page_url`` from connecting to.

    Several policies in one header (commas between them) all have to allow it.
    """
    urls = [gateway_url, *([] if network_url is None else [network_url])]
    blocked = [it for each in policy.split(",") for url in urls if (it := _blocked(each, url, page_url)) is not None]
    return Findings([_finding(list({it.url: it for it in blocked}.values()), page_url)] if blocked else [])


def _finding(blocked: Sequence[_Blocked], page_url: str | None) -> Finding:
    by_directive = {it.directive: [other.url for other in blocked if other.directive == it.directive] for it in blocked}
    told = " ".join(f'"{name}" does not allow {" and ".join(urls)}.' for name, urls in by_directive.items())
    sources = [source for it in blocked for source in it.directive.split()[1:]]
    if any(_is_websocket(it.url) for it in blocked) and _names_hosts_only(blocked):
        told += " A source with https:// or without a scheme covers no WebSocket."
    if page_url is None and "'self'" in (source.lower() for source in sources):
        told += " 'self' is the page's own host and port: give the page's URL if the gateway is served there."
    add = " ".join(dict.fromkeys(_source_of(it.url) for it in blocked))
    return Finding(
        "CSP_BLOCK",
        "error",
        (),
        told,
        "The browser makes no connection: onerror and onclose with code 1006 for the gateway; for the network, "
        '"Failed to fetch" of its root key, which the SDK asks for whatever the network.',
        f"Add to the page's connect-src: {add}",
        "CSP Level 3, connect-src; ic-websocket-js 0.5.0 ic-websocket.ts",
    )


def _source_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _names_hosts_only(blocked: Iterable[_Blocked]) -> bool:
    """The gateway's host is in the policy, with a scheme that is no WebSocket's."""
    return any(
        (found := _SOURCE.fullmatch(source)) is not None
        and (found["scheme"] or "https").lower() in ("http", "https")
        and _is_host(found["host"], urlsplit(it.url).hostname or "")
        for it in blocked
        if _is_websocket(it.url)
        for source in it.directive.split()[1:]
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
        return False  # a nonce, a hash, a keyword, or nothing that is known
    scheme = found["scheme"]
    if not _covers(scheme.lower() if scheme else _scheme_of(page, url), url.scheme):
        return False
    return (
        _is_host(found["host"], url.hostname or "")
        and _is_port(found["port"], url, scheme)
        and _is_path(found["path"], url.path)
    )


def _scheme_of(page: SplitResult | None, url: SplitResult) -> str:
    """The scheme of a source that names none is the page's; where that is not known, one that fits, if one can."""
    if page is not None:
        return page.scheme
    return "http" if url.scheme in ("http", "https") else "https"


def _covers(allowed: str, scheme: str) -> bool:
    return scheme in (allowed, _SECURE.get(allowed))


def _is_self(url: SplitResult, page: SplitResult) -> bool:
    schemes = {"http": ("http", "https", "ws", "wss"), "https": ("https", "wss")}.get(page.scheme, ())
    same_port = _port(url) == _port(page) or (_port(page), _port(url)) == (80, 443)
    return url.scheme in schemes and url.hostname == page.hostname and same_port


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


def _is_path(path: str | None, asked: str) -> bool:
    if path in (None, "/"):
        return True
    assert path is not None
    wanted, asked = unquote(path), unquote(asked or "/")
    return asked.startswith(wanted) if wanted.endswith("/") else asked == wanted
