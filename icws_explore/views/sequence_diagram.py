"""A sequence diagram of any part of a session: a row a frame, acks as brackets over what they cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from matplotlib.axes import Axes

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.flow import Bracket, Flow, Party, Step, flow
from icws_explore.capture import Capture

from .figures.figure import (
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
    title,
)
from .kinds import LOOKS
from .mermaid import text_of
from .rows import one_line

MAX_ROWS: Final = 60
_ROW_IN: Final = 0.3
_TOP_IN: Final = 1.02
_BOTTOM_IN: Final = 0.3
_X: Final[dict[Party, float]] = {"client": 2.55, "gateway": 5.35, "canister": 7.45}  # inches from the left
_TIME_X: Final = 0.2
_BRACKET_GAP: Final = 0.17
_TEXT_CHARS: Final = 44


def sequence_diagram(
    capture: Capture,
    *,
    frames: Sequence[DecodedFrame] | None = None,
    session: str | None = None,
    start: int = 0,
    stop: int | None = None,
) -> SessionFigure:
    """Steps ``start`` to ``stop`` of one session (rows from 0; at most 60 are drawn).

    Solid is what was seen or certified, dashed what is inferred: a call's way from gateway to canister.
    ``frames`` are the capture's, where they are decoded already.
    """
    mine = one_session(list(shared_frames(capture)) if frames is None else frames, session)
    limit = start + MAX_ROWS if stop is None else min(stop, start + MAX_ROWS)
    chosen = flow(mine, start=start, stop=limit)
    height = _TOP_IN + _ROW_IN * max(len(chosen.steps), 1) + _BOTTOM_IN
    figure = SessionFigure(height if chosen.steps else 1.6)
    title(figure, "Sequence diagram" + _which(chosen), capture, 0.02)
    if not chosen.steps:
        nothing(figure)
        return figure
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, WIDTH_IN)
    axes.set_ylim(height, 0)
    axes.axis("off")
    _lifelines(axes, height)
    for row, step in enumerate(chosen.steps):
        _draw_step(axes, _y(row), step)
    figure.description += "\n\n" + text_of(chosen)
    for number, bracket in enumerate(chosen.brackets):
        _draw_bracket(axes, bracket, lane=number // 2 % 2)
    return figure


def _which(chosen: Flow) -> str:
    total = chosen.before + len(chosen.steps) + chosen.after
    if not chosen.before and not chosen.after:
        return ""
    return f", steps {chosen.before + 1} to {chosen.before + len(chosen.steps)} of {total}"


def _y(row: int) -> float:
    return _TOP_IN + _ROW_IN * (row + 0.62)


def _lifelines(axes: Axes, height: float) -> None:
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
    axes.text(_TIME_X, y, f"{step.at_s:.2f}", fontsize=7.5, color=SOFT, va="center")
    outward = step.source == "client"
    far = _X[step.target if outward else step.source]
    near, middle = _X["client"], _X["gateway"]
    _arrow(axes, (near, middle) if outward else (middle, near), y, color)
    if far > middle:
        _arrow(axes, (middle, far) if outward else (far, middle), y, color, dashed=outward)
    axes.plot([near if outward else far], [y], zorder=4, **marker_style(look.marker, color, 5.5))
    number = "" if step.sequence_num is None else f"{step.sequence_num}  "
    words = f"{number}{step.kind}"
    if step.text and step.kind not in ("open", "ack", "keep_alive"):
        words += f"  {one_line(step.text)}"
    words = words if len(words) <= _TEXT_CHARS else words[: _TEXT_CHARS - 1] + "…"
    style: dict[str, Any] = {"fontsize": 7.2, "va": "bottom", "zorder": 5, "parse_math": False}
    axes.text((near + middle) / 2, y - 0.025, words, ha="center", color=INK, **style)
    beside = step.fault_text or ("" if step.made_s is None else f"made {_short(step.made_s)} before")
    if beside:
        axes.text(
            (middle + _X["canister"]) / 2, y - 0.025, beside, ha="center", color=BAD if step.fault else SOFT,
            fontweight="bold" if step.fault else "normal", **style,
        )  # fmt: skip


def _arrow(axes: Axes, ends: tuple[float, float], y: float, color: str, *, dashed: bool = False) -> None:
    axes.annotate(
        "", (ends[1], y), (ends[0], y), zorder=3,
        arrowprops={
            "arrowstyle": "-|>", "color": color, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 1,
            "mutation_scale": 8, "linestyle": (0, (3, 2)) if dashed else "-",
        },
    )  # fmt: skip


def _draw_bracket(axes: Axes, bracket: Bracket, *, lane: int) -> None:
    """Beside who sent what is covered's other end: acks at the canister, keep-alives at the client."""
    look = LOOKS[bracket.kind]
    sign = 1 if bracket.kind == "ack" else -1
    edge = _X["canister"] if bracket.kind == "ack" else _X["client"]
    x = edge + sign * _BRACKET_GAP * (1 + lane)
    by = _y(bracket.by)
    if bracket.rows:
        top, bottom = _y(min(bracket.rows)) - 0.07, _y(max(bracket.rows)) + 0.07
        style: dict[str, Any] = {"color": look.light, "linewidth": 1.3, "zorder": 2.5, "solid_capstyle": "butt"}
        axes.plot([x - sign * 0.08, x, x, x - sign * 0.08], [top, top, bottom, bottom], **style)
        for row in bracket.rows:
            axes.plot([x - sign * 0.045, x], [_y(row)] * 2, **(style | {"linewidth": 0.8}))
        axes.plot([x, x], [bottom, by], color=look.light, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=2.4)
    axes.plot([x, edge], [by, by], color=look.light, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=2.4)
    note = axes.text(
        edge + sign * (_BRACKET_GAP * 2 + 0.09), by, _words(bracket), fontsize=7, va="center", color=look.light,
        ha="left" if sign > 0 else "right", zorder=5,
    )  # fmt: skip
    note.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.6})


def _words(bracket: Bracket) -> str:
    verb = "acks" if bracket.kind == "ack" else "has"
    if not bracket.rows or bracket.first is None:
        return f"{verb} up to {bracket.number}"
    covered = f"{bracket.first}" if bracket.first == bracket.last else f"{bracket.first}–{bracket.last}"
    waited = "" if bracket.oldest_s is None or bracket.kind != "ack" else f", oldest {_short(bracket.oldest_s)}"
    return f"{verb} {covered}{waited}"


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.1f} s"
