from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from icws_explore.lab.replica.admission import Refused
from icws_explore.lab.replica.history import Entry, Status
from icws_explore.lab.replica.read_state import MAX_LABELS, MAX_PATHS, Path, Reader, Target, authorise
from icws_explore.lab.replica.subnet import canister_principal
from icws_explore.protocol.principal import Principal

CANISTER, OTHER = canister_principal(0x8000000000100000), canister_principal(0x8000000000100001)
ALICE, BOB = Principal.self_authenticating(b"alice"), Principal.self_authenticating(b"bob")
SUBNET, ROOT = Principal.self_authenticating(b"subnet"), Principal.self_authenticating(b"root")
REQUEST, ANOTHER = b"\x01" * 32, b"\x02" * 32
ENTRIES = {
    REQUEST: Entry(REQUEST, ALICE, CANISTER, 0, Status.RECEIVED),
    ANOTHER: Entry(ANOTHER, ALICE, CANISTER, 0, Status.RECEIVED),
}
ON_CANISTER = Reader(
    sender=ALICE,
    targets=None,
    target=Target.CANISTER,
    effective_id=CANISTER,
    version=2,
    root_subnet_id=ROOT,
    status_of=ENTRIES.get,
)
ON_SUBNET = replace(ON_CANISTER, target=Target.SUBNET, effective_id=SUBNET)

ALLOWED_EVERYWHERE: list[Path] = [
    (b"time",),
    (b"subnet",),
    (b"subnet", SUBNET.raw),
    (b"subnet", SUBNET.raw, b"public_key"),
    (b"subnet", SUBNET.raw, b"canister_ranges"),
    (b"subnet", SUBNET.raw, b"node"),
    (b"subnet", SUBNET.raw, b"node", b"n"),
    (b"subnet", SUBNET.raw, b"node", b"n", b"public_key"),
    (b"api_boundary_nodes",),
    (b"api_boundary_nodes", b"n", b"domain"),
]
CANISTER_ONLY: list[Path] = [
    (b"canister", CANISTER.raw, b"controllers"),
    (b"canister", CANISTER.raw, b"module_hash"),
    (b"canister", CANISTER.raw, b"metadata", b"candid:service"),
    (b"request_status", REQUEST),
    (b"request_status", REQUEST, b"reply"),
]
SUBNET_ONLY: list[Path] = [(b"subnet", SUBNET.raw, b"metrics"), (b"canister_ranges", SUBNET.raw)]
ALLOWED_NOWHERE: list[Path] = [
    (b"canister",),
    (b"canister", CANISTER.raw),
    (b"canister", CANISTER.raw, b"certified_data"),
    (b"request_status",),
    (b"request_status", REQUEST, b"sender"),
    (b"request_status", REQUEST, b"status", b"more"),
    (b"time", b"more"),
    (b"subnet", SUBNET.raw, b"secret"),
    (b"api_boundary_nodes", b"n", b"secret"),
    (b"unheard", b"of"),
]


def refused(paths: list[Path], reader: Reader) -> Refused:
    with pytest.raises(Refused) as refusal:
        authorise(paths, reader)
    return refusal.value


class TestAllowed:
    @pytest.mark.parametrize("reader", [ON_CANISTER, ON_SUBNET])
    @pytest.mark.parametrize("path", ALLOWED_EVERYWHERE)
    def test_any_sender_may_read_time_and_subnets(self, path: Path, reader: Reader) -> None:
        authorise([path], reader)

    @pytest.mark.parametrize("path", CANISTER_ONLY)
    def test_canister_info_and_own_calls_at_the_canister_endpoint(self, path: Path) -> None:
        authorise([path], ON_CANISTER)
        assert refused([path], ON_SUBNET).status == 404

    @pytest.mark.parametrize("path", SUBNET_ONLY)
    def test_metrics_and_ranges_at_the_subnet_endpoint(self, path: Path) -> None:
        authorise([path], ON_SUBNET)
        assert refused([path], ON_CANISTER).status == 404

    def test_the_status_of_an_unknown_call_may_be_read(self) -> None:
        authorise([(b"request_status", b"\x09" * 32, b"status")], ON_CANISTER)

    def test_several_paths_of_one_call(self) -> None:
        authorise([(b"request_status", REQUEST, b"status"), (b"request_status", REQUEST, b"reply")], ON_CANISTER)


class TestRefused:
    @pytest.mark.parametrize("path", ALLOWED_NOWHERE)
    def test_all_other_paths(self, path: Path) -> None:
        assert (refused([path], ON_CANISTER).status, refused([path], ON_CANISTER).text) == (
            404,
            "Invalid path requested.",
        )

    def test_classic_ranges_at_version_3_except_for_the_root_subnet(self) -> None:
        newer = replace(ON_CANISTER, version=3)
        assert refused([(b"subnet", SUBNET.raw, b"canister_ranges")], newer).status == 404
        authorise([(b"subnet", ROOT.raw, b"canister_ranges")], newer)

    def test_the_call_of_another_sender(self) -> None:
        refusal = refused([(b"request_status", REQUEST, b"status")], replace(ON_CANISTER, sender=BOB))
        assert (refusal.status, refusal.text) == (
            403,
            "The user tries to access Request ID not signed by the caller.",
        )

    def test_a_call_to_a_canister_outside_the_delegation(self) -> None:
        limited = replace(ON_CANISTER, targets=frozenset({OTHER}))
        refusal = refused([(b"request_status", REQUEST, b"status")], limited)
        assert refusal.status == 403
        assert "delegation targets" in refusal.text

    def test_two_calls_at_once(self) -> None:
        refusal = refused([(b"request_status", REQUEST), (b"request_status", ANOTHER)], ON_CANISTER)
        assert (refusal.status, "More than one non-unique request ID" in refusal.text) == (400, True)

    def test_a_canister_that_is_not_in_the_url(self) -> None:
        refusal = refused([(b"canister", OTHER.raw, b"controllers")], ON_CANISTER)
        assert refusal.status == 400
        assert str(OTHER) in refusal.text
        assert str(CANISTER) in refusal.text

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ((b"request_status", b"short"), "32 bytes in length"),
            ((b"canister", bytes(30), b"controllers"), "Could not parse principal ID"),
            ((b"canister", CANISTER.raw, b"metadata", b"\xff"), "custom section name"),
        ],
    )
    def test_malformed_labels(self, path: Path, text: str) -> None:
        assert text in refused([path], ON_CANISTER).text

    @pytest.mark.parametrize(
        ("paths", "text"),
        [
            (lambda: [(b"time",)] * (MAX_PATHS + 1), "got 1001 paths, but at most 1000"),
            (lambda: [(b"time",) * (MAX_LABELS + 1)], "got 128 labels, but at most 127"),
        ],
    )
    def test_too_many_paths_or_labels(self, paths: Callable[[], list[Path]], text: str) -> None:
        assert text in refused(paths(), ON_CANISTER).text
