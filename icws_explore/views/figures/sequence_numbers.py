"""Sequence numbers over time in both directions: what was sent, what is acknowledged, and where the order breaks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from icws_explore.analysis.decode import DecodedFrame, Kind, shared_frames
from icws_explore.capture import Capture, Direction
from icws_explore.protocol.constants import FIRST_SEQUENCE_NUM
from icws_explore.protocol.service_messages import AckMessage, KeepAliveMessage

from ..kinds import LOOKS
from .figure import (
    BAD,
    PAPER,
    SCREEN,
    SOFT,
    Paper,
    SessionFigure,
    drawn_frames,
    empty_figure,
    legend,
    marker_style,
    one_session,
    panel_title,
    sheet,
    time_axis,
    write_empty,
)

_HEADING: Final = "Sequence numbers"
_PANELS: Final[tuple[tuple[Direction, str], ...]] = (("out", "client → canister"), ("in", "canister → client"))
_REPORTS: Final[dict[Direction, tuple[Kind, str, str]]] = {
    "out": ("ack", "acknowledged by an ack", "not acknowledged yet"),
    "in": ("keep_alive", "confirmed by a keep-alive", "not confirmed yet"),
}
_PANEL_IN: Final = 1.9
_MAX_NOTES: Final = 5  # breaks of the order that are described in a panel; all of them are marked


@dataclass(frozen=True, slots=True)
class Break:
    """A message out of order: its frame, the number that was expected, and the number that came."""

    frame: int
    expected: int
    found: int

    @property
    def text(self) -> str:
        if self.found > self.expected:
            return f"gap: expected {self.expected}, got {self.found}"
        return f"repeated or late: expected {self.expected}, got {self.found}"


def sequence_numbers_figure(
    capture: Capture,
    *,
    frames: Sequence[DecodedFrame] | None = None,
    session: str | None = None,
    until_s: float = 0.0,
    paper: Paper = SCREEN,
) -> SessionFigure:
    """A panel for each direction: a marker for each message, a step line, and shaded what is not acknowledged yet.

    `timeline_figure` describes ``frames`` and ``session``. The axis reaches to ``until_s`` (seconds since the
    recording's first frame) if that is later than the last frame. Gaps, repetitions and swaps are marked.
    """
    known = one_session(list(shared_frames(capture)) if frames is None else frames, session)
    shown = drawn_frames(capture, known)
    if not shown:
        return empty_figure(capture, _HEADING, paper)
    figure, panels = sheet(capture, _HEADING, (_PANEL_IN, _PANEL_IN), right_in=0.3, paper=paper, legend_rows=3)
    start = shown[0].frame.t
    end = max(shown[-1].frame.t - start, capture.frames[0].t + until_s - start, 1.0)
    for axes, (direction, name) in zip(panels, _PANELS, strict=True):
        time_axis(axes, capture, 0.0, end, label=axes is panels[-1])
        panel_title(axes, name)
        _draw_panel(axes, shown, direction, start, end)
        _draw_breaks(axes, [d for d in shown if d.frame.direction == direction], breaks(known, direction), start)
        legend(axes)
    return figure


def _draw_panel(axes: Axes, frames: Sequence[DecodedFrame], direction: Direction, start: float, end: float) -> None:
    axes.set_ylabel("sequence_num", fontsize=8, color=SOFT)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    axes.yaxis.set_major_formatter(lambda number, _: f"{number:.0f}" if number < 1e6 else f"{number:.1e}")
    numbered = [d for d in frames if d.frame.direction == direction and d.sequence_num is not None]
    if not numbered:
        axes.set_ylim(0, 1)
        write_empty(axes, "no messages")
        return
    times = [d.frame.t - start for d in numbered]
    numbers = [float(d.sequence_num or 0) for d in numbered]
    axes.set_ylim(min(0.0, *numbers), max(numbers) * 1.12 + 0.6)
    axes.step([*times, end], [*numbers, numbers[-1]], where="post", color=SOFT, linewidth=0.9, zorder=2)
    _draw_acknowledged(axes, frames, direction, (start, end), times, numbers)
    for kind, look in LOOKS.items():
        points = [(t, n) for t, n, d in zip(times, numbers, numbered, strict=True) if d.kind == kind]
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, label=kind, zorder=4, clip_on=False, **marker_style(look.marker, look.light, 6))


def _draw_acknowledged(
    axes: Axes,
    frames: Sequence[DecodedFrame],
    direction: Direction,
    span: tuple[float, float],
    times: Sequence[float],
    numbers: Sequence[float],
) -> None:
    """The staircase of what the other side confirmed, and the area between that and what was sent.

    ``span`` is the first frame's time (seconds since the epoch) and the end of the axis (seconds since that).
    """
    start, end = span
    reports = [(at - start, float(n)) for at, n in acknowledgements(frames, direction)]
    kind, confirmed, missing = _REPORTS[direction]
    moments = sorted({0.0, *times, *(at for at, _ in reports), end})
    sent = _staircase(list(zip(times, numbers, strict=True)), moments)
    known = _staircase(reports, moments)
    axes.fill_between(moments, known, sent, step="post", color=SOFT, alpha=0.16, linewidth=0, zorder=1, label=missing)
    if reports:
        style: dict[str, Any] = {"linewidth": 1.6, "linestyle": (0, (4, 1.5)), "zorder": 3}
        axes.step(moments, known, where="post", color=LOOKS[kind].light, label=confirmed, **style)


def acknowledgements(frames: Sequence[DecodedFrame], direction: Direction) -> list[tuple[float, int]]:
    """What the receiver of ``direction`` confirmed: (seconds since the epoch, last sequence number)."""
    found = []
    for decoded in frames:
        match decoded.service:
            case AckMessage(last_incoming_sequence_num=last) if direction == "out":
                found.append((decoded.frame.t, last))
            case KeepAliveMessage(last_incoming_sequence_num=last) if direction == "in":
                found.append((decoded.frame.t, last))
    return found


def _staircase(points: Sequence[tuple[float, float]], moments: Sequence[float]) -> list[float]:
    """The value of the last of ``points`` (time, value) at each moment, 0 before the first."""
    ordered = sorted(points, key=lambda point: point[0])
    times = [at for at, _ in ordered]
    values = [0.0, *(float(value) for _, value in ordered)]
    return [values[bisect_right(times, moment)] for moment in moments]


def breaks(frames: Sequence[DecodedFrame], direction: Direction) -> list[Break]:
    """Where the numbers of a direction are not consecutive. After a break the count continues from what came.

    The count begins with the first number of a session if its opening is recorded, else with the first that came.
    """
    is_whole = any(d.kind in ("open_request", "open") for d in frames)
    expected = FIRST_SEQUENCE_NUM if is_whole else None
    found = []
    for decoded in frames:
        number = decoded.sequence_num
        if decoded.frame.direction != direction or number is None:
            continue
        expected = number if expected is None else expected
        if number != expected:
            found.append(Break(decoded.number, expected, number))
        expected = max(expected, number + 1)
    return found


def _draw_breaks(axes: Axes, frames: Sequence[DecodedFrame], found: Sequence[Break], start: float) -> None:
    """A halo behind each break, and in a corner when it was and what it is. The axis counts from ``start``."""
    at = {decoded.number: decoded.frame.t - start for decoded in frames}
    drawn = [(at[each.frame], each) for each in found if each.frame in at]
    if not drawn:
        return
    axes.plot(
        [time for time, _ in drawn], [each.found for _, each in drawn], linestyle="none", marker="o", markersize=15,
        alpha=0.35, color=BAD, markeredgewidth=0, zorder=3.5, label="out of order",
    )  # fmt: skip
    lines = [f"{time:.1f} s  {each.text}" for time, each in drawn[:_MAX_NOTES]]
    if len(drawn) > _MAX_NOTES:
        lines.append(f"and {len(drawn) - _MAX_NOTES} more")
    points = [(at[d.number], float(d.sequence_num)) for d in frames if d.sequence_num is not None]
    x, y, ha, va = _free_corner(axes, points)
    axes.text(
        x, y, "\n".join(lines), transform=axes.transAxes, ha=ha, va=va, fontsize=7.5, color=BAD, zorder=6,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 2.0},
    )  # fmt: skip


def _free_corner(axes: Axes, points: Sequence[tuple[float, float]]) -> tuple[float, float, str, str]:
    """The corner where the list of breaks hides fewer markers: rising numbers leave two corners free."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    spots = [((x - left) / (right - left), (y - low) / (high - low)) for x, y in points]
    above = sum(x < 0.35 and y > 0.5 for x, y in spots)
    below = sum(x > 0.65 and y < 0.5 for x, y in spots)
    return (0.02, 0.96, "left", "top") if above <= below else (0.985, 0.05, "right", "bottom")
