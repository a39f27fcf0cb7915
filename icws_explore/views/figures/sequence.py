"""Sequence numbers over time, both directions: what was sent, what is acknowledged, and where the order breaks."""

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
    INK,
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

_PANELS: Final[tuple[tuple[Direction, str], ...]] = (("out", "client → canister"), ("in", "canister → client"))
_REPORTS: Final[dict[Direction, tuple[Kind, str, str]]] = {
    "out": ("ack", "acked by the canister", "not acked yet"),
    "in": ("keep_alive", "reported by a keep-alive", "not reported yet"),
}
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN = 0.75, 0.3, 0.95, 0.6
_PANEL_IN: Final = 1.9
_BETWEEN_IN: Final = 0.62
_MAX_NOTES: Final = 5  # breaks of the order that are spelled out in a panel; all of them are ringed


@dataclass(frozen=True, slots=True)
class Break:
    """A message out of order: the number that was expected there, and the one that came."""

    at: float
    expected: int
    found: int

    @property
    def text(self) -> str:
        if self.found > self.expected:
            return f"gap: {self.expected} expected, {self.found} came"
        return f"{self.found} again or late, {self.expected} expected"


def sequences(
    capture: Capture,
    *,
    frames: Sequence[DecodedFrame] | None = None,
    session: str | None = None,
    until_s: float = 0.0,
) -> SessionFigure:
    """Two panels, one a direction: a marker a message, its step line, and shaded what is not yet acknowledged.

    Arguments as of `timeline`; the axis goes to ``until_s`` (seconds since the capture's first frame) if that
    is later than the last frame. A gap, a repetition or a swap is ringed and said.
    """
    mine = one_session(list(shared_frames(capture)) if frames is None else frames, session)
    height = _TOP_IN + 2 * _PANEL_IN + _BETWEEN_IN + _BOTTOM_IN
    figure = SessionFigure(height if mine else 1.6)
    title(figure, "Sequence numbers", capture, 0.02)
    if not mine:
        nothing(figure)
        return figure
    start = mine[0].frame.t
    span = max(max(d.frame.t for d in mine) - start, capture.frames[0].t + until_s - start, 1.0)
    for number, (direction, name) in enumerate(_PANELS):
        bottom = _BOTTOM_IN + (1 - number) * (_PANEL_IN + _BETWEEN_IN)
        width = WIDTH_IN - _LEFT_IN - _RIGHT_IN
        axes = figure.add_axes((_LEFT_IN / WIDTH_IN, bottom / height, width / WIDTH_IN, _PANEL_IN / height))
        axes.set_xlim(-0.02 * span, 1.04 * span)
        _draw_panel(axes, mine, direction, start, start + span)
        axes.set_title(name, loc="left", fontsize=9, fontweight="bold", color=INK, pad=8)
        if number == 1:
            axes.set_xlabel(time_label(capture), fontsize=8.5, color=SOFT)
    return figure


def _draw_panel(axes: Axes, frames: Sequence[DecodedFrame], direction: Direction, start: float, end: float) -> None:
    plain_axes(axes)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylabel("sequence_num", fontsize=8, color=SOFT)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    axes.yaxis.set_major_formatter(lambda number, _: f"{number:.0f}" if number < 1e6 else f"{number:.1e}")
    numbered = [d for d in frames if d.frame.direction == direction and d.sequence_num is not None]
    if not numbered:
        axes.set_ylim(0, 1)
        axes.text(0.5, 0.5, "no messages", transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=9)
        return
    times = [d.frame.t - start for d in numbered]
    numbers = [float(d.sequence_num or 0) for d in numbered]
    axes.set_ylim(min(0.0, *numbers), max(numbers) * 1.12 + 0.6)
    axes.step([*times, end - start], [*numbers, numbers[-1]], where="post", color=SOFT, linewidth=0.9, zorder=2)
    _draw_acknowledged(axes, frames, direction, start, end, times, numbers)
    for kind, look in LOOKS.items():
        points = [(t, n) for t, n, d in zip(times, numbers, numbered, strict=True) if d.kind == kind]
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, label=kind, zorder=4, clip_on=False, **marker_style(look.marker, look.light, 6))
    whole = any(d.kind in ("open_request", "open") for d in frames)
    found = breaks(numbered, start, FIRST_SEQUENCE_NUM if whole else None)
    _draw_breaks(axes, found, list(zip(times, numbers, strict=True)))
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=8, frameon=False, fontsize=8, labelcolor=INK,
        borderaxespad=0.2, handletextpad=0.3, columnspacing=1.4,
    )  # fmt: skip


