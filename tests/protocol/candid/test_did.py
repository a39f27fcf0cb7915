from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import DidFile, Opt, parse_application_type, parse_did, parse_type, type_text
from icws_explore.protocol.candid.limits import (
    MAX_ALIASES,
    MAX_DID_IMPORTS,
    MAX_DID_SIZE,
    MAX_DID_TOKENS,
    MAX_TYPE_DEPTH,
)
from icws_explore.protocol.errors import DidError
from support.candid_cases import work_of

# A canister like the public examples.
PING_PONG = """
// A canister that answers every message.
type ClientKey = record { client_principal : principal; client_nonce : nat64 };
type WebsocketMessage = record {
  sequence_num : nat64;
  content : blob;        /* Candid of the application /* or of the CDK */ */
  client_key : ClientKey;
  timestamp : nat64;
  is_service_message : bool;
};
type Outgoing = record { key : text; content : vec nat8; client_key : ClientKey };
type Outgoings = record { messages : vec Outgoing; cert : blob; tree : blob; is_end_of_queue : bool };
type Nothing = variant { Ok; Err : text };
type AppMessage = record { text : text; timestamp : nat64 };
service : (init : record { gateway : opt principal; "max": nat64 }, nat64) -> {
  "ws_open" : (record { client_nonce : nat64; gateway_principal : principal }) -> (Nothing);
  ws_close : (record { client_key : ClientKey }) -> (Nothing);
  ws_message : (arguments : record { msg : WebsocketMessage }, message : opt AppMessage) -> (Nothing);
  ws_get_messages : (record { nonce : nat64 }) -> (variant { Ok : Outgoings; Err : text }) query;
  "wipe" : (nat64, nat64) -> () oneway;
}
"""
# As the index canisters of ledgers declare it: a constructor, and no semicolon before `service`.
LEDGER_INDEX = """
type Tokens = nat;
type InitArg = record { ledger_id : principal };
type IndexArg = variant { Init : InitArg; Upgrade : record { ledger_id : opt principal } };
type GetBlocks = record { start : nat; length : nat }
service : (index_arg : opt IndexArg) -> {
  get_blocks : (GetBlocks) -> (record { chain_length : nat64; blocks : vec blob; fee : opt Tokens }) query;
  ledger_id : () -> (principal) query;
  status : () -> (record { num_blocks_synced : nat }) query;
}
"""
PLAIN = "type M = record { x : nat }; service : { ws_message : (record {}, opt M) -> () }"


