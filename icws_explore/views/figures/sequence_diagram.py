"""The sequence diagram of a part of a session: a row for each frame, and a bracket for what each ack covers.

Solid arrows were seen or are certified. Dashed ones are inferred: a call on its way from the gateway to the
canister, and a message that was lost, which ends in a cross where its way is no longer known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from matplotlib.axes import Axes

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.flow import Bracket, Flow, Party, Step, flow
from icws_explore.analysis.order import out_of_order
from icws_explore.capture import Capture

from ..formatting import duration, one_line
from ..kinds import LOOKS
from ..mermaid import flow_text, lost_text, numbers_text
from .figure import (
    BAD,
    INK,
    LANE,
    PAPER,
    RULE,
    SOFT,
    SessionFigure,
    empty_figure,
    inch_axes,
    marker_style,
    one_session,
    title,
)

MAX_STEPS: Final = 60
_HEADING: Final = "Sequence diagram"
_ROW_IN: Final = 0.3
_TOP_IN: Final = 1.1
_BOTTOM_IN: Final = 0.3
_X: Final[dict[Party, float]] = {"client": 2.05, "gateway": 6.3, "canister": 8.1}  # inches from the left
_LOST_X: Final = 3.0  # where the arrow of a lost message ends on its way to the client
_UNSENT_X: Final = 2.6  # the same of a message that the client never sent
_TIME_X: Final = 0.2
_BRACKET_GAP: Final = 0.17
_MARGIN_IN: Final = 0.1  # on both sides of a label


def sequence_diagram_figure(
    capture: Capture,
    *,
    frames: Sequence[DecodedFrame] | None = None,
    session: str | None = None,
    start: int = 0,
    stop: int | None = None,
) -> SessionFigure:
    """Steps ``start`` to ``stop`` of one session (counted from 0; at most `MAX_STEPS` are drawn).

    ``frames`` are the recording's frames if they are decoded already. ``session`` None means the first session.
    """
    shown = one_session(list(shared_frames(capture)) if frames is None else frames, session)
    limit = start + MAX_STEPS if stop is None else min(stop, start + MAX_STEPS)
    chosen = flow(shown, start=start, stop=limit)
    if not chosen.steps:
        return empty_figure(capture, _HEADING)
    rows = _rows(chosen)
    height = _TOP_IN + _ROW_IN * (rows[-1] + 1) + _BOTTOM_IN
    figure = SessionFigure(height)
    title(figure, _HEADING + _which(chosen), capture)
    axes = inch_axes(figure)
    _draw_lifelines(axes, height)
    late = set(out_of_order(capture))
    for row, step in zip(rows, chosen.steps, strict=True):
        if step.lost:
            _draw_lost(axes, _y(row - 1), step)
        axes.text(
            _TIME_X, _y(row), f"{step.at_s:.2f}", fontsize=7.5, color=BAD if step.frame in late else SOFT, va="center"
        )
        _draw_step(axes, _y(row), step)
    for number, bracket in enumerate(chosen.brackets):
        _draw_bracket(axes, bracket, rows, lane=number // 2 % 2)
    figure.description += "\n\n" + flow_text(chosen)
    return figure


def _which(chosen: Flow) -> str:
    total = chosen.before + len(chosen.steps) + chosen.after
    if not chosen.before and not chosen.after:
        return ""
    return f", frames {chosen.before + 1} to {chosen.before + len(chosen.steps)} of {total}"


def _rows(chosen: Flow) -> list[int]:
    """The row of each step: lost messages have a row of their own, above the step that shows the gap."""
    rows, row = [], -1
    for step in chosen.steps:
        row += 2 if step.lost else 1
        rows.append(row)
    return rows


def _y(row: int) -> float:
    return _TOP_IN + _ROW_IN * (row + 0.62)


def _draw_lifelines(axes: Axes, height: float) -> None:
    for party, x in _X.items():
        axes.plot([x, x], [_TOP_IN - 0.1, height - 0.12], color=RULE, linewidth=1.2, zorder=0.5)
        axes.text(
            x, _TOP_IN - 0.2, party, ha="center", va="center", fontsize=8.5, fontweight="bold", color=INK,
            bbox={"facecolor": LANE, "edgecolor": RULE, "boxstyle": "round,pad=0.35", "linewidth": 0.8},
        )  # fmt: skip
    axes.text(_TIME_X, _TOP_IN - 0.2, "seconds", fontsize=7.5, color=SOFT, va="center")


def _draw_step(axes: Axes, y: float, step: Step) -> None:
    look = LOOKS[step.kind]
    color = BAD if step.fault else look.light
    outward = step.source == "client"
    far = _X[step.target if outward else step.source]
    near, middle = _X["client"], _X["gateway"]
    _draw_arrow(axes, (near, middle) if outward else (middle, near), y, color)
    if far > middle:
        _draw_arrow(axes, (middle, far) if outward else (far, middle), y, color, dashed=outward)
    axes.plot([near if outward else far], [y], zorder=4, **marker_style(look.marker, color, 5.5))
    number = "" if step.sequence_num is None else f"{step.sequence_num}  "
    label = f"{number}{step.kind}"
    if step.text and step.kind not in ("open", "ack", "keep_alive"):
        label += f"  {one_line(step.text)}"
    _write(axes, near, middle, y, label, INK)
    beside = step.fault_text or ("" if step.made_s is None else f"made {duration(step.made_s)} before")
    if beside:
        _write(axes, middle, _X["canister"], y, beside, BAD if step.fault else SOFT, bold=step.fault is not None)


def _draw_lost(axes: Axes, y: float, step: Step) -> None:
    """The messages that are missing ahead of ``step`` and never came."""
    outward = step.source == "client"
    end = _UNSENT_X if outward else _LOST_X
    _draw_arrow(axes, (_X["client"] if outward else _X["canister"], end), y, BAD, dashed=True, head=False)
    axes.plot([end], [y], zorder=4, **marker_style("X", BAD, 7))
    _write(axes, end, _X["gateway"], y, lost_text(step), BAD, bold=True)


def _write(axes: Axes, left: float, right: float, y: float, text: str, color: str, *, bold: bool = False) -> None:
    """A label above the arrow between ``left`` and ``right`` (inches), cut only where it does not fit."""
    label = axes.text(
        (left + right) / 2, y - 0.025, text, ha="center", va="bottom", fontsize=7.2, color=color, zorder=5,
        fontweight="bold" if bold else "normal", parse_math=False,
    )  # fmt: skip
    figure: Any = axes.figure
    renderer = figure.canvas.get_renderer()
    room = (right - left - 2 * _MARGIN_IN) * figure.dpi
    width = label.get_window_extent(renderer).width
    while width > room and len(text) > 1:
        text = text[: max(1, min(len(text) - 1, int(len(text) * room / width)))]
        label.set_text(f"{text}…")
        width = label.get_window_extent(renderer).width


def _draw_arrow(
    axes: Axes, ends: tuple[float, float], y: float, color: str, *, dashed: bool = False, head: bool = True
) -> None:
    axes.annotate(
        "", (ends[1], y), (ends[0], y), zorder=3,
        arrowprops={
            "arrowstyle": "-|>" if head else "-", "color": color, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 1,
            "mutation_scale": 8, "linestyle": (0, (3, 2)) if dashed else "-",
        },
    )  # fmt: skip


def _draw_bracket(axes: Axes, bracket: Bracket, rows: Sequence[int], *, lane: int) -> None:
    """A bracket at the party that confirms: acks at the canister, keep-alives at the client."""
    look = LOOKS[bracket.kind]
    sign = 1 if bracket.kind == "ack" else -1
    edge = _X["canister"] if bracket.kind == "ack" else _X["client"]
    x = edge + sign * _BRACKET_GAP * (1 + lane)
    by = _y(rows[bracket.by])
    if bracket.rows:
        top, bottom = _y(rows[min(bracket.rows)]) - 0.07, _y(rows[max(bracket.rows)]) + 0.07
        style: dict[str, Any] = {"color": look.light, "linewidth": 1.3, "zorder": 2.5, "solid_capstyle": "butt"}
        axes.plot([x - sign * 0.08, x, x, x - sign * 0.08], [top, top, bottom, bottom], **style)
        for row in bracket.rows:
            axes.plot([x - sign * 0.045, x], [_y(rows[row])] * 2, **(style | {"linewidth": 0.8}))
        axes.plot([x, x], [bottom, by], color=look.light, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=2.4)
    axes.plot([x, edge], [by, by], color=look.light, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=2.4)
    waited = "" if bracket.oldest_s is None or bracket.kind != "ack" else f", oldest {duration(bracket.oldest_s)}"
    note = axes.text(
        edge + sign * (_BRACKET_GAP * 2 + 0.09), by, numbers_text(bracket) + waited, fontsize=7, va="center",
        color=look.light, ha="left" if sign > 0 else "right", zorder=5,
    )  # fmt: skip
    note.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.6})
