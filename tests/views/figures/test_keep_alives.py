from __future__ import annotations

from typing import Any

from icws_explore.views.figures.keep_alives import MAX_ROWS, keep_alive_windows
from support.plots import OfAnyCapture, texts_of
from support.session_captures import healthy
from support.timing_captures import only, slow_answer, two_hours


def draw(make: Any, limit_s: float = 60) -> Any:
    capture = make()
    return keep_alive_windows(capture, only(capture), limit_s=limit_s)


def texts(make: Any, limit_s: float = 60) -> list[str]:
    return texts_of(draw(make, limit_s))


class TestAnyCapture(OfAnyCapture):
    draw = staticmethod(draw)

    def test_the_limit_is_written_in_seconds(self, make: Any) -> None:
        assert "60 s: the canister closes" in texts(make)


class TestRows:
    def test_say_when_it_was_answered_when_it_arrived_and_what_came_of_it(self) -> None:
        written = texts(healthy)
        assert {"0.1 s", "≈ 2.3 s", "in time", "nothing heard since", "ack of 5"} <= set(written)

    def test_a_late_answer_ends_beyond_the_limit(self) -> None:
        assert "closed by the canister" in texts(slow_answer)
        assert draw(slow_answer).axes[0].get_xlim()[1] > 66

    def test_of_many_acks_the_last_are_shown(self) -> None:
        assert f"the last {MAX_ROWS} of 25 acks" in texts(two_hours)

    def test_the_limit_is_the_canisters(self) -> None:
        assert "20 s: the canister closes" in texts(healthy, 20)
