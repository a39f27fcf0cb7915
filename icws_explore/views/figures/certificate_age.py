"""The age of each certificate on receipt, against the 5 minutes into the past and the future that a client accepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes

from icws_explore.analysis.timing.certificates import certificate_table
from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.capture import Capture
from icws_explore.protocol.constants import MAX_CERTIFICATE_AGE_S

from ..formatting import duration
from ..kinds import LOOKS
from .figure import (
    INK,
    SCREEN,
    SOFT,
    Band,
    Paper,
    SessionFigure,
    count_crowds,
    draw_band,
    legend,
    marker_style,
    panel_title,
    sheet,
    time_axis,
    write_empty,
)

_LINEAR_S: Final = 1.0  # the axis is linear up to here, and logarithmic beyond
_TICKS: Final = (-1000, -300, -100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100, 300, 1000)


def certificate_age_figure(
    capture: Capture, sessions: Sequence[SessionInstants], *, paper: Paper = SCREEN
) -> SessionFigure:
    """Receipt minus certificate time of every message, in seconds, both on the client's clock, over time."""
    figure, (axes,) = sheet(capture, "Certificate age on receipt", (2.9,), paper=paper, legend_rows=2)
    table = certificate_table(sessions)
    start = min((s.first for s in sessions if s.first is not None), default=0.0)
    end = max((s.last for s in sessions), default=0.0)
    time_axis(axes, capture, start, end)
    limit = float(MAX_CERTIFICATE_AGE_S)
    low = float(table["age_s"].min()) if len(table) else 0.0
    high = float(table["age_s"].max()) if len(table) else 0.0
    axes.set_yscale("symlog", linthresh=_LINEAR_S, linscale=1.0)
    axes.set_ylim(min(-1000.0, low * 1.5) if low < -0.5 else -0.1, max(1000.0, high * 1.5))
    shown = [tick for tick in _TICKS if axes.get_ylim()[0] <= tick <= axes.get_ylim()[1]]
    axes.set_yticks(shown, [f"{tick:g}" for tick in shown])
    axes.set_yticks([], minor=True)
    axes.set_ylabel("seconds (logarithmic)", fontsize=8, color=SOFT)
    draw_band(axes, Band(limit, float("inf"), "over", f"{limit:g} s: too old, refused"))
    _future(axes, limit)
    if not len(table):
        write_empty(axes, "no canister message has a certificate that shows its time")
        return figure
    for kind, look in LOOKS.items():
        of_kind = table[table["kind"] == kind]
        if len(of_kind):
            axes.plot(
                of_kind["received_s"], of_kind["age_s"], label=kind, zorder=4,
                **marker_style(look.marker, look.light, 5.5),
            )  # fmt: skip
    count_crowds(axes, list(zip(table["received_s"], table["age_s"], strict=True)), 5.5)
    typical = float(table["age_s"].median())
    summary = f"median {duration(typical)}, oldest {duration(high)}"
    if low < -0.5:
        summary += f", newest {duration(low)}"
    panel_title(axes, summary)
    figure.description += f": {summary}, refused beyond {limit:g} s into the past or the future"
    axes.axhline(typical, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1.4, label="median")
    legend(axes)
    return figure


def _future(axes: Axes, limit: float) -> None:
    """The limit for certificates from the future, if the axis reaches so far down."""
    bottom = axes.get_ylim()[0]
    if bottom > -limit:
        return
    draw_band(axes, Band(bottom, -limit, "over", ""))
    axes.axhline(-limit, color=SOFT, linewidth=1.2, linestyle=(0, (5, 2)), zorder=1.5)
    axes.annotate(
        f"−{limit:g} s: future, refused", (1.0, -limit), (5, 0), xycoords=("axes fraction", "data"),
        textcoords="offset points", fontsize=7.5, color=SOFT, va="center", annotation_clip=False,
    )  # fmt: skip
