"""All sessions of a recording on one page: a row each, from the first frame to the last, against the limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.decode import Kind
from icws_explore.analysis.timing.acks import TimerRun, replay
from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.opens import OPEN_LIMIT_S
from icws_explore.capture import Capture
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import ack_timeout_s

from ..formatting import count, one_line, shorten
from ..kinds import LOOKS
from .figure import (
    BAD,
    INK,
    LANE,
    NOTE,
    ROWS_STRETCH,
    SCREEN,
    SOFT,
    Paper,
    SessionFigure,
    legend,
    marker_style,
    panel_title,
    sheet,
    time_axis,
    write_empty,
)

MAX_ROWS: Final = 40
_ROW_IN: Final = 0.24
_RIGHT_IN: Final = 2.75
_END_CHARS: Final = 24
_NARROW_RIGHT_IN, _NARROW_END_CHARS = 2.3, 14
_COLUMNS_PT: Final = (8, 52, 96)
_MARKED: Final[tuple[Kind, ...]] = ("open", "ack", "keep_alive")


@dataclass(frozen=True, slots=True)
class Line:
    """The row of one session. ``open_s`` and ``oldest_s`` are seconds: until it was open, and the greatest ack age.

    ``is_bad`` means that it opened late or did not close with 1000.
    """

    session: SessionInstants
    runs: tuple[TimerRun, ...]
    open_s: float | None
    oldest_s: float | None
    end: str
    is_bad: bool


def sessions_figure(capture: Capture, sessions: Sequence[SessionInstants], *, paper: Paper = SCREEN) -> SessionFigure:
    """At most 40 rows, or as many as the paper has room for.

    Of more sessions, those that ended badly are shown first, then the earliest.
    """
    lines = [_line(session, _NARROW_END_CHARS if paper.is_narrow else _END_CHARS) for session in sessions]
    room = MAX_ROWS if math.isinf(paper.height_in) else max(1, int((paper.height_in - 2.2) / _ROW_IN - 2))
    most = min(MAX_ROWS, room)
    shown = sorted(lines, key=lambda line: not line.is_bad)[:most] if len(lines) > most else lines
    shown = sorted(shown, key=lambda line: line.session.first or 0.0)
    height = max(1.0, _ROW_IN * (len(shown) + 2))
    right_in = _NARROW_RIGHT_IN if paper.is_narrow else _RIGHT_IN
    figure, (axes,) = sheet(
        capture, "Sessions", (height,), right_in=right_in, paper=paper, legend_rows=2, most_stretch=ROWS_STRETCH
    )
    start = min((s.first for s in sessions if s.first is not None), default=0.0)
    time_axis(axes, capture, start, max((s.last for s in sessions), default=0.0))
    axes.set_ylim(max(len(shown) - 0.4, 0.6), -1.9)
    axes.grid(visible=False, axis="y")
    bad = sum(line.is_bad for line in lines)
    which = count(len(lines), "session") if len(shown) == len(lines) else f"{len(shown)} of {len(lines)} sessions"
    panel_title(axes, f"{which}, {bad} ended badly" if bad else which)
    axes.set_yticks(range(len(shown)), [_name(line.session, number) for number, line in enumerate(shown)])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=7)
    if not shown:
        write_empty(axes, "no frames yet")
        return figure
    limit = ack_timeout_s(sessions[0].ack_interval_s)
    heads = (f"open\n≤ {OPEN_LIMIT_S:g} s", f"ack age\n≤ {limit:g} s", "close\n")
    for offset, head in zip(_COLUMNS_PT, heads, strict=True):
        _beside(axes, -1.15, offset, head, SOFT)
    for row, line in enumerate(shown):
        _draw(axes, row, line)
    _legend(axes)
    rows = (f"{_name(line.session, number)}: {line.end}" for number, line in enumerate(shown))
    figure.description += f". {which}, {bad} ended badly. " + "; ".join(rows)
    return figure


def _line(session: SessionInstants, characters: int) -> Line:
    timer, corners = replay(session)
    oldest = max((corner.age_s for corner in corners), default=0.0) if session.numbered else None
    started = session.asked.at if session.asked is not None else None
    took = None if session.opened is None or started is None else session.opened.at - started
    ended = session.ended
    end = "open" if ended is None else str(ended.code or "no code")
    if ended is not None and ended.reason:
        end = shorten(f"{end} {one_line(ended.reason)}", characters)
    is_bad = (ended is not None and ended.code != CloseCode.NORMAL_CLOSURE) or (
        took is not None and took > OPEN_LIMIT_S
    )
    return Line(session, tuple(timer.runs), took, oldest, end, is_bad)


def _draw(axes: Axes, row: int, line: Line) -> None:
    session = line.session
    end = session.last if session.ended is None else session.ended.at
    begin = session.first or 0.0
    axes.plot([begin, end], [row, row], color=BAD if line.is_bad else SOFT, linewidth=1.0, zorder=2)
    axes.fill_between([begin, end], row - 0.32, row + 0.32, color=LANE, linewidth=0, zorder=0.5)
    for run in line.runs:
        late = run.start + session.ack_interval_s
        if run.end > late:
            axes.plot([late, run.end], [row, row], color=NOTE, linewidth=4, solid_capstyle="butt", zorder=2.2)
    happened: tuple[tuple[Kind, list[float]], ...] = (
        ("open", [m.at for m in session.received if m.kind == "open"]),
        ("ack", [m.at for m in session.acks]),
        ("keep_alive", [s.at for s in session.sent if s.kind == "keep_alive"]),
    )
    for kind, points in happened:
        look = LOOKS[kind]
        offset = 0.14 if kind == "keep_alive" else -0.14 if kind == "ack" else 0.0
        axes.plot(points, [row + offset] * len(points), zorder=3, **marker_style(look.marker, look.light, 5))
    if session.ended is not None:
        axes.plot([end], [row], zorder=4, **marker_style("X", BAD if line.is_bad else INK, 6))
    opened = "–" if line.open_s is None else f"{line.open_s:.1f} s"
    oldest = "–" if line.oldest_s is None else f"{line.oldest_s:.0f} s"
    for offset_pt, text in zip(_COLUMNS_PT, (opened, oldest, line.end), strict=True):
        _beside(axes, row, offset_pt, text, BAD if line.is_bad else INK)


def _beside(axes: Axes, row: float, offset_pt: int, text: str, color: str) -> None:
    where = blended_transform_factory(axes.transAxes, axes.transData)
    axes.annotate(
        text, (1.0, row), (offset_pt, 0), xycoords=where, textcoords="offset points", fontsize=7, va="center",
        color=color, annotation_clip=False, parse_math=False,
    )  # fmt: skip


def _name(session: SessionInstants, number: int) -> str:
    return one_line(session.session)[:10] if session.session else f"{number + 1}"


def _legend(axes: Axes) -> None:
    for kind in _MARKED:
        look = LOOKS[kind]
        axes.plot([], [], label=kind, **marker_style(look.marker, look.light, 5))
    axes.plot([], [], label="close", **marker_style("X", INK, 6))
    axes.plot([], [], color=NOTE, linewidth=4, solid_capstyle="butt", label="ack overdue")
    legend(axes)
