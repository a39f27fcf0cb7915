"""ic-py 1.0.1 as the oracle, for the types and values that it can handle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ic.candid import Types
from ic.candid import decode as peer_decode
from ic.candid import encode as peer_encode

from icws_explore.protocol import candid
from icws_explore.protocol.candid import Field, Opt, Prim, Record, Some, Variant, Vec, parse_type
from icws_explore.protocol.candid.types import PRIMS, takes_null
from icws_explore.protocol.errors import CandidError
from icws_explore.protocol.principal import Principal
from support.candid_cases import values_of

_PRIMS = st.sampled_from([prim for prim in PRIMS if prim.name not in ("empty", "reserved")])
_NAMES = st.text("abcdefghij", min_size=1, max_size=6)  # to ic-py, "_…" is a number


def _fields(types: st.SearchStrategy[candid.Type]) -> st.SearchStrategy[tuple[Field, ...]]:
    return st.dictionaries(_NAMES, types, min_size=1, max_size=4).map(
        lambda fields: tuple(Field(name, type_) for name, type_ in fields.items())
    )


TYPES: st.SearchStrategy[candid.Type] = st.recursive(
    _PRIMS,
    lambda types: st.one_of(
        st.builds(Opt, types), st.builds(Vec, types), _fields(types).map(Record), _fields(types).map(Variant)
    ),
    max_leaves=8,
)
CASES = TYPES.flatmap(lambda type_: values_of(type_).map(lambda value: (type_, value)))


def peer_type(type_: candid.Type) -> Any:
    match type_:
        case Prim():
            return getattr(Types, type_.name.capitalize())
        case Opt():
            return Types.Opt(peer_type(type_.inner))
        case Vec():
            return Types.Vec(peer_type(type_.inner))
        case Record() | Variant():
            fields = {str(field.label): peer_type(field.type) for field in type_.fields}
            return Types.Record(fields) if isinstance(type_, Record) else Types.Variant(fields)
    raise AssertionError(type_)


def peer_value(type_: candid.Type, value: Any) -> Any:
    """Our value as ic-py writes it: options as lists, blobs as lists of numbers, principals as text."""
    match type_, value:
        case Opt(), None:
            return []
        case Opt(), _:
            return [peer_value(type_.inner, value.value if isinstance(value, Some) else value)]
        case Vec(), _:
            return [peer_value(type_.inner, each) for each in value]
        case (Record(), _) | (Variant(), _):
            types = {field.label: field.type for field in type_.fields}
            return {key: peer_value(types[key], each) for key, each in value.items()}
        case _, Principal():
            return value.raw
    return value


def from_peer(type_: candid.Type, value: Any) -> Any:
    match type_:
        case Opt():
            if not value:
                return None
            content = from_peer(type_.inner, value[0])
            return Some(content) if takes_null(type_.inner) else content
        case Vec():
            values = [from_peer(type_.inner, each) for each in value]
            return bytes(values) if type_.inner == candid.NAT8 else values
        case Record() | Variant():
            types = {field.label: field.type for field in type_.fields}
            return {key: from_peer(types[key], each) for key, each in value.items()}
        case Prim(name="principal"):
            return Principal(value.bytes)
    return value


class TestAgreement:
    @given(CASES)
    def test_we_read_what_ic_py_writes(self, case: tuple[candid.Type, Any]) -> None:
        type_, value = case
        theirs = peer_encode([{"type": peer_type(type_), "value": peer_value(type_, value)}])
        assert candid.decode(theirs, [type_]) == [value]
        assert candid.decode(theirs, names=candid.names_of([type_])) == [value]

    @given(CASES)
    def test_ic_py_reads_what_we_write(self, case: tuple[candid.Type, Any]) -> None:
        type_, value = case
        (theirs,) = peer_decode(candid.encode([type_], [value]), peer_type(type_))
        assert from_peer(type_, theirs["value"]) == value


class TestDifferences:
    """The differences for which ic-py is not used. A later version that fixes one is noticed here."""

    def test_missing_optional_field(self) -> None:
        data = candid.encode([parse_type("record { a : nat }")], [{"a": 1}])
        expected = "record { a : nat; b : opt text }"
        assert candid.decode(data, [parse_type(expected)]) == [{"a": 1, "b": None}]
        with pytest.raises(ValueError, match="Cannot find field b"):
            peer_decode(data, Types.Record({"a": Types.Nat, "b": Types.Opt(Types.Text)}))

    def test_nat_as_int(self) -> None:
        data = candid.encode([candid.NAT], [5])
        assert candid.decode(data, [candid.INT]) == [5]
        with pytest.raises(ValueError, match="type"):
            peer_decode(data, Types.Int)

    def test_trailing_bytes(self) -> None:
        data = candid.encode([candid.NAT], [5]) + b"\x00"
        assert peer_decode(data)[0]["value"] == 5
        with pytest.raises(CandidError, match="1 byte too many"):
            candid.decode(data)
