from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import Field, Future, Opt, Prim, Record, Ref, Vec, parse_type, same_type, type_text
from icws_explore.protocol.candid.did_syntax import unquoted
from icws_explore.protocol.candid.limits import MAX_INLINE, MAX_TYPE_DEPTH
from icws_explore.protocol.candid.text import KEYWORDS, brief_text, label_text, quoted
from icws_explore.protocol.errors import DidError
from support.candid_cases import LIST_DID, TREE_DID, finite_types, types


class TestCanonical:
    @pytest.mark.parametrize(
        ("written", "canonical"),
        [
            ("nat8", "nat8"),
            ("vec nat8", "blob"),
            ("opt vec opt text", "opt vec opt text"),
            ("record{}", "record {}"),
            ("record{a:nat;b:text;}", "record { a : nat; b : text }"),
            ("record { text : text; timestamp : nat64 }", 'record { "text" : text; timestamp : nat64 }'),
            ("record { nat; text }", "record { nat; text }"),
            ("record { 0 : nat; 1 : text }", "record { nat; text }"),
            ("record { 0 : nat; 2 : text }", "record { 0 : nat; 2 : text }"),
            ("record { 5 : nat; text }", "record { 5 : nat; 6 : text }"),
            ("variant { Ok : null; Err : text }", "variant { Ok; Err : text }"),
            ("variant { 0; 1 : nat }", "variant { 0; 1 : nat }"),
            ('record { "a b" : nat; "\\c3\\a9" : nat; "\\u{1f680}" : nat }',
             'record { "a b" : nat; "é" : nat; "🚀" : nat }'),
            ("func (a : nat, text) -> (b : bool) query", "func (nat, text) -> (bool) query"),
            ("func () -> () oneway", "func () -> () oneway"),
            ('service{m:()->();"a b":(nat)->(nat)}', 'service { m : () -> (); "a b" : (nat) -> (nat) }'),
            ("type A = nat; type B = record { a : A }", "record { a : nat }"),
            ("type F = func () -> (); type S = service { m : F }", "service { m : () -> () }"),
            (LIST_DID, "type Node = record { head : int; tail : List }; type List = opt Node;"),
        ],
    )  # fmt: skip
    def test_form(self, written: str, canonical: str) -> None:
        assert type_text(parse_type(written)) == canonical
        assert str(parse_type(written)) == type_text(parse_type(written))

    @given(finite_types)
    def test_round_trip(self, type_: candid.Type) -> None:
        assert parse_type(type_text(type_)) == type_

    @given(types)
    def test_round_trip_of_recursive_types(self, type_: candid.Type) -> None:
        again = parse_type(type_text(type_))
        assert same_type(again, type_)
        assert type_text(parse_type(type_text(again))) == type_text(again)

    @pytest.mark.parametrize("text", [LIST_DID, TREE_DID, "type A = vec B; type B = opt A"])
    def test_the_wanted_type_comes_last(self, text: str) -> None:
        for name, type_ in candid.parse_did(text).types.items():
            ref = Ref(name, candid.parse_did(text).types)
            assert same_type(parse_type(type_text(ref)), type_)
            assert type_text(ref).rsplit("type ", 1)[1].startswith(f"{name} = ")
            assert type_text(type_) == type_text(ref)


class TestLabels:
    @pytest.mark.parametrize("word", sorted(KEYWORDS))
    def test_keywords_are_quoted(self, word: str) -> None:
        assert label_text(word) == f'"{word}"'

    @pytest.mark.parametrize(
        ("label", "text"), [("a_1", "a_1"), ("1a", '"1a"'), ("", '""'), ("é", '"é"'), (7, "7"), ("a\n", '"a\\n"')]
    )
    def test_others(self, label: str | int, text: str) -> None:
        assert label_text(label) == text

    @given(st.text())
    def test_quoting_keeps_the_name_on_one_line(self, name: str) -> None:
        assert unquoted(quoted(name)) == name
        assert len(quoted(name).splitlines()) == 1


class TestNames:
    def test_of_two_texts_stay_distinct(self) -> None:
        one, other = (
            candid.parse_did("type A = opt record { A; nat }"),
            candid.parse_did("type A = opt record { A; text }"),
        )
        both = Record((Field("one", Ref("A", one.types)), Field("other", Ref("A", other.types))))
        assert "A_2" in type_text(both)
        assert same_type(parse_type(type_text(both)), both)

    def test_that_are_keywords(self) -> None:
        env: dict[str, candid.Type] = {}
        env["opt"] = Opt(Ref("opt", env))
        assert same_type(parse_type(type_text(Ref("opt", env))), env["opt"])

    def test_of_methods(self) -> None:
        did = candid.parse_did("type F = func (S) -> (); type S = service { m : F; n : () -> () }")
        assert type_text(did.types["S"]) == "type F = func (S) -> (); type S = service { m : F; n : () -> () };"

    def test_undefined(self) -> None:
        with pytest.raises(DidError, match="the type A is not defined"):
            type_text(Opt(Ref("A", {})))


class TestBounds:
    def test_a_type_that_doubles_at_each_name(self) -> None:
        text = (
            " ".join(f"type A{i} = record {{ A{i + 1}; A{i + 1} }};" for i in range(100))
            + " type A100 = nat; type R = A0"
        )
        written = type_text(parse_type(text))
        assert len(written) < 100 * 60
        assert same_type(parse_type(written), parse_type(text))

    def test_a_long_chain_of_names(self) -> None:
        text = " ".join(f"type A{i} = opt A{i + 1};" for i in range(1000)) + " type A1000 = nat; type R = A0"
        assert same_type(parse_type(type_text(parse_type(text))), parse_type(text))

    def test_wide_types_stay_inline(self) -> None:
        record = Record(tuple(Field(f"f{i}", candid.NAT) for i in range(MAX_INLINE - 1)))
        assert type_text(record).startswith("record { f0")

    def test_deepest(self) -> None:
        type_ = parse_type("opt " * (MAX_TYPE_DEPTH - 1) + "nat")
        assert parse_type(type_text(type_)) == type_

    def test_brief(self) -> None:
        assert brief_text(parse_type("record { a : nat }")) == "record { a : nat }"
        endless = parse_type("type V = vec V")
        assert brief_text(endless, 20) == "vec vec vec vec vec…"

    def test_of_the_future(self) -> None:
        assert type_text(Future(-25)) == "reserved /* future type -25 */"


class TestRepr:
    def test_is_python(self) -> None:
        assert repr(Vec(Opt(candid.NAT))).startswith("Vec(inner=Opt(inner=NAT")
        assert isinstance(candid.NAT, Prim)
