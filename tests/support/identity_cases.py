"""Identities for tests: fixed keys, keys of the vectors, PEM and DER, and a small Internet Identity."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from icws_explore.protocol import cbor, hashtree, leb128
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.hashtree import to_cbor
from icws_explore.protocol.keys import Ed25519Identity, Identity, Secp256k1Identity, delegate_to
from icws_explore.protocol.principal import Principal

NOW_NS = 1_763_895_600_000_000_000
DAY_NS = 86_400 * 1_000_000_000
CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
OTHER_CANISTER = Principal.from_text("ryjl3-tyaaa-aaaaa-aaaba-cai")
ED25519_SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")  # RFC 8032, test 1
SECP256K1_SECRET = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")  # RFC 6979, A.2.5

_KINDS: dict[str, Any] = {"ed25519": Ed25519Identity, "secp256k1": Secp256k1Identity}


def identity_of_vector(vector: dict[str, Any]) -> Identity:
    """The identity of an entry of calls.json; its delegations are signed again."""
    described = vector["identity"]
    if described["type"] != "delegation":
        return _key(described)
    identity, *others = (_key(key) for key in described["keys"])
    for link, key in zip(vector["sender_delegation"], others, strict=True):
        fields = link["delegation_map"]
        targets = [Principal(bytes.fromhex(raw["value"])) for raw in fields.get("targets", {"value": ()})["value"]]
        expiration_ns = int(fields["expiration"]["value"])
        identity = delegate_to(identity, key, expiration_ns=expiration_ns, targets=targets or None)
    return identity


def _key(described: dict[str, Any]) -> Identity:
    identity: Identity = _KINDS[described["type"]].from_secret(bytes.fromhex(described["secret_key_hex"]))
    return identity


def pem(label: str, der: bytes) -> str:
    body = base64.b64encode(der).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


@dataclass
class InternetIdentity:
    """A canister that signs for its users, on a network with its own root key."""

    issuer: CertificateIssuer = field(default_factory=lambda: CertificateIssuer(b"a root of its own"))
    canister_id: Principal = OTHER_CANISTER
    seed: bytes = b"the seed of a user at an origin"

    @property
    def root_key(self) -> bytes:
        return self.issuer.root_key_der

    @property
    def public_key_der(self) -> bytes:
        raw = bytes([len(self.canister_id.raw)]) + self.canister_id.raw + self.seed
        oid = bytes.fromhex("060a2b0601040183b8430102")
        return der(0x30, der(0x30, oid), der(0x03, b"\x00" + raw))

    def sign(self, message: bytes, *, time_ns: int = NOW_NS, leaf: bytes = b"") -> bytes:
        path = {b"sig": {sha256(self.seed).digest(): {sha256(message).digest(): leaf}}}
        return self.certified(hashtree.build(path), time_ns=time_ns)

    def certified(self, witness: hashtree.HashTree, *, time_ns: int = NOW_NS) -> bytes:
        """A signature with this witness, whose root hash is certified."""
        state = hashtree.build(
            {
                b"canister": {self.canister_id.raw: {b"certified_data": hashtree.root_hash(witness)}},
                b"time": leb128.encode_unsigned(time_ns),
            }
        )
        fields = {"certificate": self.issuer.certify(state, self.canister_id), "tree": to_cbor(witness)}
        return cbor.dumps(fields, tagged=True)
