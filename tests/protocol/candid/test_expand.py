from __future__ import annotations

import pytest
from hypothesis import given

from icws_explore.protocol import candid
from icws_explore.protocol.candid import Opt, Record, Ref, Vec, parse_did, parse_type, same_type
from icws_explore.protocol.candid.names import MAX_EXPANDED, MAX_NAMES, expand
from icws_explore.protocol.errors import DidError
from support.candid_cases import LIST_DID, types


class TestExpand:
    def test_writes_names_out(self) -> None:
        did = parse_did("type K = record { a : N }; type N = nat; type M = record { k : K; f : func (K) -> (opt K) }")
        expected = "record { k : record { a : nat }; f : func (record { a : nat }) -> (opt record { a : nat }) }"
        assert expand(did.types["M"]) == parse_type(expected)
        assert expand(Ref("K", did.types)) == parse_type("record { a : nat }")

    def test_keeps_the_names_that_lead_back(self) -> None:
        did = parse_did(LIST_DID + "type N = nat; type M = record { list : List; n : N }")
        type_ = expand(did.types["M"])
        assert isinstance(type_, Record)
        assert [field.type for field in type_.fields] == [Ref("List", did.types), candid.NAT]

    def test_resolves_the_head_of_a_recursive_type(self) -> None:
        did = parse_did(LIST_DID)
        assert expand(Ref("List", did.types)) == Opt(Ref("Node", did.types))

    @given(types)
    def test_means_the_same(self, type_: candid.Type) -> None:
        assert same_type(expand(type_), type_)

    def test_application_types_and_bare_types_are_expanded(self) -> None:
        did = "type T = text; type M = record { t : T }; service : { ws_message : (record {}, opt M) -> () }"
        assert parse_did(did).application_type() == parse_type("record { t : text }")
        assert parse_type("type T = text; type M = vec T") == Vec(candid.TEXT)

    def test_undefined(self) -> None:
        with pytest.raises(DidError, match="A is not defined"):
            expand(Opt(Ref("A", {})))


class TestBounds:
    def test_what_would_grow_without_bound_keeps_its_names(self) -> None:
        text = " ".join(f"type A{i} = record {{ A{i + 1}; A{i + 1} }};" for i in range(30)) + " type A30 = nat;"
        did = parse_did(text)
        assert expand(did.types["A0"]) is did.types["A0"]

    def test_so_do_long_chains_and_many_names(self) -> None:
        chain = parse_did(" ".join(f"type A{i} = opt A{i + 1};" for i in range(200)) + " type A200 = nat;")
        assert expand(chain.types["A0"]) is chain.types["A0"]
        names = MAX_NAMES + 1
        many = parse_did(" ".join(f"type A{i} = opt nat;" for i in range(names)))
        record = Record(tuple(candid.Field(i, Ref(f"A{i}", many.types)) for i in range(names)))
        assert expand(record) is record

    def test_and_wide_types(self) -> None:
        wide = Record(tuple(candid.Field(i, candid.NAT) for i in range(MAX_EXPANDED)))
        assert expand(wide) is wide
