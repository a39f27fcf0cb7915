"""The delegation of a certificate: the root key's certificate that a subnet's key may sign for its canisters.

Source: interface specification, "Delegation" (check_delegation): a certificate of the root key, itself
without a delegation, whose tree holds ``subnet/<id>/public_key`` and the subnet's canister ranges.

The time of a delegation is not checked, neither its age nor whether it lies in the future. The
specification's check_delegation does not look at it and leaves expiry to clients. Clients differ:
@dfinity/agent 2.4.1 accepts any age but refuses a delegation dated more than five minutes in the
future; @icp-sdk/core refuses one older than 30 days. A slow clock shows in the step ``time`` anyway,
because a delegation is never newer than the certificates that carry it.

The root's state tree shows canister ranges in two layouts. Source: "The system state tree". Classic:
all ranges in one leaf at ``subnet/<subnet id>/canister_ranges``. Sharded, since 2025: a few ranges in
each leaf at ``canister_ranges/<subnet id>/<first canister of the shard>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from .. import cbor, hashtree
from ..errors import DecodeError, MessageError
from ..hashtree import HashTree, Labeled
from ..keys import bls
from ..principal import Principal
from ..steps import Step
from ..wording import time_text
from .format import Certificate, Delegation, key_text, signature_fault

Range: TypeAlias = tuple[Principal, Principal]  # first and last canister, both included
Layout: TypeAlias = Literal["classic", "sharded"]

_WHAT = "canister ranges"


@dataclass(frozen=True, slots=True)
class ShownRanges:
    """The ranges of a subnet that a certificate shows; ``hidden`` says why it shows none."""

    layout: Layout | None
    ranges: tuple[Range, ...] = ()
    hidden: str | None = None

    def holding(self, canister_id: Principal) -> Range | None:
        """The range that contains ``canister_id``."""
        return next(((low, high) for low, high in self.ranges if low <= canister_id <= high), None)


def encode_ranges(ranges: Iterable[Range]) -> bytes:
    """Ranges as the state tree holds them: tagged CBOR, an array of pairs."""
    return cbor.dumps([[low.raw, high.raw] for low, high in ranges], tagged=True)


def decode_ranges(data: bytes) -> tuple[Range, ...]:
    """The ranges in a leaf. Raises CborError, MessageError and PrincipalError."""
    pairs = cbor.loads(data, what=_WHAT)
    if not isinstance(pairs, list):
        raise MessageError(_WHAT, f"an array is expected, not {type(pairs).__name__}")
    return tuple(_range(pair) for pair in pairs)


def _range(pair: object) -> Range:
    match pair:
        case [bytes(low), bytes(high)]:
            return Principal(low), Principal(high)
        case _:
            raise MessageError(_WHAT, "each range is a pair of byte strings, the first and the last canister")


def shown_ranges(tree: HashTree, subnet_id: Principal, canister_id: Principal) -> ShownRanges:
    """The ranges that ``tree`` shows, as far as they matter for ``canister_id``.

    The sharded layout is tried first, as in @icp-sdk/core. Only one shard can contain the canister:
    the one with the greatest label that is not above the canister.
    """
    sharded = hashtree.lookup(tree, (b"canister_ranges", subnet_id.raw))
    if isinstance(sharded, hashtree.FoundSubtree):
        return _from_shards(sharded.tree, canister_id)
    content = hashtree.lookup_value(tree, (b"subnet", subnet_id.raw, b"canister_ranges"))
    if content is None:
        return ShownRanges(None, hidden="it shows no canister ranges of the subnet")
    return _decoded("classic", content)


def _from_shards(shards: HashTree, canister_id: Principal) -> ShownRanges:
    items = [item for item in hashtree.forest_of(shards).items if isinstance(item, Labeled)]
    below = [item for item in items if item.label <= canister_id.raw]
    if not below:
        return ShownRanges("sharded", hidden="every shard of canister ranges that it shows begins above the canister")
    shard = max(below, key=lambda item: item.label).tree
    if not isinstance(shard, hashtree.Leaf):
        return ShownRanges("sharded", hidden="the shard of canister ranges that could contain the canister is pruned")
    return _decoded("sharded", shard.value)


def _decoded(layout: Layout, content: bytes) -> ShownRanges:
    try:
        return ShownRanges(layout, decode_ranges(content))
    except DecodeError as error:
        return ShownRanges(layout, hidden=f"its {error}")


def ranges_text(ranges: Iterable[Range]) -> str:
    """Ranges for a person: ``aaaaa-aa … bbbbb-bb, …``."""
    return ", ".join(f"{low} … {high}" for low, high in ranges) or "none"


_CACHED: Final = 64  # delegations; a network has a few dozen subnets
_CACHED_SIZE: Final = 64 * 1024  # bytes; larger ones (real ones have 1 to 3 KB) are checked anew each time


@dataclass(frozen=True, slots=True)
class SubnetProof:
    """What the root key certified about a subnet; ``fault`` says why it cannot be trusted."""

    subnet_id: Principal
    fault: str | None = None
    certificate: Certificate | None = None
    subnet_key: bytes = b""  # DER


def prove_subnet(delegation: Delegation, root_key: bytes) -> SubnetProof:
    """Check ``delegation`` under ``root_key`` (DER), except for the ranges. The result is cached."""
    judge = _proved if len(delegation.certificate) <= _CACHED_SIZE else _proved.__wrapped__
    return judge(delegation, bytes(root_key))


@lru_cache(maxsize=_CACHED)
def _proved(delegation: Delegation, root_key: bytes) -> SubnetProof:
    subnet_id = delegation.subnet_id
    try:
        certificate = Certificate.decode(delegation.certificate)
    except DecodeError as error:
        return SubnetProof(subnet_id, f"the delegation is not a certificate: {error}")
    fault = _form_fault(certificate)
    if fault is None:
        fault = signature_fault(certificate, root_key)
        fault = fault and f"it is not signed by the root key {key_text(root_key)}: {fault}"
    if fault is not None:
        return SubnetProof(subnet_id, f"the delegation is not valid: {fault}", certificate)
    subnet_key = hashtree.lookup_value(certificate.tree, (b"subnet", subnet_id.raw, b"public_key"))
    if subnet_key is None:
        return SubnetProof(subnet_id, f"the delegation shows no public key of subnet {subnet_id}", certificate)
    try:
        bls.key_from_der(subnet_key)
    except DecodeError as error:
        return SubnetProof(subnet_id, f"the subnet's key in the delegation cannot be used: {error}", certificate)
    return SubnetProof(subnet_id, None, certificate, subnet_key)


def _form_fault(certificate: Certificate) -> str | None:
    if certificate.delegation is not None:
        return "it has a delegation itself, and delegations cannot be nested"
    if certificate.time_ns is None:
        return "it has no time"
    disorder = hashtree.disorder(certificate.tree)
    return None if disorder is None else "the labels of its tree are not in ascending order"


def check_delegation(certificate: Certificate, canister_id: Principal | None, root_key: bytes) -> tuple[bytes, Step]:
    """The key (DER) that must have signed ``certificate``, and the step that says why. All keys are DER.

    The ranges are not checked without ``canister_id``, nor for the management canister, which every
    subnet answers for.
    """
    delegation = certificate.delegation
    if delegation is None:
        detail = f"there is none, so the root key {key_text(root_key)} itself must have signed"
        return root_key, Step("delegation", True, detail)
    proof = prove_subnet(delegation, root_key)
    if proof.fault is not None or proof.certificate is None:
        expected = f"a certificate of the root key {key_text(root_key)} for subnet {proof.subnet_id}"
        return b"", Step("delegation", False, proof.fault or "", expected, delegation.certificate)
    vouched = (
        f"the root key certified at {time_text(proof.certificate.time_ns or 0)} that "
        f"{key_text(proof.subnet_key)} is the key of subnet {proof.subnet_id.short}"
    )
    if canister_id is None or canister_id == Principal.MANAGEMENT:
        return proof.subnet_key, Step("delegation", True, f"{vouched}; its ranges were not checked for a canister")
    return proof.subnet_key, _range_step(proof.certificate, proof.subnet_id, canister_id, vouched)


def _range_step(certificate: Certificate, subnet_id: Principal, canister_id: Principal, vouched: str) -> Step:
    shown = shown_ranges(certificate.tree, subnet_id, canister_id)
    expected = f"a range of subnet {subnet_id} with {canister_id}"
    if shown.hidden is not None:
        return Step("delegation", False, f"the delegation cannot cover {canister_id}: {shown.hidden}", expected, "none")
    holding = shown.holding(canister_id)
    if holding is None:
        ranges = f"none of the {len(shown.ranges)} canister ranges" if len(shown.ranges) > 1 else "no canister range"
        count = f"it is in {ranges} that the delegation shows ({shown.layout} layout)"
        detail = f"subnet {subnet_id.short} may not sign for canister {canister_id}: {count}"
        return Step("delegation", False, detail, expected, ranges_text(shown.ranges))
    detail = f"{vouched}, which answers for canisters {ranges_text([holding])} ({shown.layout} layout)"
    return Step("delegation", True, detail, expected, ranges_text([holding]))
