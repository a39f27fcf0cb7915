"""The picture of the parties: the file is what the script draws, and its words stay inside their columns.

They are measured in DejaVu Sans, which is wider than most fonts.
"""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree as ET

from matplotlib.textpath import TextPath

from docs import trust
from icws_explore.views.figures.trust import COLUMN, COLUMNS, TITLE


class TestPicture:
    def test_is_in_step_with_the_script(self) -> None:
        assert trust.PICTURE.read_text(encoding="utf-8") == trust.picture(), "run: python -m docs.trust"

    def test_is_well_formed_and_says_what_it_shows(self) -> None:
        root = ET.fromstring(trust.picture())
        assert root[0].text == TITLE

    def test_keeps_words_inside_the_columns(self) -> None:
        texts = re.findall(r'x="(\d+)" y="\d+" text-anchor="start" font-size="(\d+)".*?>(.*?)</text>', trust.picture())
        assert len(texts) > 20
        for x, size, text in texts:
            right = int(x) + TextPath((0, 0), unescape(text), size=int(size)).get_extents().width
            column = max(start for start in COLUMNS if start < int(x))
            assert right < column + COLUMN, text
