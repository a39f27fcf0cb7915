from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.candid import NAT, NAT64, TEXT, Field, Record, Variant, encode
from icws_explore.protocol.errors import CandidError, ValueMismatchError
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    ServiceMessage,
    decode_service,
    encode_service,
)
from support.machine import ROOT

VECTORS = ROOT / "tests" / "vectors"
CANDID = json.loads((VECTORS / "candid.json").read_text())
LOCAL_REPLICA = json.loads((VECTORS / "icws_local_replica.json").read_text())

u64 = st.integers(0, 2**64 - 1)
client_keys = st.builds(ClientKey, st.builds(Principal, st.binary(max_size=29)), u64)
service_messages = (
    st.builds(OpenMessage, client_keys)
    | st.builds(AckMessage, u64)
    | st.builds(KeepAliveMessage, u64)
    | st.builds(CloseMessage, st.sampled_from(CloseReason))
)


def from_json(value: dict[str, Any]) -> ServiceMessage:
    """A service message from the JSON of the vectors, where a nat64 is decimal text."""
    ((name, content),) = value.items()
    match name:
        case "OpenMessage":
            key = content["client_key"]
            return OpenMessage(ClientKey(Principal.from_text(key["client_principal"]), int(key["client_nonce"])))
        case "AckMessage":
            return AckMessage(int(content["last_incoming_sequence_num"]))
        case "KeepAliveMessage":
            return KeepAliveMessage(int(content["last_incoming_sequence_num"]))
        case "CloseMessage":
            return CloseMessage(CloseReason(next(iter(content["reason"]))))
    raise AssertionError(name)


class TestVectors:
    @pytest.mark.parametrize("vector", CANDID["service_messages"], ids=lambda vector: vector["id"])
    def test_bytes_are_those_of_the_sdk(self, vector: Any) -> None:
        message, data = from_json(vector["value"]), bytes.fromhex(vector["encoded_hex"])
        assert decode_service(data) == message
        assert encode_service(message) == data

    @pytest.mark.parametrize("vector", CANDID["rust_cdk_service_messages"]["vectors"], ids=lambda vector: vector["id"])
    def test_bytes_are_those_of_the_rust_cdk(self, vector: Any) -> None:
        message, data = from_json(vector["value"]), bytes.fromhex(vector["encoded_hex"])
        assert decode_service(data) == message
        assert encode_service(message, inner_first=False) == data

    def test_a_session_on_a_local_replica(self) -> None:
        messages = [WebsocketMessage.decode(bytes.fromhex(entry["content_hex"])) for entry in LOCAL_REPLICA["messages"]]
        kinds = [type(decode_service(each.content)) for each in messages if each.is_service_message]
        assert kinds == [OpenMessage, AckMessage, AckMessage, CloseMessage]


class TestRoundTrip:
    @given(service_messages)
    def test_round_trip(self, message: ServiceMessage) -> None:
        assert decode_service(encode_service(message)) == message

    def test_reasons_are_the_names_on_the_wire(self) -> None:
        assert [str(reason) for reason in CloseReason] == [
            "WrongSequenceNumber",
            "InvalidServiceMessage",
            "KeepAliveTimeout",
            "ClosedByApplication",
        ]

    @pytest.mark.parametrize("number", [-1, 2**64])
    def test_a_number_beyond_64_bits_is_not_encoded(self, number: int) -> None:
        with pytest.raises(ValueMismatchError, match="last_incoming_sequence_num"):
            encode_service(AckMessage(number))


class TestOtherContents:
    def test_an_application_message_is_refused(self) -> None:
        data = encode([Record((Field("text", TEXT), Field("timestamp", NAT64)))], [{"text": "ping", "timestamp": 1}])
        with pytest.raises(CandidError):
            decode_service(data)

    def test_an_unknown_case_is_refused(self) -> None:
        with pytest.raises(CandidError):
            decode_service(encode([Variant((Field("PingMessage", NAT),))], [{"PingMessage": 1}]))

    @pytest.mark.parametrize("data", [b"", b"DIDL", b"DIDL\x00\x00", b"hello", encode_service(AckMessage(1)) + b"\x00"])
    def test_malformed_bytes_are_candid_errors(self, data: bytes) -> None:
        with pytest.raises(CandidError):
            decode_service(data)

    @given(service_messages, st.integers(0, 120), st.binary(max_size=40))
    def test_only_documented_errors_come_out(self, message: ServiceMessage, kept: int, tail: bytes) -> None:
        with contextlib.suppress(CandidError):
            decode_service(encode_service(message)[:kept] + tail)
