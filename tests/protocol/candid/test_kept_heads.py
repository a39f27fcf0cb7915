from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid.limits import MAX_HEAD, MAX_HEADS, MAX_READERS
from icws_explore.protocol.candid.reader import Reader
from icws_explore.protocol.candid.wire import read_table
from icws_explore.protocol.errors import CandidError
from icws_explore.protocol.leb128 import encode_unsigned
from support.candid_cases import work_of

plans = sys.modules["icws_explore.protocol.candid.decode"]  # `candid.decode` is the function


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_HEADS", plans._Heads())


def message(fields: int) -> bytes:
    type_ = candid.Record(tuple(candid.Field(i, candid.NAT) for i in range(fields)))
    return candid.encode([type_], [dict.fromkeys(type_.keys, 1)])


class TestKeptHeads:
    def test_make_the_second_message_cheaper(self) -> None:
        first, second = (work_of(lambda: candid.decode(message(5))) for _ in range(2))
        assert second < first

    def test_cost_the_same_budget(self) -> None:
        budgets = []
        for _ in range(2):
            reader = Reader(message(5))
            plans.plan_for(reader, None)
            budgets.append((reader.left, reader.pos))
        fresh = Reader(message(5))
        read_table(fresh)
        assert budgets == [(fresh.left, fresh.pos)] * 2

    def test_the_bytes_after_them_are_checked(self) -> None:
        whole = message(5)
        assert candid.decode(whole)
        for cut in range(len(whole)):
            with pytest.raises(CandidError):
                candid.decode(whole[:cut])

    def test_serve_every_expected_type(self) -> None:
        data = candid.encode([candid.parse_type("record { a : nat }")], [{"a": 1}])
        for text, value in [
            ("record { a : int }", {"a": 1}),
            ("record { b : opt nat }", {"b": None}),
            ("opt nat", None),
        ]:
            assert candid.decode(data, [candid.parse_type(text)]) == [value]

    def test_have_only_the_names_of_the_protocol(self) -> None:
        data = candid.encode([candid.parse_type("record { zzz : nat }")], [{"zzz": 1}])
        unnamed = {f"_{candid.label_hash('zzz')}_": 1}
        assert candid.decode(data) == [unnamed]
        assert candid.decode(data, names={candid.label_hash("zzz"): "zzz"}) == [{"zzz": 1}]
        assert candid.decode(data) == [unnamed]


class TestBounds:
    def test_few_are_kept(self) -> None:
        for fields in range(3 * MAX_HEADS):
            candid.decode(message(fields))
        assert sum(map(len, plans._HEADS.by_length.values())) <= MAX_HEADS

    def test_large_ones_are_not(self) -> None:
        candid.decode(b"DIDL" + encode_unsigned(MAX_HEAD) + b"\x6e\x7f" * MAX_HEAD + b"\x00")
        assert plans._HEADS.by_length == {}

    def test_plans_stay_small(self) -> None:
        data = message(1)
        for _ in range(MAX_READERS + 10):
            env: dict[str, candid.Type] = {"N": candid.NAT}
            candid.decode(data, [candid.Record((candid.Field(0, candid.Ref("N", env)),))])
        ((plan, _),) = plans._HEADS.by_length[len(data) - 1].values()
        assert plan.size <= MAX_READERS + 5


class TestThreads:
    def test_may_share_them(self) -> None:
        messages = [message(fields) for fields in range(2 * MAX_HEADS)]

        def decode_all(start: int) -> int:
            return sum(len(candid.decode(messages[(start + i) % len(messages)])[0]) for i in range(2000))

        with ThreadPoolExecutor(4) as pool:
            lengths = list(pool.map(decode_all, range(0, len(messages), len(messages) // 8)))
        assert all(lengths)
