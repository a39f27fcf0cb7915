"""The picture of the parties: the file is what the script draws, and its words stay inside their columns.

They are measured in DejaVu Sans, which is wider than most fonts.
"""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree as ET

from matplotlib.textpath import TextPath

from docs import parties


class TestPicture:
    def test_is_in_step_with_the_script(self) -> None:
        assert parties.PICTURE.read_text(encoding="utf-8") == parties.picture(), "run: python -m docs.parties"

    def test_is_well_formed_and_says_what_it_shows(self) -> None:
        root = ET.fromstring(parties.picture())
        assert root[0].text == parties.TITLE

    def test_keeps_words_inside_the_columns(self) -> None:
        texts = re.findall(
            r'x="(\d+)" y="\d+" text-anchor="start" font-size="(\d+)".*?>(.*?)</text>', parties.picture()
        )
        assert len(texts) > 20
        for x, size, text in texts:
            right = int(x) + TextPath((0, 0), unescape(text), size=int(size)).get_extents().width
            column = max(start for start in parties.COLUMNS if start < int(x))
            assert right < column + parties.COLUMN, text
