"""Keep-alive windows: after each ack the canister waits 60 s, on its own clock, for a keep-alive."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.keep_alives import KeepAlive, keep_alives
from icws_explore.analysis.timing.skew import skew_of
from icws_explore.capture import Capture

from ..formatting import count, duration
from ..kinds import LOOKS
from .figure import (
    BAD,
    INK,
    LANE,
    ROWS_STRETCH,
    RULE,
    SCREEN,
    SOFT,
    Band,
    Paper,
    SessionFigure,
    draw_band,
    inferred_style,
    legend,
    marker_style,
    panel_title,
    sheet,
    write_empty,
)

MAX_ROWS: Final = 20
_ROW_IN: Final = 0.3
_RIGHT_IN: Final = 3.35
_APART: Final = 0.16  # rows: the ack above the middle, its answer below, as both may come at almost the same time
_ACK, _ANSWER = LOOKS["ack"], LOOKS["keep_alive"]
_NARROW_RIGHT_IN: Final = 2.08
_COLUMNS_PT: Final = (8, 62, 128)  # to the right of the axes
_NARROW_COLUMNS_PT: Final = (6, None, 56)  # when the keep-alive arrived is left to its marker
_HEADS: Final = ("sent after", "arrived after", "outcome")
_AXIS: Final = "seconds since the ack's timestamp, on the canister's clock"
_OUTCOMES: Final = {
    "in time": "in time",
    "timed out": "closed by the canister",
    "sent": "sent; no later message",
    "ended": "the session closed first",
    "waiting": "not sent yet",
    "missed": "not sent",
}


def keep_alives_figure(
    capture: Capture, session: SessionInstants, *, limit_s: float, paper: Paper = SCREEN
) -> SessionFigure:
    """A row for each ack, in seconds since the ack's timestamp: ack received, keep-alive sent, arrived (inferred).

    ``limit_s`` is the canister's keep-alive time-out in seconds. Of many acks the last are shown, at most 20.
    """
    windows = list(keep_alives(session, limit_s=limit_s))
    most = MAX_ROWS if math.isinf(paper.height_in) else max(1, int((paper.height_in - 2.2) / _ROW_IN - 1.2))
    shown = windows[-min(MAX_ROWS, most) :]
    height = max(1.3, _ROW_IN * (len(shown) + 1.2))
    right_in = _NARROW_RIGHT_IN if paper.is_narrow else _RIGHT_IN
    figure, (axes,) = sheet(
        capture,
        "Keep-alive windows",
        (height,),
        right_in=right_in,
        paper=paper,
        legend_rows=2,
        most_stretch=ROWS_STRETCH,
    )
    axes.set_ylim(max(len(shown) - 0.4, 1), -1.2)
    reach = max([limit_s, *(w.sent_s or 0.0 for w in shown)])
    axes.set_xlim(-0.02 * limit_s, max(reach * 1.05, limit_s * 1.3))
    axes.set_xlabel("seconds since the ack, canister's clock" if paper.is_narrow else _AXIS, fontsize=8.5, color=SOFT)
    axes.grid(visible=False, axis="y")
    draw_band(axes, Band(limit_s, float("inf"), "over", f"{limit_s:g} s: the canister closes"), along="x")
    if not shown:
        axes.set_yticks([])
        write_empty(axes, "no ack came, so no keep-alive was due")
        return figure
    several = f"the last {len(shown)} of {count(len(windows), 'ack')}"
    panel_title(axes, count(len(shown), "ack") if len(shown) == len(windows) else several)
    axes.set_yticks(range(len(shown)), [f"ack of {w.ack.acks}" for w in shown])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    skew = skew_of(session).estimate_s
    for row, window in enumerate(shown):
        _draw(axes, row, window, received=window.ack.at - skew - window.ack.made)
    rows = (
        f"ack of {w.ack.acks}: sent after {_sent(w)}, arrived after {_arrived(w)}, {_OUTCOMES[w.outcome]}"
        for w in shown
    )
    figure.description += f". Keep-alives against {limit_s:g} s: " + "; ".join(rows) + "."
    _heads(axes)
    _legend(axes)
    return figure


def _draw(axes: Axes, row: int, window: KeepAlive, *, received: float) -> None:
    low, high = row - 0.3, row + 0.3
    limit = window.limit_s
    axes.fill_between([0, limit], low, high, color=LANE, linewidth=0, zorder=1)
    axes.plot([0, 0], [low, high], color=SOFT, linewidth=1.0, zorder=2)
    if window.sent_s is not None:
        below = row + _APART
        axes.plot([received, window.sent_s], [below, below], color=_ANSWER.light, linewidth=1.6, zorder=3)
        _draw_arrival(axes, below, window)
        axes.plot([window.sent_s], [below], zorder=5, **marker_style(_ANSWER.marker, _ANSWER.light))
    above = row - _APART
    axes.plot([0, received], [above, above], color=_ACK.light, linewidth=1.6, zorder=3)
    axes.plot([received], [above], zorder=4, **marker_style(_ACK.marker, _ACK.light))
    bad = window.outcome in ("timed out", "missed")
    for offset, text in _columns(axes, (_sent(window), _arrived(window), _OUTCOMES[window.outcome])):
        _beside(axes, row, offset, text, BAD if bad else INK)


def _draw_arrival(axes: Axes, row: float, window: KeepAlive) -> None:
    """The bounds of the arrival as a hatched bar, the estimate as a hollow marker."""
    if window.arrived_s is None or window.arrived_min_s is None or window.arrived_max_s is None:
        return
    right = min(window.arrived_max_s, axes.get_xlim()[1])
    axes.fill_between(
        [window.arrived_min_s, right], row - 0.12, row + 0.12, facecolor="none", hatch="////", linewidth=0, zorder=2,
        edgecolor=to_rgba(_ANSWER.light, 0.35),
    )  # fmt: skip
    axes.plot([window.arrived_s], [row], zorder=4.5, **inferred_style(_ANSWER.marker, _ANSWER.light, 6.5))


def _sent(window: KeepAlive) -> str:
    return "–" if window.seen_s is None else duration(window.seen_s)


def _arrived(window: KeepAlive) -> str:
    return "–" if window.arrived_s is None else f"≈ {duration(window.arrived_s)}"


def _columns(axes: Axes, texts: tuple[str, str, str]) -> Iterator[tuple[int, str]]:
    """The texts next to a row, each with its offset in points from the axes."""
    figure: Any = axes.figure
    places = _NARROW_COLUMNS_PT if figure.paper.is_narrow else _COLUMNS_PT
    for offset, text in zip(places, texts, strict=True):
        if offset is not None:
            yield offset, text


def _heads(axes: Axes) -> None:
    """The headings of the three columns next to the rows."""
    for offset, text in _columns(axes, _HEADS):
        axes.annotate(
            text, (1.0, 1.0), (offset, -3), xycoords="axes fraction", textcoords="offset points", fontsize=7.5,
            va="top", color=SOFT, annotation_clip=False,
        )  # fmt: skip


def _beside(axes: Axes, row: float, offset_pt: int, text: str, color: str) -> None:
    where = blended_transform_factory(axes.transAxes, axes.transData)
    axes.annotate(
        text, (1.0, row), (offset_pt, 0), xycoords=where, textcoords="offset points", fontsize=7.5, va="center",
        color=color, annotation_clip=False,
    )  # fmt: skip


def _legend(axes: Axes) -> None:
    axes.plot([], [], label="ack received", **marker_style(_ACK.marker, _ACK.light))
    axes.plot([], [], label="keep-alive sent", **marker_style(_ANSWER.marker, _ANSWER.light))
    axes.plot([], [], label="arrived (inferred)", **inferred_style(_ANSWER.marker, _ANSWER.light, 6.5))
    bounds: dict[str, Any] = {"facecolor": "none", "edgecolor": to_rgba(_ANSWER.light, 0.6), "hatch": "////"}
    axes.fill_between([], [], [], linewidth=0, label="earliest to latest", **bounds)
    legend(axes, right=1.55)
    axes.spines["bottom"].set_color(RULE)
