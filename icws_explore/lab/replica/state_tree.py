"""The certified state of the lab's one subnet, and witnesses into it.

Source: interface specification, "The system state tree"::

    /canister/<id>/{certified_data, controllers, module_hash, metadata/<name>}
    /canister_ranges/<subnet>/<first canister>      the sharded layout of newer paths
    /request_status/<request id>/{status, reply, reject_code, reject_message, error_code}
    /subnet/<id>/{public_key, canister_ranges, type, node/<id>/public_key}
    /time

A growing part of the certified state (requests, canisters), kept so that a change costs one path.

A busy lab remembers tens of thousands of requests and certifies several times a second, so building
the tree anew each time would be too slow. This is a binary radix tree over the bits of the labels:
a witness shows what was asked for, and a label that is not there is proved absent by the two
neighbours between which it would stand.

protocol/canister/certified_map.py is another: of hashes under keys that may begin each other, and persistent.
Here are whole subtrees, of which a witness may show a part; one for both would be longer than the two.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from icws_explore.protocol import leb128
from icws_explore.protocol.hashtree import Empty, Fork, HashTree, Labeled, Leaf, Nested, Path, Pruned, build, prune
from icws_explore.protocol.principal import Principal

from .history import Entry


@dataclass(frozen=True, slots=True)
class _Entry:
    key: bytes
    tree: Labeled


@dataclass(frozen=True, slots=True)
class _Branch:
    """Labels that agree in ``bit`` bits and then differ; ``key`` is any one of them."""

    key: bytes
    bit: int
    zero: _Node
    one: _Node
    tree: Fork


_Node: TypeAlias = _Entry | _Branch
_Shown: TypeAlias = Mapping[bytes, list[Path]]  # the paths to show below a label; none: only its name


class LabelTree:
    """Subtrees by label; all labels that are there have one length."""

    def __init__(self) -> None:
        self._root: _Node | None = None
        self._keys: list[bytes] = []

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def tree(self) -> HashTree:
        """The whole, nothing pruned."""
        return Empty() if self._root is None else self._root.tree

    def put(self, key: bytes, tree: HashTree) -> None:
        """Add ``tree`` under ``key``, or put it in place of what is there."""
        if not self._has(key):
            insort(self._keys, key)
        self._root = _put(self._root, _Entry(key, Labeled(key, tree)))

    def remove(self, key: bytes) -> None:
        """Take ``key`` out; nothing happens if it is not there."""
        if self._root is not None and self._has(key):
            del self._keys[bisect_left(self._keys, key)]
            self._root = _remove(self._root, key)

    def witness(self, paths: Iterable[Path]) -> HashTree:
        """A tree of the same root hash that answers every path as the whole does."""
        if self._root is None:
            return Empty()
        shown: dict[bytes, list[Path]] = {}
        for path in paths:
            if not path:
                return self.tree
            if self._has(path[0]):
                shown.setdefault(path[0], []).append(path[1:])
                continue
            at = bisect_left(self._keys, path[0])
            for neighbour in self._keys[max(0, at - 1) : at + 1]:
                shown.setdefault(neighbour, [])
        return _witness(self._root, shown)

    def _has(self, key: bytes) -> bool:
        at = bisect_left(self._keys, key)
        return at < len(self._keys) and self._keys[at] == key


def _bit(key: bytes, bit: int) -> int:
    return key[bit >> 3] >> (7 - (bit & 7)) & 1


def _first_difference(a: bytes, b: bytes) -> int:
    """The index of the first bit in which two different keys differ."""
    return 8 * len(a) - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()


def _branch(bit: int, zero: _Node, one: _Node) -> _Branch:
    return _Branch(zero.key, bit, zero, one, Fork(zero.tree, one.tree))


def _put(node: _Node | None, new: _Entry) -> _Node:
    if node is None or (isinstance(node, _Entry) and node.key == new.key):
        return new
    parts_at = 8 * len(new.key) if node.key == new.key else _first_difference(node.key, new.key)
    if isinstance(node, _Entry) or parts_at < node.bit:
        return _branch(parts_at, node, new) if _bit(new.key, parts_at) else _branch(parts_at, new, node)
    if _bit(new.key, node.bit):
        return _branch(node.bit, node.zero, _put(node.one, new))
    return _branch(node.bit, _put(node.zero, new), node.one)


def _remove(node: _Node, key: bytes) -> _Node | None:
    if isinstance(node, _Entry):
        return None
    if _bit(key, node.bit):
        one = _remove(node.one, key)
        return node.zero if one is None else _branch(node.bit, node.zero, one)
    zero = _remove(node.zero, key)
    return node.one if zero is None else _branch(node.bit, zero, node.one)


def _witness(node: _Node, shown: _Shown) -> HashTree:
    if not shown:
        return Pruned(node.tree.digest)
    if isinstance(node, _Entry):
        return Labeled(node.key, prune(node.tree.tree, shown[node.key]))
    sides: tuple[dict[bytes, list[Path]], dict[bytes, list[Path]]] = ({}, {})
    for key, below in shown.items():
        sides[_bit(key, node.bit)][key] = below
    return Fork(_witness(node.zero, sides[0]), _witness(node.one, sides[1]))


CANISTER: Final = b"canister"
CANISTER_RANGES: Final = b"canister_ranges"
REQUEST_STATUS: Final = b"request_status"
SUBNET: Final = b"subnet"
TIME: Final = b"time"
_LABELS: Final = frozenset((CANISTER, CANISTER_RANGES, REQUEST_STATUS, SUBNET, TIME))


class StateTree:
    """The tree of ``time_ns`` and the parts. Changed by the replica as it executes."""

    def __init__(self, subnets: Mapping[bytes, Nested], ranges: Mapping[bytes, Nested]) -> None:
        """``subnets`` and ``ranges`` are the content below /subnet and /canister_ranges."""
        self.time_ns = 0
        self._canisters = LabelTree()
        self._contents: dict[bytes, Mapping[bytes, Nested]] = {}
        self._requests = LabelTree()
        self._fixed = {CANISTER_RANGES: build(ranges), SUBNET: build(subnets)}

    def put_canister(self, canister_id: Principal, content: Mapping[bytes, Nested]) -> None:
        """What stands below /canister/<id> from now on."""
        if self._contents.get(canister_id.raw) != content:
            self._contents[canister_id.raw] = content
            self._canisters.put(canister_id.raw, build(content))

    def remove_canister(self, canister_id: Principal) -> None:
        """The canister is gone."""
        self._contents.pop(canister_id.raw, None)
        self._canisters.remove(canister_id.raw)

    def put_request(self, entry: Entry) -> None:
        """What stands below /request_status/<id> from now on."""
        self._requests.put(entry.request_id, build(entry.leaves()))

    def remove_request(self, request_id: bytes) -> None:
        """The request is forgotten."""
        self._requests.remove(request_id)

    def witness(self, paths: Iterable[Path]) -> HashTree:
        """The tree with ``paths`` shown (found or provably absent), ``time`` always, and the rest as hashes."""
        below: dict[bytes, list[Path]] = {}
        for path in paths:
            below.setdefault(path[0], []).append(path[1:])
        # What is asked for and is no part of the state is proved absent by the labels that are.
        show_labels = not _LABELS.issuperset(below)

        def part(label: bytes, whole: HashTree, witness: Callable[[list[Path]], HashTree]) -> HashTree:
            if label in below:
                return Labeled(label, witness(below[label]))
            return Labeled(label, Pruned(whole.digest)) if show_labels else Pruned(Labeled(label, whole).digest)

        def fixed(label: bytes) -> HashTree:
            tree = self._fixed[label]
            return part(label, tree, lambda wanted: prune(tree, wanted))

        # Labels stand in their order, as every reader of a hash tree expects. The fork's shape is free.
        return Fork(
            Fork(part(CANISTER, self._canisters.tree, self._canisters.witness), fixed(CANISTER_RANGES)),
            Fork(
                part(REQUEST_STATUS, self._requests.tree, self._requests.witness),
                Fork(fixed(SUBNET), Labeled(TIME, Leaf(leb128.encode(self.time_ns)))),
            ),
        )
