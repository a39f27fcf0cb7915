"""The session in three lanes, client, gateway and canister, with every message on its way between them.

Only the client's lane is recorded. Events in the other lanes are known from certified timestamps (solid), or
inferred from what must have happened before and after them (dashed lines, hollow markers). Over a whole session the
ways are too steep to be compared, so a second panel shows how long each message took from the canister.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from icws_explore.analysis.decode import Kind
from icws_explore.analysis.timing.instants import Received, Sent, SessionInstants
from icws_explore.analysis.timing.skew import Skew, skew_of
from icws_explore.capture import Capture

from ..formatting import count
from ..kinds import LANES, LOOKS, Lane
from .figure import (
    INK,
    LANE,
    RULE,
    SCREEN,
    SOFT,
    Paper,
    SessionFigure,
    closing_line,
    count_crowds,
    foot_in,
    footnote,
    in_each_view,
    inferred_style,
    legend,
    marker_style,
    panel_title,
    sheet,
    time_axis,
    width_of,
    write_empty,
)

_CLIENT, _GATEWAY, _CANISTER = (float(LANES.index(lane)) for lane in get_args(Lane))  # heights of the lanes
_LABEL_GAP_IN: Final = 0.27  # messages closer than this share one label
_SHORTEST_S: Final = 0.001  # what took less is drawn here
_DASHED: Final = (0, (3, 2))
# Within a lane, messages to the canister are above those from it, so that a request and its answer both show.
_UP, _DOWN = -0.1, 0.1


def lanes_figure(
    capture: Capture,
    session: SessionInstants,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    paper: Paper = SCREEN,
) -> SessionFigure:
    """Every message between ``start_s`` and ``end_s`` (seconds since the first frame; None: the whole session).

    Times of the canister are moved to the client's clock by the estimated skew.
    """
    skew = skew_of(session)
    note = _note(skew)
    foot = 0.12 + foot_in(note, paper)
    figure, (axes, delays) = sheet(
        capture, "Session, lane by lane", (2.6, 1.1), right_in=0.3, foot_in=foot, paper=paper, legend_rows=2
    )
    begin = (session.first or 0.0) if start_s is None else start_s
    end = session.last if end_s is None else end_s
    for each in (axes, delays):
        time_axis(each, capture, begin, end, label=each is delays)
    axes.set_ylim(2.55, -0.55)
    axes.set_yticks(range(len(LANES)), LANES)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8.5)
    axes.grid(visible=False, axis="y")
    for y, name in enumerate(LANES):
        axes.axhspan(y - 0.2, y + 0.2, color=LANE, linewidth=0, zorder=0.4)
        axes.axhline(y, color=SOFT if name != "gateway" else RULE, linewidth=0.8, zorder=0.6)
    up = [sent for sent in session.sent if begin <= sent.at <= end]
    down = [message for message in session.received if begin <= message.at <= end]
    if not up and not down:
        write_empty(axes, "no message in this time")
    way_up = _way_up(session, skew)
    for kind in LOOKS:
        if sent := [one for one in up if one.kind == kind]:
            _draw_up(axes, kind, sent, way_up)
        if received := [one for one in down if one.kind == kind]:
            _draw_down(axes, kind, received, skew)
    in_each_view(axes, lambda: list(_labels(axes, up, down, skew)))
    _draw_delays(delays, down, skew)
    if session.handshake is not None and begin <= session.handshake <= end:
        look = LOOKS["handshake"]
        axes.plot([session.handshake], [_CLIENT + _DOWN], zorder=4, **marker_style(look.marker, look.light))
    if session.ended is not None and begin <= session.ended.at <= end:
        for each in (axes, delays):
            closing_line(each, session.ended.at)
    figure.description += f". {count(len(up), 'message')} to the canister, {len(down)} from it"
    footnote(figure, note)
    _legend(axes, {sent.kind for sent in up} | {message.kind for message in down})
    return figure


def _note(skew: Skew) -> str:
    """How the times of the other lanes were moved to the client's clock."""
    known = skew.min_by is not None and skew.max_by is not None
    bounds = f"between {skew.min_s:+.2f} and {skew.max_s:+.2f} s" if known else "of unknown bounds"
    return (
        f"Times of the canister are shown with a clock skew of {skew.estimate_s:+.2f} s ({bounds}). Dashed lines and "
        "hollow markers are inferred: no frame tells these times."
    )


def _way_up(session: SessionInstants, skew: Skew) -> float:
    """How long ws_open took to the canister, in seconds. Every message to the canister is assumed to take as long."""
    if session.asked is None or session.opened is None:
        return 0.0
    return max(0.0, session.opened.made + skew.estimate_s - session.asked.at)


def _draw_up(axes: Axes, kind: Kind, sent: Sequence[Sent], way_up: float) -> None:
    look = LOOKS[kind]
    style: dict[str, Any] = {"color": look.light, "linewidth": 1.0, "linestyle": _DASHED, "zorder": 2}
    left, there = [s.at for s in sent], [s.at + way_up for s in sent]
    _draw_ways(axes, left, _CLIENT + _UP, there, _CANISTER + _UP, **style)
    axes.plot(left, [_CLIENT + _UP] * len(left), zorder=4, **marker_style(look.marker, look.light))
    axes.plot(there, [_CANISTER + _UP] * len(there), zorder=3.5, **inferred_style(look.marker, look.light))


