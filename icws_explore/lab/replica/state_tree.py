"""The certified state of the lab's one subnet, and witnesses into it.

Source: interface specification, "The system state tree"::

    /canister/<id>/{certified_data, controllers, module_hash, metadata/<name>}
    /canister_ranges/<subnet>/<first canister>      the sharded layout of newer paths
    /request_status/<request id>/{status, reply, reject_code, reject_message, error_code}
    /subnet/<id>/{public_key, canister_ranges, type, node/<id>/public_key}
    /time
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from icws_explore.protocol import leb128
from icws_explore.protocol.hashtree import Fork, HashTree, Labeled, Leaf, Nested, Path, Pruned, build, prune
from icws_explore.protocol.principal import Principal

from .history import Entry
from .label_tree import LabelTree

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
