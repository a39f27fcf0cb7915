from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid.reader import Reader
from icws_explore.protocol.candid.wire import read_table, unsigned
from icws_explore.protocol.errors import CandidError
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

    def test_do_not_excuse_what_follows(self) -> None:
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

    def test_know_only_the_names_of_the_protocol(self) -> None:
        data = candid.encode([candid.parse_type("record { zzz : nat }")], [{"zzz": 1}])
        unnamed = {f"_{candid.label_hash('zzz')}_": 1}
        assert candid.decode(data) == [unnamed]
        assert candid.decode(data, names={candid.label_hash("zzz"): "zzz"}) == [{"zzz": 1}]
        assert candid.decode(data) == [unnamed]


class TestBounds:
    def test_few_are_kept(self) -> None:
        for fields in range(3 * plans.MAX_KEPT):
            candid.decode(message(fields))
        assert sum(map(len, plans._HEADS.by_length.values())) <= plans.MAX_KEPT

    def test_large_ones_are_not(self) -> None:
        candid.decode(b"DIDL" + unsigned(plans.MAX_HEAD) + b"\x6e\x7f" * plans.MAX_HEAD + b"\x00")
        assert plans._HEADS.by_length == {}

    def test_plans_do_not_grow_for_ever(self) -> None:
        data = message(1)
        for _ in range(plans.MAX_READERS + 10):
            env: dict[str, candid.Type] = {"N": candid.NAT}
            candid.decode(data, [candid.Record((candid.Field(0, candid.Ref("N", env)),))])
        ((plan, _),) = plans._HEADS.by_length[len(data) - 1].values()
        assert plan.size <= plans.MAX_READERS + 5


class TestThreads:
    def test_may_share_them(self) -> None:
        messages = [message(fields) for fields in range(2 * plans.MAX_KEPT)]

        def decode_all(start: int) -> int:
            return sum(len(candid.decode(messages[(start + i) % len(messages)])[0]) for i in range(2000))

        with ThreadPoolExecutor(4) as pool:
            lengths = list(pool.map(decode_all, range(0, len(messages), len(messages) // 8)))
        assert all(lengths)
