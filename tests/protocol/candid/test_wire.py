from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import Future, Opt, Ref, parse_type
from icws_explore.protocol.candid.limits import MAX_ARGS, MAX_TABLE
from icws_explore.protocol.candid.reader import Fault, Reader
from icws_explore.protocol.candid.wire import Table, WireTypes, header, read_table
from icws_explore.protocol.errors import CandidError, DidError
from icws_explore.protocol.leb128 import encode_signed, encode_unsigned
from support.candid_cases import LIST_DID, didl, types, work_of


def table_of(data: bytes) -> Table:
    return read_table(Reader(data))


class TestMagic:
    @pytest.mark.parametrize("data", [b"", b"\x00\x00", b"DID", b"DADL\x00\x00", b"didl\x00\x00"])
    def test_is_required(self, data: bytes) -> None:
        with pytest.raises(Fault, match="not with DIDL" if data else "the message is empty") as caught:
            table_of(data)
        assert caught.value.offset == 0


class TestEntries:
    def test_have_their_byte_range(self) -> None:
        data = didl("03 6e 01 6d 7d 6c 02 00 00 05 71 02 00 7f")
        table = table_of(data)
        assert [data[entry.start : entry.end].hex() for entry in table.entries] == ["6e01", "6d7d", "6c0200000571"]
        assert table.args == (0, -1)
        assert table.end == len(data)

    def test_become_types(self) -> None:
        table = table_of(didl("01 6e 00 01 00"))
        type_ = table.type(0, {})
        assert isinstance(type_, candid.Opt)
        assert candid.resolve(type_.inner) is type_  # recursion ends in itself

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ("01 7d 00", "defines nat, which is not a composite type"),
            ("01 68 00 00", "defines principal, which is not"),
            ("01 00 00", "defines 0, which is not"),
            ("01 6e 01 00", "type 1 is not in the type table, which has 1 entry"),
            ("01 6e 60 00", "opcode -32 is not a primitive type"),
            ("01 6e 6e 00", "opcode -18 is not a primitive type"),
            ("00 01 00", "type 0 is not in the type table, which has 0 entries"),
            ("00 01 5e", "opcode -34 is not a primitive type"),
            ("01 6c 02 00 7f 00 7f 00", "the field id 0 occurs twice"),
            ("01 6b 02 01 7f 00 7f 00", "the field id 0 occurs after 1"),
            ("01 6c 01 8080808010 7f 00", "the field id 4294967296 is not below 2\\^32"),
            ("01 6a 00 00 01 04 00", "4 is not a function annotation"),
            ("01 6a 00 00 01 80 01 00", "128 is not a function annotation"),
            ("02 6a 00 00 00 69 02 02'bb'00 02'aa'00 00", "the method 'aa' occurs twice or out of order"),
            ("02 6a 00 00 00 69 02 02'aa'00 02'aa'00 00", "the method 'aa' occurs twice or out of order"),
            ("01 69 01 01'a'68 00", "the method 'a' is not of a function type"),
            ("02 69 01 01'a'01 6e 7f 00", "the method 'a' is not of a function type"),
            ("01 69 01 02 c328 00 00", "a method's name is not UTF-8"),
        ],
    )
    def test_wrong(self, data: str, reason: str) -> None:
        with pytest.raises(Fault, match=reason):
            table_of(didl(data))

    def test_methods_are_sorted_by_name_not_by_hash(self) -> None:
        table_of(didl("02 6a 00 00 00 69 02 06'foobar'00 09'foobarbaz'00 00"))

    def test_later_entries_may_be_referred_to(self) -> None:
        table = table_of(didl("02 69 01 01'm'01 6a 00 01 00 00 01 00"))
        func = table.type(1, {})
        assert isinstance(func, candid.Func)
        assert candid.same_type(func.results[0], table.type(0, {}))


class TestWireTypes:
    def test_are_made_when_asked_for(self) -> None:
        types = WireTypes(table_of(didl("02 6e 01 6c 01 61 7d 00")), {97: "a"})
        assert list(types) == ["t0", "t1"]
        assert len(types) == 2
        assert str(types["t1"]) == "record { a : nat }"
        assert types["t0"] is types["t0"]
        assert types.type(-1) is candid.NULL

    @pytest.mark.parametrize("name", ["t2", "t", "x0", "", "t-1", 0])
    def test_hold_nothing_else(self, name: str) -> None:
        types = WireTypes(table_of(didl("02 6e 01 6c 01 61 7d 00")), {})
        assert name not in types
        with pytest.raises(KeyError):
            types["t2"]


class TestCounts:
    """A count that the following bytes cannot hold is refused before anything is made."""

    @pytest.mark.parametrize(
        "data",
        [
            "80 94 eb dc 03 00",  # table
            "00 80 94 eb dc 03",  # arguments
            "01 6c 80 94 eb dc 03 00 7f 00 7f",
            "01 6b 80 94 eb dc 03 00 7f 00 7f",
            "01 6a 80 94 eb dc 03 7f 7f 7f",
            "01 6a 00 80 94 eb dc 03 7f 7f 7f",
            "01 6a 00 00 80 94 eb dc 03 01 01",
            "01 69 80 94 eb dc 03 00 7f 00 7f",
            "01 67 80 94 eb dc 03 00 00",
        ],
    )
    def test_beyond_the_input(self, data: str) -> None:
        with pytest.raises(Fault, match="is 1000000000, too many for the .* bytes? left"):
            table_of(didl(data))

    def test_table_limit(self) -> None:
        entries = MAX_TABLE + 1
        with pytest.raises(Fault, match=f"has {entries} entries, more than {MAX_TABLE}"):
            table_of(b"DIDL" + encode_unsigned(entries) + b"\x6e\x7f" * entries + b"\x00")

    def test_argument_limit(self) -> None:
        args = MAX_ARGS + 1
        with pytest.raises(Fault, match=f"the message has {args} values, more than {MAX_ARGS}"):
            table_of(b"DIDL\x00" + encode_unsigned(args) + b"\x7f" * args)

    @pytest.mark.parametrize("cut", range(4, 30))
    def test_every_truncation_is_refused(self, cut: int) -> None:
        whole = didl("03 6a 01 71 01 7d 01 01 69 01 03'foo'00 6c 02 00 01 05 00 02 01 02")
        with pytest.raises(Fault):
            table_of(whole[: min(cut, len(whole) - 1)])


