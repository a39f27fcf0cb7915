"""The sequence diagram of a part of a session: a row for each frame, and a bracket for what each ack covers.

Solid arrows were seen or are certified. Dashed ones are inferred, such as a call on its way from the gateway to the
canister. A message that was lost ends in a cross on the side of the gateway where it was lost, or at the gateway
itself if the recording does not tell the side (`Losses`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.text import Text

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.flow import Bracket, Flow, Party, Step, flow
from icws_explore.analysis.order import out_of_order
from icws_explore.analysis.passages import Place
from icws_explore.capture import Capture

from ..formatting import duration, one_line
from ..kinds import LOOKS
from ..mermaid import flow_text, numbers_text
from .arrows import MARGIN_IN, Point, draw_arrow, draw_cross, left_of, width_in, write_label
from .figure import (
    BAD,
    INK,
    LANE,
    PAPER,
    RULE,
    SCREEN,
    SOFT,
    Paper,
    SessionFigure,
    empty_figure,
    inch_axes,
    marker_style,
    one_session,
    title,
)
from .lost import Loss, Losses

MAX_STEPS: Final = 60
_HEADING: Final = "Sequence diagram"
_ROW_IN: Final = 0.3
_TOP_IN: Final = 1.1
_BOTTOM_IN: Final = 0.3
_CROSS: Final[dict[Place, tuple[Party, float]]] = {  # where the arrow of a lost message ends: inches from a party
    "unsent": ("client", 0.55),
    "client to gateway": ("gateway", -0.2),
    "gateway to canister": ("canister", -0.2),
    "canister to gateway": ("gateway", 0.2),
    "gateway to client": ("gateway", -0.2),
    "unknown": ("gateway", 0.0),
}
_TIME_X: Final = 0.2
_BRACKET_GAP: Final = 0.17
_BESIDE_IN: Final = 1.2  # between gateway and canister, for when a message was made
_BRACKET_TEXT_IN: Final = 1.8  # of a bracket whose text also says how long the oldest message waited


def sequence_diagram_figure(
    capture: Capture,
    *,
    frames: Sequence[DecodedFrame] | None = None,
    session: str | None = None,
    start: int = 0,
    stop: int | None = None,
    paper: Paper = SCREEN,
) -> SessionFigure:
    """Steps ``start`` to ``stop`` of one session (counted from 0; at most `MAX_STEPS`, and as many as
    the paper has room for).

    ``frames`` are the recording's frames if they are decoded already. ``session`` None means the first session.
    """
    shown = one_session(list(shared_frames(capture)) if frames is None else frames, session)
    limit = start + MAX_STEPS if stop is None else min(stop, start + MAX_STEPS)
    losses = Losses(capture, shown)
    chosen, before, rows = _fitting(shown, losses, start, limit, paper)
    if not chosen.steps:
        return empty_figure(capture, _HEADING, paper)
    height = _height_in(rows, paper)
    figure = SessionFigure(height, paper)
    title(figure, _HEADING + _which(chosen), capture)
    lines = _Lines.on(inch_axes(figure), paper)
    lines.draw_lifelines(height)
    late = set(out_of_order(capture))
    for row, step, missing in zip(rows, chosen.steps, before, strict=True):
        for number, loss in enumerate(missing):
            lines.draw_lost(row - len(missing) + number, step, loss)
        lines.axes.text(
            _TIME_X,
            lines.y(row),
            f"{step.at_s:.2f}",
            fontsize=7.5,
            color=BAD if step.frame in late else SOFT,
            va="center",
        )
        lines.draw_step(row, step, losses.of(step))
    for number, bracket in enumerate(chosen.brackets):
        lines.draw_bracket(bracket, rows, lane=number // 2 % 2)
    figure.description += "\n\n" + flow_text(chosen)
    return figure


def _which(chosen: Flow) -> str:
    total = chosen.before + len(chosen.steps) + chosen.after
    if not chosen.before and not chosen.after:
        return ""
    return f", frames {chosen.before + 1} to {chosen.before + len(chosen.steps)} of {total}"


def _rows(before: Sequence[Sequence[Loss]]) -> list[int]:
    """The row of each step: lost messages have rows of their own, above the step that shows the gap."""
    rows, row = [], -1
    for missing in before:
        row += 1 + len(missing)
        rows.append(row)
    return rows


def _fitting(
    shown: Sequence[DecodedFrame], losses: Losses, start: int, stop: int, paper: Paper
) -> tuple[Flow, list[list[Loss]], list[int]]:
    """The steps that the paper has room for, what was lost before each, and the row of each."""
    while True:
        chosen = flow(shown, start=start, stop=stop)
        before = [losses.before(step) for step in chosen.steps]
        rows = _rows(before)
        over_in = _height_in(rows, paper) - paper.height_in if rows else 0.0
        if over_in <= 0 or len(chosen.steps) == 1:
            return chosen, before, rows
        stop = start + max(1, len(chosen.steps) - math.ceil(over_in / _ROW_IN))


def _height_in(rows: Sequence[int], paper: Paper) -> float:
    return _TOP_IN + paper.more_top_in + _ROW_IN * (rows[-1] + 1) + _BOTTOM_IN


def _level(left: float, right: float, y: float, outward: bool) -> tuple[Point, Point]:
    """The ends of a level arrow between two lifelines."""
    return ((left, y), (right, y)) if outward else ((right, y), (left, y))


@dataclass(frozen=True, slots=True)
class _Lines:
    """Draws on ``axes``, whose units are inches. ``x`` is where the parties are, ``top`` the upper edge of the rows."""

    axes: Axes
    x: Mapping[Party, float]
    top: float
    right: float  # the edge of the paper

    @classmethod
    def on(cls, axes: Axes, paper: Paper) -> _Lines:
        client, beyond, between = (1.45, 1.15, 0.7) if paper.is_narrow else (2.05, 1.9, 0.18 * paper.width_in)
        canister = paper.width_in - beyond
        x: dict[Party, float] = {"client": client, "gateway": canister - between, "canister": canister}
        return cls(axes, x, _TOP_IN + paper.more_top_in, paper.width_in - 0.05)

    def y(self, row: int) -> float:
        """The middle of a row."""
        return self.top + _ROW_IN * (row + 0.62)

    def cross(self, place: Place) -> float:
        """Where the arrow of a message ends that was lost at ``place``."""
        party, offset = _CROSS[place]
        return self.x[party] + offset

    def draw_lifelines(self, height: float) -> None:
        """The parties, a line for each."""
        for party, x in self.x.items():
            self.axes.plot([x, x], [self.top - 0.1, height - 0.12], color=RULE, linewidth=1.2, zorder=0.5)
            self.axes.text(
                x, self.top - 0.2, party, ha="center", va="center", fontsize=8.5, fontweight="bold", color=INK,
                bbox={"facecolor": LANE, "edgecolor": RULE, "boxstyle": "round,pad=0.35", "linewidth": 0.8},
            )  # fmt: skip
        self.axes.text(_TIME_X, self.top - 0.2, "seconds", fontsize=7.5, color=SOFT, va="center")

    def draw_step(self, row: int, step: Step, loss: Loss | None) -> None:
        """A message, with its number, its kind and what is wrong with it."""
        axes, y = self.axes, self.y(row)
        look = LOOKS[step.kind]
        color = BAD if step.fault else look.light
        outward = step.source == "client"
        far = self.x[step.target if outward else step.source]
        near, middle = self.x["client"], self.x["gateway"]
        if loss is not None:
            self._draw_own_loss(y, color, loss)
        else:
            draw_arrow(axes, *_level(near, middle, y, outward), color)
            if far > middle:
                draw_arrow(axes, *_level(middle, far, y, outward), color, dashed=outward)
        axes.plot([near if outward else far], [y], zorder=4, **marker_style(look.marker, color, 5.5))
        number = "" if step.sequence_num is None else f"{step.sequence_num}  "
        label = f"{number}{step.kind}"
        if step.text and step.kind not in ("open", "ack", "keep_alive"):
            label += f"  {one_line(step.text)}"
        beside = loss.words if loss else step.fault_text
        has_room = self.x["canister"] - middle > _BESIDE_IN
        beside = beside or (f"made {duration(step.made_s)} before" if step.made_s is not None and has_room else "")
        bad = loss is not None or step.fault is not None
        end = self.x["canister"]
        if beside:
            beyond = self.right if bad else end
            end = left_of(write_label(axes, middle, end, y, beside, BAD if bad else SOFT, bold=bad, until=beyond))
        write_label(axes, near, middle, y, label, INK, until=end)

    def _draw_own_loss(self, y: float, color: str, loss: Loss) -> None:
        """A message that the client sent and the canister did not get: as far as it was seen, then to the cross."""
        near, middle, end = self.x["client"], self.x["gateway"], self.cross(loss.place)
        if loss.place == "client to gateway":
            draw_arrow(self.axes, (near, y), (end, y), color, head=False)
        else:
            draw_arrow(self.axes, (near, y), (middle, y), color, head=loss.place != "unknown")
            draw_arrow(self.axes, (middle, y), (end, y), color, head=False)
        draw_cross(self.axes, (end, y))

    def draw_lost(self, row: int, step: Step, loss: Loss) -> None:
        """Messages that are missing ahead of ``step`` and never came. What the gateway had was seen; else dashed."""
        y = self.y(row)
        outward = step.source == "client"
        end = self.cross(loss.place)
        seen = loss.place == "gateway to client"
        begin = self.x["client" if outward else "canister"]
        draw_arrow(self.axes, (begin, y), (end, y), BAD, dashed=not seen, head=False)
        draw_cross(self.axes, (end, y))
        left, right = (end, self.x["gateway"]) if outward else (self.x["gateway"], self.x["canister"])
        label = write_label(self.axes, left, right, y, loss.text, BAD, bold=True, until=self.right)
        if not outward and loss.place != "gateway to client":
            self._keep_off_brackets(label, end, loss.text)

    def _keep_off_brackets(self, label: Text, cross: float, words: str) -> None:
        """Move what is said of a loss behind the gateway to the near side of its cross, if it would reach the brackets.

        Nothing else is drawn there, because the message came no further.
        """
        beyond = left_of(label) + width_in(label) - self.x["canister"]
        if beyond <= 0:
            return
        cut = label.get_text()
        label.set_text(words)
        if width_in(label) + 2 * MARGIN_IN > cross - self.x["client"]:
            label.set_text(cut)
            return
        label.set(x=cross - MARGIN_IN, horizontalalignment="right")
        label.set_bbox(None)

    def draw_bracket(self, bracket: Bracket, rows: Sequence[int], *, lane: int) -> None:
        """A bracket at the party that confirms: acks at the canister, keep-alives at the client."""
        axes = self.axes
        look = LOOKS[bracket.kind]
        sign = 1 if bracket.kind == "ack" else -1
        edge = self.x["canister"] if bracket.kind == "ack" else self.x["client"]
        x = edge + sign * _BRACKET_GAP * (1 + lane)
        by = self.y(rows[bracket.by])
        if bracket.rows:
            top, bottom = self.y(rows[min(bracket.rows)]) - 0.07, self.y(rows[max(bracket.rows)]) + 0.07
            style: dict[str, Any] = {"color": look.light, "linewidth": 1.3, "zorder": 2.5, "solid_capstyle": "butt"}
            axes.plot([x - sign * 0.08, x, x, x - sign * 0.08], [top, top, bottom, bottom], **style)
            for row in bracket.rows:
                axes.plot([x - sign * 0.045, x], [self.y(rows[row])] * 2, **(style | {"linewidth": 0.8}))
            axes.plot([x, x], [bottom, by], color=look.light, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=2.4)
        axes.plot([x, edge], [by, by], color=look.light, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=2.4)
        has_room = bracket.kind == "ack" and self.right - edge > _BRACKET_TEXT_IN
        waited = f", oldest {duration(bracket.oldest_s)}" if bracket.oldest_s is not None and has_room else ""
        note = axes.text(
            edge + sign * (_BRACKET_GAP * 2 + 0.09), by, numbers_text(bracket) + waited, fontsize=7, va="center",
            color=look.light, ha="left" if sign > 0 else "right", zorder=5,
        )  # fmt: skip
        note.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.6})
