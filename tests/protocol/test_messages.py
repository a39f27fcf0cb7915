from __future__ import annotations

import contextlib
import json
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from icws_explore.protocol.errors import CborError, DecodeError, MessageError, ValueMismatchError
from icws_explore.protocol.messages import (
    CanisterMessage,
    ClientKey,
    Handshake,
    WebsocketMessage,
    message_key,
    parse_message_key,
)
from icws_explore.protocol.principal import Principal
from support.machine import ROOT

VECTORS = ROOT / "tests" / "vectors"
LOCAL_REPLICA = json.loads((VECTORS / "icws_local_replica.json").read_text())
MOTOKO = json.loads((VECTORS / "motoko_cdk_traces.json").read_text())

u64 = st.integers(0, 2**64 - 1)
principals = st.builds(Principal, st.binary(max_size=29))
client_keys = st.builds(ClientKey, principals, u64)
websocket_messages = st.builds(WebsocketMessage, client_keys, u64, u64, st.booleans(), st.binary())
KEY = ClientKey(Principal.from_text("ryjl3-tyaaa-aaaaa-aaaba-cai"), 7)
MESSAGE = WebsocketMessage(KEY, 1, 2, False, b"DIDL\0\0")


def fields_of(message: WebsocketMessage) -> dict[str, Any]:
    fields: dict[str, Any] = cbor2.loads(message.encode(tagged=False))
    return fields


class TestClientKey:
    def test_str_is_that_of_the_cdk(self) -> None:
        assert str(KEY) == "ryjl3-tyaaa-aaaaa-aaaba-cai_7"

    def test_can_be_a_dictionary_key(self) -> None:
        assert {KEY: 1}[ClientKey(KEY.client_principal, 7)] == 1


