from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.views.rows import excerpt, gaps


def rows_of(parts: list[range]) -> list[int]:
    return [row for part in parts for row in part]


class TestExcerpt:
    def test_of_a_short_list_is_all_of_it(self) -> None:
        assert excerpt(10, [3], limit=10) == [range(10)]

    def test_of_nothing_is_nothing(self) -> None:
        assert excerpt(0, [], limit=10) == []
        assert gaps([], 0) == [0]

    def test_without_evidence_shows_both_ends(self) -> None:
        assert excerpt(100, [], limit=10) == [range(5), range(95, 100)]

    def test_shows_what_is_around_the_evidence(self) -> None:
        parts = excerpt(1000, [500], limit=20, around=2)
        assert range(498, 503) in parts
        assert parts[0].start == 0
        assert parts[-1].stop == 1000

    def test_says_what_is_left_out(self) -> None:
        parts = excerpt(100, [], limit=10)
        assert gaps(parts, 100) == [0, 90, 0]

    def test_much_evidence_leaves_room_for_the_ends(self) -> None:
        rows = rows_of(excerpt(10_000, range(0, 10_000, 50), limit=100))
        assert {0, 1, 9_999} <= set(rows)

    @given(
        total=st.integers(0, 400),
        limit=st.integers(1, 60),
        around=st.integers(0, 4),
        data=st.data(),
    )
    def test_is_bounded_in_order_and_accounts_for_every_row(
        self, total: int, limit: int, around: int, data: st.DataObject
    ) -> None:
        evidence = data.draw(st.lists(st.integers(0, max(0, total - 1)), max_size=20)) if total else []
        parts = excerpt(total, evidence, limit=limit, around=around)
        rows = rows_of(parts)
        assert rows == sorted(set(rows))
        assert len(rows) <= max(limit, 2 * around + 1)
        assert len(rows) >= min(total, limit)
        assert len(rows) + sum(gaps(parts, total)) == total
        if evidence and total > limit:
            assert evidence[0] in rows
