from __future__ import annotations

import contextlib
import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from icws_explore.protocol import cbor
from icws_explore.protocol.cbor import MAX_DEPTH, MAX_ITEMS, SELF_DESCRIBE, dumps, has_indefinite_lengths, loads
from icws_explore.protocol.errors import CborError, ValueMismatchError
from support.indefinite import indefinite

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=20)
    | st.text(max_size=20)
    | st.floats(allow_nan=False)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)


def nested(depth: int) -> bytes:
    return b"\x81" * depth + b"\x00"


class TestRoundTrip:
    @given(values, st.booleans())
    def test_loads_undoes_dumps(self, value: Any, tagged: bool) -> None:
        data = dumps(value, tagged=tagged)
        assert data.startswith(SELF_DESCRIBE) is tagged
        assert loads(data) == value

    @given(st.dictionaries(st.text(max_size=6), st.integers(0, 9), max_size=6))
    def test_keys_keep_their_order(self, value: dict[str, int]) -> None:
        assert list(loads(dumps(value))) == list(value)

    @given(values)
    def test_types_are_plain(self, value: Any) -> None:
        def check(item: Any) -> None:
            assert type(item) in {dict, list, bytes, str, int, float, bool, type(None)}
            for inner in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
                check(inner)

        check(loads(dumps(value)))

    def test_integers_are_as_short_as_possible(self) -> None:
        assert dumps(23) == b"\x17"
        assert dumps(2**64 - 1) == b"\x1b" + b"\xff" * 8


class TestStrictness:
    """CBOR that other readers accept and no party of the protocol sends."""

    @pytest.mark.parametrize(
        "data",
        [
            "",
            "d9d9f7",
            "d9d9f7d9d9f700",
            "0000",
            "a000",
            "d9d9f70000",
            "18",
            "1c",
            "ff",
            "61ff",
            "5f4101",
            "5f6161ff",
            "5f5f4101ffff",
            "7f4161ff",
            "7f61c361a9ff",
            "9f00",
            "9fff00",
            "bf6161ff",
            "bf616101616102ff",
            "bf01ff",
            "81ff",
            "a2616100616101",
            "a10000",
            "a1800000",
            "a1f600",
            "c000",
            "c074323032352d31312d32335431323a30303a30305a",
            "c11a00000000",
            "c24101",
            "c34101",
            "c48201 02",
            "d81c80",
            "d81d00",
            "d818 4100",
            "d82361 61",
            "d9010280",
            "d8258100",
            "d83d00",
            "81d9d9f700",
            "f8ff",
            "f81f",
            "f7",
            "e0",
            "f0",
        ],
    )
    def test_is_refused(self, data: str) -> None:
        with pytest.raises(CborError, match="thing"):
            loads(bytes.fromhex(data), what="thing")

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ("c11a00000000", "tag 1 is not used by the protocol"),
            ("d83d00", "tag 61 is not used by the protocol"),
            ("81d9d9f700", "tag 55799 is not used by the protocol"),
            ("f7", "undefined is not used by the protocol"),
            ("8161ff", "utf-8"),
            ("a2616100616101", "duplicate"),
            ("81ff", "break"),
        ],
    )
    def test_says_why(self, data: str, reason: str) -> None:
        with pytest.raises(CborError) as caught:
            loads(bytes.fromhex(data))
        assert reason in str(caught.value).lower()

    def test_a_fault_that_does_not_come_again_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def raises(*_: Any, **__: Any) -> None:
            raise MemoryError

        monkeypatch.setattr(cbor.cbor2, "loads", raises)
        assert loads(b"\x07") == 7

    @pytest.mark.parametrize("rest", ["00", "f6", "50" + "00" * 16, "50" + "00" * 15, "ff"])
    def test_what_follows_the_value_is_never_taken_for_its_end(self, rest: str) -> None:
        with pytest.raises(CborError, match="too many after the value at byte 1"):
            loads(b"\x07" + bytes.fromhex(rest))

    @pytest.mark.parametrize("torn", ["51", "9f", "82", "a1", "7f", "58", "5b0000000000000011"])
    def test_a_torn_value_takes_nothing_from_behind_the_data(self, torn: str) -> None:
        with pytest.raises(CborError, match="end of stream"):
            loads(bytes.fromhex(torn))

    def test_says_where(self) -> None:
        with pytest.raises(CborError, match="3 bytes too many after the value at byte 4") as caught:
            loads(SELF_DESCRIBE + b"\x00\x01\x02\x03")
        assert caught.value.offset == 4
        assert caught.value.what == "CBOR"

    def test_size_is_limited(self) -> None:
        assert loads(b"\x43abc", max_size=4) == b"abc"
        with pytest.raises(CborError, match="5 bytes are more than the 4 allowed"):
            loads(b"\x44abcd", max_size=4)

    def test_depth_is_limited(self) -> None:
        loads(nested(MAX_DEPTH - 1))
        for depth in (MAX_DEPTH + 1, 1000, 1_000_000):
            with pytest.raises(CborError):
                loads(nested(depth))
        with pytest.raises(CborError):
            loads(b"\x81\x81\x81\x00", max_depth=2)


