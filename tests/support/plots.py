"""What the tests of all timing figures share: their labels, and that these are readable for any session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from icws_explore.capture import Capture
from icws_explore.views.figures.figure import SessionFigure
from support.overlaps import beyond_the_paper, overlapping, words
from support.timing_captures import ALL


def texts_of(figure: SessionFigure) -> list[str]:
    """All labels of a figure."""
    return [text for text, _ in words(figure)]


@pytest.mark.parametrize("make", ALL)
class OfAnyCapture:
    """To be inherited. ``draw`` draws what a function makes, as a static method."""

    draw: ClassVar[Callable[..., SessionFigure]]

    def test_labels_do_not_overlap_or_leave_the_paper(self, make: Callable[[], Capture]) -> None:
        figure: Any = self.draw(make)
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []
