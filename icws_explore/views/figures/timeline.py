"""The timeline of a session: who sent what when, and below it each time-out as a bar with its seconds.

A bar has the length of the limit. The part that was used is shaded darker, so what was left shows too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.decode import DecodedFrame, Kind
from icws_explore.analysis.timing.instants import SessionInstants, instants
from icws_explore.capture import Capture
from icws_explore.protocol.constants import NS_PER_S

from ..kinds import LANES, LOOKS, Lane, lane_of
from ..time_outs import TimeOut, TimeOutName, time_outs
from .figure import (
    BAD,
    BOTTOM_IN,
    HEADING_LEFT,
    INK,
    LANE,
    PAPER,
    RULE,
    SCREEN,
    SOFT,
    Paper,
    SessionFigure,
    closing_line,
    drawn_frames,
    empty_figure,
    foot_in,
    footnote,
    in_each_view,
    marker_style,
    one_session,
    plain_axes,
    time_axis,
    title,
    width_of,
)

_HEADING: Final = "Session timeline"
_FOOTNOTE: Final = (
    "The line that leads to a marker begins at the canister's timestamp and ends where the client received the message."
)
_LANE_TITLES: Final[dict[Lane, str]] = {
    "client": "client sends",
    "gateway": "gateway sends",
    "canister": "canister sends",
}
_LEFT_IN: Final = 1.65
_RIGHT_IN: Final = 0.3
_TOP_IN: Final = 0.78
_FOOT_IN: Final = 0.16
_ROW_IN: Final = 0.34
_MARK_IN, _NAME_IN = 0.31, 0.44  # of a row, from the left
_HEAD_IN: Final = 0.27
_LABEL_GAP_IN: Final = 0.258  # markers closer than this share one label
_EARLIEST_S: Final = -60.0  # timestamps before this (seconds since the first frame) have no line
_PAD_PX: Final = 4.0
_LEAST_ROW: Final = 0.8  # of the height of a row, on paper that is too low
_USED_ALPHA, _LEFT_ALPHA = 0.32, 0.1
_MET: Final[dict[TimeOutName, str]] = {"open": "open", "ack": "ack", "keep_alive": "sent"}


@dataclass(frozen=True, slots=True)
class Row:
    """The frames of one kind. ``y`` is in inches from the top of the axes."""

    y: float
    kind: Kind
    frames: tuple[DecodedFrame, ...]


def timeline_figure(
    capture: Capture,
    *,
    frames: Sequence[DecodedFrame] | None = None,
    session: str | None = None,
    timing: SessionInstants | None = None,
    paper: Paper = SCREEN,
) -> SessionFigure:
    """Lanes of client, gateway and canister, and under them the open, ack and keep-alive time-outs.

    Times are seconds since the session's first frame, on the recording's clock. ``frames`` are the recording's
    frames, or some of them, if they are decoded already. ``session`` chooses one of several sessions (None: the
    first). ``timing`` has the instants of that session if they are known; the axis reaches to its ``last``.
    """
    shown = one_session(drawn_frames(capture, frames), session)
    if not shown:
        return empty_figure(capture, _HEADING, paper)
    start = shown[0].frame.t
    known = instants(capture, shown).sessions[shown[0].frame.session] if timing is None else timing
    first = known.first or 0.0
    bars = time_outs(known)
    names = list(dict.fromkeys(bar.name for bar in bars))
    lanes = [(lane, kinds) for lane in LANES if (kinds := _kinds_of(shown, lane))]

    total = sum(_HEAD_IN + _ROW_IN * len(kinds) for _, kinds in lanes)
    total += _HEAD_IN + sum(_bar_height(name) for name in names) if names else 0.0
    foot = BOTTOM_IN + _FOOT_IN + foot_in(_FOOTNOTE, paper)
    head = _TOP_IN + paper.more_top_in
    high = total  # in inches; total is in the units of the axes
    if paper.fills or total + head + foot > paper.height_in:
        high = max(total * _LEAST_ROW, paper.height_in - head - foot)
    full = high + head + foot
    figure = SessionFigure(full, paper)
    title(figure, _HEADING, capture)
    width = paper.width_in - _LEFT_IN - _RIGHT_IN
    axes = figure.add_axes((_LEFT_IN / paper.width_in, foot / full, width / paper.width_in, high / full))
    axes.set_ylim(total, 0)
    plain_axes(axes)
    axes.set_yticks([])
    axes.grid(axis="x", color=RULE, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    time_axis(axes, capture, 0.0, max(known.last - first, 1.0))

    y = 0.0
    for lane, kinds in lanes:
        y = _draw_lane(axes, y, _LANE_TITLES[lane], kinds, start)
    if names:
        _heading(axes, y, "time-outs")
        y += _HEAD_IN
        for name in names:
            low = y + _bar_height(name)
            runs = [bar for bar in bars if bar.name == name]
            _row_label(axes, (y + low) / 2, f"{name}  {runs[0].limit_s:g} s", name)
            draw_bars(axes, runs, start=first, top=y, bottom=low)
            y = low
    for decoded in shown:
        if decoded.frame.op == "close":
            closing_line(axes, decoded.frame.t - start)
    footnote(figure, _FOOTNOTE)
    return figure


def _bar_height(name: TimeOutName) -> float:
    """Acks need two rows: each run of the timer begins before the run ahead of it was due."""
    return 2 * _ROW_IN * 0.85 if name == "ack" else _ROW_IN


def _kinds_of(frames: Sequence[DecodedFrame], lane: Lane) -> list[tuple[Kind, tuple[DecodedFrame, ...]]]:
    in_lane = [decoded for decoded in frames if lane_of(decoded) == lane]
    return [(kind, of_kind) for kind in LOOKS if (of_kind := tuple(d for d in in_lane if d.kind == kind))]


def _draw_lane(
    axes: Axes, y: float, name: str, kinds: Sequence[tuple[Kind, tuple[DecodedFrame, ...]]], start: float
) -> float:
    """Draw a lane whose heading begins at ``y``; gives its lower edge."""
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
    ways: list[float] = []  # one artist with breaks: one for each of thousands of messages takes seconds
    for decoded, at in zip(row.frames, times, strict=True):
        if decoded.canister_message is not None and decoded.message is not None:
            made = decoded.message.timestamp_ns / NS_PER_S - start
            if _EARLIEST_S <= made < at:
                ways += [made, at, float("nan")]
    if ways:
        axes.plot(ways, [row.y] * len(ways), color=look.light, linewidth=1.1, solid_capstyle="butt", zorder=2)
    axes.plot(times, [row.y] * len(times), zorder=3, clip_on=False, **marker_style(look.marker, look.light))
    in_each_view(axes, lambda: list(_numbers(axes, row, times)))


def _numbers(axes: Axes, row: Row, times: Sequence[float]) -> Iterator[Artist]:
    """The sequence numbers above the markers of a row."""
    left, right = axes.get_xlim()
    for at, label in row_labels(row.frames, times, _LABEL_GAP_IN / width_of(axes) * (right - left)):
        if not left <= at <= right:
            continue
        beside = row.frames[-1].frame.op == "close"  # the closing line leaves no room above the marker
        offset, ha, va = ((-5, 0), "right", "center_baseline") if beside else ((0, 5), "center", "bottom")
        note = axes.annotate(
            label, (at, row.y), offset, textcoords="offset points", ha=ha, va=va, fontsize=7, color=SOFT, zorder=4
        )
        note.set_bbox({"facecolor": LANE, "edgecolor": "none", "pad": 0.4})  # keeps lines out of the number
        yield note


def row_labels(frames: Sequence[DecodedFrame], times: Sequence[float], gap: float) -> Iterator[tuple[float, str]]:
    """Where to write which sequence numbers: one label for each run of frames that are less than ``gap`` apart.

    ``times`` and ``gap`` have the same unit. A run is labelled at its middle: "7", "3–5" for consecutive numbers,
    "7…11" for others. A close is labelled with its code.
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


