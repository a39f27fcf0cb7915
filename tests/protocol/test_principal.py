from __future__ import annotations

import base64
import contextlib
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from icws_explore.protocol.errors import PrincipalError
from icws_explore.protocol.principal import MAX_LENGTH, Principal

raws = st.binary(max_size=MAX_LENGTH)


class TestVectors:
    def test_texts(self, vectors: Any) -> None:
        for vector in vectors("principals")["vectors"]:
            raw = bytes.fromhex(vector["bytes_hex"])
            assert Principal(raw).text == vector["text"]
            assert Principal.from_text(vector["text"]) == Principal(raw)

    def test_self_authenticating(self, vectors: Any) -> None:
        keys = [vector for vector in vectors("principals")["vectors"] if "der_public_key_hex" in vector]
        assert len(keys) >= 2
        for vector in keys:
            principal = Principal.self_authenticating(bytes.fromhex(vector["der_public_key_hex"]))
            assert principal.raw.hex() == vector["bytes_hex"]

    def test_invalid_texts(self, vectors: Any) -> None:
        for entry in vectors("principals")["invalid_texts"]:
            assert entry["expected"] == "rejected"
            with pytest.raises(PrincipalError):
                Principal.from_text(entry["text"])


class TestText:
    @given(raws)
    def test_round_trip(self, raw: bytes) -> None:
        assert Principal.from_text(Principal(raw).text).raw == raw

    @given(raws)
    def test_has_groups_of_five_characters_in_lower_case(self, raw: bytes) -> None:
        *groups, last = Principal(raw).text.split("-")
        assert all(len(group) == 5 for group in groups)
        assert 1 <= len(last) <= 5
        assert Principal(raw).text == Principal(raw).text.lower()

    @given(raws, st.integers(0, 62), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567-"))
    def test_one_mistyped_character_is_noticed(self, raw: bytes, at: int, character: str) -> None:
        text = Principal(raw).text
        mistyped = text[: at % len(text)] + character + text[at % len(text) + 1 :]
        if mistyped != text:
            with pytest.raises(PrincipalError):
                Principal.from_text(mistyped)

    @given(st.text(max_size=80))
    @example("aaaaa-aa=")
    @example("aaaaa-aa\n")
    @example(" aaaaa-aa")
    @example("")
    @example("é")
    @example("ſ")  # its upper case is S
    def test_only_canonical_text_is_read(self, text: str) -> None:
        with contextlib.suppress(PrincipalError):
            assert Principal.from_text(text).text == text

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("RYJL3-TYAAA-AAAAA-AAABA-CAI", "should be written ryjl3-tyaaa-aaaaa-aaaba-cai"),
            ("ryjl3tyaaaaaaaaaaabacai", "should be written ryjl3-tyaaa-aaaaa-aaaba-cai"),
            ("ryjl3-tyaaa-aaaaa-aaaba-cbi", "wrong checksum"),
            ("ryjl3-tyaaa-aaaaa-aaaba-caj", "should be written ryjl3-tyaaa-aaaaa-aaaba-cai"),
            ("aaaaa_aa", "not base32"),
            ("aa", "wrong length"),
            ("aaaaa-" * 12 + "aaaa", "longer than the 63 characters allowed"),
            ("a" * 61, "wrong length"),
        ],
    )
    def test_the_error_says_what_is_wrong(self, text: str, reason: str) -> None:
        with pytest.raises(PrincipalError, match=reason):
            Principal.from_text(text)

    @pytest.mark.parametrize("text", [b"aaaaa-aa", None])
    def test_must_be_a_str(self, text: Any) -> None:
        with pytest.raises(PrincipalError, match="must be a str, not"):
            Principal.from_text(text)

    def test_a_long_text_is_elided_in_the_error(self) -> None:
        with pytest.raises(PrincipalError) as caught:
            Principal.from_text("é" * 100_000)
        assert len(str(caught.value)) < 200

    def test_a_long_text_is_refused_before_it_is_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(base64, "b32decode", None)
        with pytest.raises(PrincipalError, match="63 characters"):
            Principal.from_text("a" * 64)


class TestBytes:
    @pytest.mark.parametrize("length", [30, 31, 1000])
    def test_are_at_most_29(self, length: int) -> None:
        with pytest.raises(PrincipalError, match=f"{length} bytes are more than 29"):
            Principal(bytes(length))

    @pytest.mark.parametrize("raw", ["aaaaa-aa", bytearray(2), None, [1]])
    def test_are_bytes(self, raw: Any) -> None:
        with pytest.raises(PrincipalError, match="must be bytes, not"):
            Principal(raw)


class TestOf:
    def test_principals_texts_and_bytes(self) -> None:
        ic_py = type("Principal", (), {"bytes": b"\x04"})()
        for value in (Principal.ANONYMOUS, "2vxsx-fae", b"\x04", bytearray(b"\x04"), memoryview(b"\x04"), ic_py):
            assert Principal.of(value) == Principal.ANONYMOUS

    @pytest.mark.parametrize("value", [None, 4, object(), [4]])
    def test_other_types_are_refused(self, value: Any) -> None:
        with pytest.raises(PrincipalError, match=f"must be text or bytes, not {type(value).__name__}"):
            Principal.of(value)


class TestValue:
    def test_well_known_principals(self) -> None:
        assert Principal.MANAGEMENT.text == "aaaaa-aa"
        assert Principal.ANONYMOUS.text == "2vxsx-fae"
        assert Principal.ANONYMOUS.is_anonymous
        assert not Principal.MANAGEMENT.is_anonymous

    @given(st.lists(raws))
    def test_sorts_by_its_bytes(self, many: list[bytes]) -> None:
        assert [principal.raw for principal in sorted(map(Principal, many))] == sorted(many)

    @given(raws)
    def test_equal_principals_are_one_key(self, raw: bytes) -> None:
        assert {Principal(raw): 1}[Principal(bytes(raw))] == 1
        assert pickle.loads(pickle.dumps(Principal(raw))) == Principal(raw)

    def test_does_not_equal_its_bytes_or_its_text(self) -> None:
        others: tuple[object, ...] = (b"\x04", "2vxsx-fae", None)
        for other in others:
            assert Principal(b"\x04") != other

    def test_is_printed_as_its_text(self) -> None:
        principal = Principal.from_text("ryjl3-tyaaa-aaaaa-aaaba-cai")
        assert str(principal) == principal.text == "ryjl3-tyaaa-aaaaa-aaaba-cai"
        assert repr(principal) == "Principal.from_text('ryjl3-tyaaa-aaaaa-aaaba-cai')"
        assert principal.short == "ryjl3…-cai"
        assert Principal.ANONYMOUS.short == "2vxsx-fae"

    def test_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            Principal.ANONYMOUS.raw = b""  # type: ignore[misc]  # the misuse under test
