"""What every figure shares: paper, fonts, saving, and how it shows in a notebook without pyplot."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.capture import Capture

from ..rows import one_line
from ..theme import SHADES, themed

WIDTH_IN: Final = 10.0
DPI: Final = 100
INK, SOFT, RULE, PAPER, LANE, BAD = (SHADES[role].light for role in ("ink", "soft", "rule", "paper", "lane", "bad"))

_SAVE_RC: Final[Any] = {"svg.hashsalt": "icws_explore", "svg.fonttype": "path", "savefig.facecolor": PAPER}


class SessionFigure(Figure):
    """A matplotlib figure on an Agg canvas of its own: nothing global, nothing to close."""

    def __init__(self, height_in: float) -> None:
        self.description = "a figure"  # what it shows, in words, for who cannot see it
        super().__init__(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """For what shows no HTML: drawn at twice the size it is shown at."""
        out = io.BytesIO()
        with mpl.rc_context(_SAVE_RC):
            self.savefig(out, format="png", dpi=2 * DPI)
        width, height = self.get_size_inches() * DPI
        return out.getvalue(), {"width": round(width), "height": round(height)}

    def save(self, *paths: str | os.PathLike[str]) -> None:
        """Write the figure to each path, as PNG, SVG or PDF by its suffix; the same figure gives the same SVG."""
        for path in map(Path, paths):
            metadata = {"Date": None} if path.suffix == ".svg" else None
            with mpl.rc_context(_SAVE_RC):
                self.savefig(path, dpi=2 * DPI, metadata=metadata)

    def inline_svg(self, name: str) -> str:
        """The figure as an <svg> element for an HTML page, in colours that follow the page's theme.

        ``name`` is this figure's own in the page: its parts refer to each other by ids made from it.
        """
        out = io.StringIO()
        with mpl.rc_context({**_SAVE_RC, "svg.hashsalt": name}):
            self.savefig(out, format="svg", metadata={"Date": None})
        svg = out.getvalue()
        return themed(svg[svg.index("<svg") :])

    def _repr_html_(self) -> str:
        """For a notebook: as SVG in the theme's colours; in words where its style is stripped."""
        from ..html import figure_view

        return figure_view(self.inline_svg(secrets.token_hex(8)), self.description).html


def plain_axes(axes: Axes) -> None:
    """No frame but the time axis, no ticks that stick out."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(colors=SOFT, labelsize=8, length=3)
    axes.set_facecolor("none")


def title(figure: SessionFigure, heading: str, capture: Capture, left: float) -> None:
    """The heading, and under it whose session it is and how its seconds passed; in words as well."""
    figure.description = f"{heading}: {session_line(capture)}"
    _, height = figure.get_size_inches()
    figure.text(left, 1 - 0.16 / height, heading, ha="left", va="top", fontsize=11, fontweight="bold", color=INK)
    under = session_line(capture)
    figure.text(left, 1 - 0.38 / height, under, ha="left", va="top", fontsize=8, color=SOFT, parse_math=False)


def session_line(capture: Capture) -> str:
    """Canister, length and clock of a capture in a line."""
    canister = capture.info.canister_id
    clock = capture.info.clock
    parts = [] if canister is None else [f"canister {one_line(canister)[:63]}"]
    if clock.kind == "scaled":
        wall = capture.duration_s / clock.scale
        parts.append(f"{capture.duration_s:.1f} s of protocol time")
        parts.append(f"clock scaled × {clock.scale:g}, so {wall:.1f} s on the wall")
    else:
        parts.append(f"{capture.duration_s:.1f} s" + (", virtual clock" if clock.kind == "virtual" else ""))
    return ", ".join(parts)


def time_label(capture: Capture) -> str:
    unit = "protocol seconds" if capture.info.clock.kind != "real" else "seconds"
    return f"{unit} since the first frame"


def one_session(frames: Sequence[DecodedFrame], session: str | None) -> list[DecodedFrame]:
    """The frames of ``session``; of the first one where none is named."""
    chosen = session if session is not None or not frames else frames[0].frame.session
    return [decoded for decoded in frames if decoded.frame.session == chosen]


def nothing(figure: Figure) -> None:
    """Say on the paper that there is nothing to draw."""
    figure.text(0.5, 0.4, "no frames yet", ha="center", va="center", fontsize=10, color=SOFT)


def marker_style(marker: str, color: str, size: float = 6.5) -> dict[str, Any]:
    """How a kind's marker is drawn: filled, with an edge in paper colour that parts neighbours."""
    line = marker in ("|", "$?$")
    edge = color if line else PAPER
    return {
        "marker": marker,
        "markersize": size + (2 if line else 0),
        "color": color,
        "markeredgecolor": edge,
        "markeredgewidth": 1.4 if marker == "|" else 0.6,
        "linestyle": "none",
    }