def _heading(axes: Axes, y: float, text: str) -> None:
    across = blended_transform_factory(axes.figure.transFigure, axes.transData)
    style: dict[str, Any] = {"fontsize": 8, "fontweight": "bold", "color": INK, "va": "bottom"}
    axes.text(HEADING_LEFT, y + _HEAD_IN - 0.05, text, transform=across, **style)


def _row_label(axes: Axes, y: float, text: str, kind: Kind) -> None:
    across = blended_transform_factory(axes.figure.transFigure, axes.transData)
    look = LOOKS[kind]
    figure: Any = axes.figure
    across_in = float(figure.get_size_inches()[0])
    axes.plot([_MARK_IN / across_in], [y], transform=across, clip_on=False, **marker_style(look.marker, look.light))
    axes.text(_NAME_IN / across_in, y, text, transform=across, fontsize=8.5, color=INK, va="center")


def draw_bars(axes: Axes, bars: Sequence[TimeOut], *, start: float, top: float, bottom: float) -> None:
    """The runs of one time-out, on two rows in turn if they overlap. The axis counts from ``start`` (seconds)."""
    left, right = axes.get_xlim()
    visible = [bar for bar in bars if bar.due - start > left and bar.start - start < right]  # a clock may be far off
    overlap = any(later.start < earlier.due for earlier, later in pairwise(visible))
    tracks = [visible[0::2], visible[1::2]] if overlap else [visible]
    height = (bottom - top) / len(tracks)
    for number, track in enumerate(tracks):
        y = top + number * height
        for bar in track:
            _draw_bar(axes, bar, start, y + 0.16 * height, y + 0.84 * height)
        in_each_view(axes, partial(_wordings_of, axes, track, start, y + height / 2))