def _draw_down(axes: Axes, kind: Kind, messages: Sequence[Received], skew: Skew) -> None:
    look = LOOKS[kind]
    made, here = [m.made + skew.estimate_s for m in messages], [m.at for m in messages]
    axes.plot(made, [_CANISTER + _DOWN] * len(made), zorder=4, **marker_style(look.marker, look.light))
    axes.plot(here, [_CLIENT + _DOWN] * len(here), zorder=4, **marker_style(look.marker, look.light))
    unknown = [(m.made + skew.estimate_s, m.at) for m in messages if m.certified is None]
    dashed: dict[str, Any] = {"color": look.light, "linewidth": 1.0, "linestyle": _DASHED, "zorder": 2}
    _draw_ways(
        axes, [left for left, _ in unknown], _CANISTER + _DOWN, [came for _, came in unknown], _CLIENT + _DOWN, **dashed
    )
    known = [
        (m.made + skew.estimate_s, _polled(m, m.certified, skew), m.at) for m in messages if m.certified is not None
    ]
    waited, left, came = ([way[part] for way in known] for part in range(3))
    solid: dict[str, Any] = {"color": look.light, "linewidth": 2.2, "solid_capstyle": "butt", "zorder": 2.5}
    _draw_ways(axes, waited, _CANISTER + _DOWN, left, _CANISTER + _DOWN, **solid)
    _draw_ways(axes, left, _CANISTER + _DOWN, came, _CLIENT + _DOWN, color=look.light, linewidth=1.0, zorder=2)
    if not known:
        return
    middle = [(start + end) / 2 for start, end in zip(left, came, strict=True)]
    axes.plot(middle, [_GATEWAY + _DOWN] * len(middle), zorder=3, **inferred_style(look.marker, look.light, 4.5))


def _polled(message: Received, certified: float, skew: Skew) -> float:
    """When the gateway fetched a message: the time of its certificate, kept between its making and its receipt."""
    made = message.made + skew.estimate_s
    return min(max(made, certified + skew.estimate_s), max(made, message.at))


def _draw_ways(
    axes: Axes, starts: Sequence[float], low: float, ends: Sequence[float], high: float, **style: Any
) -> None:
    """A line from each start at ``low`` to its end at ``high``. All are one artist: thousands would take a minute."""
    if not starts:
        return
    xs = [x for start, end in zip(starts, ends, strict=True) for x in (start, end, float("nan"))]
    axes.plot(xs, [low, high, float("nan")] * len(starts), **style)


def _labels(axes: Axes, up: list[Sent], down: list[Received], skew: Skew) -> Iterator[Artist]:
    """Sequence numbers: above the client's lane for what it sent, below the canister's for what it sent.

    Messages whose markers are close together share one label, as 3–5.
    """
    left, right = axes.get_xlim()
    for points, y, offset, va in (
        ([(s.at, s.sequence_num) for s in up], _CLIENT - 0.2, 2, "bottom"),
        ([(m.made + skew.estimate_s, m.sequence_num) for m in down], _CANISTER + 0.2, -2, "top"),
    ):
        known = [(at, number) for at, number in sorted(points) if number is not None and left <= at <= right]
        for at, label in number_labels(known, (right - left) * _LABEL_GAP_IN / width_of(axes)):
            yield axes.annotate(
                label, (at, y), (0, offset), textcoords="offset points", ha="center", va=va, fontsize=7,
                color=SOFT, zorder=5,
            )  # fmt: skip


def number_labels(points: Sequence[tuple[float, int]], gap: float) -> Iterator[tuple[float, str]]:
    """One label for each run of ``points`` (time, number; sorted) that are less than ``gap`` apart, at its middle."""
    runs: list[list[tuple[float, int]]] = []
    for at, number in points:
        if runs and at - runs[-1][-1][0] < gap:
            runs[-1].append((at, number))
        else:
            runs.append([(at, number)])
    for run in runs:
        numbers = [number for _, number in run]
        first, last = min(numbers), max(numbers)
        yield (run[0][0] + run[-1][0]) / 2, f"{first}" if first == last else f"{first}–{last}"


def _draw_delays(axes: Axes, down: list[Received], skew: Skew) -> None:
    """How long each message from the canister took to the client, over the time of its receipt."""
    panel_title(axes, "from the canister to the client")
    axes.set_ylabel("seconds", fontsize=8, color=SOFT)
    axes.set_yscale("log")
    took = [max(_SHORTEST_S, m.at - m.made - skew.estimate_s) for m in down]
    axes.set_ylim(min([0.1, *took]) / 2, max([10.0, *took]) * 2)
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks([], minor=True)
    if not down:
        write_empty(axes, "no message from the canister")
        return
    for kind, look in LOOKS.items():
        points = [(m.at, value) for m, value in zip(down, took, strict=True) if m.kind == kind]
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, zorder=4, **marker_style(look.marker, look.light, 5.5))
    count_crowds(axes, [(m.at, value) for m, value in zip(down, took, strict=True)], 5.5)


def _legend(axes: Axes, kinds: set[Any]) -> None:
    handles = [
        Line2D([], [], label=kind, **marker_style(look.marker, look.light, 5))
        for kind, look in LOOKS.items()
        if kind in kinds
    ]
    inferred = inferred_style("o", SOFT, 5) | {"linestyle": _DASHED, "color": SOFT}
    legend(axes, [*handles, Line2D([], [], label="inferred", linewidth=0.9, **inferred)])
