from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import (
    BOOL,
    NAT,
    NULL,
    TEXT,
    Field,
    Func,
    Opt,
    Record,
    Ref,
    Service,
    Variant,
    Vec,
    expand,
    parse_did,
    parse_type,
    same_type,
)
from icws_explore.protocol.candid.limits import MAX_ALIASES, MAX_EXPANDED, MAX_EXPANDED_NAMES, MAX_TYPE_DEPTH
from icws_explore.protocol.candid.types import PRIMS, field_keys, inner_types, is_blob, takes_null
from icws_explore.protocol.errors import DidError
from support.candid_cases import LIST_DID, types


class TestLabelHash:
    """Specification, "Symbolic Field Ids": hash(id) = sum of utf8(id)[i] * 223^(k-i) mod 2^32."""

    @pytest.mark.parametrize(
        ("name", "number"),
        [("", 0), ("a", 97), ("Ok", 17724), ("Err", 3456837)],
    )
    def test_of_known_names(self, name: str, number: int) -> None:
        assert candid.label_hash(name) == number

    @given(st.text())
    def test_is_the_sum_of_the_specification(self, name: str) -> None:
        encoded = name.encode()
        expected = sum(byte * 223 ** (len(encoded) - 1 - i) for i, byte in enumerate(encoded)) % 2**32
        assert candid.label_hash(name) == expected

    def test_refuses_what_utf8_cannot_express(self) -> None:
        with pytest.raises(DidError, match="not valid Unicode"):
            candid.label_hash("\ud800")


class TestFieldKeys:
    def test_names_stay_and_numbers_are_marked(self) -> None:
        assert field_keys(["text", 5]) == ("text", "_5_")

    def test_a_tuple_has_bare_numbers(self) -> None:
        assert field_keys([0, 1, 2]) == ("0", "1", "2")
        assert field_keys([1, 0]) == ("1", "0")
        assert field_keys([1, 2]) == ("_1_", "_2_")

    def test_a_name_that_looks_like_a_number_keeps_its_key(self) -> None:
        assert field_keys(["_5_", 5]) == ("_5_", "__5__")

    @given(st.lists(st.one_of(st.text(max_size=4), st.integers(0, 9)), unique=True))
    def test_keys_are_distinct(self, labels: list[str | int]) -> None:
        assert len(set(field_keys(labels))) == len(labels)


class TestFields:
    def test_have_the_declared_order_and_the_wire_order(self) -> None:
        record = Record((Field("text", TEXT), Field("a", NAT)))
        assert record.keys == ("text", "a")
        assert [key for key, _ in record.by_id] == ["a", "text"]

    def test_ids_are_unique(self) -> None:
        with pytest.raises(DidError, match=r"the record has the field .* twice"):
            Record((Field("a", NAT), Field(97, NAT)))

    @pytest.mark.parametrize("number", [-1, 2**32])
    def test_ids_have_32_bits(self, number: int) -> None:
        with pytest.raises(DidError, match="not below 2\\^32"):
            Field(number, NAT)

    def test_labels_are_part_of_equality(self) -> None:
        assert Record((Field("a", NAT),)) != Record((Field(97, NAT),))
        assert Record((Field("a", NAT),)) != Variant((Field("a", NAT),))


class TestImmutability:
    def test_types_are_values(self) -> None:
        one, other = Opt(Vec(NAT)), Opt(Vec(NAT))
        assert one == other
        assert len({one, other}) == 1
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.inner = TEXT  # type: ignore[misc]  # that it is refused is the test


class TestCopies:
    """A type and its copy mean the same, in both directions of a comparison."""

    @given(types)
    def test_mean_the_same(self, type_: candid.Type) -> None:
        for again in (copy.deepcopy(type_), copy.copy(type_), pickle.loads(pickle.dumps(type_))):
            assert candid.same_type(again, type_)
            assert candid.is_subtype(again, type_)
            assert candid.is_subtype(type_, again)
            assert takes_null(again) is takes_null(type_)
            assert hash(again) == hash(type_) or again != type_

    @pytest.mark.parametrize("prim", PRIMS)
    def test_of_primitive_types(self, prim: candid.Prim) -> None:
        again = copy.deepcopy(prim)
        assert again == prim
        assert candid.is_subtype(again, candid.RESERVED)
        assert candid.is_subtype(candid.NAT, candid.INT) is candid.is_subtype(
            copy.deepcopy(NAT), copy.deepcopy(candid.INT)
        )
        assert candid.is_subtype(copy.deepcopy(candid.EMPTY), prim)
        assert candid.decode(candid.encode([Opt(again)], [None]), [Opt(prim)]) == [None]

    def test_in_another_process(self) -> None:
        # The hashes of strings differ there, so a cached hash would not be found.
        type_ = Record((Field("a", Vec(Opt(TEXT))),))
        code = (
            "import pickle, sys; from icws_explore.protocol.candid import *; "
            "type_ = pickle.loads(sys.stdin.buffer.read()); "
            "sys.exit(0 if {type_: 1}.get(Record((Field('a', Vec(Opt(TEXT))),))) == 1 else 5)"
        )
        done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(type_), check=False)
        assert done.returncode == 0

    def test_of_types_of_a_message(self) -> None:
        ((type_, _),) = candid.decode_typed(candid.encode([candid.parse_type(LIST_DID)], [None]))
        for again in (copy.deepcopy(type_), pickle.loads(pickle.dumps(type_))):
            assert candid.same_type(again, type_)


