"""A subnet for tests: its keys, ranges, canister, and certificates of any state."""

from __future__ import annotations

from hashlib import sha256

from icws_explore.protocol import hashtree, leb128
from icws_explore.protocol.canister.certified_map import CertifiedMap
from icws_explore.protocol.certificate import CertificateIssuer, Layout
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.hashtree import HashTree, Nested
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage, message_key
from icws_explore.protocol.principal import Principal

NOW_NS = 1_722_000_000 * NS_PER_S + 123_456_789
CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
GATEWAY = Principal.from_text("sqdfl-mr4km-2hfjy-gajqo-xqvh7-hf4mf-nra4i-3it6l-neaw4-soolw-tae")
CLIENT = ClientKey(Principal(b"\x07" * 28 + b"\x02"), 42)
LAYOUTS: tuple[Layout | None, ...] = (None, "classic", "sharded")


def canister_range(first: int, last: int) -> tuple[Principal, Principal]:
    """The range between two numbers, each the first byte of a canister id; CANISTER begins with 80."""
    return Principal(bytes([first]) + bytes(7) + b"\x01\x01"), Principal(bytes([last]) + b"\xff" * 7 + b"\x01\x01")


# Thirteen ranges with gaps, which makes three shards; CANISTER (80 00…) is in the last.
RANGES = [canister_range(first, first + 3) for first in range(0x20, 0x88, 8)]


def issuer(layout: Layout | None = None) -> CertificateIssuer:
    return CertificateIssuer(b"root", b"subnet", RANGES, layout)


def state(certified_data: bytes = b"", *, time_ns: int = NOW_NS, canister: Principal = CANISTER) -> HashTree:
    """A state tree as a replica shows it to a canister that reads its certificate."""
    content: Nested = {
        b"canister": {canister.raw: {b"certified_data": certified_data, b"controllers": b"\x80"}, bytes(10): {}},
        b"request_status": {},
        b"time": leb128.encode_unsigned(time_ns),
    }
    return hashtree.prune(hashtree.build(content), [(b"time",), (b"canister", canister.raw, b"certified_data")])


def content_of(sequence_num: int, client_key: ClientKey = CLIENT) -> bytes:
    return WebsocketMessage(client_key, sequence_num, NOW_NS, False, b"content %d" % sequence_num).encode()


def messages(layout: Layout | None = None, count: int = 3, *, held: int = 10) -> list[CanisterMessage]:
    """The first ``count`` of ``held`` messages, as one poll returns them: with one certificate and one witness."""
    contents = {message_key(GATEWAY, nonce): content_of(nonce + 1) for nonce in range(held)}
    certified = CertifiedMap()
    for key, content in contents.items():
        certified = certified.insert(key.encode(), sha256(content).digest())
    polled = list(contents)[:count]
    tree = hashtree.encode(certified.witness(key.encode() for key in polled))
    cert = issuer(layout).certify(state(certified.root_hash), CANISTER)
    return [CanisterMessage(key, contents[key], cert, tree) for key in polled]
