"""The environment of a report: where the recording comes from, and which software made the report."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from typing import Final

from icws_explore.capture import Capture
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import DidError
from icws_explore.protocol.wording import time_text

from ..facts import Fact, clock_text, order_facts
from ..formatting import count, one_line, seconds, shorten

# The versions of these can change what a report says: decoding, proofs, transport, figures.
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
    "pcap": "imported from captured packets",
    "mitmproxy": "imported from a flow file of mitmproxy",
    "simulated": "simulated",
}


def made_with() -> list[Fact]:
    """The versions of the software that made the report."""
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
        return None  # only one of the two BLS libraries need be installed


def recorded_facts(capture: Capture, root_key: bytes | None) -> list[Fact]:
    """Where, when and how the recording was made. ``root_key`` (DER) is the one that proofs are checked under."""
    info = capture.info
    sessions = len(capture.session_ids)
    many = f" in {count(sessions, 'session')}" if sessions > 1 else ""
    facts = [
        Fact("origin", _ORIGINS[info.origin]),
        Fact("size", f"{count(len(capture), 'frame')}{many}, {seconds(capture.duration_s)} s"),
        Fact("clock", clock_text(capture), "" if info.clock.kind == "real" else "note"),
    ]
    if capture.frames:
        facts.append(Fact("first frame", time_text(capture.frames[0].t_ns)))
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
        facts.append(Fact("cryptography", f"{info.crypto}: signatures of this simulation cannot be verified", "note"))
    return [*facts, *order_facts(capture), *(Fact("note", one_line(note), "bad") for note in capture.notes)]


def _type_text(declared: str | None) -> str | None:
    """The declared type in the usual notation, or the given text if it is not a type."""
    if declared is None:
        return None
    from icws_explore.protocol import candid

    try:
        text = candid.type_text(candid.parse_type(declared))
    except DidError:
        text = one_line(f"not readable as Candid: {declared[:_MAX_TYPE]}")
    return shorten(text, _MAX_TYPE)


def _key_text(root_key: bytes | None) -> str:
    if root_key is None:
        return "unknown, so proofs were not checked"
    if root_key == MAINNET_ROOT_KEY:
        return "mainnet's"
    return f"of another network (SHA-256 {hashlib.sha256(root_key).hexdigest()[:16]}…)"
