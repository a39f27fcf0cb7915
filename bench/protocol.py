"""What the pure core costs: decoding, verifying, signing, witnesses. The messages are those of tests/vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from icws_explore.protocol import hashtree
from icws_explore.protocol.canister.certified_map import CertifiedMap
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.envelope import call_content, check_envelope, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.hashtree import paths as build
from icws_explore.protocol.hashtree import root_hash
from icws_explore.protocol.keys import Ed25519Identity, Secp256k1Identity, bls
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.verify import check_message

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors"
NOW_NS = 1_722_000_000 * NS_PER_S
CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")

Operation = Callable[[], object]
Case = tuple[str, Operation | list[Operation]]


def cases() -> Iterator[Case]:
    """Yield the name and the operation of every measurement; a list of operations if each may run only once."""
    yield from _messages()
    yield from _certificates()
    yield from _witnesses()
    yield from _envelopes()


def _vector(entry: dict[str, Any]) -> tuple[CanisterMessage, dict[str, Any]]:
    message = CanisterMessage(entry["key"], *(bytes.fromhex(entry[name]) for name in ("content", "cert", "tree")))
    facts = {
        "canister_id": Principal.from_text(entry["canisterId"]),
        "root_key": bytes.fromhex(entry["rootKey"]),
        "now_ns": int(entry["nowMs"]) * NS_PER_MS,
    }
    return message, facts


def _messages() -> Iterator[Case]:
    entries = json.loads((VECTORS / "perf_certified_100.json").read_text(encoding="utf-8"))["entries"]
    messages = [_vector(entry) for entry in entries]
    frame = messages[0][0].encode()
    yield "decode a canister message, frame to content", lambda: CanisterMessage.decode(frame).message
    verifications = [partial(check_message, message, **facts) for message, facts in messages]
    # check_message caches checked certificates, because the messages of one poll share one.
    yield "verify a canister message, the first of its poll", verifications
    yield "verify a canister message, another of the same poll", verifications[-1]


def _certificates() -> Iterator[Case]:
    everything = (Principal(bytes(10)), Principal(b"\xff" * 10))
    issuer = CertificateIssuer(b"root", b"subnet", [everything], layout="sharded")
    tree = build({b"time": b"\x80\x01", b"canister": {CANISTER.raw: {b"certified_data": bytes(32)}}})
    key = bls.SecretKey(b"bench")
    signature = key.sign(b"message")
    yield "BLS: sign", lambda: key.sign(b"message")
    yield "BLS: verify", lambda: bls.verify(key.public_key, b"message", signature)
    yield "certify a state tree through a subnet delegation", lambda: issuer.certify(tree)


def _witnesses() -> Iterator[Case]:
    labels = [f"gateway_{nonce:020}".encode() for nonce in range(10_000)]
    certified = CertifiedMap()
    for label in labels:
        certified = certified.insert(label, bytes(32))
    batch = labels[5_000:5_050]
    witness = certified.witness(batch)
    data = hashtree.encode(witness)
    yield "witness of 50 messages among 10,000: make", lambda: certified.witness(batch)
    yield "witness of 50 messages among 10,000: decode and hash", lambda: root_hash(hashtree.decode(data))


def _envelopes() -> Iterator[Case]:
    for name, identity in (("Ed25519", Ed25519Identity.generate()), ("secp256k1", Secp256k1Identity.generate())):
        expiry = ingress_expiry_ns(NOW_NS)
        content = call_content(CANISTER, "ws_message", bytes(300), identity.principal, expiry, bytes(16))
        envelope = sign_envelope(content, identity)
        yield f"sign an envelope, {name}", partial(sign_envelope, content, identity)
        yield f"check an envelope, {name}", partial(check_envelope, envelope, now_ns=NOW_NS)
