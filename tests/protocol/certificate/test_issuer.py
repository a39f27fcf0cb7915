from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import DELEGATION_PERIOD_NS, Certificate, CertificateIssuer, shown_ranges
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.hashtree import Found, Unknown, lookup
from icws_explore.protocol.keys import bls
from icws_explore.protocol.principal import Principal
from support.certificates import CANISTER, LAYOUTS, NOW_NS, RANGES, canister_range, issuer, messages, state
from support.node_peer import run_script

FOREIGN = canister_range(0x85, 0x85)[0]  # in no range


class TestKeys:
    def test_the_root_key_is_der(self) -> None:
        assert bls.key_from_der(issuer().root_key_der) == bls.SecretKey(b"root").public_key

    def test_the_subnet_is_named_by_its_key(self) -> None:
        subnet_key = bls.SecretKey(b"subnet").public_key_der
        assert issuer("classic").subnet_id == Principal.self_authenticating(subnet_key)
        assert issuer(None).subnet_id == issuer(None).root_subnet_id == issuer("classic").root_subnet_id

    def test_secrets_are_scalars_or_seeds(self) -> None:
        assert CertificateIssuer(7).root_key_der == bls.SecretKey(7).public_key_der

    def test_a_layout_needs_the_secret_of_the_subnet(self) -> None:
        with pytest.raises(ArgumentValueError, match="needs subnet_secret"):
            CertificateIssuer(b"root", layout="classic")

    def test_secrets_are_not_shown(self) -> None:
        assert "root" not in repr(issuer()).replace("CertificateIssuer", "")


class TestDeterminism:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_the_same_input_gives_the_same_bytes(self, layout) -> None:
        assert issuer(layout).certify(state(b"x")) == issuer(layout).certify(state(b"x"))

    def test_does_not_depend_on_what_was_certified_before(self) -> None:
        used = issuer("classic")
        used.certify(state(time_ns=NOW_NS + 10 * DELEGATION_PERIOD_NS))
        assert used.certify(state()) == issuer("classic").certify(state())


class TestDelegation:
    @pytest.mark.parametrize("layout", ["classic", "sharded"])
    def test_is_not_newer_than_its_certificates(self, layout) -> None:
        delegation = issuer(layout).delegation(NOW_NS)
        assert delegation is not None
        time_ns = Certificate.decode(delegation.certificate).time_ns
        assert time_ns is not None
        assert NOW_NS - DELEGATION_PERIOD_NS < time_ns <= NOW_NS

    def test_is_the_same_within_a_period(self) -> None:
        begin = NOW_NS // DELEGATION_PERIOD_NS * DELEGATION_PERIOD_NS
        used = issuer("classic")
        assert used.delegation(begin) is used.delegation(begin + DELEGATION_PERIOD_NS - 1)
        assert used.delegation(begin) != used.delegation(begin + DELEGATION_PERIOD_NS)

    def test_shows_only_its_own_layout(self) -> None:
        for layout, other in (("classic", "sharded"), ("sharded", "classic")):
            used = issuer(layout)
            delegation = used.delegation(NOW_NS)
            assert delegation is not None
            tree = Certificate.decode(delegation.certificate).tree
            paths = {
                "classic": (b"subnet", used.subnet_id.raw, b"canister_ranges"),
                "sharded": (b"canister_ranges", used.subnet_id.raw),
            }
            assert isinstance(lookup(tree, paths[other]), Unknown)
            assert not isinstance(lookup(tree, paths[layout]), Unknown)

    def test_shards_cover_the_ranges(self) -> None:
        used = issuer("sharded")
        delegation = used.delegation(NOW_NS)
        assert delegation is not None
        tree = Certificate.decode(delegation.certificate).tree
        for low, high in RANGES:
            for canister in (low, high):
                assert shown_ranges(tree, used.subnet_id, canister).holding(canister) == (low, high)

    def test_for_a_canister_shows_one_shard(self) -> None:
        used = issuer("sharded")
        for canister, first in ((CANISTER, RANGES[10][0]), (RANGES[4][0], RANGES[0][0]), (RANGES[5][0], RANGES[5][0])):
            delegation = used.delegation(NOW_NS, canister)
            assert delegation is not None
            shards = lookup(Certificate.decode(delegation.certificate).tree, (b"canister_ranges", used.subnet_id.raw))
            assert isinstance(shards, hashtree.FoundSubtree)
            assert hashtree.forest_of(shards.tree).labels == [first.raw]

    def test_of_the_root_subnet(self) -> None:
        assert issuer().delegation(NOW_NS) is None
        assert Certificate.decode(issuer().certify(state())).delegation is None


class TestCertify:
    def test_keeps_the_tree(self) -> None:
        certificate = Certificate.decode(issuer("classic").certify(state(b"data")))
        assert certificate.tree == state(b"data")
        assert certificate.canister_data(CANISTER) == Found(b"data")

    def test_a_tree_without_time(self) -> None:
        certificate = Certificate.decode(issuer("classic").certify(hashtree.build({})))
        assert certificate.time_ns is None


def entries() -> Iterator[dict[str, Any]]:
    """The questions to the real readers; see tests/node/certificates.mjs."""
    for layout in LAYOUTS:
        message = messages(layout)[1]
        now_ms = NOW_NS // NS_PER_MS
        entry = {
            "canister_id": str(CANISTER),
            "root_key": issuer().root_key_der.hex(),
            "now_ms": now_ms,
            "cert": message.cert.hex(),
            "tree": message.tree.hex(),
            "key": message.key,
            "content": message.content.hex(),
        }
        for reader in ("agent", "core", "sdk"):
            yield entry | {"id": f"{layout} {reader}", "reader": reader}
        yield entry | {"id": f"{layout} altered", "reader": "sdk", "content": sha256(b"").hexdigest()}
        yield entry | {"id": f"{layout} late", "reader": "core", "now_ms": now_ms + 300_001}
        yield entry | {"id": f"{layout} foreign", "reader": "core", "canister_id": str(FOREIGN)}


@pytest.fixture(scope="module")
def verdicts() -> dict[str, bool]:
    run = run_script("certificates.mjs", {"entries": list(entries())}, timeout_s=60)
    assert run.exit_code == 0, run.stderr
    return {event["id"]: event["ok"] for event in run.all("verdict")}


@pytest.mark.node
class TestRealReaders:
    """@dfinity/agent 2.4.1, @icp-sdk/core 6.1.0 and ic-websocket-js 0.5.0 verify the issued certificates."""

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_accept(self, verdicts, layout) -> None:
        assert verdicts[f"{layout} core"]
        # The SDK's agent does not know the sharded layout. Replicas send it the classic one.
        assert verdicts[f"{layout} agent"] is (layout != "sharded")
        assert verdicts[f"{layout} sdk"] is (layout != "sharded")

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_refuse(self, verdicts, layout) -> None:
        assert not verdicts[f"{layout} altered"]
        assert not verdicts[f"{layout} late"]
        assert verdicts[f"{layout} foreign"] is (layout is None)  # only a delegation has ranges
