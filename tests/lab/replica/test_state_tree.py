from __future__ import annotations

import pytest

from icws_explore.lab.replica.history import Entry, Status
from icws_explore.lab.replica.state_tree import StateTree
from icws_explore.lab.replica.subnet import canister_principal
from icws_explore.protocol import leb128
from icws_explore.protocol.canister import Reject, Reply
from icws_explore.protocol.hashtree import Absent, Found, Path, Unknown, disorder, leaves, lookup, root_hash
from icws_explore.protocol.principal import Principal

CANISTER = canister_principal(0x8000000000100000)
REQUEST = bytes(range(32))


@pytest.fixture
def state() -> StateTree:
    state = StateTree({b"subnet-id": {b"public_key": b"key", b"type": b"application"}}, {b"subnet-id": {b"a": b"r"}})
    state.time_ns = 1_700_000_000_000_000_000
    state.put_canister(CANISTER, {b"certified_data": b"data", b"metadata": {b"candid:service": b"service : {}"}})
    state.put_request(Entry(REQUEST, Principal.ANONYMOUS, CANISTER, 0, Status.REPLIED, Reply(b"DIDL\x00\x00")))
    return state


FOUND: list[tuple[Path, bytes]] = [
    ((b"time",), leb128.encode_unsigned(1_700_000_000_000_000_000)),
    ((b"canister", CANISTER.raw, b"certified_data"), b"data"),
    ((b"canister", CANISTER.raw, b"metadata", b"candid:service"), b"service : {}"),
    ((b"request_status", REQUEST, b"status"), b"replied"),
    ((b"request_status", REQUEST, b"reply"), b"DIDL\x00\x00"),
    ((b"subnet", b"subnet-id", b"public_key"), b"key"),
    ((b"canister_ranges", b"subnet-id", b"a"), b"r"),
]
ABSENT: list[Path] = [
    (b"api_boundary_nodes",),
    (b"zebra",),
    (b"canister", CANISTER.raw, b"module_hash"),
    (b"canister", b"\x04", b"controllers"),
    (b"request_status", bytes(32), b"status"),
    (b"request_status", b"\xff" * 32),
    (b"subnet", b"other", b"public_key"),
]


class TestWitness:
    @pytest.mark.parametrize(("path", "value"), FOUND)
    def test_shows_a_path_that_exists(self, state: StateTree, path: Path, value: bytes) -> None:
        assert lookup(state.witness([path]), path) == Found(value)

    @pytest.mark.parametrize("path", ABSENT)
    def test_proves_that_a_path_does_not_exist(self, state: StateTree, path: Path) -> None:
        assert lookup(state.witness([path]), path) == Absent()

    def test_every_witness_has_the_same_root_hash(self, state: StateTree) -> None:
        asked = [*([path] for path, _ in FOUND), *([path] for path in ABSENT), [], [path for path, _ in FOUND]]
        assert len({root_hash(state.witness(paths)) for paths in asked}) == 1

    def test_labels_are_in_order(self, state: StateTree) -> None:
        assert disorder(state.witness([path for path, _ in FOUND])) is None

    def test_shows_only_the_time_and_the_requested_path(self, state: StateTree) -> None:
        witness = state.witness([(b"canister", CANISTER.raw, b"certified_data")])
        assert {path for path, _ in leaves(witness)} == {
            (b"time",),
            (b"canister", CANISTER.raw, b"certified_data"),
        }
        assert lookup(witness, (b"request_status", REQUEST, b"status")) == Unknown()


class TestChanges:
    def test_a_rejection_has_a_code_a_message_and_an_error_code(self, state: StateTree) -> None:
        reject = Reject(4, "no", "IC0406")
        state.put_request(Entry(REQUEST, Principal.ANONYMOUS, CANISTER, 0, Status.REJECTED, reject))
        shown = dict(leaves(state.witness([(b"request_status", REQUEST)])))
        assert {path[-1]: value for path, value in shown.items() if path[0] == b"request_status"} == {
            b"status": b"rejected",
            b"reject_code": b"\x04",
            b"reject_message": b"no",
            b"error_code": b"IC0406",
        }

    def test_a_removed_entry_is_absent(self, state: StateTree) -> None:
        state.remove_request(REQUEST)
        state.remove_canister(CANISTER)
        for path in ((b"request_status", REQUEST), (b"canister", CANISTER.raw)):
            assert lookup(state.witness([path]), path) == Absent()
