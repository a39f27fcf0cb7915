"""Frames for the tests of annotated decoding, and what must hold of every tree."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from icws_explore.analysis.annotate import Node, annotate_frame, one_a_range
from icws_explore.capture import Frame
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import encode_message_args, encode_open_args
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, call_content
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from support.machine import ROOT

VECTORS = ROOT / "tests" / "vectors"
AT_S = 1_741_106_549.354
CLIENT = Principal.self_authenticating(b"a client's key")
GATEWAY = Principal.self_authenticating(b"a gateway's key")
CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
KEY = ClientKey(CLIENT, 15_291_472_863_218_049)
APP_TYPE = candid.parse_type("record { text : text; timestamp : nat64 }")


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def message(content: bytes, *, service: bool = False, number: int = 3, at_s: float = AT_S) -> WebsocketMessage:
    return WebsocketMessage(KEY, number, round(at_s * NS_PER_S), service, content)


def app_content(text: str = "hi") -> bytes:
    return candid.encode([APP_TYPE], [{"text": text, "timestamp": round(AT_S * NS_PER_S)}])


def canister_frame(content: bytes, *, cert: bytes = b"\xa0", tree: bytes = b"\x81\x00") -> Frame:
    """What a canister sends, with a proof that only has its shape."""
    return Frame(AT_S, "in", "binary", CanisterMessage("k", content, cert, tree).encode())


def call_frame(method: str, arg: bytes, **fields: Any) -> Frame:
    """An unsigned call."""
    content = call_content(CANISTER, method, arg, CLIENT, round(AT_S * NS_PER_S)) | fields
    return Frame(AT_S, "out", "binary", Envelope(content).encode_frame())


def message_call(content: bytes, **changes: Any) -> Frame:
    return call_frame("ws_message", encode_message_args(message(content, **changes)))


def open_call() -> Frame:
    return call_frame("ws_open", encode_open_args(KEY.client_nonce, GATEWAY))


def vector_frames() -> list[Frame]:
    """Every real frame of the vectors."""
    frames = [Frame(AT_S, "out", "binary", bytes.fromhex(call["frame_hex"])) for call in vectors("calls")["vectors"]]
    for each in vectors("icws_local_replica")["messages"]:
        content, cert, tree = (bytes.fromhex(each[f"{name}_hex"]) for name in ("content", "cert", "tree"))
        at = int(each["time_ns"]) / NS_PER_S
        frames.append(Frame(at, "in", "binary", CanisterMessage(each["key"], content, cert, tree).encode()))
    return frames


def annotated(frame: Frame, **options: Any) -> Node:
    """The tree, which must tile the frame."""
    root = annotate_frame(frame, **options)
    assert_tiles(root, len(frame.data))
    return root


def assert_tiles(root: Node, size: int) -> None:
    """Every byte belongs to exactly one leaf, in the tree and in the rows of `show --json`."""
    assert_leaves_tile(list(root.leaves()), size)
    for node in root.walk():
        if node.children:
            assert (node.start, node.end) == (node.children[0].start, node.children[-1].end), node
    rows = list(one_a_range(root))
    assert_leaves_tile([row for row in rows if row.is_leaf], size)
    for row, following in pairwise(row for row in rows if row.start < row.end):
        # A leaf has no row inside its range, and whatever else has bytes has one.
        assert row.is_leaf is (following.start >= row.end), row


def assert_leaves_tile(leaves: list[Node], size: int) -> None:
    at = 0
    for leaf in leaves:
        assert leaf.start == at, leaf
        assert leaf.end >= leaf.start, leaf
        assert leaf.start < leaf.end or not leaf.path.endswith((":content", ":bytes")), leaf
        at = leaf.end
    assert at == size
