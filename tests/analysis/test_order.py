from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.order import out_of_order
from icws_explore.capture import Capture, Frame
from support.session_captures import healthy


def frames(*times: float, session: str | None = None) -> list[Frame]:
    return [Frame(t, "in", "binary", b"", session=session) for t in times]


def found(*times: float) -> list[int]:
    return out_of_order(Capture(frames=frames(*times)))


def is_sorted(times: list[float]) -> bool:
    return all(before <= after for before, after in pairwise(times))


class TestOutOfOrder:
    def test_of_a_real_session_is_empty(self) -> None:
        assert out_of_order(healthy()) == []
        assert found() == found(1) == found(1, 1, 2) == []

    def test_names_the_one_frame_that_came_too_late(self) -> None:
        assert found(1, 2, 360, 3, 4) == [2]

    def test_names_the_one_frame_that_came_too_early(self) -> None:
        assert found(5, 6, 1, 7, 8) == [2]

    def test_after_a_clock_was_set_back_names_the_shorter_part(self) -> None:
        assert found(100, 101, 1, 2, 3, 4) == [0, 1]

    def test_each_session_has_an_order_of_its_own(self) -> None:
        capture = Capture(frames=[*frames(5, 6, session="a"), *frames(1, 2, session="b")])
        assert out_of_order(capture) == []

    @given(st.lists(st.integers(0, 9), max_size=9))
    def test_names_as_few_frames_as_possible(self, times: list[int]) -> None:
        left_out = found(*map(float, times))
        kept = [time for number, time in enumerate(times) if number not in left_out]
        assert is_sorted(kept)
        assert not any(is_sorted(list(longer)) for longer in combinations(times, len(kept) + 1))