def fault(text: str, *, parse: Any = parse_did) -> DidError:
    with pytest.raises(DidError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    return caught.value


class TestServiceFiles:
    def test_a_canister_like_the_examples(self) -> None:
        did = parse_did(PING_PONG)
        assert list(did.types) == ["ClientKey", "WebsocketMessage", "Outgoing", "Outgoings", "Nothing", "AppMessage"]
        assert list(did.methods) == ["ws_open", "ws_close", "ws_message", "ws_get_messages", "wipe"]
        assert did.methods["ws_get_messages"].annotations == ("query",)
        assert did.methods["wipe"].annotations == ("oneway",)
        assert did.methods["ws_message"].arg_names == ("arguments", "message")
        assert did.init_args is not None
        assert [type_text(type_) for type_ in did.init_args] == [
            "record { gateway : opt principal; max : nat64 }", "nat64",
        ]  # fmt: skip
        assert type_text(did.application_type()) == 'record { "text" : text; timestamp : nat64 }'
        assert did.service.methods[0][0] == "ws_open"

    def test_its_values_encode_and_decode(self) -> None:
        app = parse_did(PING_PONG).application_type()
        value = {"text": "ping", "timestamp": 5}
        assert candid.decode(candid.encode([app], [value]), [app]) == [value]

    def test_a_service_by_name(self) -> None:
        did = parse_did("type F = func (nat) -> (); type S = service { f : F; g : () -> (S) query }; service main : S;")
        assert list(did.methods) == ["f", "g"]
        assert did.methods["f"] == candid.Func((candid.NAT,))
        assert parse_did("type S = service {}; service : () -> S").init_args == ()

    @pytest.mark.parametrize(
        "text", ["", ";", "  // nothing", "type A = nat", "type A = nat;", "service : {}", "service : {};"]
    )
    def test_small(self, text: str) -> None:
        if text == ";":
            assert "cannot stand here" in str(fault(text))
        else:
            did = parse_did(text)
            assert did.methods == {}
            assert did.has_service is text.startswith("service")
            assert did.init_args is None

    @pytest.mark.parametrize("actor", ["service : {}", "service : {};", "service s : (nat) -> {}", "service : S ;"])
    @pytest.mark.parametrize(
        "types", ["", "type S = service {}", "type S = service {};", "type N = nat; type S = service {}\n"]
    )
    def test_a_semicolon_before_and_after_the_service_is_optional(self, types: str, actor: str) -> None:
        if "S" in actor and "S" not in types:
            types = f"type S = service {{}} {types}"
        did = parse_did(f"{types} {actor}")
        assert did.has_service
        assert set(did.types) == set(re.findall(r"type (\w)", types))

    def test_a_ledger_index_like_the_public_ones(self) -> None:
        did = parse_did(LEDGER_INDEX)
        assert list(did.methods) == ["get_blocks", "ledger_id", "status"]
        assert did.init_args is not None
        assert type_text(did.init_args[0]) == (
            "opt variant { Init : record { ledger_id : principal }; Upgrade : record { ledger_id : opt principal } }"
        )

    @pytest.mark.parametrize(
        ("method", "func"),
        [
            ("m : () -> ()", "func () -> ()"),
            ("m : (nat, text,) -> (bool)", "func (nat, text) -> (bool)"),
            ("m : (a : nat, opt : text) -> (query : bool) composite_query",
             "func (nat, text) -> (bool) composite_query"),
            ('m : ("a b" : nat) -> () oneway', "func (nat) -> () oneway"),
            ("m : (func () -> () query, service { n : () -> () }) -> (principal)",
             "func (func () -> () query, service { n : () -> () }) -> (principal)"),
            ("m : (blob) -> (vec nat8) query", "func (blob) -> (blob) query"),
        ],
    )  # fmt: skip
    def test_methods(self, method: str, func: str) -> None:
        assert type_text(parse_did(f"service : {{ {method} }}").methods["m"]) == func

    @pytest.mark.parametrize("word", ["query", "service", "type", "import", "opt", "text", "principal", "func", "blob"])
    def test_keywords_as_names(self, word: str) -> None:
        did = parse_did(
            f"service : {{ {word} : ({word} : nat) -> (record {{ {word} : text }}, variant {{ {word}; b }}) query }}"
        )
        results = did.methods[word].results
        assert [type_text(type_) for type_ in results] == [
            f'record {{ "{word}" : text }}', f'variant {{ "{word}"; b }}',
        ]  # fmt: skip


class TestTypes:
    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("record { 1 : nat; 0x10 : text; 1_000 : bool }", "record { 1 : nat; 16 : text; 1000 : bool }"),
            ("record { 1_ : nat; 2__0 : nat; 0xf_ : nat }", "record { 1 : nat; 20 : nat; 15 : nat }"),
            ('record { "a\nb" : nat }', 'record { "a\\nb" : nat }'),
            ("record { nat; 5 : text; bool }", "record { 0 : nat; 5 : text; 6 : bool }"),
            ("record { opt nat; record { nat }; }", "record { opt nat; record { nat } }"),
            ("variant { 0x0; 1 : nat; }", "variant { 0; 1 : nat }"),
            ("func () -> () query oneway", "func () -> () oneway query"),
            ("opt service {}", "opt service {}"),
            ("vec vec nat8 ;", "vec blob"),
            ('record { "\\"\\\\\\n\\t\\r\\\'" : nat }', 'record { "\\"\\\\\\n\\t\\r\'" : nat }'),
            ("\ufeffnat", "nat"),
        ],
    )
    def test_shorthands(self, text: str, canonical: str) -> None:
        assert type_text(parse_type(text)) == canonical

    def test_mutual_recursion(self) -> None:
        did = parse_did("type A = opt record { b : B }; type B = vec variant { a : A; end };")
        assert candid.decode(candid.encode([did.types["A"]], [{"b": [{"end": None}]}])) is not None
        assert did.types["A"] == Opt(candid.Record((candid.Field("b", candid.Ref("B", did.types)),)))