class TestFunc:
    def test_annotations_are_a_set(self) -> None:
        assert Func((), (), ("query", "oneway")) == Func((), (), ("oneway", "query", "query"))

    def test_unknown_annotation(self) -> None:
        with pytest.raises(DidError, match="'fast' is not a function annotation"):
            Func((), (), ("fast",))

    def test_argument_names_are_documentation(self) -> None:
        assert Func((TEXT,), (), (), ("name",)) == Func((TEXT,))

    @pytest.mark.parametrize(("annotation", "query"), [("query", True), ("composite_query", True), ("oneway", False)])
    def test_is_query(self, annotation: str, query: bool) -> None:
        assert Func((), (), (annotation,)).is_query is query


class TestService:
    def test_methods_are_unique(self) -> None:
        with pytest.raises(DidError, match="the method a twice"):
            Service((("a", Func()), ("a", Func())))


class TestDepth:
    def test_is_limited_where_types_are_made(self) -> None:
        type_: candid.Type = NAT
        with pytest.raises(DidError, match="nested more than"):
            for _ in range(MAX_TYPE_DEPTH):
                type_ = Opt(type_)
        assert type_.depth == MAX_TYPE_DEPTH

    def test_starts_anew_after_a_name(self) -> None:
        assert Opt(Ref("A", {"A": Opt(Opt(NAT))})).depth == 2


class TestRef:
    def test_resolves_through_names(self) -> None:
        env: dict[str, candid.Type] = {"C": Opt(TEXT)}
        env["B"] = Ref("C", env)
        env["A"] = Ref("B", env)
        assert candid.resolve(env["A"]) == Opt(TEXT)

    def test_undefined(self) -> None:
        with pytest.raises(DidError, match="the type A is not defined"):
            candid.resolve(Ref("A", {}))

    def test_cycle(self) -> None:
        env: dict[str, candid.Type] = {}
        env["A"] = Ref("A", env)
        with pytest.raises(DidError, match=f"only defined as itself, or through more than {MAX_ALIASES} names"):
            candid.resolve(env["A"])

    def test_equal_names_of_different_texts_differ(self) -> None:
        env: dict[str, candid.Type] = {"A": NAT}
        assert Ref("A", env) == Ref("A", env)
        assert Ref("A", env) != Ref("A", {"A": NAT})


class TestInnerTypes:
    @pytest.mark.parametrize(
        ("text", "inner"),
        [("nat", []), ("opt nat", ["nat"]), ("vec text", ["text"]), ("record { a : nat; b : bool }", ["nat", "bool"]),
         ("variant { a; b : bool }", ["null", "bool"]), ("func (nat) -> (text)", ["nat", "text"]),
         ("service { m : () -> () }", ["func () -> ()"])],
    )  # fmt: skip
    def test_in_order(self, text: str, inner: list[str]) -> None:
        assert [str(type_) for type_ in inner_types(parse_type(text))] == inner


class TestPredicates:
    def test_takes_null(self) -> None:
        env: dict[str, candid.Type] = {"A": Opt(NAT)}
        assert all(map(takes_null, [NULL, candid.RESERVED, Opt(TEXT), Ref("A", env)]))
        assert not any(map(takes_null, [BOOL, TEXT, Vec(NULL), candid.EMPTY]))

    def test_is_blob(self) -> None:
        assert is_blob(candid.BLOB)
        assert is_blob(Vec(Ref("Byte", {"Byte": candid.NAT8})))
        assert not is_blob(Vec(NAT))
        assert not is_blob(TEXT)


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


class TestExpandBounds:
    def test_what_would_grow_without_bound_keeps_its_names(self) -> None:
        text = " ".join(f"type A{i} = record {{ A{i + 1}; A{i + 1} }};" for i in range(30)) + " type A30 = nat;"
        did = parse_did(text)
        assert expand(did.types["A0"]) is did.types["A0"]

    def test_long_chains_and_many_names_keep_their_names(self) -> None:
        chain = parse_did(" ".join(f"type A{i} = opt A{i + 1};" for i in range(200)) + " type A200 = nat;")
        assert expand(chain.types["A0"]) is chain.types["A0"]
        names = MAX_EXPANDED_NAMES + 1
        many = parse_did(" ".join(f"type A{i} = opt nat;" for i in range(names)))
        record = Record(tuple(candid.Field(i, Ref(f"A{i}", many.types)) for i in range(names)))
        assert expand(record) is record

    def test_wide_types_are_not_copied(self) -> None:
        wide = Record(tuple(candid.Field(i, candid.NAT) for i in range(MAX_EXPANDED)))
        assert expand(wide) is wide
