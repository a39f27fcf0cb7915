"""Scanning: agrees with cbor2 on valid CBOR, and reads broken CBOR up to the fault."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.annotate.cbor_scan import scan
from icws_explore.analysis.annotate.limits import MAX_CBOR_ITEMS

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def python_value(item):
    match item.major:
        case "array":
            return [python_value(i) for i in item.items]
        case "map":
            return {python_value(k): python_value(v) for k, v in zip(item.items[::2], item.items[1::2], strict=True)}
        case _:
            return item.value


def all_items(item):
    yield item
    for inner in item.items:
        yield from all_items(inner)


class TestAgreesWithCbor2:
    @given(values)
    def test_on_every_plain_value(self, value):
        data = cbor2.dumps(value)
        item, fault = scan(data)
        assert fault is None
        assert (item.start, item.end) == (0, len(data))
        assert python_value(item) == value

    @given(values, st.binary(min_size=1, max_size=4))
    def test_what_follows_the_value_is_named(self, value, rest):
        data = cbor2.dumps(value)
        item, fault = scan(data + rest)
        assert fault.offset == len(data) == item.end
        assert "too many after the value" in fault.reason


class TestBroken:
    @given(values, st.data())
    def test_a_cut_leaves_what_comes_before_it(self, value, data):
        whole = cbor2.dumps(value)
        cut = data.draw(st.integers(0, len(whole) - 1))
        item, fault = scan(whole[:cut])
        assert fault is not None
        assert 0 <= fault.offset <= cut
        for part in all_items(item) if item else ():
            assert 0 <= part.start <= part.head_end <= part.end <= cut or not part.complete

    @given(st.binary(max_size=300))
    def test_nothing_is_raised_for_any_bytes(self, data):
        item, fault = scan(data)
        assert item is not None or fault is not None

    @pytest.mark.parametrize(
        ("data", "offset", "reason"),
        [
            ("", 0, "ends 1 byte too early"),
            ("1c", 0, "no data item begins with 0x1c"),
            ("1f", 0, "no data item begins with 0x1f"),
            ("ff", 0, "a break byte outside an item of indefinite length"),
            ("62c328", 1, "not UTF-8"),
            ("5bffffffffffffffff00", 9, "bytes too early"),
            ("bf6161ff", 3, "a key without a value"),
            ("5f6161ff", 1, "no bytes string"),
            ("81" * 200 + "00", 101, "nested more than"),
            ("d81c" * 120 + "00", 202, "nested more than"),
            ("9b00000000ffffffff", 9, "ends 1 byte too early"),
        ],
    )
    def test_the_fault_has_its_place(self, data, offset, reason):
        _, fault = scan(bytes.fromhex(data))
        assert (fault.offset, reason in fault.reason) == (offset, True), fault

    def test_a_flood_of_items_is_cut_off(self):
        item, fault = scan(b"\x9a\x00\x0f\xff\xff" + b"\x00" * 0x0FFFFF)
        assert len(item.items) == MAX_CBOR_ITEMS - 1
        assert f"more than {MAX_CBOR_ITEMS} items" in fault.reason