class TestParseType:
    def test_the_last_type_of_a_did(self) -> None:
        assert parse_type("type A = nat; type B = text;") is candid.TEXT
        assert parse_type(PLAIN) == parse_did(PLAIN).types["M"]

    @pytest.mark.parametrize("text", ["", " ", "// only this", "service : {}"])
    def test_no_type(self, text: str) -> None:
        assert "no type is defined here" in fault(text, parse=parse_type).reason

    def test_a_bare_type_is_not_a_did(self) -> None:
        assert "cannot stand here" in fault("record {}").reason


class TestFaults:
    """Each fault has its place and one line of text."""

    @pytest.mark.parametrize(
        ("text", "line", "column", "reason"),
        [
            ('import "a.did";', 1, 1, "a.did is imported, but this text comes from no file beside which it could be"),
            ('type A = nat;\nimport service "a.did";', 2, 1, "a.did is imported"),
            ("type A = record {\n  x : Y;\n};", 2, 7, "the type Y is not defined"),
            ("type A = B;\ntype B = A;", 1, 1, "the type A is only defined as itself"),
            ("type A = nat;\n type A = text;", 2, 2, "the type A is defined already, in line 1"),
            ("type text = nat", 1, 1, "text is a built-in type; give yours another name"),
            ("type blob = nat", 1, 1, "blob is a built-in type"),
            ("type A = record { a : nat; a : nat }", 1, 10, "the record has the field a twice"),
            ("type A = variant { a; 97 }", 1, 10, "the variant has the field a twice (as 97, id 97)"),
            ("type A = record { 4294967296 : nat }", 1, 19, "the field number 4294967296 is not below 2^32"),
            ("type A = record { 00000000000000000001 : nat }", 1, 19, "the field number 00000000000000000001 is not"),
            ("type A = record { 4294967295 : nat; nat }", 1, 10, "the field number 4294967296 is not below 2^32"),
            ("service : { a : () -> (); a : () -> () }", 1, 11, "the service has the method a twice"),
            ("type A = nat; service : { a : A }", 1, 25, "the method a is not of a function type"),
            ("type A = nat;\nservice : A", 2, 1, "the service is declared by a type that is not a service"),
            ("service : { a : () -> (nat) oneway }", 1, 17, "a oneway function has no results"),
            ("service : { a : (x : nat, x : nat) -> () }", 1, 17, "two arguments have the name x"),
            ("type A = record { a : nat b : nat }", 1, 27, "'b' cannot stand here; expected ';' or '}'"),
            ("type A = record { a : nat", 1, 23, "the end of the text cannot stand here; expected ';' or '}'"),
            ("type A = ;", 1, 10, "';' cannot stand here; expected 'service', a name or a type"),
            ("type A = nat type B = nat", 1, 14, "'type' cannot stand here"),
            ("type A = nat\n  $", 2, 3, "'$' cannot stand here"),
            ('type A = record { "a\n : nat }', 1, 19, "the quoted text that begins here has no end"),
            ("nat /* and\n /* more */", 1, 5, "the comment that begins here has no end"),
            ('type A = record { "\\zz" : nat }', 1, 19, "\\z is not an escape"),
            ('type A = record { "\\ff" : nat }', 1, 19, "is not Unicode text"),
            ('type A = record { "\\u{d800}" : nat }', 1, 19, "\\u{d800} is not a Unicode character"),
            ('type A = record { "\\u{110000}" : nat }', 1, 19, "is not a Unicode character"),
            ("service : { a : nat -> () }", 1, 21, "'->' cannot stand here"),
        ],
    )  # fmt: skip
    def test_text_and_place(self, text: str, line: int, column: int, reason: str) -> None:
        error = fault(text)
        assert error.reason.startswith(reason) or reason in error.reason
        assert (error.line, error.column) == (line, column)
        assert str(error).startswith(f"line {line}, column {column}: ")

    def test_names_in_error_texts_stay_on_one_line(self) -> None:
        for text in (
            'type A = record { "a\\nb" : nat; "a\\nb" : nat }',
            'service : { "a\\nb" : () -> (); "a\\nb" : () -> () }',
            'service : { m : ("a\\nb" : nat, "a\\nb" : nat) -> () }',
            'type A = nat; service : { "a\\nb" : A }',
            'import "a\\nb";',
        ):
            assert r"a\nb" in fault(text).reason

    @given(st.text(alphabet='type service{}():;,->="/*\\ \nrecord0x9opt_import', max_size=60))
    def test_any_text_is_read_or_refused_with_a_place(self, text: str) -> None:
        for parse in (parse_did, parse_type):
            try:
                parse(text)
            except DidError as error:
                assert error.line is not None
                assert "\n" not in str(error)


