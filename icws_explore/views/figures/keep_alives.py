"""Keep-alive windows: each ack gives 60 s, on the canister's clock, for an answer to arrive."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.keep_alives import KeepAlive, keep_alives
from icws_explore.analysis.timing.skew import skew_of
from icws_explore.capture import Capture

from ..kinds import LOOKS
from .figure import (
    BAD,
    INK,
    LANE,
    PAPER,
    RULE,
    SOFT,
    Band,
    SessionFigure,
    draw_band,
    marker_style,
    panel_title,
    sheet,
    write_empty,
)

MAX_ROWS: Final = 20
_ROW_IN: Final = 0.3
_RIGHT_IN: Final = 3.35
_ACK, _ANSWER = LOOKS["ack"], LOOKS["keep_alive"]
_COLUMNS_PT: Final = (8, 72, 124)  # to the right of the axes
_WORDS: Final = {
    "in time": "in time",
    "timed out": "closed by the canister",
    "sent": "nothing heard since",
    "ended": "the session ended first",
    "waiting": "not answered yet",
    "missed": "not answered",
}


def keep_alive_windows(capture: Capture, session: SessionInstants, *, limit_s: float) -> SessionFigure:
    """A row an ack, in seconds since the ack's own timestamp: received here, answered, arrived (inferred).

    ``limit_s`` is the canister's keep-alive time-out. Of more than 20 acks the last 20 are shown.
    """
    windows = list(keep_alives(session, limit_s=limit_s))
    shown = windows[-MAX_ROWS:]
    height = max(1.3, _ROW_IN * (len(shown) + 1.2))
    figure, (axes,) = sheet(capture, "Keep-alive windows", (height,), right_in=_RIGHT_IN)
    axes.set_ylim(max(len(shown) - 0.4, 1), -1.2)
    reach = max([limit_s, *(w.sent_s or 0.0 for w in shown)])
    axes.set_xlim(-0.02 * limit_s, max(reach * 1.05, limit_s * 1.3))
    axes.set_xlabel("seconds since the canister made the ack, by its clock", fontsize=8.5, color=SOFT)
    axes.grid(visible=False, axis="y")
    draw_band(axes, Band(limit_s, float("inf"), "over", f"{limit_s:g} s: the canister closes"), along="x")
    if not shown:
        axes.set_yticks([])
        write_empty(axes, "no ack came, so no keep-alive was asked for")
        return figure
    which = "every ack" if len(shown) == len(windows) else f"the last {len(shown)} of {len(windows)} acks"
    panel_title(axes, which)
    axes.set_yticks(range(len(shown)), [f"ack of {w.ack.acks}" for w in shown])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    skew = skew_of(session).estimate_s
    for row, window in enumerate(shown):
        _draw(axes, row, window, received=window.ack.at - skew - window.ack.made)
    rows = (f"ack of {w.ack.acks}: {_seen(w)}, there {_arrived(w)}, {_WORDS[w.outcome]}" for w in shown)
    figure.description += f". Answered, there, so, within {limit_s:g} s: " + "; ".join(rows) + "."
    _heads(axes)
    _legend(axes)
    return figure


def _draw(axes: Axes, row: int, window: KeepAlive, *, received: float) -> None:
    low, high = row - 0.3, row + 0.3
    limit = window.limit_s
    axes.fill_between([0, limit], low, high, color=LANE, linewidth=0, zorder=1)
    axes.plot([0, 0], [low, high], color=SOFT, linewidth=1.0, zorder=2)
    if window.sent_s is not None:
        axes.plot([received, window.sent_s], [row, row], color=_ANSWER.light, linewidth=1.6, zorder=3)
        _draw_arrival(axes, row, window)
        axes.plot([window.sent_s], [row], zorder=5, **marker_style(_ANSWER.marker, _ANSWER.light))
    axes.plot([0, received], [row, row], color=_ACK.light, linewidth=1.6, zorder=3)
    axes.plot([received], [row], zorder=4, **marker_style(_ACK.marker, _ACK.light))
    bad = window.outcome in ("timed out", "missed")
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for offset, text in zip(_COLUMNS_PT, (_seen(window), _arrived(window), _WORDS[window.outcome]), strict=True):
        axes.annotate(
            text, (1.0, row), (offset, 0), xycoords=beside, textcoords="offset points", fontsize=7.5,
            va="center", color=BAD if bad else INK, annotation_clip=False,
        )  # fmt: skip


def _draw_arrival(axes: Axes, row: int, window: KeepAlive) -> None:
    """What is sure of the arrival as an open bracket, what is likely as a hollow marker."""
    if window.arrived_s is None or window.arrived_min_s is None or window.arrived_max_s is None:
        return
    right = min(window.arrived_max_s, axes.get_xlim()[1])
    axes.fill_between(
        [window.arrived_min_s, right], row - 0.12, row + 0.12, facecolor="none", hatch="////", linewidth=0, zorder=2,
        edgecolor=to_rgba(_ANSWER.light, 0.35),
    )  # fmt: skip
    style = marker_style(_ANSWER.marker, _ANSWER.light) | {"markerfacecolor": PAPER, "markeredgecolor": _ANSWER.light}
    axes.plot([window.arrived_s], [row], zorder=4.5, **(style | {"markeredgewidth": 1.1}))


def _seen(window: KeepAlive) -> str:
    return "–" if window.seen_s is None else f"{window.seen_s:.1f} s"


def _arrived(window: KeepAlive) -> str:
    return "–" if window.arrived_s is None else f"≈ {window.arrived_s:.1f} s"


def _heads(axes: Axes) -> None:
    """What the three columns beside the rows say."""
    for offset, text in zip(_COLUMNS_PT, ("answered after", "there after", "so"), strict=True):
        axes.annotate(
            text, (1.0, 1.0), (offset, -3), xycoords="axes fraction", textcoords="offset points", fontsize=7.5,
            va="top", color=SOFT, annotation_clip=False,
        )  # fmt: skip


def _legend(axes: Axes) -> None:
    """Of marks, made for the purpose: the rows' own have no labels."""
    style = marker_style(_ANSWER.marker, _ANSWER.light)
    hollow = style | {"markerfacecolor": PAPER, "markeredgecolor": _ANSWER.light, "markeredgewidth": 1.1}
    axes.plot([], [], label="ack received", **marker_style(_ACK.marker, _ACK.light))
    axes.plot([], [], label="keep-alive sent", **style)
    axes.plot([], [], label="arrived (inferred)", **hollow)
    bounds = to_rgba(_ANSWER.light, 0.6)
    axes.fill_between([], [], [], facecolor="none", edgecolor=bounds, hatch="////", linewidth=0, label="its bounds")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.55, 1.0), ncols=4, frameon=False, fontsize=8, labelcolor=INK,
        borderaxespad=0.2, handletextpad=0.4, columnspacing=1.4,
    )  # fmt: skip
    axes.spines["bottom"].set_color(RULE)
