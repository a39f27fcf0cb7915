"""How long messages take from the canister to the client: the distribution of each part of the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from matplotlib.axes import Axes

from icws_explore.analysis.timing.certificates import certificate_table, latency_table
from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.capture import Capture
from icws_explore.protocol.constants import LATENCY_BOUND_MS

from ..formatting import count, duration
from ..kinds import LOOKS
from .figure import (
    INK,
    PAPER,
    SCREEN,
    SOFT,
    Band,
    Paper,
    SessionFigure,
    draw_band,
    panel_title,
    sheet,
    write_empty,
)

_LIMIT_S: Final = LATENCY_BOUND_MS / 1000
_LEAST_S: Final = 0.001  # the axis begins here, and what is shorter is drawn here
_TICKS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
_MARKS: Final = ((0.5, "p50_s", "o"), (0.9, "p90_s", "s"), (0.99, "p99_s", "D"))
_PARTS: Final = (
    ("waited", "waited_s", "canister to certificate", LOOKS["app"].light),
    ("delay", "delay_s", "certificate to receipt", LOOKS["message"].light),
)
_LIMIT: Final = f"{_LIMIT_S:g} s: latency bound. SDK and\nCDK allow a message so long,\nand add it to their time-outs"
_LIMIT_FITS_IN: Final = 9.5  # the width of a figure that has room for it
_SHORT_LIMIT: Final = f"{_LIMIT_S:g} s:\nlatency\nbound"


def latencies_figure(capture: Capture, sessions: Sequence[SessionInstants], *, paper: Paper = SCREEN) -> SessionFigure:
    """Two panels: the share of messages that took at most so many seconds, with percentiles and the latency bound."""
    figure, both = sheet(
        capture, "Latency from the canister to the client", (1.75, 1.75), right_in=0.4, paper=paper, legend_rows=1
    )
    table, numbers = certificate_table(sessions), latency_table(sessions)
    for axes, (part, column, name, color) in zip(both, _PARTS, strict=True):
        _prepare(axes, label=axes is both[-1], is_narrow=paper.is_narrow, is_short=paper.width_in < _LIMIT_FITS_IN)
        values = sorted(max(_LEAST_S, float(value)) for value in table[column])
        row: Any = numbers.loc[part]
        doubt = f", inferred ± {_latency(float(row['error_s']))}" if row["inferred"] else ""
        panel_title(axes, f"{name}{doubt if values else ''}", above_pt=18 if paper.is_narrow else 8)
        if values:
            figure.description += f". {name}: {_percentiles(row)}"
            _draw(axes, values, row, color)
        else:
            write_empty(axes, "no canister message has a certificate that shows its time")
    figure.description += f". {' '.join(_LIMIT.split())}"
    return figure


def _prepare(axes: Axes, *, label: bool, is_narrow: bool, is_short: bool) -> None:
    axes.set_xscale("log")
    axes.set_xlim(_LEAST_S * 0.9, 400)
    axes.set_ylim(0, 1.12)
    ticks = _TICKS[::2] if is_narrow else _TICKS
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks([0, 0.5, 1.0], ["0 %", "50 %", "100 %"])
    axes.set_ylabel("of messages", fontsize=8, color=SOFT)
    if label:
        axes.set_xlabel("seconds (logarithmic)", fontsize=8.5, color=SOFT)
    draw_band(axes, Band(_LIMIT_S, float("inf"), "over", _SHORT_LIMIT if is_short else _LIMIT), along="x")


def _draw(axes: Axes, values: Sequence[float], row: Any, color: str) -> None:
    total = len(values)
    shares = [(number + 1) / total for number in range(total)]
    xs, ys = [values[0], *values, axes.get_xlim()[1]], [0.0, *shares, 1.0]
    axes.step(xs, ys, where="post", color=color, linewidth=1.5, zorder=3)
    axes.fill_between(xs, ys, step="post", color=color, alpha=0.10, linewidth=0, zorder=2)
    axes.plot(values, [0.0] * total, "|", color=color, markersize=6, clip_on=False, zorder=3)
    for share, column, marker in _MARKS:
        at = max(_LEAST_S, float(row[column]))
        axes.plot([at], [share], marker, color=color, markeredgecolor=PAPER, markersize=6, zorder=4, clip_on=False)
    marks = "   ".join(f"{mark} {text}" for mark, text in zip("●■◆", _percentiles(row).split(", "), strict=True))
    axes.annotate(
        f"{count(total, 'message')}   {marks}   max {_latency(float(row['max_s']))}", (1.0, 1.0), (0, 4),
        xycoords="axes fraction", textcoords="offset points", ha="right", va="bottom", fontsize=7.5, color=INK,
        annotation_clip=False,
    )  # fmt: skip


def _percentiles(row: Any) -> str:
    return ", ".join(f"p{100 * share:g} {_latency(float(row[column]))}" for share, column, _ in _MARKS)


def _latency(seconds: float) -> str:
    return "unknown" if math.isinf(seconds) else duration(seconds)
