"""Frames that a hostile peer would send to hang or fill a reader: small ones that ask for much, and large ones."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from icws_explore.capture import Frame
from icws_explore.protocol import candid
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.keys.delegation import Delegation, SignedDelegation
from icws_explore.protocol.leb128 import encode_unsigned
from icws_explore.protocol.messages import CanisterMessage

from .annotated import AT_S, CANISTER, CLIENT, call_frame, canister_frame, message, message_call

MB = 1024 * 1024
LARGEST = 16 * MB


def candid_bombs() -> dict[str, bytes]:
    """Candid messages, each of which asks for far more than it holds."""
    didl = b"DIDL"
    huge = encode_unsigned(2**32 - 1)
    deep_opt = bytes([1, 0x6E, 0, 1, 0])  # type t0 = opt t0
    records = b"".join(bytes([0x6C, 2, 0, n + 1, 1, n + 1]) for n in range(30)) + bytes([0x6C, 0])
    wide = b"".join(encode_unsigned(n) + b"\x7f" for n in range(400_000))
    return {
        "vec-null": didl + bytes([1, 0x6D, 0x7F, 1, 0]) + huge,
        "vec-reserved": didl + bytes([1, 0x6D, 0x70, 1, 0]) + huge,
        "vec-empty-record": didl + bytes([2, 0x6D, 1, 0x6C, 0, 1, 0]) + huge,
        "vec-vec-null": didl
        + bytes([2, 0x6D, 1, 0x6D, 0x7F, 1, 0])
        + encode_unsigned(1000)
        + encode_unsigned(1000) * 1000,
        "vec-of-ten-nulls": didl
        + bytes([2, 0x6D, 1, 0x6C, 10])
        + b"".join(bytes([n, 0x7F]) for n in range(10))
        + bytes([1, 0])
        + huge,
        "doubling-records": didl + bytes([31]) + records + bytes([1, 0]),
        "endless-record": didl + bytes([1, 0x6C, 1, 0, 0, 1, 0]),
        "deep-opt": didl + deep_opt + b"\x01" * 100_000,
        "deep-vec": didl + bytes([1, 0x6D, 0, 1, 0]) + b"\x01" * 100_000,
        "deep-variant": didl + bytes([1, 0x6B, 1, 0, 0, 1, 0]) + b"\x00" * 100_000,
        "huge-text": didl + bytes([0, 1, 0x71]) + encode_unsigned(2**63),
        "huge-blob": didl + bytes([1, 0x6D, 0x7B, 1, 0]) + encode_unsigned(2**64 - 1),
        "huge-nat": didl + bytes([0, 1, 0x7D]) + b"\xff" * 300_000 + b"\x01",
        "huge-table": didl + encode_unsigned(2**40),
        "huge-arguments": didl + b"\x00" + encode_unsigned(2**40),
        "table-of-opts": didl + encode_unsigned(9_999) + bytes([0x6E, 0x7F]) * 9_999 + b"\x00",
        "wide-record": didl + bytes([1, 0x6C]) + encode_unsigned(400_000) + wide + bytes([1, 0]),
        "many-arguments": didl + b"\x00" + encode_unsigned(9_999) + b"\x7f" * 9_999,
        "many-bools": didl + bytes([1, 0x6D, 0x7E, 1, 0]) + encode_unsigned(2 * MB) + b"\x01" * (2 * MB),
        "many-records": didl + bytes([2, 0x6D, 1, 0x6C, 1, 0, 0x7B, 1, 0]) + encode_unsigned(MB) + b"\x01" * MB,
        "many-numbers": didl + bytes([1, 0x6D, 0x77, 1, 0]) + encode_unsigned(2 * MB) + b"\x80" * (2 * MB),
        "many-texts": didl + bytes([1, 0x6D, 0x71, 1, 0]) + encode_unsigned(2 * MB) + b"\x00" * (2 * MB),
        "service-of-many-methods": didl
        + bytes([2, 0x6A, 0, 0, 0, 0x69])
        + encode_unsigned(60_000)
        + b"".join(b"\x05" + b"%05d" % n + b"\x00" for n in range(60_000))
        + b"\x00",
    }


def cbor_bombs() -> dict[str, bytes]:
    """CBOR that nests, repeats, refers to itself, or counts higher than it goes."""
    return {
        "deep-arrays": b"\x81" * 100_000,
        "deep-maps": b"\xa1\x60" * 100_000,
        "deep-tags": b"\xc6" * 100_000,
        "deep-indefinite": b"\x9f" * 100_000,
        "cyclic-shared": bytes.fromhex("d81c81d81d00"),
        "cyclic-shared-map": bytes.fromhex("d81ca1616bd81d00"),
        "string-references": bytes.fromhex("d90100826461616161d81900"),
        "huge-array": b"\x9b" + b"\xff" * 8,
        "huge-map": b"\xbb" + b"\xff" * 8,
        "huge-bytes": b"\x5b" + b"\x7f" + b"\xff" * 7,
        "huge-text": b"\x7b" + b"\x00" * 3 + b"\xff" * 5,
        "bignum": b"\xc2\x5a" + struct.pack(">I", MB) + b"\xff" * MB,
        "many-chunks": b"\x5f" + b"\x41\x00" * 500_000 + b"\xff",
        "empty-chunks": b"\x7f" + b"\x60" * MB + b"\xff",
        "tiny-items": b"\x9a" + struct.pack(">I", LARGEST - 5) + b"\x00" * (LARGEST - 5),
        "tiny-arrays": b"\x9a" + struct.pack(">I", LARGEST - 5) + b"\x80" * (LARGEST - 5),
        "tiny-maps": b"\x9a" + struct.pack(">I", LARGEST - 5) + b"\xa0" * (LARGEST - 5),
        "tiny-keys": b"\xba"
        + struct.pack(">I", 600_000)
        + b"".join(b"\x43" + n.to_bytes(3, "big") + b"\x00" for n in range(600_000)),
        "zeros": bytes(LARGEST),
        "one-string": dumps(bytes(LARGEST - 16)),
        "one-text": dumps("x" * (LARGEST - 16)),
        "beyond-the-largest": bytes(LARGEST + 1),
    }


def hash_trees() -> dict[str, bytes]:
    """Hash trees that are deep, wide or odd."""
    deep: bytes = b"\x81\x00"
    for _ in range(120):
        deep = b"\x83\x02\x41a" + deep
    return {
        "deep": deep,
        "deeper": b"\x83\x02\x41a" * 50_000 + b"\x81\x00",
        "forks": b"\x83\x01\x81\x00" * 60 + b"\x81\x00",
        "long-fork": b"\x83\x01\x81\x00" * 100_000 + b"\x81\x00",
        "many-leaves": b"\x9a" + struct.pack(">I", 500_000) + b"\x82\x03\x40" * 500_000,
        "one-label": b"\x83\x02" + dumps(bytes(8 * MB)) + b"\x81\x00",
    }


def nested_certificates(levels: int) -> bytes:
    certificate = dumps({"tree": [0], "signature": bytes(48)})
    for _ in range(levels):
        delegation = {"subnet_id": b"", "certificate": certificate}
        certificate = dumps({"tree": [0], "signature": bytes(48), "delegation": delegation})
    return certificate


def _ranges_tree(value: bytes) -> bytes:
    tree = b"\x82\x03" + dumps(value)
    for label in (b"canister_ranges", b"x" * 29, b"subnet"):
        tree = b"\x83\x02" + dumps(label) + tree
    return tree


def hostile_frames() -> Iterator[tuple[str, Frame]]:
    """(name, frame) of every special; each bomb goes wherever its encoding is read."""
    for name, data in cbor_bombs().items():
        yield f"{name}-in", Frame(AT_S, "in", "binary", data)
        yield f"{name}-out", Frame(AT_S, "out", "binary", data)
        if len(data) < LARGEST - MB:
            yield f"{name}-content", canister_frame(data)
            yield f"{name}-cert", canister_frame(message(b"DIDL\x00\x00").encode(), cert=data)
            yield f"{name}-tree", canister_frame(message(b"DIDL\x00\x00").encode(), tree=data)
            yield f"{name}-ranges", canister_frame(b"\xa0", tree=_ranges_tree(data))
    for name, data in candid_bombs().items():
        yield f"candid-{name}-in", canister_frame(message(data).encode())
        yield f"candid-{name}-service", canister_frame(message(data, service=True).encode())
        yield f"candid-{name}-out", message_call(data)
        yield f"candid-{name}-arg", call_frame("ws_message", data)
        yield f"candid-{name}-open", call_frame("ws_open", data)
    for name, data in hash_trees().items():
        yield f"tree-{name}", canister_frame(message(b"DIDL\x00\x00").encode(), tree=data)
        yield (
            f"cert-tree-{name}",
            canister_frame(message(b"DIDL\x00\x00").encode(), cert=b"\xa2\x64tree" + data + b"\x69signature\x40"),
        )
    yield "nested-certificates", canister_frame(message(b"DIDL\x00\x00").encode(), cert=nested_certificates(300))
    links = tuple(SignedDelegation(Delegation(bytes(44), 2**63, (CANISTER,) * 1001), bytes(64)) for _ in range(300))
    content = {"request_type": "call", "sender": CLIENT.raw, "arg": b"", "canister_id": CANISTER.raw}
    yield "long-chain", Frame(AT_S, "out", "binary", Envelope(content, bytes(44), bytes(64), links).encode_frame())
    many = {f"field {n}": [[[n]]] for n in range(50_000)}
    yield "many-fields", Frame(AT_S, "out", "binary", Envelope(content | many).encode_frame())
    yield "large-message", canister_frame(message(candid.encode([candid.BLOB], [bytes(LARGEST - 4096)])).encode())
    yield "large-key", Frame(AT_S, "in", "binary", CanisterMessage("k" * 8 * MB, b"", b"", b"").encode())
    yield "large-text", Frame(AT_S, "in", "text", b"\xff" * LARGEST)
    yield "large-ping", Frame(AT_S, "in", "ping", bytes(LARGEST))
