from __future__ import annotations

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid.reader import Fault, Reader
from icws_explore.protocol.candid.wire import MAX_ARGS, MAX_TABLE, Table, WireTypes, read_table, unsigned
from icws_explore.protocol.errors import CandidError
from support.candid_cases import didl


def table_of(data: bytes) -> Table:
    return read_table(Reader(data))


class TestMagic:
    @pytest.mark.parametrize("data", [b"", b"\x00\x00", b"DID", b"DADL\x00\x00", b"didl\x00\x00"])
    def test_must_be_there(self, data: bytes) -> None:
        with pytest.raises(Fault, match="does not begin with DIDL") as caught:
            table_of(data)
        assert caught.value.offset == 0


class TestEntries:
    def test_know_their_bytes(self) -> None:
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
            ("01 6e 01 00", "type 1 is not in the type table of 1"),
            ("01 6e 60 00", "opcode -32 is not a primitive type"),
            ("01 6e 6e 00", "opcode -18 is not a primitive type"),
            ("00 01 00", "type 0 is not in the type table of 0"),
            ("00 01 5e", "opcode -34 is not a primitive type"),
            ("01 6c 02 00 7f 00 7f 00", "the field id 0 comes twice"),
            ("01 6b 02 01 7f 00 7f 00", "the field id 0 comes after 1"),
            ("01 6c 01 8080808010 7f 00", "the field id 4294967296 is not below 2\\^32"),
            ("01 6a 00 00 01 04 00", "4 is not a function annotation"),
            ("01 6a 00 00 01 80 01 00", "128 is not a function annotation"),
            ("02 6a 00 00 00 69 02 02'bb'00 02'aa'00 00", "the method 'aa' comes twice or out of order"),
            ("02 6a 00 00 00 69 02 02'aa'00 02'aa'00 00", "the method 'aa' comes twice or out of order"),
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
    """What does not fit into the bytes that follow is refused before anything is made."""

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
        with pytest.raises(Fault, match="is 1000000000, more than the .* bytes left can hold"):
            table_of(didl(data))

    def test_table_limit(self) -> None:
        entries = MAX_TABLE + 1
        with pytest.raises(Fault, match=f"has {entries} entries, more than {MAX_TABLE}"):
            table_of(b"DIDL" + unsigned(entries) + b"\x6e\x7f" * entries + b"\x00")

    def test_argument_limit(self) -> None:
        args = MAX_ARGS + 1
        with pytest.raises(Fault, match=f"{args} values are more than {MAX_ARGS}"):
            table_of(b"DIDL\x00" + unsigned(args) + b"\x7f" * args)

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
        with pytest.raises(CandidError, match="with 1 references"):
            candid.decode(didl("01 67 00 01 00 00 01"))
