"""Decoding and signing, against the libraries of the real SDK in Node, in the same run.

Times are of the processor, on both sides.
"""

from __future__ import annotations

import json
import subprocess
from functools import partial
from typing import Any

import icws_explore as icws
from icws_explore.analysis.decode import decode_frame
from icws_explore.protocol.arguments import encode_message_args
from icws_explore.protocol.candid import encode, parse_type
from icws_explore.protocol.envelope import call_content, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import ClientKey, WebsocketMessage

from .protocol import CANISTER, NOW_NS
from .timing import processor_cost
from .verify_peers import NODE_PEERS, ROOT

APP_TYPE = parse_type("record { text : text; timestamp : nat64 }")
ROUNDS = 2_000


def is_there() -> bool:
    """Whether the SDK's packages are installed."""
    return (NODE_PEERS / "node_modules" / "ic-websocket-js").is_dir()


def node(script: str, question: dict[str, Any], *, timeout_s: float = 120) -> list[dict[str, Any]]:
    """The lines of JSON that a script of tests/node prints."""
    done = subprocess.run(
        ["node", script, json.dumps(question)],
        cwd=NODE_PEERS,
        capture_output=True,
        text=True,
        check=True,
        timeout=timeout_s,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def decoding() -> float:
    """How many times as fast as the SDK a frame is decoded to its value."""
    frame = app_frame()
    took = processor_cost(partial(decode_frame, frame, app_type=APP_TYPE), ROUNDS)
    return _sdk_ms(frame.data, "decode") / 1000 / took


def signing() -> float:
    """How many times as fast as the SDK a value becomes a signed frame."""
    identity = Ed25519Identity.generate()
    key = ClientKey(identity.principal, 7)

    def sign() -> bytes:
        content = encode([APP_TYPE], [{"text": "pong", "timestamp": 7}])
        args = encode_message_args(WebsocketMessage(key, 7, 7, False, content))
        expiry = ingress_expiry_ns(NOW_NS)
        return sign_envelope(
            call_content(CANISTER, "ws_message", args, identity.principal, expiry), identity
        ).encode_frame()

    return _sdk_ms(app_frame().data, "sign") / 1000 / processor_cost(sign, ROUNDS)


def app_frame() -> icws.Frame:
    """A canister's application message of the healthy recording."""
    recording = icws.load(ROOT / "data" / "sessions" / "healthy.icws")
    return next(decoded.frame for decoded in recording if decoded.kind == "app")


def _sdk_ms(frame: bytes, name: str) -> float:
    lines = node("codec_costs.mjs", {"frame": frame.hex(), "canister_id": CANISTER.text, "rounds": ROUNDS})
    return float(next(line["ms"] for line in lines if line["name"] == name))
