from __future__ import annotations

import re

import pytest

from icws_explore.views.kinds import LOOKS
from icws_explore.views.theme import SHADES, color_variables, themed
from support.contrast import contrast


class TestShades:
    @pytest.mark.parametrize("role", ["ink", "soft", "bad", "good", "note"])
    @pytest.mark.parametrize("ground", ["paper", "lane"])
    def test_words_can_be_read_on_every_ground(self, role: str, ground: str) -> None:
        assert contrast(SHADES[role].light, SHADES[ground].light) >= 4.5
        assert contrast(SHADES[role].dark, SHADES[ground].dark) >= 4.5


class TestColorVariables:
    def test_both_themes_define_the_same_names(self) -> None:
        blocks = re.findall(r"\{([^{}]*)\}", color_variables())
        names = [set(re.findall(r"(--icws-[\w-]+):", block)) for block in blocks]
        assert len(blocks) == 3
        assert (
            names[0]
            == names[1]
            == names[2]
            == {*(f"--icws-{role}" for role in SHADES), *(f"--icws-k-{k}" for k in LOOKS)}
        )

    def test_jupyterlabs_choice_beats_the_systems(self) -> None:
        css = color_variables()
        assert "body:not([data-jp-theme-light])" in css
        assert 'body[data-jp-theme-light="false"] .icws' in css


class TestThemed:
    def test_colours_of_the_light_theme_become_variables_that_fall_back_to_them(self) -> None:
        ink = SHADES["ink"].light
        assert themed(f'<path style="fill: {ink}"/>') == f'<path style="fill: var(--icws-ink, {ink})"/>'

    def test_other_colours_stay(self) -> None:
        assert themed('<path style="fill: #123456"/>') == '<path style="fill: #123456"/>'
