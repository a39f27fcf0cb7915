"""The colours of both themes, for HTML and for figures; one table, so that they agree.

In JupyterLab the page's own variables lead, so that a view follows the theme chosen there; elsewhere
the reader's preference does (``prefers-color-scheme``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .kinds import LOOKS


class Shade(NamedTuple):
    """``jupyter`` is JupyterLab's variable for the same role, or None."""

    light: str
    dark: str
    jupyter: str | None = None


SHADES: Final[Mapping[str, Shade]] = {
    "ink": Shade("#1f2328", "#e6e8eb", "--jp-content-font-color1"),
    "soft": Shade("#59636e", "#a3adb8", None),
    "rule": Shade("#d1d5da", "#3d444d", "--jp-border-color2"),
    "paper": Shade("#ffffff", "#16191d", "--jp-layout-color0"),
    "lane": Shade("#f4f5f7", "#20252b", None),
    "bad": Shade("#b3261e", "#ff8a80", None),
    "good": Shade("#007a5a", "#43c9a0", None),
    "note": Shade("#8a5a00", "#e0b050", None),
}


def color_variables() -> str:
    """CSS that defines ``--icws-<role>`` and ``--icws-k-<kind>`` inside ``.icws``, for both themes; paper is light."""
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
    """An inline SVG whose colours follow the page: each colour of the light theme becomes its variable."""
    names = {shade.light: f"--icws-{role}" for role, shade in SHADES.items()}
    names |= {look.light: f"--icws-k-{kind}" for kind, look in LOOKS.items()}
    for color, name in names.items():
        svg = svg.replace(f": {color}", f": var({name}, {color})")
    return svg
