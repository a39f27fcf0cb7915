"""The colours of both themes, in one table for HTML and figures.

In JupyterLab a view follows the theme chosen there, through the page's own CSS variables. Elsewhere it follows
the reader's preference (``prefers-color-scheme``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .kinds import LOOKS


class Shade(NamedTuple):
    """The colour of one role in both themes. ``jupyter`` is JupyterLab's CSS variable for that role, or None."""

    light: str
    dark: str
    jupyter: str | None = None


SHADES: Final[Mapping[str, Shade]] = {
    "ink": Shade("#1f2328", "#e6e8eb", "--jp-content-font-color1"),
    "soft": Shade("#59636e", "#a3adb8", None),
    "rule": Shade("#d1d5da", "#3d444d", "--jp-border-color2"),
    "paper": Shade("#ffffff", "#16191d", "--jp-layout-color0"),
    "lane": Shade("#f4f5f7", "#20252b", None),
    "bad": Shade("#c10738", "#e36f6c", None),
    "good": Shade("#227a53", "#43c9a0", None),
    "note": Shade("#8a5a00", "#e0b050", None),
}


def color_variables() -> str:
    """CSS that defines ``--icws-<role>`` and ``--icws-k-<kind>`` within ``.icws`` for both themes. Print is light."""
    light = _block(dark=False)
    dark = _block(dark=True)
    return (
        f".icws {{{light}}}\n"
        f"@media screen and (prefers-color-scheme: dark) {{"
        f" body:not([data-jp-theme-light]):not(.vscode-light) .icws {{{dark}}} }}\n"
        f'body[data-jp-theme-light="false"] .icws, body.vscode-dark .icws {{{dark}}}\n'
    )


def _block(*, dark: bool) -> str:
    lines = []
    for role, shade in SHADES.items():
        color = shade.dark if dark else shade.light
        lines.append(f"--icws-{role}: {f'var({shade.jupyter}, {color})' if shade.jupyter else color};")
    lines += [f"--icws-k-{kind}: {look.dark if dark else look.light};" for kind, look in LOOKS.items()]
    return f" color-scheme: {'dark' if dark else 'light'}; {' '.join(lines)} "


def themed(svg: str) -> str:
    """An inline SVG in which each colour of the light theme is replaced by its CSS variable."""
    names = {shade.light: f"--icws-{role}" for role, shade in SHADES.items()}
    names |= {look.light: f"--icws-k-{kind}" for kind, look in LOOKS.items()}
    for color, name in names.items():
        svg = svg.replace(f": {color}", f": var({name}, {color})")
    return svg
