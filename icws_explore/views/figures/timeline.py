"""The session timeline: who did what when, and each time-out with its seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.decode import DecodedFrame, Kind, shared_frames
from icws_explore.analysis.timing.instants import SessionInstants, instants
from icws_explore.capture import Capture
from icws_explore.protocol.constants import NS_PER_S

from ..kinds import LANES, LOOKS, Lane, lane_of
from .deadline_bars import BarName, bars_of, draw_bars
from .figure import (
    INK,
    LANE,
    RULE,
    SOFT,
    WIDTH_IN,
    SessionFigure,
    marker_style,
    nothing,
    one_session,
    plain_axes,
    time_label,
    title,
)

_LEFT_IN: Final = 1.65
_RIGHT_IN: Final = 0.3
_TOP_IN: Final = 0.72
_BOTTOM_IN: Final = 0.78
_ROW_IN: Final = 0.34
_HEAD_IN: Final = 0.27
_LABEL_GAP: Final = 0.032  # of the axis: markers closer than this share one label

_LANE_TITLES: Final[dict[Lane, str]] = {
    "client": "client sends",
    "gateway": "gateway sends",
    "canister": "canister sends",
}
_FOOTNOTE: Final = (
    "The line that leads to a marker begins at the canister's own timestamp and ends where the client received it."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the figure; ``y`` counts inches downwards from the top of the axes."""

    y: float
    kind: Kind
    frames: tuple[DecodedFrame, ...]


def timeline(
    capture: Capture,
    *,
    frames: Sequence[DecodedFrame] | None = None,
    session: str | None = None,
    timing: SessionInstants | None = None,
) -> SessionFigure:
    """Lanes of client, gateway and canister, and under them the open, ack and keep-alive time-outs.

    Times are seconds since the session's first frame, on the capture's clock. ``frames`` are the
    capture's, where they are decoded already; ``session`` picks one of a multi-session capture, else
    the first. ``timing`` are that session's instants, where they are known; the axis goes to their ``last``.
    """
    mine = one_session(list(shared_frames(capture)) if frames is None else frames, session)
    if not mine:
        figure = SessionFigure(1.6)
        title(figure, "Session timeline", capture, 0.02)
        nothing(figure)
        return figure
    start = mine[0].frame.t
    known = instants(capture, mine).sessions[mine[0].frame.session] if timing is None else timing
    first = known.first or 0.0
    timers = bars_of(known)
    names = list(dict.fromkeys(timer.name for timer in timers))
    lanes = [(lane, _kinds_of(mine, lane)) for lane in LANES]
    lanes = [(lane, kinds) for lane, kinds in lanes if kinds]

    height = sum(_HEAD_IN + _ROW_IN * len(kinds) for _, kinds in lanes)
    bars_height = _HEAD_IN + sum(_bar_height(name) for name in names) if names else 0.0
    total = height + bars_height
    figure = SessionFigure(total + _TOP_IN + _BOTTOM_IN)
    full = total + _TOP_IN + _BOTTOM_IN
    width = WIDTH_IN - _LEFT_IN - _RIGHT_IN
    axes = figure.add_axes((_LEFT_IN / WIDTH_IN, _BOTTOM_IN / full, width / WIDTH_IN, total / full))
    axes.set_ylim(total, 0)
    span = max(known.last - first, 1.0)
    axes.set_xlim(-0.02 * span, 1.04 * span)
    _paper(axes, capture)
    title(figure, "Session timeline", capture, 0.02)
    figure.text(0.02, 0.14 / full, _FOOTNOTE, ha="left", va="bottom", fontsize=7, color=SOFT)

    y = 0.0
    for lane, kinds in lanes:
        y = _draw_lane(axes, y, _LANE_TITLES[lane], kinds, start)
    if names:
        _heading(axes, y, "time-outs")
        y += _HEAD_IN
        for name in names:
            low = y + _bar_height(name)
            bars = [bar for bar in timers if bar.name == name]
            _row_label(axes, (y + low) / 2, f"{name}  {bars[0].limit_s:g} s", name)
            draw_bars(axes, bars, start=first, top=y, bottom=low)
            y = low
    _closing_line(axes, mine, start)
    return figure


def _bar_height(name: BarName) -> float:
    """Acks need two sub-rows: each run of the timer begins before the last one was due."""
    return 2 * _ROW_IN * 0.85 if name == "ack" else _ROW_IN


def _kinds_of(frames: Sequence[DecodedFrame], lane: Lane) -> list[tuple[Kind, tuple[DecodedFrame, ...]]]:
    mine = [decoded for decoded in frames if lane_of(decoded) == lane]
    present = [kind for kind in LOOKS if any(decoded.kind == kind for decoded in mine)]
    return [(kind, tuple(d for d in mine if d.kind == kind)) for kind in present]


