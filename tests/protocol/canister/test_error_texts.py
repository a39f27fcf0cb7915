"""The texts of Err replies, compared whole because clients and gateways show them.

The errors of undecodable service messages were recorded from a canister on Rust CDK 0.4.1 (candid 0.10).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.candid import encode, parse_type
from icws_explore.protocol.canister import error_texts
from icws_explore.protocol.canister.error_texts import candid_error
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import KeepAliveMessage, decode_service, encode_service

GATEWAY = Principal.from_text("sqdfl-mr4km-2hfjy-gajqo-xqvh7-hf4mf-nra4i-3it6l-neaw4-soolw-tae")
KEY = ClientKey(Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai"), 18_446_744_073_709_551_615)
SHOWN = "bnz7o-iuaaa-aaaaa-qaaaa-cai_18446744073709551615"
CLIENT = "bnz7o-iuaaa-aaaaa-qaaaa-cai"
KEEP_ALIVE = encode_service(KeepAliveMessage(1))
EXPECTED = (
    "variant {\n  OpenMessage : record {\n    client_key : record { client_principal : principal; client_nonce : nat64"
    " };\n  };\n  KeepAliveMessage : record { last_incoming_sequence_num : nat64 };\n  CloseMessage : record {\n"
    "    reason : variant {\n      ClosedByApplication;\n      InvalidServiceMessage;\n      WrongSequenceNumber;\n"
    "      KeepAliveTimeout;\n    };\n  };\n  AckMessage : record { last_incoming_sequence_num : nat64 };\n}"
)


class TestErrTexts:
    def test_opening(self) -> None:
        assert error_texts.ANONYMOUS_NOT_ALLOWED == "Anonymous principal is not allowed"
        assert error_texts.already_connected(KEY) == f"Client with key {SHOWN} already has an open connection"

    def test_messages(self) -> None:
        assert error_texts.INVALID_SERVICE_MESSAGE == "Invalid service message"
        assert error_texts.wrong_sequence_num(2, 5) == "Expected incoming sequence number 2 but got 5"
        assert error_texts.key_mismatch(KEY) == (
            f"Client with principal {CLIENT} has a different key than the one used in the message"
        )
        assert error_texts.undecodable_service_message("why") == "Error decoding service message content: why"

    def test_absent_clients_and_gateways(self) -> None:
        no_connection = "doesn't have an open connection"
        assert error_texts.principal_not_connected(KEY.client_principal) == (
            f"Client with principal {CLIENT} {no_connection}"
        )
        assert error_texts.key_not_connected(KEY) == f"Client with key {SHOWN} {no_connection}"
        assert error_texts.gateway_not_registered(GATEWAY) == f"Gateway with principal {GATEWAY} is not registered"
        assert error_texts.not_registered_to_gateway(KEY, GATEWAY) == (
            f"Client with key {SHOWN} was not registered to gateway {GATEWAY}"
        )


def of_another_type(text: str, value: object) -> bytes:
    return encode([parse_type(text)], [value])


class TestCandidError:
    @pytest.mark.parametrize(
        ("content", "shown"),
        [
            (b"", ""),
            (b"xyz", "78797a"),
            (b"DIDL", "4449444c"),
            (b"DIDL\x02", "4449444c02"),
            (b"DIDL\x00\x01\x05", "4449444c000105"),
            (b"DIDL\x01\x6e\x05\x00", "4449444c016e0500"),
            (b"\x01" * 500, "01" * 500),
        ],
    )
    def test_no_header(self, content: bytes, shown: str) -> None:
        assert candid_error(content) == f"Cannot parse header {shown}"

    def test_no_header_in_a_long_message(self) -> None:
        assert candid_error(b"\x01" * 501) == "Cannot parse header"

    def test_no_value(self) -> None:
        wanted = f"No more values on the wire, the expected type {EXPECTED} is not opt, null, or reserved"
        assert candid_error(encode([], [])) == wanted

    def test_bytes_left_over(self) -> None:
        assert candid_error(KEEP_ALIVE + b"x") == "Trailing value after finishing deserialization"
        assert "Trailing" not in candid_error(KEEP_ALIVE)

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (of_another_type("text", "abc"), "text"),
            (of_another_type("null", None), "null"),
            (of_another_type("reserved", None), "reserved"),
            (of_another_type("vec nat8", b"a"), "table0"),
            (of_another_type("variant { Other }", "Other"), "table0"),
            (
                of_another_type("variant { KeepAliveMessage : record { x : nat32 } }", {"KeepAliveMessage": {"x": 1}}),
                "table0",
            ),
            (b"DIDL\x00\x01\x71\xff", "text"),
            (KEEP_ALIVE[:-1], "table5"),
        ],
    )
    def test_another_type_or_too_short(self, content: bytes, found: str) -> None:
        assert candid_error(content) == f"Fail to decode argument 0 from {found} to {EXPECTED}"


class TestAnything:
    @given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda tail: b"DIDL" + tail))
    def test_every_undecodable_content_has_a_text(self, content: bytes) -> None:
        try:
            decode_service(content)
        except DecodeError:
            assert candid_error(content)