class TestLimits:
    """The cost of a text is bounded. Work is counted, not timed."""

    def test_of_its_length(self) -> None:
        assert "more than the" in fault(" " * (MAX_DID_SIZE + 1)).reason

    def test_of_its_tokens(self) -> None:
        assert "words and signs" in fault("type A = nat;" * (MAX_DID_TOKENS // 5 + 1)).reason
        fields = (MAX_DID_TOKENS - 10) // 4
        assert parse_type("record {" + "".join(f"a{i}:nat;" for i in range(fields)) + "}").depth == 2

    @pytest.mark.parametrize("before", ["", "service : { m : (", "type A = record { a : nat };\ntype B = "])
    @pytest.mark.parametrize("nested", ["opt ", "vec ", "record { ", "func () -> ("])
    def test_of_its_nesting(self, before: str, nested: str) -> None:
        text = before or "type A = "
        text += nested * ((MAX_DID_SIZE - len(text)) // len(nested))
        error = fault(text)
        assert "nested more than 128 deep" in error.reason
        assert error.line == text.count("\n") + 1
        assert work_of(lambda: fault(text)) < 20_000

    def test_the_deepest_type(self) -> None:
        assert parse_type("opt " * (MAX_TYPE_DEPTH - 1) + "nat").depth == MAX_TYPE_DEPTH
        deepest = "record { " * (MAX_TYPE_DEPTH - 3) + "nat" + " }" * (MAX_TYPE_DEPTH - 3)
        assert parse_did(f"service : ({deepest}) -> {{ m : ({deepest}) -> () }}").has_service
        assert "nested more than" in fault("type A = " + "opt " * MAX_TYPE_DEPTH + "nat").reason

    def test_of_chains_of_names(self) -> None:
        chain = "".join(f"type A{i} = A{i + 1};" for i in range(MAX_ALIASES - 1)) + f"type A{MAX_ALIASES - 1} = nat;"
        did = parse_did(chain)
        assert candid.resolve(candid.Ref("A0", did.types)) == candid.NAT
        assert "or through more than 100 names" in fault(f"{chain} type B = A0;").reason

    def test_chains_of_names_are_followed_once(self) -> None:
        def text(names: int) -> str:
            links = "".join(f"type A{i} = A{i + 1 if i % 90 else names};" for i in range(names))
            return f"{links} type A{names} = nat;"

        works = [work_of(lambda names=names: parse_did(text(names))) for names in (1000, 4000)]  # type: ignore[misc]  # bound now
        assert works[1] < 5 * works[0]

    @pytest.mark.parametrize(
        "text",
        [
            "service : {" + "".join(f"m{i}:()->();" for i in range(4000)) + "m3999:()->()}",
            "service : { m : (" + "".join(f"a{i}:nat," for i in range(8000)) + "a7999:nat) -> () }",
            "type A = variant {" + "".join(f"a{i};" for i in range(12_000)) + "a11999}",
        ],
    )
    def test_a_name_that_occurs_twice_is_found_in_linear_time(self, text: str) -> None:
        assert re.search("twice|two arguments", fault(text).reason)
        assert work_of(lambda: fault(text)) < 40 * len(text)


def imported(**texts: str) -> DidFile:
    """The text called main, with the others as files beside it."""

    def read(path: str, importer: str) -> tuple[str, str]:
        assert importer in texts
        if path not in texts:
            raise DidError(f"cannot import {path}")
        return path, texts[path]

    return parse_did(texts["main"], read_import=read, name="main")


def import_fault(**texts: str) -> DidError:
    with pytest.raises(DidError) as caught:
        imported(**texts)
    assert "\n" not in str(caught.value)
    return caught.value


class TestImports:
    def test_of_types(self) -> None:
        did = imported(
            main='import "b"; type M = record { b : B; c : C }; service : { m : (M) -> () }',
            b='type B = opt C; import "c"', c="type C = nat; service : { ignored : () -> () }",
        )  # fmt: skip
        assert list(did.types) == ["C", "B", "M"]
        assert list(did.methods) == ["m"]
        assert str(did.methods["m"].args[0]) == "record { b : opt nat; c : nat }"

    def test_of_services(self) -> None:
        did = imported(
            main='import service "b"; import "c"; service : (nat) -> { m : () -> () }',
            b='import service "c"; service : { b : (T) -> () }', c="type T = nat; service : { c : () -> (T) }",
        )  # fmt: skip
        assert list(did.methods) == ["m", "c", "b"]
        assert did.init_args == (candid.NAT,)
        assert did.places.keys() == {"m"}

    def test_of_a_service_alone(self) -> None:
        did = imported(main='import service "b"', b="service : { b : () -> () }")
        assert did.has_service
        assert did.init_args is None
        assert did.service == parse_did("service : { b : () -> () }").service

    def test_twice_and_in_a_diamond(self) -> None:
        did = imported(
            main='import "b"; import "c"; import service "b"; type M = record { B; C }',
            b='import "d"; type B = D; service : { b : () -> () }', c='import "d"; type C = D;', d="type D = text",
        )  # fmt: skip
        assert list(did.types) == ["D", "B", "C", "M"]
        assert list(did.methods) == ["b"]

    def test_an_imported_text_may_use_recursive_types(self) -> None:
        did = imported(main='import "b"; type M = L', b="type L = opt record { head : nat; tail : L }")
        assert candid.same_type(did.types["M"], parse_type("type L = opt record { head : nat; tail : L }"))

    @pytest.mark.parametrize(
        ("texts", "reason"),
        [
            ({"main": 'import "b"'}, "line 1, column 1: cannot import b"),
            ({"main": 'import "main"'}, "line 1, column 1: main imports itself: main → main"),
            ({"main": 'import "b"', "b": 'import "c"', "c": '\nimport "b"'},
             "b imports itself: b → c → b (in c, line 2, column 1) (in b, line 1, column 1)"),
            ({"main": 'import "b"', "b": "type A = "}, "expected 'service', a name or a type (in b, line 1, column 8)"),
            ({"main": 'import "b"; type A = nat', "b": "type A = text"},
             "line 1, column 13: the type A is defined already, in b"),
            ({"main": 'import "b"; import "c"', "b": "type A = text", "c": "type A = nat"},
             "line 1, column 13: the type A is defined already, in b (in c, line 1, column 1)"),
            ({"main": 'import "b"; type M = nat', "b": "type B = M"},
             "the type M is not defined (in b, line 1, column 10)"),
            ({"main": 'import service "b"', "b": "type B = nat"}, "line 1, column 1: b has no service to import"),
            ({"main": 'import service "b"', "b": "service : (nat) -> {}"},
             "the service of b is a constructor, which cannot be imported"),
            ({"main": 'import service "b"; service : { a : () -> () }', "b": "service : { a : () -> () }"},
             "the method a of b is defined already"),
        ],
    )  # fmt: skip
    def test_faults(self, texts: dict[str, str], reason: str) -> None:
        assert reason in str(import_fault(**texts))

    def test_of_a_bare_type_or_an_application_type(self) -> None:
        def read(path: str, _importer: str) -> tuple[str, str]:
            return path, "type T = record { a : nat }"

        app = 'import "t"; service : { ws_message : (record {}, opt T) -> () }'
        assert str(parse_application_type(app, read_import=read)) == "record { a : nat }"
        assert str(parse_application_type('import "t"; type M = vec T', read_import=read)) == "vec record { a : nat }"
        assert parse_application_type("vec nat") == parse_type("vec nat")

    def test_are_limited_in_number(self) -> None:
        texts = {f"t{i}": f'import "t{i + 1}"' for i in range(MAX_DID_IMPORTS + 1)} | {f"t{MAX_DID_IMPORTS + 1}": ""}
        too_many = f"more than the {MAX_DID_IMPORTS} imports allowed"
        assert too_many in import_fault(main='import "t0"', **texts).reason
        assert too_many in import_fault(main='import "b";' * (MAX_DID_IMPORTS + 1), b="type B = nat").reason

    def test_share_the_limits_of_one_text(self) -> None:
        large = "type {} = record {{" + "".join(f"a{i}:nat;" for i in range(MAX_DID_TOKENS // 5)) + "}}"
        texts = {f"t{i}": large.format(f"T{i}") for i in range(2)}
        assert "words and signs" in import_fault(main='import "t0"; import "t1"', **texts).reason
        long = {f"t{i}": " " * (MAX_DID_SIZE // 2) for i in range(2)}
        assert "characters" in import_fault(main='import "t0"; import "t1"', **long).reason


class TestApplicationType:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("type A = nat;", "the .did has no service, only types; add `service : "),
            ("service : { a : () -> (); b : () -> () }", "the service has no method ws_message; add `ws_message : "),
            ("service : {}", "(its methods: none)"),
            ("service : {\n  ws_message : (record {}) -> () }",
             "line 2, column 3: ws_message has 1 argument, (record {}) -> (); it needs two"),
            ("service : { ws_message : (nat, opt nat, nat) -> () }", "ws_message has 3 arguments"),
            ("service : { ws_message : () -> () }", "ws_message has 0 arguments"),
            ("service : { ws_message : (nat, text) -> () }",
             "line 1, column 13: ws_message's second argument is not optional; write `opt text`"),
        ],
    )  # fmt: skip
    def test_says_what_to_change(self, text: str, reason: str) -> None:
        with pytest.raises(DidError) as caught:
            parse_did(text).application_type()
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_through_names(self) -> None:
        text = "type O = opt nat; type F = func (nat, O) -> (); service : { ws_message : F }"
        assert parse_did(text).application_type() is candid.NAT
        assert isinstance(parse_did(PLAIN), DidFile)

    def test_may_be_recursive(self) -> None:
        did = parse_did("type L = opt record { next : L }; service : { ws_message : (record {}, opt L) -> () }")
        assert candid.same_type(did.application_type(), did.types["L"])


class TestLark:
    def test_is_imported_with_the_first_text(self) -> None:
        check = "import sys, icws_explore.protocol.candid; sys.exit('lark' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


class TestRememberedTypes:
    """The text of a type is parsed once."""

    def test_the_same_text_gives_the_same_type(self) -> None:
        text = "record { remembered : text }"
        assert parse_type(text) is parse_type(text)
        assert parse_application_type(PING_PONG) is parse_application_type(PING_PONG)

    def test_a_text_with_imports_is_read_anew(self) -> None:
        texts = {"a.did": "type A = text;"}
        main = 'import "a.did"; type B = record { a : A };'
        first = parse_application_type(main, read_import=lambda path, _: (path, texts[path]))
        texts["a.did"] = "type A = nat;"
        second = parse_application_type(main, read_import=lambda path, _: (path, texts[path]))
        assert first != second

    def test_a_fault_is_said_every_time(self) -> None:
        for _ in range(2):
            with pytest.raises(DidError):
                parse_type("record {")
