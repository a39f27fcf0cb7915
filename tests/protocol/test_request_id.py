from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import ValueMismatchError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.request_id import hash_value, request_id, request_id_fields
from support.machine import ROOT

VECTORS = ROOT / "tests" / "vectors"
REQUEST_IDS = json.loads((VECTORS / "request_ids.json").read_text())["vectors"]
CALLS = json.loads((VECTORS / "calls.json").read_text())["vectors"]

scalars = st.binary(max_size=8) | st.text(max_size=8) | st.integers(0, 2**70)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def from_typed(value: Any) -> Any:
    """A value of the typed JSON in the vectors: {"type": "text"|"bytes"|"nat"|"array"|"map", "value": …}."""
    inner = value["value"]
    match value["type"]:
        case "text":
            return inner
        case "bytes":
            return bytes.fromhex(inner)
        case "nat":
            return int(inner)
        case "array":
            return [from_typed(item) for item in inner]
        case "map":
            return {name: from_typed(item) for name, item in inner.items()}
    raise AssertionError(value["type"])


class TestVectors:
    @pytest.mark.parametrize("vector", REQUEST_IDS, ids=lambda vector: vector["id"])
    def test_request_ids(self, vector: Any) -> None:
        content = {name: from_typed(value) for name, value in vector["map"].items()}
        assert request_id(content).hex() == vector["request_id_hex"]

    @pytest.mark.parametrize("vector", CALLS, ids=lambda vector: vector["id"])
    def test_calls(self, vector: Any) -> None:
        content = {name: from_typed(value) for name, value in vector["content_map"].items()}
        assert request_id(content).hex() == vector["request_id_hex"]


class TestRepresentationIndependence:
    @given(st.dictionaries(st.text(max_size=6), values, max_size=5))
    def test_the_order_of_fields_does_not_matter(self, content: dict[str, Any]) -> None:
        assert request_id(dict(reversed(content.items()))) == request_id(content)

    @given(st.dictionaries(st.text(max_size=6), values, max_size=5))
    def test_the_id_is_the_hash_of_its_fields(self, content: dict[str, Any]) -> None:
        fields = request_id_fields(content)
        assert {field.name for field in fields} == set(content)
        assert fields == sorted(fields, key=lambda field: field.key_hash)
        assert all(field.key_hash == sha256(field.name.encode()).digest() for field in fields)
        assert sha256(b"".join(field.key_hash + field.value_hash for field in fields)).digest() == request_id(content)

    @given(st.text(max_size=10))
    def test_a_text_hashes_as_its_bytes(self, text: str) -> None:
        assert hash_value(text) == hash_value(text.encode()) == sha256(text.encode()).digest()

    def test_a_principal_hashes_as_its_bytes(self) -> None:
        assert hash_value(Principal.ANONYMOUS) == hash_value(b"\x04")

    def test_an_absent_option_is_left_out(self) -> None:
        assert request_id({"arg": b"", "nonce": None}) == request_id({"arg": b""})
        assert [field.name for field in request_id_fields({"arg": b"", "nonce": None})] == ["arg"]

    def test_a_tuple_hashes_as_a_list(self) -> None:
        assert hash_value((b"a", 1)) == hash_value([b"a", 1])


class TestRefusedValues:
    @pytest.mark.parametrize(
        ("value", "path", "reason"),
        [
            (-1, "x", "a negative number"),
            (1.5, "x", "float"),
            (True, "x", "bool"),
            ([b"", None], "x[1]", "NoneType"),
            ({"y": [{"z": 1.0}]}, "x.y[0].z", "float"),
            ("\ud800", "x", "surrogate"),
            ({1: 2}, "x", "field name"),
        ],
    )
    def test_are_named_with_their_path(self, value: object, path: str, reason: str) -> None:
        with pytest.raises(ValueMismatchError) as caught:
            request_id({"x": value})
        assert caught.value.path == path
        assert reason in caught.value.reason

    def test_depth_is_limited(self) -> None:
        value: object = b""
        for _ in range(5000):
            value = [value]
        with pytest.raises(ValueMismatchError, match="nested deeper"):
            hash_value(value)
