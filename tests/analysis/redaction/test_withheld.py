from __future__ import annotations

import pytest

from icws_explore.analysis.redaction.pseudonyms import Withheld, WithheldValue, shape
from icws_explore.protocol import candid


class TestWithheld:
    def test_has_the_size_and_nothing_else(self) -> None:
        stand_in = Withheld.of(b"secret")
        assert (len(stand_in), bytes(stand_in)) == (6, bytes(6))
        assert str(stand_in) == "‹6 bytes›"


class TestWithheldValue:
    def test_says_type_and_size(self) -> None:
        content = candid.encode([candid.parse_type("record { name : text; age : nat8 }")], [{"name": "Ada", "age": 36}])
        value = WithheldValue.of(content)
        assert str(value) in (
            f"‹record {{ text; nat8 }}, {len(content)} bytes›",
            f"‹record {{ nat8; text }}, {len(content)} bytes›",
        )

    @pytest.mark.parametrize(
        ("content", "said"), [(b"hello", "not Candid"), (candid.encode([], []), "no value"), (b"", "not Candid")]
    )
    def test_of_what_is_no_value(self, content: bytes, said: str) -> None:
        assert WithheldValue.of(content).shape == said


class TestShape:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("nat64", "nat64"),
            ("opt text", "opt text"),
            ("vec nat8", "blob"),
            ("vec record { 0 : text }", "vec record { text }"),
            ("variant { Secret; Password : text }", "variant of 2"),
            ("func (text) -> ()", "func"),
            ("service { reveal : () -> () }", "service"),
            ("record {}", "record {  }"),
        ],
    )
    def test_names_no_label(self, text: str, said: str) -> None:
        assert shape(candid.parse_type(text)) == said

    def test_is_bounded(self) -> None:
        wide = "record { " + "; ".join(f"f{number} : nat" for number in range(500)) + " }"
        assert shape(candid.parse_type(wide)) == f"record {{ {'; '.join(['nat'] * 8)}; 492 more }}"
        deep = "opt " * 50 + "text"
        assert shape(candid.parse_type(deep)) == "opt opt opt opt …"

    def test_of_a_type_that_holds_itself_ends(self) -> None:
        did = candid.parse_did("type List = record { head : nat; tail : opt List };")
        assert "…" in shape(did.types["List"])