def _draw_bar(axes: Axes, bar: TimeOut, start: float, top: float, bottom: float) -> None:
    color = BAD if bar.outcome == "missed" else LOOKS[bar.name].light
    begin, due = bar.start - start, bar.due - start
    used = min(due, _end(axes, bar, start))
    axes.fill_between([begin, due], top, bottom, color=PAPER, linewidth=0, zorder=0.9)  # no grid behind the words
    axes.fill_between([begin, due], top, bottom, color=color, alpha=_LEFT_ALPHA, linewidth=0, zorder=1)
    axes.fill_between([begin, used], top, bottom, color=color, alpha=_USED_ALPHA, linewidth=0, zorder=2)
    axes.plot([begin, begin], [top, bottom], color=color, linewidth=1.2, zorder=3)
    axes.plot([due, due], [top, bottom], color=color, linewidth=1.2, linestyle=(0, (2, 1.5)), zorder=3)


def _end(axes: Axes, bar: TimeOut, start: float) -> float:
    """Until when the time-out ran. One that still runs reaches to the last frame (the axis goes 4 % beyond it).

    One that was met by something that is not in the recording is not shaded, because its time is unknown.
    """
    if bar.end is not None or bar.outcome == "met":
        return (bar.start if bar.end is None else bar.end) - start
    return float(axes.get_xlim()[1]) / 1.04


def _wordings_of(axes: Axes, track: Sequence[TimeOut], start: float, y: float) -> list[Artist]:
    """A text for each bar in sight, inside or next to it: the longest wording that fits, or none."""
    low, high = axes.get_xlim()
    written: list[Artist] = []
    track = [bar for bar in track if bar.due - start > low and bar.start - start < high]
    canvas: Any = axes.figure.canvas  # an Agg canvas, which has no types
    renderer = canvas.get_renderer()
    to_px = axes.transData.transform
    to_data = axes.transData.inverted().transform
    left, right = (float(to_px((x, y))[0]) for x in axes.get_xlim())
    occupied = left
    for index, bar in enumerate(track):
        begin = max(left, float(to_px((bar.start - start, y))[0]))
        end = min(right, float(to_px((bar.due - start, y))[0]))
        free_until = float(to_px((track[index + 1].start - start, y))[0]) if index + 1 < len(track) else right
        for words in _wordings(bar, start):
            text = axes.text(0, y, words, fontsize=7, va="center", ha="left", color=_ink(bar), zorder=4)
            width = text.get_window_extent(renderer).width
            at = _place(width, begin, end, occupied, free_until)
            if at is None:
                text.remove()
                continue
            text.set_x(float(to_data((at, 0))[0]))
            if not begin <= at <= end:
                text.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1.0})  # no grid behind the words
            occupied = max(end, at + width)
            written.append(text)
            break
        else:
            occupied = end
    return written


def _place(width: float, begin: float, end: float, occupied: float, free_until: float) -> float | None:
    """The left edge (px) of a text of ``width`` px: inside the bar, after it, or before it. None: nowhere."""
    if width + 2 * _PAD_PX <= end - begin:
        return begin + _PAD_PX
    if end + _PAD_PX + width + _PAD_PX <= free_until:
        return end + _PAD_PX
    if begin - _PAD_PX - width >= occupied + _PAD_PX:
        return begin - _PAD_PX - width
    return None


def _wordings(bar: TimeOut, start: float) -> Iterator[str]:
    """What to write about a time-out, from the longest to the shortest."""
    limit = f"{bar.limit_s:g} s"
    took = None if bar.end is None else bar.end - bar.start
    match bar.outcome:
        case "met" if took is None:  # the canister went on, so it had an answer, which is not in the recording
            yield f"in time for {limit}"
            yield "in time"
        case "met":
            yield f"{_MET[bar.name]} after {took:.1f} s of {limit}"
            yield f"{took:.1f} of {limit}"
            yield f"{took:.0f} s"
        case "missed":
            yield f"missed: nothing within {limit}"
            yield f"missed {limit}"
            yield "missed"
        case "ended":
            yield f"session closed after {took:.1f} s of {limit}"
            yield f"closed, {took:.1f} of {limit}"
            yield f"{took:.0f} s"
        case "running":
            yield f"due at {bar.due - start:.1f} s"
            yield f"due {bar.due - start:.0f} s"


def _ink(bar: TimeOut) -> str:
    return BAD if bar.outcome == "missed" else INK
