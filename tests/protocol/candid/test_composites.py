from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import Field, Record, Variant
from icws_explore.protocol.candid.reader import MAX_DEPTH, Fault, Mismatch, Reader
from icws_explore.protocol.candid.readers import SCALARS, Read, label_of, opt, present, record, variant, vec

BOOL = SCALARS["bool"]


def refuses(reader: Reader, _depth: int) -> Any:
    reader.take(1, "part of it")
    raise Mismatch("does not fit", reader.pos)


def always(read: Read) -> Callable[[int, candid.Type | None], Read]:
    return lambda _ref, _expected: read


class TestPath:
    def test_grows_on_the_way_out(self) -> None:
        inner = record([("a", 0, None), ("b", 0, None)], ["a", "b"], always(BOOL))
        with pytest.raises(Fault) as caught:
            vec(0, None, always(inner))(Reader(b"\x02\x01\x01\x01\x05"), 0)
        assert caught.value.path == ["b", 1]
        with pytest.raises(Fault) as caught:
            variant([("x", 0, None)], str, always(inner))(Reader(b"\x00\x05"), 0)
        assert caught.value.path == ["a", "x"]


class TestPresent:
    def test_reads_to_the_end_of_what_does_not_fit(self) -> None:
        reader = Reader(b"\x01\x01\x00")
        content = present(refuses, lambda: BOOL, wraps=False)
        assert opt(lambda: content)(reader, 0) is None
        assert reader.pos == 2


class TestDepth:
    @pytest.mark.parametrize(
        "read",
        [
            vec(0, None, always(BOOL)),
            record([], [], always(BOOL)),
            variant([], str, always(BOOL)),
            present(BOOL, lambda: BOOL, wraps=False),
        ],
    )
    def test_each_knows_its_own(self, read: Read) -> None:
        with pytest.raises(Fault, match=f"nested more than {MAX_DEPTH} deep"):
            read(Reader(b"\x00\x00"), MAX_DEPTH)


class TestBudget:
    def test_is_paid_before_anything_is_read(self) -> None:
        reader = Reader(b"\xff\xff\xff\xff\x0f")
        with pytest.raises(Fault, match="asks for too many values"):
            vec(0, None, always(refuses))(reader, 0)

    def test_a_record_pays_for_the_keys_it_fills(self) -> None:
        reader = Reader(b"")
        left = reader.left
        record([], [str(i) for i in range(100)], always(BOOL))(reader, 0)
        assert reader.left == left - 100


class TestEmptyName:
    def test_is_a_name_like_any_other(self) -> None:
        type_ = Record((Field("", candid.NAT), Field("a", candid.NAT)))
        value = {"": 1, "a": 2}
        data = candid.encode([type_], [value])
        assert candid.decode(data, [type_]) == [value]
        assert candid.decode(data, [Record((Field("", candid.NAT),))]) == [{"": 1}]
        case = Variant((Field("", candid.NAT),))
        assert candid.decode(candid.encode([case], [{"": 1}]), [case]) == [{"": 1}]


class TestLabelOf:
    def test_known_or_numbered(self) -> None:
        assert label_of(5, {5: "five"}) == "five"
        assert label_of(6, {5: "five"}) == "_6_"
