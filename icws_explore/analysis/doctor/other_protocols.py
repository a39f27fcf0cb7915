"""Sockets that do not speak the IC WebSocket protocol: a development server's, a chat's, an API's.

A HAR or a packet capture holds every socket of a page. A socket belongs to this protocol if it shows a
gateway's handshake, a signed request, a canister message, or any other CBOR map in a binary frame.

``icws export --redact`` writes what a message was in place of its bytes, so such a socket shows nothing either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from icws_explore.protocol import cbor
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import DecodeError

from ..decode import DecodedFrame
from .finding import REDACTED

MAX_TRIED: Final = 50  # binary frames to look at; the protocol shows in the first ones
MAX_TEXTS: Final = 5  # text frames to guess the protocol from
_MAX_CHARACTERS: Final = 500

_REDACTED: Final = re.compile(rb"[a-z_]+, [0-9]+ bytes: ")  # how `analysis.export.to_har` begins each message

# The first that fits names the protocol. The text is that of one message.
_SIGNS: Final = (
    ("Vite's hot reloading", r'\{"type":"connected"\}|"type":"(custom|update|full-reload|prune)"'),
    ("webpack's hot reloading", r'"type":"(hot|liveReload|still-ok|static-changed)"'),
    ("Next.js' hot reloading", r'"(action|event)":"(sync|built|building|client-[a-z-]+|turbopack-[a-z-]+)"'),
    ("Socket.IO", r'^0\{"sid"|^4[0-4](\{|\[|$)'),
    ("GraphQL", r'"type":"(connection_init|connection_ack|subscribe|start)"'),
    ("JSON-RPC", r'"jsonrpc"'),
)


def protocol_of(frames: Sequence[DecodedFrame]) -> str | None:
    """Which other protocol a socket speaks, in words, or ``REDACTED``.

    None for this protocol and for a socket that shows nothing.
    """
    data = [d for d in frames if d.frame.op in ("binary", "text")]
    if data and all(d.frame.op == "text" and _REDACTED.match(d.frame.data) for d in data):
        return REDACTED
    if not data or any(d.handshake or d.envelope or d.canister_message for d in data):
        return None
    if any(d.frame.op == "close" and d.frame.code == CloseCode.CLOSED_BY_SDK for d in frames):
        return None  # the SDK of this protocol read what came
    binary = [d for d in data if d.frame.op == "binary"]
    if any(_is_cbor_map(d.frame.data) for d in binary[:MAX_TRIED]):
        return None
    for decoded in [d for d in data if d.frame.op == "text"][:MAX_TEXTS]:
        text = re.sub(r"\s*([:,{}])\s*", r"\1", decoded.frame.data[:_MAX_CHARACTERS].decode("utf-8", "replace"))
        for name, sign in _SIGNS:
            if re.search(sign, text):
                return name
    return "text messages" if len(binary) < len(data) else "binary messages that are not CBOR"


def _is_cbor_map(data: bytes) -> bool:
    try:
        return isinstance(cbor.loads(data, what="a frame"), dict)
    except DecodeError:
        return False
