"""Issues certificates as a replica does, for the lab's network: root key, subnet, delegation.

The bytes depend only on the secrets, the ranges and the certified tree, so a lab with the same seed
issues the same bytes again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Protocol

from .. import hashtree, leb128
from ..constants import NS_PER_S
from ..errors import ArgumentValueError
from ..hashtree import HashTree, Nested
from ..keys.bls import SecretKey
from ..principal import Principal
from .delegation import Layout, Range, encode_ranges
from .format import STATE_ROOT, TIME_PATH, Certificate, Delegation

RANGES_PER_SHARD: Final = 5  # as the replica's MAX_RANGES_PER_ROUTING_TABLE_LEAF
# Certificates of the same period carry the same delegation. A real subnet renews it every few minutes.
DELEGATION_PERIOD_NS: Final = 600 * NS_PER_S


class SigningKey(Protocol):
    """A `bls.SecretKey` or a stand-in for it."""

    @property
    def public_key_der(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class CertificateIssuer:
    """Signs state trees with the subnet's key under a delegation, or with the root key if ``layout`` is None.

    Secrets are BLS scalars, or seeds of any length. ``canister_ranges`` are pairs of first and last
    canister. @dfinity/agent 2.4.1 only knows the classic layout; @icp-sdk/core knows both.
    """

    def __init__(
        self,
        root_secret: int | bytes,
        subnet_secret: int | bytes | None = None,
        canister_ranges: Sequence[Range] = (),
        layout: Layout | None = None,
        *,
        make_key: Callable[[int | bytes], SigningKey] = SecretKey,
    ) -> None:
        """``make_key`` makes a key from a secret. A simulation may use cheaper stand-ins for BLS keys.

        Raises ArgumentValueError for a ``layout`` without a ``subnet_secret``.
        """
        if layout is not None and subnet_secret is None:
            raise ArgumentValueError("a layout of canister ranges needs subnet_secret")
        self._root = make_key(root_secret)
        self._subnet = make_key(subnet_secret) if subnet_secret is not None and layout is not None else self._root
        self.layout: Layout | None = layout
        self.canister_ranges = tuple(sorted(canister_ranges))
        self._delegations = lru_cache(maxsize=16)(self._sign_delegation)

    @property
    def root_key_der(self) -> bytes:
        """The root of trust (DER), as /api/v2/status reports it."""
        return self._root.public_key_der

    @property
    def root_subnet_id(self) -> Principal:
        return Principal.self_authenticating(self._root.public_key_der)

    @property
    def subnet_id(self) -> Principal:
        """The subnet that signs: the root subnet if there is no delegation."""
        return Principal.self_authenticating(self._subnet.public_key_der)

    def certify(self, tree: HashTree, canister_id: Principal | None = None) -> bytes:
        """The certificate of ``tree``, as CBOR. ``tree`` is a state tree, pruned to what the requester may see.

        With ``canister_id`` a sharded delegation shows only the shard that can contain it, as a
        replica's delegation does. If it is shown several shards, @icp-sdk/core 6.1.0 only looks into the first.
        """
        delegation = self.delegation(Certificate(tree, b"").time_ns or 0, canister_id)
        signature = self._subnet.sign(STATE_ROOT + hashtree.root_hash(tree))
        return Certificate(tree, signature, delegation).encode()

    def delegation(self, time_ns: int, canister_id: Principal | None = None) -> Delegation | None:
        """The delegation of certificates of that time (ns since the epoch); None if the root key signs itself."""
        if self.layout is None:
            return None
        return self._delegations(time_ns // DELEGATION_PERIOD_NS, self._ranges_path(canister_id))

    def _ranges_path(self, canister_id: Principal | None) -> tuple[bytes, ...]:
        """The path of the ranges that a delegation shows, in the root's state tree."""
        subnet_id = self.subnet_id.raw
        if self.layout == "classic":
            return (b"subnet", subnet_id, b"canister_ranges")
        shards = (
            []
            if canister_id is None
            else [label for label in _shards(self.canister_ranges) if label <= canister_id.raw]
        )
        return (b"canister_ranges", subnet_id, *shards[-1:])

    def _sign_delegation(self, period: int, ranges_path: tuple[bytes, ...]) -> Delegation:
        """The root key certifies the subnet's key and ranges, at the time when the period began."""
        state = hashtree.build(self._root_state(period * DELEGATION_PERIOD_NS))
        key_path = (b"subnet", self.subnet_id.raw, b"public_key")
        tree = hashtree.prune(state, [TIME_PATH, key_path, ranges_path])
        signature = self._root.sign(STATE_ROOT + hashtree.root_hash(tree))
        return Delegation(self.subnet_id, Certificate(tree, signature).encode())

    def _root_state(self, time_ns: int) -> Nested:
        """The part of the root subnet's state that delegations need: both subnets, in both layouts."""
        subnets: dict[bytes, Nested] = {}
        sharded: dict[bytes, Nested] = {}
        for key, ranges in ((self._root, ()), (self._subnet, self.canister_ranges)):
            der = key.public_key_der
            subnet_id = Principal.self_authenticating(der).raw
            subnets[subnet_id] = {b"canister_ranges": encode_ranges(ranges), b"public_key": der}
            sharded[subnet_id] = _shards(ranges)
        return {b"canister_ranges": sharded, b"subnet": subnets, b"time": leb128.encode_unsigned(time_ns)}


def _shards(ranges: Sequence[Range]) -> dict[bytes, Nested]:
    pieces = [ranges[start : start + RANGES_PER_SHARD] for start in range(0, len(ranges), RANGES_PER_SHARD)]
    return {piece[0][0].raw: encode_ranges(piece) for piece in pieces}
