"""What was configured when a capture was made; line 1 of an `.icws` file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from icws_explore.protocol.errors import CaptureError

from .frame import encodable

FORMAT_VERSION: Final = 1
MAX_MS: Final = 2**63 - 1  # of an interval

Crypto = Literal["real", "stand-in"]
Origin = Literal["live", "tap", "har", "pcap", "simulated"]
ClockKind = Literal["real", "scaled", "virtual"]
_ORIGINS: Final = ("live", "tap", "har", "pcap", "simulated")
_CRYPTO: Final = ("real", "stand-in")
_CLOCKS: Final = ("real", "scaled", "virtual")


@dataclass(frozen=True, slots=True)
class ClockInfo:
    """The clock of the frames' times. ``scale`` is protocol seconds for each real second."""

    kind: ClockKind = "real"
    scale: float = 1.0

    def __str__(self) -> str:
        return f"scaled × {self.scale:g}" if self.kind == "scaled" else self.kind


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """Facts that no frame carries. None is "not known". Never holds a private key.

    ``canister_id`` and ``client_principal`` are principals as text, ``root_key`` is DER,
    ``app_type`` Candid text, ``started_at`` RFC 3339. ``crypto`` "stand-in" marks a simulation whose
    signatures are hashes, so that no proof in it can hold; a file says it only then.
    """

    gateway_url: str | None = None
    network_url: str | None = None
    canister_id: str | None = None
    root_key: bytes | None = field(default=None, repr=False)
    client_principal: str | None = None
    ack_interval_ms: int | None = None
    app_type: str | None = None
    clock: ClockInfo = ClockInfo()
    origin: Origin = "live"
    started_at: str | None = None
    crypto: Crypto = "real"

    def to_json(self) -> dict[str, Any]:
        line: dict[str, Any] = {
            "icws": FORMAT_VERSION,
            "gateway_url": self.gateway_url,
            "network_url": self.network_url,
            "canister_id": self.canister_id,
            "root_key": None if self.root_key is None else self.root_key.hex(),
            "client_principal": self.client_principal,
            "ack_interval_ms": self.ack_interval_ms,
            "app_type": self.app_type,
            "clock": {"kind": self.clock.kind, "scale": self.clock.scale},
            "origin": self.origin,
            "started_at": self.started_at,
        }
        if self.crypto != "real":
            line["crypto"] = self.crypto
        return line

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> SessionInfo:
        """Line 1 of a file. Raises CaptureError naming the bad member."""
        if line.get("icws") != FORMAT_VERSION:
            raise CaptureError(
                f'line 1 does not begin an .icws file: "icws" must be {FORMAT_VERSION}, not {line.get("icws")!r}'
            )
        origin, crypto = line.get("origin", "live"), line.get("crypto", "real")
        if origin not in _ORIGINS:
            raise CaptureError(f'"origin" must be one of {", ".join(_ORIGINS)}')
        if crypto not in _CRYPTO:
            raise CaptureError(f'"crypto" must be one of {", ".join(_CRYPTO)}')
        return cls(
            gateway_url=_text(line, "gateway_url"),
            network_url=_text(line, "network_url"),
            canister_id=_text(line, "canister_id"),
            root_key=_hex(line, "root_key"),
            client_principal=_text(line, "client_principal"),
            ack_interval_ms=_whole(line, "ack_interval_ms"),
            app_type=_text(line, "app_type"),
            clock=_clock(line.get("clock")),
            origin=cast(Origin, origin),
            started_at=_text(line, "started_at"),
            crypto=cast(Crypto, crypto),
        )


def _text(line: Mapping[str, Any], name: str) -> str | None:
    value = line.get(name)
    if value is not None and not isinstance(value, str):
        raise CaptureError(f'"{name}" must be text or null')
    return encodable(value)


def _hex(line: Mapping[str, Any], name: str) -> bytes | None:
    value = _text(line, name)
    if value is None:
        return None
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise CaptureError(f'"{name}" must be hexadecimal') from error


def _whole(line: Mapping[str, Any], name: str) -> int | None:
    value = line.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_MS):
        raise CaptureError(f'"{name}" must be a whole number up to {MAX_MS}, or null')
    return value


def _clock(value: object) -> ClockInfo:
    if value is None:
        return ClockInfo()
    if not isinstance(value, dict) or value.get("kind") not in _CLOCKS:
        raise CaptureError(f'"clock" must be {{"kind": {" | ".join(_CLOCKS)}, "scale": number}}')
    scale = value.get("scale", 1)
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < 1e9:
        raise CaptureError('"clock"."scale" must be a positive number')
    return ClockInfo(value["kind"], float(scale))
