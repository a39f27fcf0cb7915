"""The picture of the protocol's parties in docs/protocol.md: who talks to whom, and who trusts what.

``python -m docs.trust`` writes docs/images/trust.svg; a test keeps the file in step with this module. The
picture is that of ``icws.plots.trust``; the file carries its own style for light and dark pages.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import Final

from icws_explore.views.figures.trust import HEIGHT, TITLE, WIDTH, parts

PICTURE: Final = Path(__file__).parent / "images" / "trust.svg"

# The role of a colour, and the colour on a light and on a dark page.
COLORS: Final = {
    "ink": ("#1f2328", "#e6e8eb"),
    "soft": ("#59636e", "#a3adb8"),
    "rule": ("#8c959f", "#6e7781"),
    "paper": ("#ffffff", "#16191d"),
    "box": ("#f4f5f7", "#20252b"),
    "client": ("#0066a5", "#66b8f0"),
    "canister": ("#b04a00", "#f0955a"),
    "bad": ("#b3261e", "#ff8a80"),
    "good": ("#007a5a", "#43c9a0"),
}


def picture() -> str:
    """The whole file."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(TITLE)}</title>',
        f"<style>{style()}</style>",
        f'<rect class="fill-paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        *parts(),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def style() -> str:
    """The colours of both themes."""

    def rules(theme: int) -> str:
        return "".join(
            f"  .fill-{role} {{ fill: {shades[theme]} }} .line-{role} {{ stroke: {shades[theme]} }}\n"
            for role, shades in COLORS.items()
        )

    font = "  text { font-family: system-ui, 'DejaVu Sans', sans-serif }\n"
    return f"\n{font}{rules(0)}@media (prefers-color-scheme: dark) {{\n{rules(1)}}}\n"


def main() -> int:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
