"""What the tests of every timing plot share: its words, and that they can be read whatever the session was like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from icws_explore.capture import Capture
from icws_explore.views.figures.figure import SessionFigure
from support.overlaps import beyond_the_paper, overlapping, words
from support.timing_captures import ALL


def texts_of(figure: SessionFigure) -> list[str]:
    """Everything that is written on a figure."""
    return [text for text, _ in words(figure)]


@pytest.mark.parametrize("make", ALL)
class OfAnyCapture:
    """To be inherited: ``draw`` is the module's own, as a static method, of what makes a capture."""

    draw: ClassVar[Callable[..., SessionFigure]]

    def test_no_words_lie_on_each_other_or_leave_the_paper(self, make: Callable[[], Capture]) -> None:
        figure: Any = self.draw(make)
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []
