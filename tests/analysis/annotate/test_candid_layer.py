"""Candid messages in frames: every part, named by the declared type, by known names or by the hash."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from icws_explore.analysis.annotate.candid_layer import app_meaning, part_meaning, protocol_meaning
from icws_explore.analysis.annotate.meanings import Context
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import encode_close_args, encode_open_args, encode_poll_args
from icws_explore.protocol.cbor import dumps, loads
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.node import Node
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    encode_service,
)
from support.annotated import (
    APP_TYPE,
    GATEWAY,
    KEY,
    annotated,
    app_content,
    call_frame,
    canister_frame,
    message,
    message_call,
    open_call,
)
from support.candid_cases import typed_values

ARG = "envelope.content.arg"


class TestArguments:
    def test_of_ws_open(self):
        root = annotated(open_call())
        assert root.first_fault() is None
        nonce = root.find(f"{ARG}.client_nonce")
        assert (nonce.type, nonce.value) == ("nat64", KEY.client_nonce)
        gateway = root.find(f"{ARG}.gateway_principal")
        assert gateway.value == GATEWAY
        assert "handshake" in gateway.meaning

    def test_of_clients_before_0_3(self):
        root = annotated(call_frame("ws_open", encode_open_args(5, None)))
        assert root.first_fault() is None
        assert root.find(f"{ARG}.client_nonce").value == 5

    def test_of_ws_message(self):
        root = annotated(message_call(app_content(), number=3))
        assert root.find(f"{ARG}.msg.sequence_num").meaning == "the client's 3rd message"
        assert root.find(f"{ARG}.msg.client_key.client_principal").value == KEY.client_principal
        assert root.find(f"{ARG}.msg.is_service_message").meaning == "an application message"
        assert root.find(f"{ARG}.msg.timestamp").meaning.endswith("when it was sent")
        assert root.find(f"{ARG}.1").type == "opt null"

    def test_of_the_gateways_calls(self):
        root = annotated(call_frame("ws_close", encode_close_args(KEY)))
        assert root.find(f"{ARG}.client_key.client_nonce").value == KEY.client_nonce
        root = annotated(call_frame("ws_get_messages", encode_poll_args(7)))
        assert root.find(f"{ARG}.nonce").value == 7

    def test_of_another_method_are_read_without_types(self):
        root = annotated(call_frame("greet", candid.encode([candid.TEXT], ["hello"])))
        assert root.first_fault() is None
        assert root.find(f"{ARG}:value").value == "hello"

    def test_that_do_not_fit_have_a_fault(self):
        root = annotated(call_frame("ws_open", encode_poll_args(7)))
        assert "is missing" in root.first_fault().fault


class TestContentWithinContent:
    def test_a_service_message_of_the_client(self):
        root = annotated(message_call(encode_service(KeepAliveMessage(11)), service=True))
        last = root.find("msg.content.KeepAliveMessage.last_incoming_sequence_num")
        assert last.meaning == "the client has received the canister's messages up to the 11th"

    def test_an_application_message_of_the_client(self):
        root = annotated(message_call(app_content("hi")), app_type=APP_TYPE)
        assert root.find(f"{ARG}.msg.content.text").value == "hi"
        assert root.find(f"{ARG}.msg.content:length").value == len(app_content("hi"))

    def test_an_application_message_of_the_canister(self):
        root = annotated(canister_frame(message(app_content("hi")).encode()), app_type=APP_TYPE)
        assert root.find("content.content.text").value == "hi"
        assert root.find("content.content.timestamp").meaning.startswith("as nanoseconds: 2025-03-04 16:42:29")
        assert root.find("content.sequence_num").meaning == "the canister's 3rd message"

    @pytest.mark.parametrize(
        ("said", "path", "meaning"),
        [
            (OpenMessage(KEY), "OpenMessage", "the session is open"),
            (AckMessage(2), "AckMessage.last_incoming_sequence_num", "the client's messages up to the 2nd"),
            (AckMessage(0), "AckMessage.last_incoming_sequence_num", "no message of the client yet"),
            (CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT), "reason.KeepAliveTimeout", "did not answer an ack"),
        ],
    )
    def test_service_messages_of_the_canister(self, said, path, meaning):
        root = annotated(canister_frame(message(encode_service(said), service=True).encode()))
        assert root.first_fault() is None
        assert meaning in root.find(path).meaning

    def test_in_any_order_of_the_fields(self):
        fields = message(encode_service(AckMessage(2)), service=True)

        turned = dumps(dict(reversed(loads(fields.encode()).items())))
        root = annotated(canister_frame(turned))
        assert root.find("AckMessage.last_incoming_sequence_num").value == 2

    def test_an_empty_content_is_a_fault(self):
        root = annotated(canister_frame(message(b"").encode()))
        assert "empty" in root.find("content.content").fault
        root = annotated(message_call(b""))
        assert root.find(f"{ARG}.msg.content").value == b""


class TestNames:
    SECRET = candid.parse_type("record { colour : text; text : text }")
    DATA = candid.encode([SECRET], [{"colour": "red", "text": "x"}])

    def test_unknown_names_stay_hashes(self):
        root = annotated(canister_frame(message(self.DATA).encode()))
        number = candid.label_hash("colour")
        assert root.find(f"content.content._{number}_").type == "text"
        field = root.find(f"content.content:types.t0._{number}_.id")
        assert (field.value, field.meaning) == (number, "hash of an unknown name")
        assert root.find("content.content.text").value == "x"

    def test_declared_names_are_shown(self):
        root = annotated(canister_frame(message(self.DATA).encode()), app_type=self.SECRET)
        assert root.find("content.content.colour").value == "red"
        assert root.find("content.content:types.t0.colour.id").meaning == "hash of the name colour"

    def test_a_value_of_another_type_is_a_fault_in_its_place(self):
        declared = candid.parse_type("record { colour : nat; text : text }")
        root = annotated(canister_frame(message(self.DATA).encode()), app_type=declared)
        fault = root.first_fault()
        assert fault.path == "content.content.colour"
        assert "text where nat is expected" in fault.fault

    def test_the_type_table_is_taken_apart(self):
        root = annotated(canister_frame(message(self.DATA).encode()))
        opcode = root.find("content.content:types.t0.opcode")
        assert (opcode.value, opcode.meaning) == (-20, "record")
        assert root.find("content.content:args.0").value == "t0"
        assert root.find("content.content:magic").value == "DIDL"


class TestFaults:
    def test_have_their_offset_in_the_frame(self):
        whole = canister_frame(message(app_content("hello")).encode())
        at = whole.data.index(b"hello")
        broken = dataclasses.replace(whole, data=whole.data[:at] + b"\xff" + whole.data[at + 1 :])
        fault = annotated(broken).first_fault()
        assert fault.fault_offset == at
        assert "UTF-8" in fault.fault

    def test_keep_the_parts_before_them(self):
        content = app_content("hello")[:-3]
        root = annotated(canister_frame(message(content).encode()))
        assert root.find("content.content.text").value == "hello"
        unread = next(node for node in root.walk() if node.type == "unread")
        assert unread.meaning == "not read: 5 bytes"
        assert unread.fault

    def test_bytes_that_are_not_candid(self):
        fault = annotated(canister_frame(message(b"<html>").encode())).first_fault()
        assert "DIDL" in fault.fault


class TestEveryMessage:
    @given(typed_values())
    @example((candid.parse_type("record { null; bool }"), {"0": None, "1": False}))
    def test_tiles_in_both_directions(self, case):
        type_, value = case
        content = candid.encode([type_], [value])
        for frame in (canister_frame(message(content).encode()), message_call(content)):
            assert annotated(frame, app_type=type_).first_fault() is None

    @given(typed_values(), st.data())
    def test_tiles_when_broken(self, case, data):
        type_, value = case
        content = bytearray(candid.encode([type_], [value]))
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        del content[data.draw(st.integers(1, len(content))) :]
        for frame in (canister_frame(message(bytes(content)).encode()), message_call(bytes(content))):
            annotated(frame, app_type=type_)

    def test_a_principal_has_its_text(self):
        content = candid.encode([candid.PRINCIPAL], [Principal.ANONYMOUS])
        root = annotated(canister_frame(message(content).encode()))
        assert root.find("content.content:value").to_json()["value"] == "2vxsx-fae"


AT = Context(1_741_106_549 * NS_PER_S, sent=True)


def part(path, kind, value=None, meaning="", size=1):
    return Node(path, kind, 0, size, value, meaning)


class TestApplicationValues:
    @pytest.mark.parametrize(
        ("value", "meaning"),
        [
            (1_741_106_550 * NS_PER_S, "as nanoseconds: 2025-03-04 16:42:30 UTC, 1 s after it was sent"),
            (1_741_106_550, "as seconds: 2025-03-04 16:42:30 UTC"),
            (0, ""),
            (5, ""),
            ("noon", ""),
            (10**40, ""),
        ],
    )
    def test_a_timestamp_is_explained_if_it_can_be_one(self, value, meaning):
        assert app_meaning("timestamp", value, AT) == meaning

    def test_other_names_have_no_meaning(self):
        assert not app_meaning("sequence_num", 3, AT)


class TestProtocolValues:
    def test_fields(self):
        assert protocol_meaning("sequence_num", 3, AT) == "the client's 3rd message"

    def test_cases(self):
        assert protocol_meaning("OpenMessage", None, AT) == "the session is open"

    def test_anything_else(self):
        assert not protocol_meaning("colour", "red", AT)


class TestPartMeaning:
    @pytest.mark.parametrize(
        ("node", "meaning"),
        [
            (part("types.t0.opcode", "opcode", -20, "record"), "record"),
            (part("types.t0.text.id", "field id", 5, "text"), "hash of the name text"),
            (part("types.t0._5_.id", "field id", 5, "_5_"), "hash of an unknown name"),
            (part("0.case", "index", 1, "Ok"), "case 1: Ok"),
            (part("0.unread", "unread", None, size=7), "not read: 7 bytes"),
            (part("0.unread", "unread", None), "not read: 1 byte"),
            (part("types.count", "count", 2, "types"), "types"),
            (part("0.length", "count", 2, "bytes"), "bytes"),
            (part("args.0", "type", "t0"), "type"),
            (part("types.t0.of", "type", "nat"), "type of the content"),
            (part("magic", "magic number", "DIDL"), "the first bytes of every Candid message"),
        ],
    )
    def test_are_named(self, node, meaning):
        assert part_meaning(node) == meaning