class TestWebsocketMessage:
    @given(websocket_messages, st.booleans())
    def test_round_trip(self, message: WebsocketMessage, tagged: bool) -> None:
        data = message.encode(tagged)
        assert data.startswith(b"\xd9\xd9\xf7") is tagged
        assert WebsocketMessage.decode(data) == message

    @pytest.mark.parametrize("entry", LOCAL_REPLICA["messages"], ids=lambda entry: entry["name"])
    def test_bytes_are_those_of_the_rust_cdk(self, entry: dict[str, str]) -> None:
        content = bytes.fromhex(entry["content_hex"])
        assert WebsocketMessage.decode(content).encode(tagged=True) == content

    def test_bytes_are_those_of_the_motoko_cdk(self) -> None:
        seen = 0
        for trace in MOTOKO["traces"]:
            for step in trace["steps"]:
                reply = step.get("reply")
                for sent in reply.get("messages", []) if isinstance(reply, dict) else []:
                    content = bytes.fromhex(sent["content_hex"])
                    assert WebsocketMessage.decode(content).encode(tagged=False) == content
                    seen += 1
        assert seen > 100

    def test_unknown_fields_and_any_order_are_accepted(self) -> None:
        fields = dict(reversed(fields_of(MESSAGE).items())) | {"later": [1]}
        assert WebsocketMessage.decode(cbor2.dumps(fields)) == MESSAGE

    @pytest.mark.parametrize("name", ["client_key", "sequence_num", "timestamp", "is_service_message", "content"])
    def test_a_missing_field_is_named(self, name: str) -> None:
        fields = fields_of(MESSAGE)
        del fields[name]
        with pytest.raises(MessageError, match=f"WebsocketMessage: field '{name}' is missing"):
            WebsocketMessage.decode(cbor2.dumps(fields))

    @pytest.mark.parametrize(
        ("name", "value", "fault"),
        [
            ("sequence_num", "1", "'sequence_num' is text, not an integer"),
            ("sequence_num", True, "'sequence_num' is a bool, not an integer"),
            ("sequence_num", -1, "'sequence_num' is -1, not a 64-bit unsigned integer"),
            ("timestamp", None, "'timestamp' is null"),
            ("is_service_message", 1, "'is_service_message' is an integer, not a bool"),
            ("content", [68, 73], "'content' is an array, not a byte string"),
            ("client_key", b"", "'client_key' is a byte string, not a map"),
            ("client_key", {"client_principal": bytes(30), "client_nonce": 0}, "30 bytes are more than 29"),
            ("client_key", {"client_principal": b"\x04"}, ".client_key: field 'client_nonce' is missing"),
        ],
    )
    def test_a_field_of_another_type_is_named(self, name: str, value: object, fault: str) -> None:
        with pytest.raises(MessageError) as caught:
            WebsocketMessage.decode(cbor2.dumps(fields_of(MESSAGE) | {name: value}))
        assert fault in str(caught.value)

    # Ids by number: Python refuses to print the longest of these in decimal.
    @pytest.mark.parametrize("value", [-1, 2**64, 1 << 99_999, True, 1.0, "1", None], ids=range(7))
    def test_a_number_beyond_64_bits_is_not_encoded(self, value: Any) -> None:
        with pytest.raises(ValueMismatchError, match=r"sequence_num: .*64-bit"):
            WebsocketMessage(KEY, value, 0, False, b"").encode()

    def test_content_must_be_bytes(self) -> None:
        with pytest.raises(ValueMismatchError, match="content: takes a byte string, not str"):
            WebsocketMessage(KEY, 1, 0, False, "text").encode()  # type: ignore[arg-type]  # the misuse under test

    @given(st.integers(0, 40), st.binary(max_size=60))
    @example(0, b"\xa1" * 50)
    @example(3, b"\xbf\xff")
    @example(3, b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff")
    def test_only_documented_errors_come_out(self, kept: int, tail: bytes) -> None:
        with contextlib.suppress(CborError, MessageError):
            decoded = WebsocketMessage.decode(MESSAGE.encode()[:kept] + tail)
            assert isinstance(decoded, WebsocketMessage)


class TestCanisterMessage:
    @given(st.builds(CanisterMessage, st.text(), st.binary(), st.binary(), st.binary()))
    def test_round_trip(self, message: CanisterMessage) -> None:
        assert CanisterMessage.decode(message.encode()) == message

    def test_is_untagged_and_in_the_order_of_the_gateway(self) -> None:
        data = CanisterMessage("k", b"1", b"2", b"3").encode()
        assert data == cbor2.dumps({"key": "k", "content": b"1", "cert": b"2", "tree": b"3"})

    def test_a_tag_is_accepted(self) -> None:
        message = CanisterMessage("k", b"1", b"2", b"3")
        assert CanisterMessage.decode(b"\xd9\xd9\xf7" + message.encode()) == message

    def test_the_message_inside(self) -> None:
        assert CanisterMessage("k", MESSAGE.encode(), b"", b"").message == MESSAGE

    @pytest.mark.parametrize("value", [[], None, 1, "key", {"key": 1}, {b"key": "k"}])
    def test_other_shapes_are_message_errors(self, value: object) -> None:
        with pytest.raises(MessageError, match="canister message"):
            CanisterMessage.decode(cbor2.dumps(value))

    @pytest.mark.parametrize("data", [b"", b"\xff", b"hello", b"\xa1", b"\xa0\x00", b"{}"])
    def test_not_cbor(self, data: bytes) -> None:
        with pytest.raises(DecodeError):
            CanisterMessage.decode(data)


class TestHandshake:
    @given(principals)
    def test_round_trip(self, principal: Principal) -> None:
        assert Handshake.decode(Handshake(principal).encode()) == Handshake(principal)

    def test_bytes(self) -> None:
        assert Handshake(Principal(b"\x04")).encode().hex() == "d9d9f7a171676174657761795f7072696e636970616c4104"

    def test_the_text_form_is_refused_as_the_sdk_refuses_it(self) -> None:
        with pytest.raises(MessageError, match="'gateway_principal' is text, not a byte string"):
            Handshake.decode(cbor2.dumps({"gateway_principal": "2vxsx-fae"}))


class TestMessageKey:
    @given(principals, u64)
    def test_round_trip(self, gateway: Principal, nonce: int) -> None:
        assert parse_message_key(message_key(gateway, nonce)) == (gateway, nonce)

    @given(principals, u64, u64)
    def test_keys_sort_by_their_nonces(self, gateway: Principal, one: int, other: int) -> None:
        assert (message_key(gateway, one) < message_key(gateway, other)) is (one < other)

    def test_keys_of_a_local_replica(self) -> None:
        keys = [entry["key"] for entry in LOCAL_REPLICA["messages"] if "wrong" not in entry["key"]]
        for nonce, key in enumerate(keys):
            assert parse_message_key(key) == (Principal.from_text(LOCAL_REPLICA["gateway"]), nonce)

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "wrong-key",
            "2vxsx-fae",
            "2vxsx-fae_0",
            "2vxsx-fae_000000000000000000000",
            "2vxsx-fae_٠0000000000000000000",
            "2vxsx-faf_00000000000000000000",
            "2vxsx-fae_99999999999999999999",
            "2vxsx-fae_00000000000000000000\n",
            "_00000000000000000000",
            "a" * 5000,
        ],
    )
    def test_other_texts_are_message_errors(self, key: str) -> None:
        with pytest.raises(MessageError) as caught:
            parse_message_key(key)
        assert len(str(caught.value)) < 250
