from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import known_names, names_of, parse_did, parse_type
from icws_explore.protocol.candid.names import PROTOCOL_NAMES, label_of
from support.candid_cases import LIST_DID


class TestKnownNames:
    def test_hold_every_name_of_the_protocol(self) -> None:
        assert set(known_names().values()) == set(PROTOCOL_NAMES)
        assert all(candid.label_hash(name) == number for number, name in known_names().items())

    def test_name_every_field_of_real_messages(self, vectors: Callable[[str], Any]) -> None:
        book = vectors("candid")
        for case in [*book["service_messages"], *book["arguments_and_results"]]:
            assert not [key for key in _keys(candid.decode(bytes.fromhex(case["encoded_hex"]))) if key.startswith("_")]

    def test_cannot_be_changed_by_accident(self) -> None:
        with pytest.raises(TypeError):
            known_names()[1] = "x"  # type: ignore[index]  # that it is refused is the test


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for each in value.values() for key in _keys(each))]
    if isinstance(value, list):
        return [key for each in value for key in _keys(each)]
    return []


class TestNamesOf:
    def test_finds_labels_everywhere(self) -> None:
        type_ = parse_type(
            "type L = opt record { head : vec variant { red }; tail : L };"
            "type R = record { result : func (record { deep : L }) -> () };"
            "type S = service { m : (record { argument : nat }) -> (R) }"
        )
        found = set(names_of([type_]).values()) - set(known_names().values())
        assert found == {"head", "red", "tail", "argument", "result", "deep"}

    def test_of_a_whole_did(self) -> None:
        assert {"head", "tail"} <= set(names_of(parse_did(LIST_DID).types.values()).values())


class TestLabelOf:
    def test_known_or_numbered(self) -> None:
        assert label_of(5, {5: "five"}) == "five"
        assert label_of(6, {5: "five"}) == "_6_"
