"""Where to listen: an address as its user writes it."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass

from icws_explore.protocol.errors import ConnectError


@dataclass(frozen=True, slots=True)
class Listen:
    """``host`` and ``port`` (0: a free one)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """``HOST:PORT``, ``[IPV6]:PORT`` or a port alone, which means loopback. Raises ConnectError."""
        host, colon, port = text.strip().rpartition(":")
        if not colon:
            host = "127.0.0.1"
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            host = ""
        if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise ConnectError(f"{text!r} is no address to listen on: write 127.0.0.1:8080 (port 0: a free one)")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can connect."""
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