class TestIndefiniteLengths:
    """IC4J writes maps and arrays without lengths; the real readers accept them (see the module's docstring)."""

    @pytest.mark.parametrize(
        ("data", "value"),
        [
            ("bf616101ff", {"a": 1}),
            ("9fff", []),
            ("bfff", {}),
            ("5fff", b""),
            ("7fff", ""),
            ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
            ("7f657374726561646d696e67ff", "streaming"),
            ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
            ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
            ("d9d9f7bf6346756ef563416d7421ff", {"Fun": True, "Amt": -2}),
        ],
    )
    def test_examples(self, data: str, value: Any) -> None:
        # Mostly those of RFC 8949, appendix A.
        assert loads(bytes.fromhex(data)) == value

    @given(values, st.booleans())
    def test_mean_the_same_value(self, value: Any, chunks: bool) -> None:
        assert loads(indefinite(value, chunks=chunks)) == value

    @given(values, st.booleans())
    def test_are_found(self, value: Any, chunks: bool) -> None:
        assert not has_indefinite_lengths(dumps(value))
        data = indefinite(value, chunks=chunks)
        assert has_indefinite_lengths(data) is (data != dumps(value))

    def test_bytes_that_only_look_like_them_are_not_found(self) -> None:
        assert not has_indefinite_lengths(dumps([b"\x9f\xff", "\xbf", 0x9F, -0x60, 1.5, None]))

    def test_depth_is_limited(self) -> None:
        assert loads(b"\x9f" * MAX_DEPTH + b"\xff" * MAX_DEPTH)
        for opening in (b"\x9f", b"\xbf\x60"):
            for depth in (MAX_DEPTH + 1, 100_000):
                with pytest.raises(CborError):
                    loads(opening * depth + b"\xff" * depth)

    @pytest.mark.parametrize(
        ("opening", "item"), [(b"\x9f", b"\x00"), (b"\x5f", b"\x41a"), (b"\x7f", b"\x60"), (b"\x9f", b"\x9f\xff")]
    )
    def test_items_and_chunks_are_limited(self, opening: bytes, item: bytes) -> None:
        with pytest.raises(CborError, match=f"more than the {MAX_ITEMS} items"):
            loads(opening + item * MAX_ITEMS + b"\xff")
        few = MAX_ITEMS // 2 - 2
        assert len(loads(opening + item * few + b"\xff")) in (0, few)

    def test_chunks_take_the_space_of_their_bytes(self) -> None:
        data = b"\x5f" + (b"\x58\xff" + bytes(255)) * 10_000 + b"\xff"
        tracemalloc.start()
        try:
            assert len(loads(data)) == 2_550_000
            assert tracemalloc.get_traced_memory()[1] < 4 * len(data)
        finally:
            tracemalloc.stop()


class TestHostileBytes:
    @pytest.mark.parametrize(
        "data",
        [
            "5bffffffffffffffff",
            "5b7fffffffffffffff",
            "7b00000000ffffffff",
            "9bffffffffffffffff",
            "9b00000000ffffffff",
            "bb00000000ffffffff",
            "9a00ffffff" + "9a00ffffff" * 50,
            "5a00ffffff",
        ],
    )
    def test_declared_sizes_cost_nothing(self, data: str) -> None:
        tracemalloc.start()
        try:
            with pytest.raises(CborError):
                loads(bytes.fromhex(data))
            assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("item", [b"\x00", b"\x80", b"\xa0", b"\x60", b"\x41a", b"\x19\x01\x01"])
    def test_many_small_items_are_bounded(self, item: bytes) -> None:
        count = MAX_ITEMS - 1
        assert len(loads(b"\x9a" + count.to_bytes(4, "big") + item * count)) == count
        count += 1
        with pytest.raises(CborError, match=f"more than the {MAX_ITEMS} items"):
            loads(b"\x9a" + count.to_bytes(4, "big") + item * count)

    @given(values)
    def test_the_bound_counts_items_and_not_bytes(self, value: Any) -> None:
        large = [value, bytes(50_000), "x" * 50_000]
        assert loads(dumps(large)) == large

    @given(values, st.integers(0, 80), st.binary(max_size=30))
    @example({}, 0, b"\xd8\x1d\x00")
    @example([], 1, b"\x9f\x9f\x9f")
    def test_only_documented_errors_come_out(self, value: Any, kept: int, tail: bytes) -> None:
        with contextlib.suppress(CborError):
            loads(dumps(value)[:kept] + tail)

    @given(st.binary(max_size=60))
    def test_what_is_read_can_be_written_and_read_again(self, data: bytes) -> None:
        with contextlib.suppress(CborError):
            value = loads(data)
            assert repr(loads(dumps(value))) == repr(value)


class TestDumps:
    @pytest.mark.parametrize("value", [object(), {"a": [object()]}, "\ud800", {"\ud800": 1}])
    def test_what_cbor_cannot_hold_is_refused(self, value: Any) -> None:
        with pytest.raises(ValueMismatchError):
            dumps(value)

    def test_is_what_cbor2_writes(self) -> None:
        value = {"b": [1, b"x", None, True], "a": "é"}
        assert dumps(value) == cbor2.dumps(value)


class TestShape:
    shape = cbor.Shape(name=str, size=int)

    def test_gives_the_fields_in_their_order(self):
        assert self.shape.values({"size": 3, "more": 0, "name": "n"}) == ("n", 3)

    @pytest.mark.parametrize("value", [{"name": "n"}, {"name": "n", "size": True}, {"name": b"n", "size": 3}, [], None])
    def test_gives_nothing_for_another_map_or_no_map(self, value):
        assert self.shape.values(value) is None
