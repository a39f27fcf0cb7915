"""Stable memory."""

from __future__ import annotations

import random

import pytest

from icws_explore.lab.wasm import stable
from icws_explore.lab.wasm.stable import MAX_PAGES, WASM_PAGE, StableFull, StableMemory


def test_it_reads_what_was_written_last_wherever_that_was() -> None:
    rng, memory = random.Random(5), StableMemory()
    memory.grow(2)
    expected = bytearray(2 * WASM_PAGE)
    for _ in range(200):
        data = rng.randbytes(rng.randrange(10_000))
        start = rng.randrange(len(expected) - len(data))
        memory.write(start, data)
        expected[start : start + len(data)] = data
        at, size = rng.randrange(60_000), rng.randrange(60_000)
        assert memory.read(at, size) == bytes(expected[at : at + size])


def test_a_copy_does_not_change() -> None:
    memory = StableMemory()
    memory.grow(1)
    memory.write(10, b"first")
    copy = memory.copy()
    memory.write(10, b"later")
    memory.grow(1)
    assert (copy.read(10, 5), copy.pages, memory.read(10, 5)) == (b"first", 1, b"later")


def test_it_grows_up_to_a_limit() -> None:
    memory = StableMemory()
    assert (memory.grow(3), memory.grow(MAX_PAGES), memory.grow(1), memory.pages) == (0, None, 3, 4)
    assert memory.holds(0, 4 * WASM_PAGE)
    assert not memory.holds(1, 4 * WASM_PAGE)


def test_pages_that_were_never_written_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stable, "MAX_WRITTEN", 3 * 4096)
    memory = StableMemory()
    memory.grow(MAX_PAGES)
    for number in range(3):
        memory.write(number * 1_000_000, b"x")
    memory.write(0, b"again")
    with pytest.raises(StableFull):
        memory.write(9_000_000, b"x")
