from __future__ import annotations

import pytest

from icws_explore.lab.replica.subnet import CANISTER_RANGE, LabKeys, Subnet
from icws_explore.protocol.certificate import Certificate, Layout, decode_ranges
from icws_explore.protocol.hashtree import Found, lookup
from icws_explore.protocol.keys.bls import SecretKey
from icws_explore.protocol.principal import Principal

KEYS = LabKeys(1)
NOW = 1_795_000_000_000_000_000


def shown(subnet: Subnet, *path: bytes, layout: Layout = "classic") -> bytes:
    result = lookup(Certificate.decode(subnet.certify([path], layout, NOW)).tree, path)
    assert isinstance(result, Found)
    return result.value


class TestSubnet:
    def test_is_named_after_its_key(self) -> None:
        subnet = Subnet(KEYS, delegated=True)
        key = shown(subnet, b"subnet", subnet.id.raw, b"public_key")
        assert key == SecretKey(KEYS.secret("subnet")).public_key_der
        assert subnet.id == Principal.self_authenticating(key)
        assert subnet.root_id == Principal.self_authenticating(subnet.root_key) != subnet.id

    def test_without_a_delegation_it_is_the_root_subnet(self) -> None:
        subnet = Subnet(KEYS, delegated=False)
        assert subnet.id == subnet.root_id
        assert shown(subnet, b"subnet", subnet.id.raw, b"public_key") == subnet.root_key

    @pytest.mark.parametrize("layout", ["classic", "sharded"])
    def test_tells_its_range_and_its_node(self, layout: Layout) -> None:
        subnet = Subnet(KEYS, delegated=True)
        assert decode_ranges(shown(subnet, b"subnet", subnet.id.raw, b"canister_ranges", layout=layout)) == (
            CANISTER_RANGE,
        )
        assert decode_ranges(
            shown(subnet, b"canister_ranges", subnet.id.raw, CANISTER_RANGE[0].raw, layout=layout)
        ) == (CANISTER_RANGE,)
        node = shown(subnet, b"subnet", subnet.id.raw, b"node", subnet.node.principal.raw, b"public_key")
        assert (node, len(node)) == (subnet.node.public_key_der, 44)
