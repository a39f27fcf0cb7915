from __future__ import annotations

import contextlib
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.envelope import CONTENT_FIELDS, Envelope, call_content
from icws_explore.protocol.errors import CborError, MessageError, ValueMismatchError
from icws_explore.protocol.keys.delegation import Delegation, SignedDelegation
from icws_explore.protocol.principal import Principal
from support.identity_cases import CANISTER, NOW_NS

u64 = st.integers(0, 2**64 - 1)
scalars = st.binary(max_size=20) | st.text(max_size=20) | u64 | st.booleans() | st.none()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
links = st.builds(
    SignedDelegation,
    st.builds(
        Delegation,
        st.binary(max_size=90),
        u64,
        st.none() | st.lists(st.builds(Principal, st.binary(max_size=29)), max_size=3).map(tuple),
    ),
    st.binary(max_size=64),
)
envelopes = st.builds(
    Envelope,
    st.dictionaries(st.sampled_from(CONTENT_FIELDS) | st.text(max_size=8), values, max_size=8),
    st.none() | st.binary(max_size=90),
    st.none() | st.binary(max_size=64),
    st.none() | st.lists(links, max_size=3).map(tuple),
)
CONTENT = call_content(CANISTER, "ws_open", b"DIDL\0\0", Principal.ANONYMOUS, NOW_NS, b"nonce")


class TestVectors:
    def test_frames_are_read_and_written_as_the_sdk_does(self, vectors: Any) -> None:
        for vector in vectors("calls")["vectors"]:
            frame = bytes.fromhex(vector["frame_hex"])
            envelope = Envelope.decode_frame(frame)
            assert envelope.encode_frame() == frame
            assert envelope.request_id.hex() == vector["request_id_hex"]
            assert envelope.signed_bytes.hex() == vector["signed_bytes_hex"]
            assert envelope.canister_id == Principal.from_text(vector["inputs"]["canister_id"])
            assert envelope.sender == Principal.from_text(vector["identity"]["sender_principal"])
            assert envelope.method_name == vector["inputs"]["method_name"]
            assert envelope.ingress_expiry_ns == int(vector["ingress_expiry"])
            assert (envelope.request_type, envelope.unknown_fields) == ("call", ())
            assert envelope.arg is not None
            assert envelope.arg.hex() == vector["arg_hex"]
            assert envelope.nonce is not None
            assert envelope.nonce.hex() == vector["inputs"]["nonce_hex"]


class TestFrame:
    @given(envelopes)
    def test_round_trip_keeps_all_fields_and_their_order(self, envelope: Envelope) -> None:
        decoded = Envelope.decode_frame(envelope.encode_frame())
        assert decoded == envelope
        assert list(decoded.content) == list(envelope.content)

    def test_an_untagged_frame_is_accepted(self) -> None:
        frame = Envelope(CONTENT).encode_frame()
        assert frame[:3] == b"\xd9\xd9\xf7"
        assert Envelope.decode_frame(frame[3:]) == Envelope(CONTENT)

    @pytest.mark.parametrize(
        ("value", "fault"),
        [
            ([], "client request: is an array"),
            ({}, "client request: field 'envelope' is missing"),
            ({"envelope": []}, "field 'envelope' is an array"),
            ({"envelope": {}}, "envelope: field 'content' is missing"),
            ({"envelope": {"content": b""}}, "field 'content' is a byte string"),
            ({"envelope": {"content": {b"arg": b""}}}, "a field name that is not text"),
            ({"envelope": {"content": {}, "sender_pubkey": "3030"}}, "field 'sender_pubkey' is text"),
            ({"envelope": {"content": {}, "sender_sig": 1}}, "field 'sender_sig' is an integer"),
            ({"envelope": {"content": {}, "sender_delegation": {}}}, "field 'sender_delegation' is a map"),
            ({"envelope": {"content": {}, "sender_delegation": [{}]}}, "delegation: field 'delegation' is missing"),
        ],
    )
    def test_other_shapes_are_named(self, value: object, fault: str) -> None:
        with pytest.raises(MessageError) as caught:
            Envelope.decode_frame(cbor2.dumps(value))
        assert fault in str(caught.value)

    def test_a_tagged_bignum_is_refused_as_the_gateway_does(self) -> None:
        data = cbor2.dumps({"envelope": {"content": {"ingress_expiry": cbor2.CBORTag(2, b"\x01")}}})
        with pytest.raises(CborError, match="tag"):
            Envelope.decode_frame(data)

    def test_null_is_missing_as_in_serde(self) -> None:
        fields: dict[str, Any] = {"content": {}, "sender_pubkey": None, "sender_sig": None, "sender_delegation": None}
        assert Envelope.decode(cbor2.dumps(fields)) == Envelope({})

    @given(kept=st.integers(0, 700), tail=st.binary(max_size=50))
    def test_only_documented_errors_come_out(self, kept: int, tail: bytes, vectors: Any) -> None:
        frame = bytes.fromhex(vectors("calls")["vectors"][6]["frame_hex"])
        with contextlib.suppress(CborError, MessageError):
            Envelope.decode_frame(frame[:kept] + tail)


