"""The persistent queue behaves as a list, and every old version keeps its contents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.canister.state import Queue

# An operation appends to the newest version, drops items, or returns to an older version (a rollback).
OPERATIONS = st.lists(
    st.one_of(
        st.just(("append", 0)),
        st.tuples(st.just("drop"), st.integers(0, 60)),
        st.tuples(st.just("back"), st.integers(1, 5)),
    ),
    max_size=200,
)

FILLED: Queue[str] = Queue().append("a").append("b")


class TestAgainstAList:
    @given(OPERATIONS)
    def test_every_version_keeps_its_contents(self, operations: list[tuple[str, int]]) -> None:
        versions: list[tuple[Queue[int], list[int]]] = [(Queue(), [])]
        for number, (kind, amount) in enumerate(operations):
            queue, model = versions[-1]
            if kind == "append":
                versions.append((queue.append(number), [*model, number]))
            elif kind == "drop":
                versions.append((queue.drop(amount), model[amount:]))
            else:
                versions.append(versions[max(0, len(versions) - 1 - amount)])
        for queue, model in versions:
            assert list(queue) == model
            assert len(queue) == len(model)

    @given(st.integers(0, 50), st.integers(0, 50), st.integers(-5, 60), st.integers(-5, 60))
    def test_a_slice_is_limited_to_the_items(self, size: int, dropped: int, start: int, stop: int) -> None:
        queue: Queue[int] = Queue()
        for number in range(size):
            queue = queue.append(number)
        queue = queue.drop(dropped)
        assert queue.slice(start, stop) == list(range(size))[dropped:][max(start, 0) : max(stop, 0)]


class TestIndex:
    def test_from_the_front(self) -> None:
        queue = FILLED.append("c").drop(1)
        assert (queue[0], queue[1]) == ("b", "c")

    @pytest.mark.parametrize("index", [-1, 2])
    def test_outside(self, index: int) -> None:
        with pytest.raises(IndexError):
            FILLED[index]


class TestMemory:
    def test_dropped_items_are_freed(self) -> None:
        queue: Queue[int] = Queue()
        for number in range(10_000):
            queue = queue.append(number).drop(1 if len(queue) >= 100 else 0)
        assert len(queue._items) < 500