def _draw_lane(
    axes: Axes, y: float, name: str, kinds: Sequence[tuple[Kind, tuple[DecodedFrame, ...]]], start: float
) -> float:
    _heading(axes, y, name)
    top = y + _HEAD_IN
    bottom = top + _ROW_IN * len(kinds)
    axes.axhspan(top, bottom, color=LANE, linewidth=0, zorder=0)
    for number, (kind, frames) in enumerate(kinds):
        _draw_row(axes, Row(top + _ROW_IN * (number + 0.58), kind, frames), start)
    return bottom


def _draw_row(axes: Axes, row: Row, start: float) -> None:
    look = LOOKS[row.kind]
    _row_label(axes, row.y, row.kind, row.kind)
    times = [d.frame.t - start for d in row.frames]
    ways: list[float] = []  # one line with breaks: a line for each of thousands of messages takes seconds
    for decoded, at in zip(row.frames, times, strict=True):
        if decoded.canister_message is not None and decoded.message is not None:
            made = decoded.message.timestamp_ns / NS_PER_S - start
            if -60 <= made < at:
                ways += [made, at, float("nan")]
    if ways:
        axes.plot(ways, [row.y] * len(ways), color=look.light, linewidth=1.1, solid_capstyle="butt", zorder=2)
    axes.plot(times, [row.y] * len(times), zorder=3, clip_on=False, **marker_style(look.marker, look.light))
    left, right = axes.get_xlim()
    for at, label in row_labels(row.frames, times, _LABEL_GAP * (right - left)):
        beside = row.frames[-1].frame.op == "close"  # the line that marks the end leaves no room above
        offset, ha, va = ((-5, 0), "right", "center_baseline") if beside else ((0, 5), "center", "bottom")
        note = axes.annotate(
            label, (at, row.y), offset, textcoords="offset points", ha=ha, va=va, fontsize=6.5, color=SOFT, zorder=4
        )
        note.set_bbox({"facecolor": LANE, "edgecolor": "none", "pad": 0.4})  # no line through the number


def row_labels(frames: Sequence[DecodedFrame], times: Sequence[float], gap: float) -> Iterator[tuple[float, str]]:
    """Where to write which sequence numbers: one label for each run of frames less than ``gap`` apart.

    ``times`` and ``gap`` are in the same unit. A run is labelled over its middle: "7", "3–5" for all
    of them, "7…11" where others lie in between; a close, with its code.
    """
    runs: list[list[int]] = []
    for index, at in enumerate(times):
        if runs and at - times[runs[-1][-1]] < gap:
            runs[-1].append(index)
        else:
            runs.append([index])
    for run in runs:
        label = _run_label([frames[index] for index in run])
        if label:
            yield (times[run[0]] + times[run[-1]]) / 2, label


def _run_label(frames: Sequence[DecodedFrame]) -> str:
    codes = [str(d.frame.code) for d in frames if d.frame.op == "close" and d.frame.code is not None]
    if codes:
        return codes[-1]
    numbers = sorted({d.sequence_num for d in frames if d.sequence_num is not None})
    if not numbers:
        return ""
    first, last = numbers[0], numbers[-1]
    whole = last - first == len(numbers) - 1
    return str(first) if first == last else f"{first}{'–' if whole else '…'}{last}"


def _paper(axes: Axes, capture: Capture) -> None:
    plain_axes(axes)
    axes.set_yticks([])
    axes.grid(axis="x", color=RULE, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel(time_label(capture), fontsize=8.5, color=SOFT)


def _heading(axes: Axes, y: float, text: str) -> None:
    across = blended_transform_factory(axes.figure.transFigure, axes.transData)
    axes.text(0.02, y + _HEAD_IN - 0.05, text, transform=across, fontsize=8, fontweight="bold", color=INK, va="bottom")


def _row_label(axes: Axes, y: float, text: str, kind: Kind) -> None:
    across = blended_transform_factory(axes.figure.transFigure, axes.transData)
    look = LOOKS[kind]
    axes.plot([0.031], [y], transform=across, clip_on=False, **marker_style(look.marker, look.light))
    axes.text(0.044, y, text, transform=across, fontsize=8.5, color=INK, va="center")


def _closing_line(axes: Axes, frames: Sequence[DecodedFrame], start: float) -> None:
    for decoded in frames:
        if decoded.frame.op == "close":
            axes.axvline(decoded.frame.t - start, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
