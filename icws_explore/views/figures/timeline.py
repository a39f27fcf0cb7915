"""The session timeline: who did what when, and each time-out with its seconds.

The time-outs of a session as bars: what of the limit was used, what was left, in seconds.

What ran when is the timing's to say (analysis/opens, ack_timer, keep_alives); here it becomes bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.decode import DecodedFrame, Kind, shared_frames
from icws_explore.analysis.timing import opens
from icws_explore.analysis.timing.acks import Ending, TimerRun, replay
from icws_explore.analysis.timing.instants import SessionInstants, instants
from icws_explore.analysis.timing.keep_alives import KeepAlive, keep_alives
from icws_explore.analysis.timing.skew import skew_of
from icws_explore.capture import Capture
from icws_explore.protocol.constants import NS_PER_S

from ..kinds import LANES, LOOKS, Lane, lane_of
from .figure import (
    BAD,
    INK,
    LANE,
    PAPER,
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

BarName = Literal["open", "ack", "keep_alive"]
Outcome = Literal["met", "missed", "running", "ended"]

_COLORS: Final[dict[BarName, str]] = {
    "open": LOOKS["open"].light,
    "ack": LOOKS["ack"].light,
    "keep_alive": LOOKS["keep_alive"].light,
}
_ANSWERS: Final[dict[BarName, str]] = {"open": "open", "ack": "ack", "keep_alive": "sent"}
_OPENINGS: Final[dict[str, Outcome]] = {"open": "met", "timed out": "missed", "ended": "ended", "waiting": "running"}
_ENDINGS: Final[dict[Ending, Outcome]] = {"ack": "met", "expired": "missed", "closed": "ended", "running": "running"}
_WINDOWS: Final[dict[str, Outcome]] = {
    "in time": "met", "sent": "met", "timed out": "missed", "missed": "missed", "ended": "ended", "waiting": "running",
}  # fmt: skip
_PAD_PX: Final = 4.0
_SHADED, _LEFT_OVER = 0.32, 0.1  # opacity of what was used and of what was left


@dataclass(frozen=True, slots=True)
class Bar:
    """One run of one time-out. ``start`` and ``end`` are seconds since the capture's first frame, on its clock.

    ``outcome`` is "met", "missed" (nothing came within ``limit_s``), "ended" (the session closed first),
    or "running" when the capture stops; ``end`` is when the first or the third happened, else None.
    """

    name: BarName
    start: float
    limit_s: float
    end: float | None
    outcome: Outcome

    @property
    def due(self) -> float:
        return self.start + self.limit_s


def bars_of(session: SessionInstants) -> list[Bar]:
    """Every time-out of a session: its opening, each run of the client's ack timer, each keep-alive's window."""
    skew = skew_of(session)
    timer, _ = replay(session)
    return [
        *_opening(session),
        *(_ack(run) for run in timer.runs),
        *(_keep_alive(session, window, skew.estimate_s) for window in keep_alives(session, skew=skew)),
    ]


def _opening(session: SessionInstants) -> Iterator[Bar]:
    if session.asked is None:
        return
    outcome = _OPENINGS[opens.outcome(session)]
    ends = {"met": session.opened, "ended": session.ended}.get(outcome)
    yield Bar("open", session.asked.at, opens.OPEN_LIMIT_S, None if ends is None else ends.at, outcome)


def _ack(run: TimerRun) -> Bar:
    outcome = _ENDINGS[run.ending]
    return Bar("ack", run.start, run.due - run.start, run.end if outcome in ("met", "ended") else None, outcome)


def _keep_alive(session: SessionInstants, window: KeepAlive, skew_s: float) -> Bar:
    """The canister's window begins at the ack's own timestamp; here it stands on the capture's clock."""
    outcome = _WINDOWS[window.outcome]
    ends = {"met": window.answer, "ended": session.ended}.get(outcome)
    return Bar("keep_alive", window.ack.made + skew_s, window.limit_s, None if ends is None else ends.at, outcome)


def draw_bars(axes: Axes, bars: Sequence[Bar], *, start: float, top: float, bottom: float) -> None:
    """The runs of one timer, on two sub-rows in turn where they overlap. The axis counts from ``start`` (seconds)."""
    left, right = axes.get_xlim()
    timers = [bar for bar in bars if bar.due - start > left and bar.start - start < right]  # a clock may be far off
    overlap = any(later.start < earlier.due for earlier, later in pairwise(timers))
    tracks = [timers[0::2], timers[1::2]] if overlap else [timers]
    height = (bottom - top) / len(tracks)
    for number, track in enumerate(tracks):
        y = top + number * height
        for timer in track:
            _draw_bar(axes, timer, start, y + 0.16 * height, y + 0.84 * height)
        _write(axes, track, start, y + height / 2)


