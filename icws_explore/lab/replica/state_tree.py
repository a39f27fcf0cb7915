"""The certified state of the lab's one subnet, and witnesses of parts of it.

Source: interface specification, "The system state tree"::

    /canister/<id>/{certified_data, controllers, module_hash, metadata/<name>}
    /canister_ranges/<subnet>/<first canister>      the sharded layout, which newer endpoints use
    /request_status/<request id>/{status, reply, reject_code, reject_message, error_code}
    /subnet/<id>/{public_key, canister_ranges, type, node/<id>/public_key}
    /time

A busy lab remembers tens of thousands of calls and certifies many times a second. So the canisters and the calls are in
a `CertifiedMap` each, in which a change costs one path of hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from icws_explore.protocol import leb128
from icws_explore.protocol.canister.certified_map import CertifiedMap
from icws_explore.protocol.hashtree import Fork, HashTree, Labeled, Leaf, Nested, Path, Pruned, build, prune
from icws_explore.protocol.principal import Principal

from .history import Entry

CANISTER: Final = b"canister"
CANISTER_RANGES: Final = b"canister_ranges"
REQUEST_STATUS: Final = b"request_status"
SUBNET: Final = b"subnet"
TIME: Final = b"time"
_LABELS: Final = frozenset((CANISTER, CANISTER_RANGES, REQUEST_STATUS, SUBNET, TIME))


class StateTree:
    """The state tree at the time ``time_ns`` (ns since the epoch). The replica changes it as it executes calls."""

    def __init__(self, subnets: Mapping[bytes, Nested], ranges: Mapping[bytes, Nested]) -> None:
        """``subnets`` and ``ranges`` are the content of /subnet and /canister_ranges."""
        self.time_ns = 0
        self._canisters = CertifiedMap(CANISTER)
        self._contents: dict[Principal, Mapping[bytes, Nested]] = {}
        self._requests = CertifiedMap(REQUEST_STATUS)
        self._ranges = Labeled(CANISTER_RANGES, build(ranges))
        self._subnets = Labeled(SUBNET, build(subnets))

    def put_canister(self, canister_id: Principal, content: Mapping[bytes, Nested]) -> None:
        """Set the content of /canister/<id>."""
        if self._contents.get(canister_id) != content:
            self._contents[canister_id] = content
            self._canisters = self._canisters.insert(canister_id.raw, build(content))

    def remove_canister(self, canister_id: Principal) -> None:
        """Remove /canister/<id>."""
        self._contents.pop(canister_id, None)
        self._canisters = self._canisters.remove(canister_id.raw)

    def put_request(self, entry: Entry) -> None:
        """Set the content of /request_status/<id>."""
        self._requests = self._requests.insert(entry.request_id, build(entry.leaves()))

    def remove_request(self, request_id: bytes) -> None:
        """Remove /request_status/<id>."""
        self._requests = self._requests.remove(request_id)

    def witness(self, paths: Iterable[Path]) -> HashTree:
        """Return a tree with the root hash of the whole that shows ``paths`` and ``/time``, and hashes of the rest.

        A path that does not exist is proved absent by its neighbours.
        """
        below: dict[bytes, list[Path]] = {}
        for path in paths:
            below.setdefault(path[0], []).append(path[1:])
        # A first label that does not exist is proved absent by the five labels that do.
        show_labels = not _LABELS.issuperset(below)

        def part(whole: Labeled, witness: Callable[[list[Path]], HashTree]) -> HashTree:
            if whole.label in below:
                return witness(below[whole.label])
            return Labeled(whole.label, Pruned(whole.tree.digest)) if show_labels else Pruned(whole.digest)

        def fixed(whole: Labeled) -> HashTree:
            return part(whole, lambda wanted: Labeled(whole.label, prune(whole.tree, wanted)))

        # Readers of a hash tree expect its labels in ascending order. The shape of the forks is free.
        return Fork(
            Fork(part(self._canisters.tree, self._canisters.prune), fixed(self._ranges)),
            Fork(
                part(self._requests.tree, self._requests.prune),
                Fork(fixed(self._subnets), Labeled(TIME, Leaf(leb128.encode_unsigned(self.time_ns)))),
            ),
        )
