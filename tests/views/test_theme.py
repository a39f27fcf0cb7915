from __future__ import annotations

import re

import pytest

from icws_explore.views.kinds import LOOKS
from icws_explore.views.theme import SHADES, color_variables, themed
from support.contrast import contrast


class TestShades:
    @pytest.mark.parametrize("role", ["ink", "soft", "bad", "good", "note"])
    @pytest.mark.parametrize("ground", ["paper", "lane"])
    def test_are_readable_on_every_background(self, role: str, ground: str) -> None:
        assert contrast(SHADES[role].light, SHADES[ground].light) >= 4.5
        assert contrast(SHADES[role].dark, SHADES[ground].dark) >= 4.5


class TestColorVariables:
    def test_are_the_same_in_both_themes(self) -> None:
        blocks = re.findall(r"\{([^{}]*)\}", color_variables())
        names = [set(re.findall(r"(--icws-[\w-]+):", block)) for block in blocks]
        assert len(blocks) == 3
        assert (
            names[0]
            == names[1]
            == names[2]
            == {*(f"--icws-{role}" for role in SHADES), *(f"--icws-k-{k}" for k in LOOKS)}
        )

    def test_follow_jupyterlab_before_the_system(self) -> None:
        css = color_variables()
        assert "body:not([data-jp-theme-light])" in css
        assert 'body[data-jp-theme-light="false"] .icws' in css


class TestThemed:
    def test_colours_of_the_light_theme_become_variables_with_a_fallback(self) -> None:
        ink = SHADES["ink"].light
        assert themed(f'<path style="fill: {ink}"/>') == f'<path style="fill: var(--icws-ink, {ink})"/>'

    def test_other_colours_stay(self) -> None:
        assert themed('<path style="fill: #123456"/>') == '<path style="fill: #123456"/>'
