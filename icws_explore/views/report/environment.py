"""The environment of a report: what read the capture, and what the capture says of itself."""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime
from importlib import metadata
from typing import Final

from icws_explore.capture import Capture
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import DidError

from ..facts import Fact, clock_note
from ..rows import one_line, seconds

# Those whose version can change what the report says: reading, proofs, transport, figures.
LIBRARIES: Final = (
    "cbor2",
    "cryptography",
    "pyblst",
    "py-arkworks-bls12381",
    "websockets",
    "aiohttp",
    "pandas",
    "matplotlib",
)
_MAX_TYPE: Final = 1000  # characters

_ORIGINS: Final = {
    "live": "recorded by the client itself (icws open, connect)",
    "tap": "recorded by a proxy in front of the gateway (icws tap)",
    "har": "imported from a browser's HAR file",
    "pcap": "imported from recorded packets",
    "simulated": "simulated",
}


def made_with() -> list[Fact]:
    """Versions of what read the capture and judged it."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = [f"{name} {version}" for name in LIBRARIES if (version := _version(name)) is not None]
    return [
        Fact("icws_explore", metadata.version("icws_explore")),
        Fact("Python", python),
        Fact("platform", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        Fact("libraries", ", ".join(versions)),
    ]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None  # one of two that do the same


def recorded_facts(capture: Capture, root_key: bytes | None) -> list[Fact]:
    """Where, when and how the capture was made; ``root_key`` (DER) is the one that proofs are judged by."""
    info = capture.info
    sessions = len(capture.session_ids)
    many = f" in {sessions} sessions" if sessions > 1 else ""
    facts = [
        Fact("origin", _ORIGINS[info.origin]),
        Fact("size", f"{len(capture)} frames{many}, {seconds(capture.duration_s)} s"),
        Fact("clock", clock_note(capture), "" if info.clock.kind == "real" else "note"),
    ]
    if capture.frames:
        facts.append(Fact("first frame", _moment(capture.frames[0].t)))
    configured = None if info.ack_interval_ms is None else f"{info.ack_interval_ms / 1000:g} s"
    for name, value in (
        ("recorder started", info.started_at),
        ("gateway", info.gateway_url),
        ("network", info.network_url),
        ("canister", info.canister_id),
        ("client", info.client_principal),
        ("ack interval", configured),
        ("message type", _type_text(info.app_type)),
    ):
        if value is not None:
            facts.append(Fact(name, one_line(value)))
    facts.append(Fact("root key", _key_text(root_key), "note" if root_key is None else ""))
    if info.crypto != "real":
        facts.append(Fact("cryptography", f"{info.crypto}: no signature in it was ever meant to hold", "note"))
    return facts + [Fact("note", one_line(note), "bad") for note in capture.notes]


def _moment(t: float) -> str:
    try:
        return f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{t:g} s since 1970"


def _type_text(declared: str | None) -> str | None:
    """The declared type, written as we write types; the very text where that is not a type."""
    if declared is None:
        return None
    from icws_explore.protocol import candid

    try:
        text = candid.type_text(candid.parse_type(declared))
    except DidError:
        text = one_line(f"not readable as Candid: {declared[:_MAX_TYPE]}")
    return text if len(text) <= _MAX_TYPE else f"{text[:_MAX_TYPE]}…"


def _key_text(root_key: bytes | None) -> str:
    if root_key is None:
        return "not known: no proof is judged"
    if root_key == MAINNET_ROOT_KEY:
        return "mainnet's"
    return f"another network's (SHA-256 {hashlib.sha256(root_key).hexdigest()[:16]}…)"
