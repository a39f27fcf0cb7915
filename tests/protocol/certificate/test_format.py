from __future__ import annotations

import cbor2
import pytest

from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import Certificate, Delegation
from icws_explore.protocol.errors import CborError, DecodeError, MessageError
from icws_explore.protocol.hashtree import Found, Unknown, build
from icws_explore.protocol.principal import Principal
from support.certificates import CANISTER, NOW_NS, issuer, state

TREE = [2, b"time", [3, b"\x01"]]
DELEGATION = {"subnet_id": b"\x01", "certificate": b"\x02"}
WHOLE = {"tree": TREE, "signature": bytes(48), "delegation": DELEGATION}


class TestDecoding:
    """Interface specification, "Encoding of certificates"."""

    def test_fields(self) -> None:
        data = cbor2.dumps(WHOLE)
        certificate = Certificate.decode(data)
        assert certificate.tree == build({b"time": b"\x01"})
        assert certificate.signature == bytes(48)
        assert certificate.delegation == Delegation(Principal(b"\x01"), b"\x02")
        assert certificate.raw == data
        assert certificate.time_ns == 1

    def test_round_trip(self) -> None:
        data = issuer("classic").certify(state())
        assert Certificate.decode(data).encode() == data
        assert data.startswith(bytes.fromhex("d9d9f7"))

    def test_mainnet(self, vectors) -> None:
        vector = vectors("mainnet_certificate")
        certificate = Certificate.decode(bytes.fromhex(vector["certificate_hex"]))
        assert certificate.time_ns == int(vector["time_ns"])
        assert certificate.delegation is not None
        assert Certificate.decode(certificate.delegation.certificate).time_ns == int(vector["delegation_time_ns"])

    def test_unknown_fields_are_passed_over(self) -> None:
        assert Certificate.decode(cbor2.dumps({**WHOLE, "new": 1})).signature == bytes(48)

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ([], "a map is expected, not list"),
            ({}, "has no tree"),
            ({"tree": TREE}, "has no signature"),
            ({**WHOLE, "tree": None}, "certificate tree: a node is a non-empty array"),
            ({**WHOLE, "signature": "text"}, "signature is str, not a byte string"),
            ({**WHOLE, "delegation": None}, "delegation is NoneType, not a map"),
            ({**WHOLE, "delegation": {"subnet_id": b""}}, "certificate delegation: has no certificate"),
            ({**WHOLE, "delegation": {"certificate": b""}}, "certificate delegation: has no subnet_id"),
            ({**WHOLE, "delegation": {**DELEGATION, "certificate": {}}}, "certificate is dict, not a byte string"),
        ],
    )
    def test_refuses(self, value, reason) -> None:
        with pytest.raises(MessageError, match=reason):
            Certificate.decode(cbor2.dumps(value))

    def test_refuses_a_subnet_id_that_is_no_principal(self) -> None:
        with pytest.raises(DecodeError, match="30 bytes are more than 29"):
            Certificate.decode(cbor2.dumps({**WHOLE, "delegation": {**DELEGATION, "subnet_id": bytes(30)}}))

    def test_refuses_large_certificates(self) -> None:
        with pytest.raises(CborError, match="more than"):
            Certificate.decode(cbor2.dumps({**WHOLE, "signature": bytes(hashtree.MAX_SIZE)}))


class TestTime:
    def test_is_none_if_the_tree_shows_no_valid_time(self) -> None:
        assert Certificate(build({}), b"").time_ns is None
        assert Certificate(build({b"time": b""}), b"").time_ns is None
        assert Certificate(build({b"time": b"\x80" * 20}), b"").time_ns is None
        assert Certificate(build({b"time": {b"x": b""}}), b"").time_ns is None

    def test_of_a_state(self) -> None:
        assert Certificate(state(), b"").time_ns == NOW_NS


class TestContents:
    def test_the_signed_bytes(self) -> None:
        tree = build({})
        assert Certificate(tree, b"").signed_bytes == b"\x0dic-state-root" + tree.digest

    def test_canister_data(self) -> None:
        certificate = Certificate(state(b"data"), b"")
        assert certificate.canister_data(CANISTER) == Found(b"data")
        assert certificate.canister_data(Principal(bytes(10))) == Unknown()

    def test_raw_does_not_affect_equality(self) -> None:
        data = cbor2.dumps(WHOLE)
        assert Certificate.decode(data) == Certificate.decode(bytes.fromhex("d9d9f7") + data)
        assert "raw" not in repr(Certificate.decode(data))
