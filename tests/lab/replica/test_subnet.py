from __future__ import annotations

from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from icws_explore.lab.replica.subnet import (
    CANISTER_RANGE,
    FIRST_CANISTER,
    LabKeys,
    Subnet,
    canister_principal,
    query_answer,
    signed,
)
from icws_explore.protocol.canister import Outcome, Reject, Reply
from icws_explore.protocol.certificate import Certificate, Layout, decode_ranges
from icws_explore.protocol.hashtree import Found, lookup
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.keys.bls import SecretKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.request_id import request_id

KEYS = LabKeys(1)
NOW = 1_795_000_000_000_000_000


def shown(subnet: Subnet, *path: bytes, layout: Layout = "classic") -> bytes:
    result = lookup(Certificate.decode(subnet.certify([path], layout, NOW)).tree, path)
    assert isinstance(result, Found)
    return result.value


class TestSubnet:
    def test_its_principal_is_that_of_its_key(self) -> None:
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
    def test_certifies_its_range_and_its_node(self, layout: Layout) -> None:
        subnet = Subnet(KEYS, delegated=True)
        assert decode_ranges(shown(subnet, b"subnet", subnet.id.raw, b"canister_ranges", layout=layout)) == (
            CANISTER_RANGE,
        )
        assert decode_ranges(
            shown(subnet, b"canister_ranges", subnet.id.raw, CANISTER_RANGE[0].raw, layout=layout)
        ) == (CANISTER_RANGE,)
        node = shown(subnet, b"subnet", subnet.id.raw, b"node", subnet.node.principal.raw, b"public_key")
        assert (node, len(node)) == (subnet.node.public_key_der, 44)


class TestCanisterIds:
    def test_are_those_of_a_local_replica(self) -> None:
        assert str(canister_principal(FIRST_CANISTER)) == "bnz7o-iuaaa-aaaaa-qaaaa-cai"
        assert str(canister_principal(FIRST_CANISTER + 1)) == "bkyz2-fmaaa-aaaaa-qaaaq-cai"

    def test_are_in_the_subnets_range(self) -> None:
        low, high = CANISTER_RANGE
        assert low <= canister_principal(FIRST_CANISTER + 1000) <= high


class TestSeed:
    def test_one_seed_gives_one_set_of_keys(self) -> None:
        assert LabKeys(7).secret("root") == LabKeys(7).secret("root")
        assert LabKeys(7).identity("gateway 0").principal == LabKeys(7).identity("gateway 0").principal

    def test_another_seed_or_name_gives_another_secret(self) -> None:
        secrets = {LabKeys(7).secret("root"), LabKeys(8).secret("root"), LabKeys(7).secret("subnet")}
        assert len(secrets) == 3

    def test_without_a_seed_they_are_random(self) -> None:
        assert LabKeys().secret("root") != LabKeys().secret("root")

    def test_repr_hides_the_secrets(self) -> None:
        assert repr(LabKeys(7)) == "LabKeys(seed=7)"


NODE = Ed25519Identity.from_secret(b"n" * 32)
REQUEST = b"\x07" * 32
SIGNED_AT = 1_795_000_000_123_456_789


def verify(answer: dict[str, Any], of_request: bytes = REQUEST) -> None:
    """Verify as an agent does: over all fields except the signatures, with the time and the request id."""
    (signature,) = answer["signatures"]
    content = {name: value for name, value in answer.items() if name != "signatures"}
    hashed = request_id({**content, "timestamp": signature["timestamp"], "request_id": of_request})
    load_der_public_key(NODE.public_key_der).verify(signature["signature"], b"\x0bic-response" + hashed)  # type: ignore[union-attr, call-arg]


@pytest.mark.parametrize("outcome", [Reply(b"DIDL\x00\x00"), Reject(5, "no", "IC0503")])
class TestNodeSignature:
    def test_verifies(self, outcome: Outcome) -> None:
        verify(signed(query_answer(outcome), REQUEST, SIGNED_AT, NODE))

    def test_names_the_node_and_the_time(self, outcome: Outcome) -> None:
        (signature,) = signed(query_answer(outcome), REQUEST, SIGNED_AT, NODE)["signatures"]
        assert (signature["identity"], signature["timestamp"]) == (NODE.principal.raw, SIGNED_AT)

    def test_is_valid_for_one_request_only(self, outcome: Outcome) -> None:
        with pytest.raises(InvalidSignature):
            verify(signed(query_answer(outcome), REQUEST, SIGNED_AT, NODE), b"\x08" * 32)


class TestAnswers:
    def test_reply_and_rejection(self) -> None:
        assert query_answer(Reply(b"x")) == {"status": "replied", "reply": {"arg": b"x"}}
        assert query_answer(Reject(4, "no", "IC0406")) == {
            "status": "rejected",
            "reject_code": 4,
            "reject_message": "no",
            "error_code": "IC0406",
        }
