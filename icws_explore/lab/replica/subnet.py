"""The lab's one subnet: its keys, its node, its canister ids, its certificates and its signatures on query answers.

`LabKeys` derives every key of a lab from one seed, so the same seed gives the same network. As on the Internet
Computer, the principals of the subnet and of the node are self-authenticating over their public keys. Canister ids are
opaque and assigned in order from 0x8000000000100000, which is bnz7o-iuaaa-aaaaa-qaaaa-cai; local replicas assign the
same ids.

A node signs the answer to each query with Ed25519, over ``\x0bic-response`` and the representation-independent hash of
the answer, its time and the id of its request. Current agents verify this signature; they read the node's key from
``/subnet/<id>/node/<id>/public_key``.

Source: interface specification, "Response verification".
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from icws_explore.protocol import cbor
from icws_explore.protocol.canister import CanisterHost, Outcome, Reject
from icws_explore.protocol.certificate import CertificateIssuer, Layout, SigningKey, encode_ranges
from icws_explore.protocol.hashtree import Nested, Path
from icws_explore.protocol.keys import Ed25519Identity, Identity
from icws_explore.protocol.keys.bls import SecretKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.request_id import request_id

from .state_tree import StateTree

FIRST_CANISTER: Final = 0x8000000000100000
LAST_CANISTER: Final = 0x80000000001FFFFF
_CANISTER_SUFFIX: Final = b"\x01\x01"  # the id of a canister is a u64, then these two bytes
_DOMAIN: Final = b"\x0bic-response"


def canister_principal(number: int) -> Principal:
    """Return the id of the canister with this 64-bit number."""
    return Principal(number.to_bytes(8, "big") + _CANISTER_SUFFIX)


CANISTER_RANGE: Final = (canister_principal(FIRST_CANISTER), canister_principal(LAST_CANISTER))


class LabKeys:
    """Derives secrets of 32 bytes, and identities, by name. Without a seed they are random."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        material = secrets.token_bytes(32) if seed is None else str(seed).encode()
        self._material = hashlib.sha256(b"icws_explore lab\x00" + material).digest()

    def secret(self, name: str) -> bytes:
        """Return the 32 bytes of ``name``."""
        return hashlib.sha256(self._material + name.encode()).digest()

    def rng(self, name: str) -> random.Random:
        """Return the random generator of ``name``: for one seed, always the same sequence."""
        return random.Random(self.secret(f"dice of {name}"))  # another label would change what each seed gives

    def identity(self, name: str) -> Ed25519Identity:
        """Return the Ed25519 identity of ``name``, for example of a gateway or a node."""
        return Ed25519Identity.from_secret(self.secret(name))

    def __repr__(self) -> str:
        return f"LabKeys(seed={self.seed!r})"


class Subnet:
    """A subnet with one node, and its certified state (``state``)."""

    def __init__(
        self, keys: LabKeys, *, delegated: bool, make_key: Callable[[int | bytes], SigningKey] = SecretKey
    ) -> None:
        """Create the subnet's keys and an empty state.

        With ``delegated``, each certificate carries a delegation by the root key; without, the root key itself signs,
        as on the root subnet. ``make_key`` creates the keys that sign certificates (see CertificateIssuer).
        """
        self.node = keys.identity("node")
        self._issuers: Mapping[Layout, CertificateIssuer] = {
            "classic": _issuer(keys, "classic" if delegated else None, make_key),
            "sharded": _issuer(keys, "sharded" if delegated else None, make_key),
        }
        key = make_key(keys.secret("subnet" if delegated else "root"))
        self.state = StateTree(*self._content(key.public_key_der))

    @property
    def root_key(self) -> bytes:
        """The network's root key, DER."""
        return self._issuers["classic"].root_key_der

    @property
    def root_id(self) -> Principal:
        """The principal of the root subnet."""
        return self._issuers["classic"].root_subnet_id

    @property
    def id(self) -> Principal:
        """The principal of this subnet."""
        return self._issuers["classic"].subnet_id

    def certify(self, paths: Iterable[Path], layout: Layout, now_ns: int) -> bytes:
        """Return a certificate of the current state that shows ``paths``. ``now_ns`` becomes its time."""
        self.state.time_ns = now_ns
        return self._issuers[layout].certify(self.state.witness(paths))

    def _content(self, public_key_der: bytes) -> tuple[dict[bytes, Nested], dict[bytes, Nested]]:
        """Return the content of /subnet and of /canister_ranges."""
        ranges = encode_ranges([CANISTER_RANGE])
        this: dict[bytes, Nested] = {
            b"public_key": public_key_der,
            b"canister_ranges": ranges,
            b"type": b"application",
            b"node": {self.node.principal.raw: {b"public_key": self.node.public_key_der}},
        }
        return {self.id.raw: this}, {self.id.raw: {CANISTER_RANGE[0].raw: ranges}}


def canister_content(host: CanisterHost) -> dict[bytes, Nested]:
    """Return the content of /canister/<id>."""
    content: dict[bytes, Nested] = {
        b"certified_data": host.certified_data,
        b"controllers": cbor.dumps([], tagged=True),
    }
    if host.candid_interface:
        content[b"metadata"] = {b"candid:service": host.candid_interface.encode()}
    return content


def _issuer(keys: LabKeys, layout: Layout | None, make_key: Callable[[int | bytes], SigningKey]) -> CertificateIssuer:
    secrets = keys.secret("root"), keys.secret("subnet")
    return CertificateIssuer(*secrets, [CANISTER_RANGE], layout, make_key=make_key)


def query_answer(outcome: Outcome) -> dict[str, Any]:
    """Return the fields of the answer to a query, before they are signed."""
    if isinstance(outcome, Reject):
        return {
            "status": "rejected",
            "reject_code": outcome.code,
            "reject_message": outcome.text,
            "error_code": outcome.error_code,
        }
    return {"status": "replied", "reply": {"arg": outcome.data}}


def signed(answer: Mapping[str, Any], of_request: bytes, now_ns: int, node: Identity) -> dict[str, Any]:
    """Return ``answer`` with the signature of ``node``. ``of_request`` is the request id, ``now_ns`` the time."""
    hashed = request_id({**answer, "timestamp": now_ns, "request_id": of_request})
    signature = {
        "timestamp": now_ns,
        "signature": node.sign(_DOMAIN + hashed),
        "identity": node.principal.raw,
    }
    return {**answer, "signatures": [signature]}