def _draw_acknowledged(
    axes: Axes,
    frames: Sequence[DecodedFrame],
    direction: Direction,
    start: float,
    end: float,
    times: Sequence[float],
    numbers: Sequence[float],
) -> None:
    """The staircase of what the other side says it has, and the shade between that and what was sent."""
    reports = [(at - start, float(n)) for at, n in acknowledgements(frames, direction)]
    kind, said, missing = _REPORTS[direction]
    moments = sorted({0.0, *times, *(at for at, _ in reports), end - start})
    sent = _staircase(list(zip(times, numbers, strict=True)), moments)
    known = _staircase(reports, moments)
    axes.fill_between(moments, known, sent, step="post", color=SOFT, alpha=0.16, linewidth=0, zorder=1, label=missing)
    if reports:
        style: dict[str, Any] = {
            "color": LOOKS[kind].light,
            "linewidth": 1.6,
            "linestyle": (0, (4, 1.5)),
            "zorder": 3,
            "label": said,
        }
        axes.step(moments, known, where="post", **style)


def acknowledgements(frames: Sequence[DecodedFrame], direction: Direction) -> list[tuple[float, int]]:
    """What the receiver of ``direction`` said it had: (seconds since the epoch, last sequence number)."""
    said = []
    for decoded in frames:
        match decoded.service:
            case AckMessage(last_incoming_sequence_num=last) if direction == "out":
                said.append((decoded.frame.t, last))
            case KeepAliveMessage(last_incoming_sequence_num=last) if direction == "in":
                said.append((decoded.frame.t, last))
    return said


def _staircase(points: Sequence[tuple[float, float]], moments: Sequence[float]) -> list[float]:
    """The value of the last of ``points`` (time, value) at each moment, 0 before the first."""
    ordered = sorted(points, key=lambda point: point[0])
    times = [at for at, _ in ordered]
    values = [0.0, *(float(value) for _, value in ordered)]
    return [values[bisect_right(times, moment)] for moment in moments]


def breaks(numbered: Sequence[DecodedFrame], start: float, expected: int | None) -> list[Break]:
    """Where a direction's numbers are not one after the other; after a break it counts on from what came.

    ``expected`` is the first number, None where the capture begins in mid-session.
    """
    found = []
    for decoded in numbered:
        number = decoded.sequence_num
        assert number is not None
        expected = number if expected is None else expected
        if number != expected:
            found.append(Break(decoded.frame.t - start, expected, number))
        expected = max(expected, number + 1)
    return found


def _draw_breaks(axes: Axes, found: Sequence[Break], points: Sequence[tuple[float, float]]) -> None:
    """Ring each break, and say in a corner when it was and what."""
    if not found:
        return
    axes.plot(
        [b.at for b in found], [b.found for b in found], linestyle="none", marker="o", markersize=14,
        markerfacecolor="none", markeredgecolor=BAD, markeredgewidth=1.6, zorder=5, label="out of order",
    )  # fmt: skip
    lines = [f"{b.at:.1f} s  {b.text}" for b in found[:_MAX_NOTES]]
    if len(found) > _MAX_NOTES:
        lines.append(f"and {len(found) - _MAX_NOTES} more")
    x, y, ha, va = _free_corner(axes, points)
    axes.text(
        x, y, "\n".join(lines), transform=axes.transAxes, ha=ha, va=va, fontsize=7.5, color=BAD, zorder=6,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 2.0},
    )  # fmt: skip


def _free_corner(axes: Axes, points: Sequence[tuple[float, float]]) -> tuple[float, float, str, str]:
    """Where the list of breaks hides the fewest markers: numbers that rise leave these two corners free."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    spots = [((x - left) / (right - left), (y - low) / (high - low)) for x, y in points]
    above = sum(x < 0.35 and y > 0.5 for x, y in spots)
    below = sum(x > 0.65 and y < 0.5 for x, y in spots)
    return (0.02, 0.96, "left", "top") if above <= below else (0.985, 0.05, "right", "bottom")
