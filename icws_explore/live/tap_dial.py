"""The tap's way to the gateway: TCP, through a proxy where the environment names one, and TLS."""

from __future__ import annotations

import asyncio
import os
import ssl as tls
from collections.abc import Callable
from typing import Final
from urllib.request import getproxies, proxy_bypass

from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy

from icws_explore.protocol.errors import ConnectError

from .http import is_loopback
from .tap_http import Upstream

CONNECT_PATIENCE_S: Final = 20.0  # real seconds for TCP, the proxy and TLS


def proxy_for(upstream: Upstream) -> str | None:
    """The proxy that the environment names for this gateway; never one for loopback."""
    if is_loopback(upstream.url) or proxy_bypass(f"{upstream.host}:{upstream.port}"):
        return None
    named = getproxies()
    schemes = ("wss", "socks", "https") if upstream.tls else ("ws", "socks", "https", "http")
    return next((named[scheme] for scheme in schemes if named.get(scheme)), None)


async def dial(upstream: Upstream, protocol: Callable[[], asyncio.Protocol], ssl: tls.SSLContext | None) -> None:
    """Connect ``protocol()`` to the gateway. Raises ConnectError; its text says what to look at."""
    context = (ssl or tls.create_default_context()) if upstream.tls else None
    proxy = proxy_for(upstream)
    way = f"no connection to {upstream.url}" + (f" through the proxy {proxy}" if proxy else "")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_PATIENCE_S):
            if proxy is None:
                await loop.create_connection(protocol, upstream.host, upstream.port, ssl=context)
                return
            sock = await Proxy.from_url(proxy).connect(upstream.host, upstream.port)
            name = upstream.host if context is not None else None
            await loop.create_connection(protocol, sock=sock, ssl=context, server_hostname=name)
    except TimeoutError as error:
        raise ConnectError(f"{way}: it does not answer") from error
    except OSError as error:
        raise ConnectError(f"{way}: {reason_of(error)}") from error
    except (ProxyError, ValueError) as error:
        raise ConnectError(f"{way}: {' '.join(str(error).split())}") from error


def reason_of(error: OSError) -> str:
    """An operating system's or TLS's reason on one line."""
    if isinstance(error, tls.SSLError):
        return str(getattr(error, "verify_message", "") or getattr(error, "reason", "") or error)
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return " ".join(str(error).split()) or type(error).__name__
