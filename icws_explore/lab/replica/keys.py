"""Every key and id of a lab, derived from one seed: the same seed gives the same network.

The lab is one subnet. As on the Internet Computer, the subnet's and the node's principals are
self-authenticating over their public keys, and canister ids are opaque ids that the subnet's range
hands out in order: 0x80000000001xxxxx, whose first is bnz7o-iuaaa-aaaaa-qaaaa-cai (the ids that
local replicas give out too).
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.principal import Principal

FIRST_CANISTER: Final = 0x8000000000100000
LAST_CANISTER: Final = 0x80000000001FFFFF
_CANISTER_SUFFIX: Final = b"\x01\x01"  # opaque id of a canister: u64, then these two bytes


def canister_principal(number: int) -> Principal:
    """The id of the canister with this 64-bit number."""
    return Principal(number.to_bytes(8, "big") + _CANISTER_SUFFIX)


CANISTER_RANGE: Final = (canister_principal(FIRST_CANISTER), canister_principal(LAST_CANISTER))


class LabKeys:
    """Derives 32-byte secrets and identities by name. Without a seed they are random."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        material = secrets.token_bytes(32) if seed is None else str(seed).encode()
        self._material = hashlib.sha256(b"icws_explore lab\x00" + material).digest()

    def secret(self, name: str) -> bytes:
        """32 bytes that belong to ``name``."""
        return hashlib.sha256(self._material + name.encode()).digest()

    def identity(self, name: str) -> Ed25519Identity:
        """The Ed25519 identity of ``name``: a gateway, a node, a controller."""
        return Ed25519Identity.from_secret(self.secret(name))

    def __repr__(self) -> str:
        return f"LabKeys(seed={self.seed!r})"
