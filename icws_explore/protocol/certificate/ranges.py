"""Which canisters a subnet may certify, as the root's state tree tells in two layouts.

Source: interface specification, "The system state tree": all ranges in one leaf at
``subnet/<subnet id>/canister_ranges``; since 2025 also in shards of a few ranges each, at
``canister_ranges/<subnet id>/<first canister of the shard>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .. import cbor, hashtree
from ..errors import DecodeError, MessageError
from ..hashtree import HashTree, Labeled
from ..principal import Principal

Range: TypeAlias = tuple[Principal, Principal]  # both ends belong to it
Layout: TypeAlias = Literal["classic", "sharded"]

_WHAT = "canister ranges"


@dataclass(frozen=True, slots=True)
class ShownRanges:
    """What a certificate shows of a subnet's ranges; ``hidden`` says why it shows none."""

    layout: Layout | None
    ranges: tuple[Range, ...] = ()
    hidden: str | None = None

    def holding(self, canister_id: Principal) -> Range | None:
        """The range that ``canister_id`` lies in."""
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

    The sharded layout goes first, as in @icp-sdk/core: there only the shard whose label is the
    greatest that is not above the canister can hold it.
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
        return ShownRanges("sharded", hidden="every shard of canister ranges it shows begins above the canister")
    shard = max(below, key=lambda item: item.label).tree
    if not isinstance(shard, hashtree.Leaf):
        return ShownRanges("sharded", hidden="the shard of canister ranges that could hold the canister is pruned")
    return _decoded("sharded", shard.value)


def _decoded(layout: Layout, content: bytes) -> ShownRanges:
    try:
        return ShownRanges(layout, decode_ranges(content))
    except DecodeError as error:
        return ShownRanges(layout, hidden=f"its {error}")


def ranges_text(ranges: Iterable[Range]) -> str:
    """Ranges for a person: ``aaaaa-aa … bbbbb-bb, …``."""
    return ", ".join(f"{low} … {high}" for low, high in ranges) or "none"
