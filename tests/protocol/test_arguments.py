from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.arguments import (
    OpenArgs,
    PollMessage,
    PollResult,
    decode_close_args,
    decode_message_args,
    decode_open_args,
    decode_poll_args,
    decode_poll_result,
    decode_result,
    encode_close_args,
    encode_message_args,
    encode_open_args,
    encode_poll_args,
    encode_poll_result,
    encode_result,
)
from icws_explore.protocol.candid import NAT64, TEXT, Field, Opt, Record, encode
from icws_explore.protocol.errors import CandidError, ValueMismatchError
from icws_explore.protocol.interface import MESSAGE_ARGS
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from support.machine import ROOT

VECTORS = ROOT / "tests" / "vectors"
ENTRIES = {entry["id"]: entry for entry in json.loads((VECTORS / "candid.json").read_text())["arguments_and_results"]}
CALLS = json.loads((VECTORS / "calls.json").read_text())["vectors"]
MOTOKO = json.loads((VECTORS / "motoko_cdk_traces.json").read_text())["traces"]

u64 = st.integers(0, 2**64 - 1)
principals = st.builds(Principal, st.binary(max_size=29))
client_keys = st.builds(ClientKey, principals, u64)
websocket_messages = st.builds(WebsocketMessage, client_keys, u64, u64, st.booleans(), st.binary())
poll_messages = st.builds(PollMessage, client_keys, st.text(max_size=90), st.binary())
poll_results = st.builds(
    PollResult,
    st.lists(poll_messages, max_size=4).map(tuple),
    st.binary(),
    st.binary(),
    st.none() | st.booleans(),
)
KEY = ClientKey(Principal.from_text("ryjl3-tyaaa-aaaaa-aaaba-cai"), 7)
MESSAGE = WebsocketMessage(KEY, 1, 2, False, b"hello")


def key_of(value: dict[str, str]) -> ClientKey:
    return ClientKey(Principal.from_text(value["client_principal"]), int(value["client_nonce"]))


def message_of(value: dict[str, Any]) -> WebsocketMessage:
    content = value["content_hex"] if "content_hex" in value else value["content"]["hex"]
    return WebsocketMessage(
        key_of(value["client_key"]),
        int(value["sequence_num"]),
        int(value["timestamp"]),
        value["is_service_message"],
        bytes.fromhex(content),
    )


def poll_result_of(value: dict[str, Any]) -> PollResult | str:
    if "Err" in value:
        return str(value["Err"])
    poll = value["Ok"]
    messages = tuple(
        PollMessage(key_of(each["client_key"]), each["key"], bytes.fromhex(each["content"]["hex"]))
        for each in poll["messages"]
    )
    end = poll.get("is_end_of_queue")
    return PollResult(
        messages,
        bytes.fromhex(poll["cert"]["hex"]),
        bytes.fromhex(poll["tree"]["hex"]),
        end[0] if isinstance(end, list) else end,
    )


def entries(prefix: str) -> pytest.MarkDecorator:
    found = [entry for name, entry in ENTRIES.items() if name.startswith(prefix)]
    assert found
    return pytest.mark.parametrize("entry", found, ids=lambda entry: entry["id"])


class TestOpen:
    @entries("open")
    def test_bytes_are_those_of_the_sdk(self, entry: Any) -> None:
        data = bytes.fromhex(entry["encoded_hex"])
        value = entry["value"][0]
        args = OpenArgs(int(value["client_nonce"]), Principal.from_text(value["gateway_principal"]))
        assert decode_open_args(data) == args
        assert encode_open_args(args.client_nonce, args.gateway_principal) == data

    @given(u64, st.none() | principals)
    def test_round_trip(self, nonce: int, gateway: Principal | None) -> None:
        assert decode_open_args(encode_open_args(nonce, gateway)) == OpenArgs(nonce, gateway)

    def test_a_gateway_of_another_type_does_not_count_as_missing(self) -> None:
        type_ = Record((Field("client_nonce", NAT64), Field("gateway_principal", TEXT)))
        with pytest.raises(CandidError, match="gateway_principal"):
            decode_open_args(encode([type_], [{"client_nonce": 1, "gateway_principal": "2vxsx-fae"}]))

    def test_unknown_fields_are_ignored(self) -> None:
        type_ = Record((Field("client_nonce", NAT64), Field("later", TEXT)))
        assert decode_open_args(encode([type_], [{"client_nonce": 1, "later": ""}])) == OpenArgs(1, None)