class TestFutureTypes:
    """Specification, "Deserialisation of future types"."""

    def test_definition_is_skipped(self) -> None:
        table = table_of(didl("01 67 03'ABC' 01 00"))
        assert table.type(0, {}) == candid.Future(-25)

    def test_value_is_skipped(self) -> None:
        message = didl("01 67 00 02 00 7e 05 00'hello' 01")
        assert candid.decode(message, [candid.Opt(candid.EMPTY), candid.BOOL]) == [None, True]
        assert candid.decode(message) == [b"hello", True]
        ((type_, _), _) = candid.decode_typed(message)
        assert candid.decode(message, [type_, candid.BOOL]) == [b"hello", True]

    def test_value_with_references(self) -> None:
        with pytest.raises(CandidError, match="has 1 reference; references are not supported"):
            candid.decode(didl("01 67 00 01 00 00 01"))


class TestLeb128:
    @pytest.mark.parametrize(("number", "raw"), [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26")])
    def test_unsigned(self, number: int, raw: str) -> None:
        assert encode_unsigned(number).hex() == raw

    @pytest.mark.parametrize(
        ("number", "raw"),
        [(0, "00"), (-1, "7f"), (63, "3f"), (64, "c000"), (-64, "40"), (-65, "bf7f"), (-123456, "c0bb78")],
    )
    def test_signed(self, number: int, raw: str) -> None:
        assert encode_signed(number).hex() == raw


class TestHeader:
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
        # @dfinity/candid gives a type its index after the types in it.
        types = [parse_type("opt record { vec nat }")]
        assert header(types, inner_first=True) == didl("03 6d 7d 6c 01 00 00 6e 01 01 02")
        assert header(types) == didl("03 6e 01 6c 01 00 02 6d 7d 01 00")
        assert header([parse_type("nat")], inner_first=True) == didl("00 01 7d")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("type L = opt record { head : nat; tail : L }", "02 6e 01 6c 02 a0d2aca804 7d 90eddae704 00 01 00"),
            ("type L = opt record { head : nat; tail : L }; type V = vec L",
             "03 6e 01 6c 02 a0d2aca804 7d 90eddae704 00 6d 00 01 02"),
            ("type T = variant { leaf : nat; branch : record { left : T; right : T } }",
             "02 6b 02 a2fde39801 01 9e87c0bd04 7d 6c 02 8790c0bd04 00 dc9790cb0e 00 01 00"),
            ("type B = record { a : opt A }; type A = record { b : opt B }",
             "04 6c 01 62 03 6e 00 6c 01 61 01 6e 02 01 00"),
            ("type C = record { c : opt C }; type A = record { a : opt A; c : C }",
             "04 6c 02 61 01 63 02 6e 00 6c 01 63 03 6e 02 01 00"),
            ("type E = variant { num : nat; add : record { E; E }; list : vec E; opt : opt text }",
             "04 6b 04 a1e4a702 01 c6bccf02 7d b3b8d202 02 deb8ccbd04 03 6c 02 00 00 01 00 6e 71 6d 00 01 00"),
            ("type V = vec V", "01 6d 00 01 00"),
        ],
    )  # fmt: skip
    def test_inner_first_puts_a_recursive_type_before_the_types_in_it(self, text: str, message: str) -> None:
        # Written by @dfinity/candid 2.4.1, with an IDL.Rec for each name that is used before it is defined.
        assert header([parse_type(text)], inner_first=True) == didl(message)

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


class TestHeaderRefusals:
    def test_undefined_names(self) -> None:
        with pytest.raises(DidError, match="the type A is not defined"):
            header([Opt(Ref("A", {}))])

    def test_types_of_the_future(self) -> None:
        with pytest.raises(DidError, match="a future type cannot be encoded"):
            header([Opt(Future(-25))])
        with pytest.raises(DidError, match="a future type cannot be encoded"):
            header([Opt(Future(-25))], inner_first=True)


class TestCost:
    """Work is counted, not timed."""

    def test_equal_types_are_found_in_nearly_linear_time(self) -> None:
        # In a chain of names each type differs from the next only by the length of what follows.
        def chain(length: int) -> candid.Type:
            env: dict[str, candid.Type] = {}
            for i in range(length):
                env[f"A{i}"] = Opt(Ref(f"A{i + 1}", env))
            env[f"A{length}"] = candid.NAT
            return env["A0"]

        works = [work_of(lambda length=length: header([chain(length)])) for length in (500, 2000)]  # type: ignore[misc]  # bound now
        assert works[1] < 6 * works[0]
        assert header([chain(2000)]).count(b"\x6e") >= 2000
