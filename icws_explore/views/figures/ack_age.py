"""How old the messages are that wait for an ack, and the client's one ack timer, which every ack restarts."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes

from icws_explore.analysis.timing.acks import AckTimer, Age, replay
from icws_explore.analysis.timing.instants import Received, SessionInstants
from icws_explore.capture import Capture

from ..formatting import duration
from ..kinds import LOOKS
from .figure import (
    BAD,
    INK,
    PAPER,
    SCREEN,
    SOFT,
    Band,
    Paper,
    SessionFigure,
    closing_line,
    draw_band,
    legend,
    marker_style,
    panel_title,
    sheet,
    time_axis,
    width_of,
    write_empty,
)

_HEIGHTS_IN: Final = (2.3, 2.0)
_LABEL_IN: Final = 0.54  # the longest label of an age


def ack_age_figure(capture: Capture, session: SessionInstants, *, paper: Paper = SCREEN) -> SessionFigure:
    """Two saw-teeth over time, in seconds: the age of the oldest message that waits for an ack, and the ack timer.

    Both are shown against the ack interval and against the limit, 30 s later, at which the client closes.
    """
    figure, (ages, timers) = sheet(
        capture, "Age at ack, and the client's ack timer", _HEIGHTS_IN, paper=paper, legend_rows=1
    )
    timer, corners = replay(session)
    start = session.first or 0.0
    for axes in (ages, timers):
        time_axis(axes, capture, start, session.last, label=axes is timers)
        _limits(axes, session.ack_interval_s, timer.limit_s)
    _draw_ages(ages, session, corners)
    panel_title(ages, "age of the oldest message that waits for an ack")
    _draw_timer(timers, timer)
    panel_title(timers, f"the ack timer{_state(timer)}")
    for axes in (ages, timers):
        legend(axes)
        if session.ended is not None:
            closing_line(axes, session.ended.at)
    acked = ", ".join(f"{age:.1f} s" for _, age in _ages_at_acks(session, corners)) or "none"
    figure.description += (
        f". Ages at acks: {acked}; the ack is due after {session.ack_interval_s:g} s, and the client closes after "
        f"{timer.limit_s:g} s. The ack timer{_state(timer)}."
    )
    return figure


def _state(timer: AckTimer) -> str:
    """What the timer does at the end of the figure."""
    if not timer.runs:
        return ""
    run = timer.runs[-1]
    match run.ending:
        case "running":
            return f": running, {run.due - run.end:.0f} s left"
        case "expired":
            return f": expired at {run.end:.1f} s"
        case "closed":
            return f": stopped when the session closed, {run.due - run.end:.0f} s left"
        case "ack":
            return ""


def _limits(axes: Axes, interval: float, limit: float) -> None:
    axes.set_ylim(0, limit * 1.17)
    axes.set_ylabel("seconds", fontsize=8, color=SOFT)
    draw_band(axes, Band(interval, limit, "allowance", f"{interval:g} s: the ack is due"))
    draw_band(axes, Band(limit, float("inf"), "over", f"{limit:g} s: the client closes"))


def _draw_ages(axes: Axes, session: SessionInstants, corners: list[Age]) -> None:
    look = LOOKS["message"]
    if not session.numbered:
        write_empty(axes, "the client sent nothing that waits for an ack")
        return
    axes.plot([c.at for c in corners], [c.age_s for c in corners], color=look.light, linewidth=1.3, zorder=2.5)
    acked = [(ack.at, age) for ack, age in _ages_at_acks(session, corners)]
    if acked:
        xs, ys = zip(*acked, strict=True)
        axes.plot(xs, ys, label="acked at this age", zorder=4, **marker_style(LOOKS["ack"].marker, LOOKS["ack"].light))
    sent = [s.at for s in session.numbered]
    axes.plot(sent, [0.0] * len(sent), label="sent", zorder=3, clip_on=False, **marker_style("|", look.light, 5))
    if len(acked) * _LABEL_IN <= 0.85 * width_of(axes):
        left, right = axes.get_xlim()
        for at, age in acked:
            is_last = at > right - _LABEL_IN / width_of(axes) * (
                right - left
            )  # next to the axes are the labels of the limits
            axes.annotate(
                duration(age), (at, age), (-5 if is_last else 5, 2), textcoords="offset points", fontsize=7, color=INK,
                ha="right" if is_last else "left", va="bottom", zorder=5,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
            )  # fmt: skip


def _ages_at_acks(session: SessionInstants, corners: list[Age]) -> list[tuple[Received, float]]:
    """Each ack that found a waiting message, with the age of the oldest of them."""
    before: dict[float, float] = {}
    for corner in corners:
        before[corner.at] = max(before.get(corner.at, 0.0), corner.age_s)
    return [(ack, before[ack.at]) for ack in session.acks if before.get(ack.at)]


def _draw_timer(axes: Axes, timer: AckTimer) -> None:
    look = LOOKS["ack"]
    if not timer.runs:
        write_empty(axes, "the timer did not start")
        return
    for run in timer.runs:
        axes.plot([run.start, run.end], [0, run.end - run.start], color=look.light, linewidth=1.3, zorder=2.5)
        if run.ending in ("ack", "closed"):
            drop = (0, (1, 1.5)) if run.ending == "ack" else (0, (4, 2))
            axes.plot(
                [run.end] * 2, [0, run.end - run.start], color=look.light, linewidth=0.9, linestyle=drop, zorder=2.4
            )
    restarts = [run for run in timer.runs if run.ending == "ack"]
    if restarts:
        axes.plot(
            [r.end for r in restarts], [0.0] * len(restarts), label="restarted by an ack", zorder=4, clip_on=False,
            **marker_style(look.marker, look.light),
        )  # fmt: skip
    expired = [run for run in timer.runs if run.ending == "expired"]
    if expired:
        axes.plot(
            [r.end for r in expired], [timer.limit_s] * len(expired), label="expired", zorder=5,
            **marker_style("X", BAD, 8),
        )  # fmt: skip