class TestMessage:
    @entries("msg")
    def test_bytes_are_those_of_the_sdk(self, entry: Any) -> None:
        data = bytes.fromhex(entry["encoded_hex"])
        message = message_of(entry["value"][0]["msg"])
        assert decode_message_args(data) == message
        assert encode_message_args(message) == data

    @pytest.mark.parametrize("call", CALLS, ids=lambda call: call["id"])
    def test_arguments_of_captured_calls(self, call: Any) -> None:
        data, args = bytes.fromhex(call["arg_hex"]), call["inputs"]["args"]
        if call["kind"] == "ws_open":
            gateway = Principal.from_text(args["gateway_principal"])
            assert encode_open_args(int(args["client_nonce"]), gateway) == data
        else:
            assert encode_message_args(message_of(args["msg"])) == data

    @given(websocket_messages)
    def test_round_trip(self, message: WebsocketMessage) -> None:
        assert decode_message_args(encode_message_args(message)) == message

    def test_the_second_argument_may_be_missing_as_in_sdk_0_1(self) -> None:
        value = {"msg": {"client_key": {"client_principal": KEY.client_principal, "client_nonce": 7}}}
        value["msg"] |= {"sequence_num": 1, "timestamp": 2, "is_service_message": False, "content": b"hello"}  # type: ignore[dict-item]  # mixed values
        assert decode_message_args(encode([MESSAGE_ARGS], [value])) == MESSAGE
        assert decode_message_args(encode([MESSAGE_ARGS, Opt(TEXT)], [value, "of the application"])) == MESSAGE

    def test_a_number_beyond_64_bits_is_not_encoded(self) -> None:
        with pytest.raises(ValueMismatchError, match="sequence_num"):
            encode_message_args(WebsocketMessage(KEY, 2**64, 0, False, b""))


class TestPoll:
    def test_arguments_are_those_of_the_gateway(self) -> None:
        data = bytes.fromhex(ENTRIES["getargs"]["encoded_hex"])
        assert decode_poll_args(data) == 0
        assert encode_poll_args(0) == data

    @given(u64)
    def test_round_trip_of_arguments(self, nonce: int) -> None:
        assert decode_poll_args(encode_poll_args(nonce)) == nonce

    @entries("getres")
    def test_results_of_every_release_are_read(self, entry: Any) -> None:
        data = bytes.fromhex(entry["encoded_hex"])
        result = poll_result_of(entry["value"][0])
        assert decode_poll_result(data) == result
        if "opt bool" not in entry["type"]:  # the type of the gateway, which no canister sends
            assert encode_poll_result(result) == data

    @given(poll_results | st.text())
    def test_round_trip(self, result: PollResult | str) -> None:
        assert decode_poll_result(encode_poll_result(result)) == result


class TestClose:
    def test_arguments_are_those_of_the_gateway(self) -> None:
        entry = ENTRIES["closeargs"]
        key = key_of(entry["value"][0]["client_key"])
        assert decode_close_args(bytes.fromhex(entry["encoded_hex"])) == key
        assert encode_close_args(key).hex() == entry["encoded_hex"]

    @given(client_keys)
    def test_round_trip(self, key: ClientKey) -> None:
        assert decode_close_args(encode_close_args(key)) == key


class TestResult:
    @entries("res")
    def test_bytes_are_those_of_the_canister(self, entry: Any) -> None:
        data, err = bytes.fromhex(entry["encoded_hex"]), entry["value"][0].get("Err")
        assert decode_result(data) == err
        assert encode_result(err) == data

    @given(st.none() | st.text())
    def test_round_trip(self, err: str | None) -> None:
        assert decode_result(encode_result(err)) == err


class TestMotokoCdk:
    def test_all_arguments_and_replies_of_its_traces(self) -> None:
        readers: dict[str, Callable[[bytes], object]] = {
            "ws_open": decode_open_args,
            "ws_message": decode_message_args,
            "ws_close": decode_close_args,
            "ws_get_messages": decode_poll_args,
        }
        seen = set()
        for trace in MOTOKO:
            for step in trace["steps"]:
                method = step.get("call", "")
                if method in readers:
                    readers[method](bytes.fromhex(step["arg_hex"]))
                    if step.get("reply_hex"):
                        result = decode_result(bytes.fromhex(step["reply_hex"]))
                        assert result == step["reply"].get("Err")
                    seen.add(method)
        assert seen == set(readers)


class TestHostileBytes:
    @given(st.sampled_from(range(5)), st.integers(0, 90), st.binary(max_size=40))
    def test_only_documented_errors_come_out(self, which: int, kept: int, tail: bytes) -> None:
        valid, read = [
            (encode_open_args(1, Principal.ANONYMOUS), decode_open_args),
            (encode_message_args(MESSAGE), decode_message_args),
            (encode_poll_args(1), decode_poll_args),
            (encode_poll_result(PollResult((PollMessage(KEY, "k", b""),), b"", b"", True)), decode_poll_result),
            (encode_close_args(KEY), decode_close_args),
        ][which]
        with contextlib.suppress(CandidError):
            read(valid[:kept] + tail)

    @pytest.mark.parametrize("data", [b"", b"DIDL", b"\x00", b"DIDL\x00\x00"])
    def test_empty_and_short_bytes(self, data: bytes) -> None:
        for read in (decode_open_args, decode_message_args, decode_poll_args, decode_poll_result, decode_close_args):
            with pytest.raises(CandidError):
                read(data)