def _draw_bar(axes: Axes, timer: Bar, start: float, top: float, bottom: float) -> None:
    color = BAD if timer.outcome == "missed" else _COLORS[timer.name]
    begin, due = timer.start - start, timer.due - start
    used = min(due, _end(axes, timer, start))
    axes.fill_between([begin, due], top, bottom, color=PAPER, linewidth=0, zorder=0.9)  # no grid behind the words
    axes.fill_between([begin, due], top, bottom, color=color, alpha=_LEFT_OVER, linewidth=0, zorder=1)
    axes.fill_between([begin, used], top, bottom, color=color, alpha=_SHADED, linewidth=0, zorder=2)
    axes.plot([begin, begin], [top, bottom], color=color, linewidth=1.2, zorder=3)
    axes.plot([due, due], [top, bottom], color=color, linewidth=1.2, linestyle=(0, (2, 1.5)), zorder=3)


def _end(axes: Axes, timer: Bar, start: float) -> float:
    """Until when the timer ran; one that still runs, to the last frame (the axis goes 4 % beyond it).

    What was met by something that is not in the recording is shaded nowhere: nobody knows when.
    """
    if timer.end is not None or timer.outcome == "met":
        return (timer.start if timer.end is None else timer.end) - start
    return float(axes.get_xlim()[1]) / 1.04


def _write(axes: Axes, track: Sequence[Bar], start: float, y: float) -> None:
    """A text for each bar, in it or beside it, the shortest that fits; none where none does."""
    canvas: Any = axes.figure.canvas  # an Agg canvas, which has no types
    renderer = canvas.get_renderer()
    to_px = axes.transData.transform
    to_data = axes.transData.inverted().transform
    left, right = (float(to_px((x, y))[0]) for x in axes.get_xlim())
    occupied = left
    for index, timer in enumerate(track):
        begin = max(left, float(to_px((timer.start - start, y))[0]))
        end = min(right, float(to_px((timer.due - start, y))[0]))
        free_until = float(to_px((track[index + 1].start - start, y))[0]) if index + 1 < len(track) else right
        for words in _wordings(timer, start):
            text = axes.text(0, y, words, fontsize=7, va="center", ha="left", color=_ink(timer), zorder=4)
            width = text.get_window_extent(renderer).width
            at = _place(width, begin, end, occupied, free_until)
            if at is None:
                text.remove()
                continue
            text.set_x(float(to_data((at, 0))[0]))
            if not begin <= at <= end:
                text.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1.0})  # no grid behind the words
            occupied = max(end, at + width)
            break
        else:
            occupied = end


def _place(width: float, begin: float, end: float, occupied: float, free_until: float) -> float | None:
    """The left edge (px) of a text of ``width`` px: inside the bar, after it, or before it."""
    if width + 2 * _PAD_PX <= end - begin:
        return begin + _PAD_PX
    if end + _PAD_PX + width + _PAD_PX <= free_until:
        return end + _PAD_PX
    if begin - _PAD_PX - width >= occupied + _PAD_PX:
        return begin - _PAD_PX - width
    return None


def _wordings(timer: Bar, start: float) -> Iterator[str]:
    """What to write, from the fullest to the shortest."""
    limit = f"{timer.limit_s:g} s"
    took = None if timer.end is None else timer.end - timer.start
    match timer.outcome:
        case "met" if took is None:  # the canister went on, so it had an answer, which is not in the recording
            yield f"in time for {limit}"
            yield "in time"
        case "met":
            yield f"{_ANSWERS[timer.name]} after {took:.1f} s of {limit}"
            yield f"{took:.1f} of {limit}"
            yield f"{took:.0f} s"
        case "missed":
            yield f"missed: nothing within {limit}"
            yield f"missed {limit}"
            yield "missed"
        case "ended":
            yield f"session ended after {took:.1f} s of {limit}"
            yield f"ended, {took:.1f} of {limit}"
            yield f"{took:.0f} s"
        case "running":
            yield f"due at {timer.due - start:.1f} s"
            yield f"due {timer.due - start:.0f} s"


def _ink(timer: Bar) -> str:
    return BAD if timer.outcome == "missed" else INK


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
