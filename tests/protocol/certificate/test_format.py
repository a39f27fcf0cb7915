from __future__ import annotations

import cbor2
import pytest

from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import Certificate, Delegation, time_ns_cached
from icws_explore.protocol.certificate.format import time_ns_of
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
        for read in (Certificate.decode, time_ns_of, time_ns_cached):
            with pytest.raises(MessageError, match=reason):
                read(cbor2.dumps(value))

    def test_refuses_a_subnet_id_that_is_no_principal(self) -> None:
        data = cbor2.dumps({**WHOLE, "delegation": {**DELEGATION, "subnet_id": bytes(30)}})
        for read in (Certificate.decode, time_ns_of):
            with pytest.raises(DecodeError, match="30 bytes are more than 29"):
                read(data)

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

    @pytest.mark.parametrize(
        "tree",
        [
            [0], [2, b"time", [0]], [2, b"time", [3, b""]], [2, b"time", [3, b"\x80" * 20]],
            [2, b"time", [4, bytes(32)]], [1, TREE, [2, b"time", [3, b"\x02"]]], [1, [2, b"time", [0]], TREE],
            [1, [2, b"a", TREE], [0]], TREE,
        ],
    )  # fmt: skip
    def test_read_alone_is_that_of_the_whole_certificate(self, tree) -> None:
        data = cbor2.dumps({**WHOLE, "tree": tree})
        assert time_ns_of(data) == time_ns_cached(data) == Certificate.decode(data).time_ns

    def test_read_alone_makes_no_tree(self, monkeypatch, vectors) -> None:
        vector = vectors("mainnet_certificate")
        data = bytes.fromhex(vector["certificate_hex"])
        monkeypatch.setattr(Certificate, "decode", None)
        assert time_ns_of(data) == int(vector["time_ns"])

    def test_read_alone_refuses_a_tree_that_is_too_deep(self) -> None:
        tree = TREE
        for _ in range(hashtree.MAX_DEPTH):
            tree = [1, [0], tree]
        with pytest.raises(CborError) as whole:
            Certificate.decode(cbor2.dumps({**WHOLE, "tree": tree}))
        with pytest.raises(CborError) as alone:
            time_ns_of(cbor2.dumps({**WHOLE, "tree": tree}))
        assert str(alone.value) == str(whole.value)


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
