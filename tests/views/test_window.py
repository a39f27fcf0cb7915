from __future__ import annotations

import pytest

from icws_explore.views.rows import frame_window
from support.session_captures import healthy


class TestFrameWindow:
    def test_shows_all_of_a_short_capture(self) -> None:
        window = frame_window(healthy())
        assert (len(window.head), window.left_out, window.tail) == (29, 0, [])

    @pytest.mark.parametrize("limit", [0, 1, 2, 5, 28])
    def test_leaves_out_the_middle_of_a_long_one(self, limit: int) -> None:
        window = frame_window(healthy(), limit)
        assert len(window.head) + len(window.tail) == limit
        assert window.left_out == 29 - limit
        shown = [d.number for d in [*window.head, *window.tail]]
        assert shown == [*range(len(window.head)), *range(29 - len(window.tail), 29)]

    def test_times_count_from_the_first_frame(self) -> None:
        capture = healthy()
        assert frame_window(capture, 3).start == capture[0].t

    def test_an_empty_capture_is_an_empty_window(self) -> None:
        capture = healthy()
        capture.frames.clear()
        assert frame_window(capture).head == []
