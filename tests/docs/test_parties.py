"""The picture of the parties: its files are those that the script draws, and its words stay inside their columns.

They are measured in DejaVu Sans, which is wider than most fonts.
"""

from __future__ import annotations

import re
from html import unescape

import pytest
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document
from matplotlib.textpath import TextPath

from docs._ext import parties


@pytest.mark.parametrize("theme", parties.THEMES)
class TestPicture:
    def test_is_in_step_with_the_script(self, theme: str) -> None:
        stored = (parties.IMAGES / f"parties-{theme}.svg").read_text(encoding="utf-8")
        assert stored == parties.svg(theme), "run: python -m docs._ext.parties"

    def test_keeps_words_inside_the_columns(self, theme: str) -> None:
        for x, size, text in re.findall(
            r'<text x="(\d+)" y="\d+" text-anchor="start" font-size="(\d+)".*?>(.*?)</text>', parties.svg(theme)
        ):
            right = int(x) + TextPath((0, 0), unescape(text), size=int(size)).get_extents().width
            column = max(start for start in parties.COLUMNS if start < int(x))
            assert right < column + parties.COLUMN, text


class TestPairImages:
    def test_adds_the_dark_picture_to_the_light_one(self) -> None:
        document = new_document("page", get_default_settings())
        document += nodes.paragraph("", "", nodes.image(uri="images/parties-light.svg", alt="the parties"))
        parties.pair_images(None, document)  # type: ignore[arg-type]  # the application is not asked
        light, dark = document.findall(nodes.image)
        assert (light["uri"], light["classes"]) == ("images/parties-light.svg", ["only-light"])
        assert (dark["uri"], dark["classes"], dark["alt"]) == ("images/parties-dark.svg", ["only-dark"], "the parties")

    def test_leaves_others_alone(self) -> None:
        document = new_document("page", get_default_settings())
        document += nodes.image(uri="images/timeline.png")
        parties.pair_images(None, document)  # type: ignore[arg-type]
        assert len(list(document.findall(nodes.image))) == 1
