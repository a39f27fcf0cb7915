from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.keys.pem import SEQUENCE, Element, elements, only, public_key_info
from support.identity_cases import der


class TestElements:
    @given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=4))
    def test_round_trip(self, parts: list[tuple[int, bytes]]) -> None:
        data = b"".join(der(tag, body) for tag, body in parts)
        assert elements(data, "key") == [Element(tag, body) for tag, body in parts]

    def test_of_64_kib(self) -> None:
        assert elements(der(0x04, bytes(70_000)), "key")[0].body == bytes(70_000)

    @pytest.mark.parametrize(
        ("data", "fault"),
        [
            ("30", "ends inside a DER header at byte 1"),
            ("3003", "a part of 3 bytes exceeds the 2 that are there at byte 0"),
            ("0400 30", "ends inside a DER header at byte 3"),
            ("3080", "cannot be read"),
            ("3081", "cannot be read"),
            ("3085 0000000001", "cannot be read"),
            ("308101 00", "more bytes than necessary"),
            ("30820080" + "00" * 128, "more bytes than necessary"),
        ],
    )
    def test_damaged_elements_are_refused(self, data: str, fault: str) -> None:
        with pytest.raises(DecodeError) as caught:
            elements(bytes.fromhex(data), "key")
        assert fault in str(caught.value)

    @given(st.binary(max_size=40))
    def test_only_documented_errors_come_out(self, data: bytes) -> None:
        with contextlib.suppress(DecodeError):
            elements(data, "key")
        with contextlib.suppress(DecodeError):
            public_key_info(data, "key")


class TestOnly:
    def test_accepts_exactly_one_element(self) -> None:
        assert only(der(SEQUENCE, b"\x05\x00"), SEQUENCE, "key") == b"\x05\x00"
        for data in (b"", der(SEQUENCE) * 2, der(0x31)):
            with pytest.raises(DecodeError, match="tag 0x30"):
                only(data, SEQUENCE, "key")


class TestPublicKeyInfo:
    def test_reads_algorithm_and_key(self) -> None:
        algorithm, bits = public_key_info(der(0x30, der(0x30, der(0x06, b"\x2a")), der(0x03, b"\x00key")), "key")
        assert algorithm == [Element(0x06, b"\x2a")]
        assert bits == b"key"

    @pytest.mark.parametrize(
        "data",
        [
            der(0x30, der(0x30, der(0x06))),
            der(0x30, der(0x30), der(0x03, b"\x00")),
            der(0x30, der(0x30, der(0x05)), der(0x03, b"\x00")),
            der(0x30, der(0x30, der(0x06)), der(0x03, b"\x01")),
            der(0x30, der(0x30, der(0x06)), der(0x03)),
        ],
    )
    def test_other_structures_are_refused(self, data: bytes) -> None:
        with pytest.raises(DecodeError, match="SubjectPublicKeyInfo"):
            public_key_info(data, "key")