class TestBody:
    @given(envelopes)
    def test_round_trip(self, envelope: Envelope) -> None:
        assert Envelope.decode(envelope.encode()) == envelope

    def test_fields_are_in_the_order_of_serde(self, vectors: Any) -> None:
        for vector in vectors("calls")["vectors"]:
            body = Envelope.decode_frame(bytes.fromhex(vector["frame_hex"])).encode()
            fields = cbor2.loads(body[3:])
            assert body[:3] == b"\xd9\xd9\xf7"
            assert list(fields)[:3] == ["content", "sender_pubkey", "sender_sig"]
            assert list(fields["content"]) == [
                "request_type", "nonce", "ingress_expiry", "sender", "canister_id", "method_name", "arg",
            ]  # fmt: skip
            assert list(fields)[3:] == (["sender_delegation"] if "sender_delegation" in vector else [])

    def test_unknown_fields_come_last(self) -> None:
        fields = cbor2.loads(Envelope({"later": 1} | CONTENT).encode()[3:])
        assert list(fields["content"])[-1] == "later"

    def test_values_that_cbor_cannot_hold_are_refused(self) -> None:
        for value in (object(), "\ud800"):
            with pytest.raises(ValueMismatchError):
                Envelope({"arg": value}).encode()


class TestRelayed:
    @given(envelopes)
    def test_only_known_fields_are_left(self, envelope: Envelope) -> None:
        relayed = envelope.relayed()
        assert relayed.unknown_fields == ()
        assert all(value is not None for value in relayed.content.values())
        assert relayed.relayed() == relayed
        assert list(relayed.content) == [name for name in CONTENT_FIELDS if envelope.content.get(name) is not None]

    def test_unknown_fields_of_delegations_are_dropped(self) -> None:
        delegation = Delegation(b"key", NOW_NS, None, {"permissions": "queries"})
        envelope = Envelope(CONTENT, sender_delegation=(SignedDelegation(delegation, b"signature"),))
        assert envelope.relayed().sender_delegation == (SignedDelegation(Delegation(b"key", NOW_NS), b"signature"),)

    def test_known_fields_keep_the_request_id(self) -> None:
        assert Envelope(CONTENT).relayed().request_id == Envelope(CONTENT).request_id
        assert Envelope(CONTENT | {"later": 1}).relayed().request_id == Envelope(CONTENT).request_id
        assert Envelope(CONTENT | {"later": 1}).unknown_fields == ("later",)


class TestContentFields:
    def test_fields_of_another_type_are_none(self) -> None:
        wrong = Envelope(
            {
                "request_type": 1,
                "canister_id": bytes(30),
                "sender": "2vxsx-fae",
                "method_name": b"",
                "arg": "",
                "ingress_expiry": True,
                "nonce": [],
            }
        )
        for envelope in (wrong, Envelope({})):
            assert envelope.request_type is None
            assert envelope.canister_id is None
            assert envelope.sender is None
            assert envelope.method_name is None
            assert envelope.arg is None
            assert envelope.ingress_expiry_ns is None
            assert envelope.nonce is None
