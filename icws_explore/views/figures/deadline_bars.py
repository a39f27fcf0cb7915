"""The time-outs of a session as bars: what of the limit was used, what was left, in seconds.

What ran when is the timing's to say (analysis/opens, ack_timer, keep_alives); here it becomes bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from matplotlib.axes import Axes

from icws_explore.analysis.timing import opens
from icws_explore.analysis.timing.ack_timer import Ending, TimerRun, replay
from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.keep_alives import KeepAlive, keep_alives
from icws_explore.analysis.timing.skew import skew_of

from ..kinds import LOOKS
from .figure import BAD, INK, PAPER

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
