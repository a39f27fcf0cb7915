"""What a canister on the Rust CDK 0.4.1 (candid 0.10) answered to contents that are no service messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.candid import encode, parse_type
from icws_explore.protocol.canister.error_texts import why_no_service_message
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.service_messages import KeepAliveMessage, decode_service, encode_service

KEEP_ALIVE = encode_service(KeepAliveMessage(1))
EXPECTED = (
    "variant {\n  OpenMessage : record {\n    client_key : record { client_principal : principal; client_nonce : nat64"
    " };\n  };\n  KeepAliveMessage : record { last_incoming_sequence_num : nat64 };\n  CloseMessage : record {\n"
    "    reason : variant {\n      ClosedByApplication;\n      InvalidServiceMessage;\n      WrongSequenceNumber;\n"
    "      KeepAliveTimeout;\n    };\n  };\n  AckMessage : record { last_incoming_sequence_num : nat64 };\n}"
)


def of_another_type(text: str, value: object) -> bytes:
    return encode([parse_type(text)], [value])


class TestRustCdk:
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
        assert why_no_service_message(content) == f"Cannot parse header {shown}"

    def test_no_header_in_a_long_message(self) -> None:
        assert why_no_service_message(b"\x01" * 501) == "Cannot parse header"

    def test_no_value(self) -> None:
        wanted = f"No more values on the wire, the expected type {EXPECTED} is not opt, null, or reserved"
        assert why_no_service_message(encode([], [])) == wanted

    def test_bytes_left_over(self) -> None:
        assert why_no_service_message(KEEP_ALIVE + b"x") == "Trailing value after finishing deserialization"

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
        assert why_no_service_message(content) == f"Fail to decode argument 0 from {found} to {EXPECTED}"


class TestAnything:
    @given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda tail: b"DIDL" + tail))
    def test_has_words(self, content: bytes) -> None:
        try:
            decode_service(content)
        except DecodeError:
            assert why_no_service_message(content)
