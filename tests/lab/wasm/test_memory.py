"""Memories that go back to how they were committed, in both ways of doing it."""

from __future__ import annotations

import ctypes
import mmap
import random
import sys
from collections.abc import Iterator

import pytest

from icws_explore.lab.wasm.memory import (
    LARGE,
    SMALL,
    TRIED,
    CopyOnWrite,
    Rollback,
    Shadow,
    copy_on_write_works,
    rollback_for,
)

PAGE = mmap.PAGESIZE
KINDS = [Shadow] + ([CopyOnWrite] if sys.platform == "linux" else [])


class Area:
    """A memory of this process: a stand-in for a linear memory, of which a part is in use."""

    def __init__(self, size: int) -> None:
        self._map = mmap.mmap(-1, size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    def write(self, at: int, data: bytes) -> None:
        ctypes.memmove(self.address + at, data, len(data))

    def read(self, size: int) -> bytes:
        return ctypes.string_at(self.address, size)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def rollback(request: pytest.FixtureRequest) -> Iterator[Rollback]:
    made = request.param()
    yield made
    made.close()


class TestRollback:
    def test_is_the_same_as_a_copy_whatever_is_written(self, rollback: Rollback) -> None:
        rng = random.Random(7)
        area, size = Area(64 * PAGE), 16 * PAGE
        area.write(0, rng.randbytes(size))
        rollback.commit(area.address, size)
        committed = area.read(size)
        for _ in range(60):
            for _ in range(rng.randrange(5)):
                start = rng.randrange(size - 3 * PAGE)
                area.write(start, rng.randbytes(rng.randrange(1, 3 * PAGE)))
            if rng.random() < 0.2 and size < 60 * PAGE:
                size += PAGE
                area.write(size - PAGE, rng.randbytes(PAGE))
                rollback.commit(area.address, size)
                committed = area.read(size)
            elif rng.random() < 0.5:
                rollback.commit(area.address, size)
                committed = area.read(size)
            else:
                rollback.roll_back(area.address)
            assert area.read(size) == committed

    def test_pages_that_stay_private_over_a_commit_go_back_to_it(self, rollback: Rollback) -> None:
        area, size = Area(240 * PAGE), 240 * PAGE
        rollback.commit(area.address, size)
        for text in (b"first", b"second"):
            for page in range(9):  # few of the memory: they stay private
                area.write(page * PAGE, text)
            rollback.commit(area.address, size)
            committed = area.read(size)
            area.write(3 * PAGE, b"abandoned")
            area.write(100 * PAGE, b"abandoned")
            rollback.roll_back(area.address)
            assert area.read(size) == committed

    def test_moves_to_another_memory(self, rollback: Rollback) -> None:
        first, second = Area(4 * PAGE), Area(4 * PAGE)
        first.write(100, b"committed")
        rollback.commit(first.address, 4 * PAGE)
        first.write(100, b"abandoned")
        rollback.attach(second.address)
        assert second.read(109)[100:] == b"committed"
        second.write(100, b"undone as well")
        rollback.roll_back(second.address)
        assert second.read(4 * PAGE)[100:114] == b"committed" + bytes(5)

    def test_of_nothing_is_nothing(self, rollback: Rollback) -> None:
        rollback.commit(0, 0)
        rollback.roll_back(0)
        assert rollback.size == 0


def test_a_kernel_that_does_not_tell_what_was_written_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert copy_on_write_works() == (sys.platform == "linux")
    silent = copy_on_write_works.__wrapped__
    monkeypatch.setattr(CopyOnWrite, "written", lambda *_: [])
    assert not silent()

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr("os.open", refuse)
    assert not silent()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has both ways")
class TestRollbackFor:
    def test_a_memory_that_grows_changes_to_copy_on_write(self) -> None:
        small = rollback_for(SMALL - 1)
        assert isinstance(small, Shadow)
        assert rollback_for(SMALL - 1, small) is small
        large = rollback_for(SMALL, small)
        assert isinstance(large, CopyOnWrite)
        assert rollback_for(LARGE * 2, large) is large
        large.close()

    @pytest.mark.parametrize(("pages", "is_much"), [(1, False), (20, True)])
    def test_a_canister_that_writes_much_goes_back_to_a_copy(self, pages: int, is_much: bool) -> None:
        area, size = Area(SMALL), SMALL
        rollback = rollback_for(size)
        rollback.commit(area.address, size)
        for number in range(TRIED - 1):  # it has committed once
            for page in range(pages * size // PAGE // 100):
                area.write(page * PAGE, bytes([number + 1]))
            assert rollback_for(size, rollback) is rollback
            rollback.commit(area.address, size)
        settled = rollback_for(size, rollback)
        assert isinstance(settled, Shadow) == is_much
        settled.commit(area.address, size)
        committed = area.read(size)
        area.write(5 * PAGE, b"undone")
        settled.roll_back(area.address)
        assert area.read(size) == committed
        assert rollback_for(LARGE - 1, settled) is settled
        large = rollback_for(LARGE, settled)
        assert isinstance(large, CopyOnWrite)
        large.close()
