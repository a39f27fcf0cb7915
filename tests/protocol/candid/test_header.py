from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import Future, Opt, Ref, parse_type
from icws_explore.protocol.candid.reader import Reader
from icws_explore.protocol.candid.wire import header, read_table, signed, unsigned
from icws_explore.protocol.errors import DidError
from support.candid_cases import LIST_DID, didl, types


class TestLeb128:
    @pytest.mark.parametrize(("number", "raw"), [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26")])
    def test_unsigned(self, number: int, raw: str) -> None:
        assert unsigned(number).hex() == raw

    @pytest.mark.parametrize(
        ("number", "raw"),
        [(0, "00"), (-1, "7f"), (63, "3f"), (64, "c000"), (-64, "40"), (-65, "bf7f"), (-123456, "c0bb78")],
    )
    def test_signed(self, number: int, raw: str) -> None:
        assert signed(number).hex() == raw


class TestTable:
    @pytest.mark.parametrize(
        ("texts", "message"),
        [
            ([], "00 00"),
            (["nat", "text"], "00 02 7d 71"),
            (["opt nat"], "01 6e 7d 01 00"),
            (["record { b : nat; a : text }"], "01 6c 02 61 71 62 7d 01 00"),  # fields by id
            (["service { b : () -> (); a : () -> () }"], "02 69 02 01'a'01 01'b'01 6a 00 00 00 01 00"),
            (["func (nat) -> (text) query"], "01 6a 01 7d 01 71 01 01 01 00"),
            (["func () -> () oneway", "func () -> () composite_query"], "02 6a 00 00 01 02 6a 00 00 01 03 02 00 01"),
        ],
    )
    def test_bytes(self, texts: list[str], message: str) -> None:
        assert header([parse_type(text) for text in texts]) == didl(message)

    @pytest.mark.parametrize(
        ("text", "entries"),
        [
            ("record { a : vec nat; b : vec nat; c : vec vec nat }", 3),
            ("type A = vec nat; type B = vec nat; type C = record { a : A; b : B; c : vec nat }", 2),
            (LIST_DID, 2),
            ("type V = vec V", 1),
            ("type V = vec vec vec V", 1),
            ("type A = record { a : opt B }; type B = record { a : opt A }", 2),
            ("type A = record { a : opt B }; type B = record { b : opt A }", 4),
            ("variant { a : func () -> (); b : service { m : () -> () } }", 3),
        ],
    )
    def test_holds_each_type_once(self, text: str, entries: int) -> None:
        assert header([parse_type(text)])[4] == entries

    def test_inner_first_is_the_order_of_the_javascript_library(self) -> None:
        # @dfinity/candid gives a type its index after those inside it; a recursive one when it is left.
        types = [parse_type("opt record { vec nat }")]
        assert header(types, inner_first=True) == didl("03 6d 7d 6c 01 00 00 6e 01 01 02")
        assert header(types) == didl("03 6e 01 6c 01 00 02 6d 7d 01 00")
        assert header([parse_type("nat")], inner_first=True) == didl("00 01 7d")

    def test_outer_first_meets_fields_in_the_order_of_their_ids(self) -> None:
        # The empty reply of ws_get_messages, as a canister on the Rust CDK 0.4.1 sent it.
        key = "record { client_principal : principal; client_nonce : nat64 }"
        message = f"record {{ client_key : {key}; key : text; content : blob }}"
        polled = f"record {{ messages : vec {message}; cert : blob; tree : blob; is_end_of_queue : bool }}"
        assert header([parse_type(f"variant {{ Ok : {polled}; Err : text }}")]) == didl(
            "06 6b 02 bc8a01 01 c5fed201 71"
            " 6c 04 ccb1f7a703 02 e4cdf48d04 04 deb28ee804 04 829c8df40d 7e"
            " 6d 03"
            " 6c 03 9f93c602 71 b99adecb01 04 ebb49ce903 05"
            " 6d 7b"
            " 6c 02 fa80a29405 68 bbd1eacd0e 78"
            " 01 00"
        )

    @given(types, st.booleans())
    def test_is_read_back_as_the_same_type(self, type_: candid.Type, inner_first: bool) -> None:
        table = read_table(Reader(header([type_], inner_first=inner_first)))
        assert candid.same_type(table.type(table.args[0], {}), type_)


class TestRefusals:
    def test_undefined_names(self) -> None:
        with pytest.raises(DidError, match="the type A is not defined"):
            header([Opt(Ref("A", {}))])

    def test_types_of_the_future(self) -> None:
        with pytest.raises(DidError, match="a future type cannot be encoded"):
            header([Opt(Future(-25))])
        with pytest.raises(DidError, match="a future type cannot be encoded"):
            header([Opt(Future(-25))], inner_first=True)
