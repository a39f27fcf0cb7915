"""All parties in one sequence diagram: clients, gateways and the canister, and each message at each of them.

Time runs downwards in steps, not to scale: each row is one instant, and its time stands at the left. So an arrow that
falls steeply took as long as its rows say. A thick bar at the canister is a message that waits in the canister's queue
for a poll. A message that was lost ends in a cross where it was lost. What nothing tells of is dashed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from matplotlib.axes import Axes

from icws_explore.analysis.passages import Passage, Passages, Sighting, passages
from icws_explore.capture import Capture
from icws_explore.protocol.errors import ArgumentValueError

from ..formatting import count, duration, one_line, shorten
from ..kinds import LOOKS
from .arrows import draw_arrow, draw_cross, write_label
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
    foot_in,
    footnote,
    inch_axes,
    marker_style,
    title,
)

MAX_MESSAGES: Final = 40  # of one figure
MAX_CLIENTS: Final = 4
MAX_GATEWAYS: Final = 2
_HEADING: Final = "All parties"
_ROW_IN: Final = 0.235
_TOP_IN: Final = 1.1
_BOTTOM_IN: Final = 0.42
_TIME_X: Final = 0.2
_CLIENTS_X: Final = 1.15  # the first client
_MIN_WIDTH_IN: Final = 6.0
_QUEUE: Final = 0.19  # of the width, right of the canister, and at least:
_QUEUE_IN, _NARROW_QUEUE_IN = 1.4, 1.15
_BAR_GAP: Final = 0.07  # between messages in the queue
_MAX_BARS: Final = 6  # beside each other
_LONG_S: Final = 10.0  # a silence that is written between two rows
_TOGETHER_S: Final = 0.002  # real seconds; what happens within them shares a row
_LANE: Final = {"client": 0, "gateway": 1, "canister": 2}


@dataclass(slots=True)
class _Row:
    at_s: float
    y: float = 0.0
    silence_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Placed:
    """A message with the rows at which client, gateway and canister had it; None: they did not, or nothing tells."""

    message: Passage
    client: int | None
    gateway: int | None
    canister: int | None


def parties_figure(
    capture: Capture,
    *,
    sightings: Sequence[Sighting] = (),
    known: Passages | None = None,
    clients: Sequence[str] | None = None,
    start: int = 0,
    stop: int | None = None,
    paper: Paper = SCREEN,
) -> SessionFigure:
    """Messages ``start`` to ``stop`` (counted from 0, in order of time) of ``clients``, at most `MAX_MESSAGES`.

    On paper as many are drawn as there is room for, and several clients in a column are printed smaller.

    ``sightings`` is what a lab noted. ``known`` are the passages if they are worked out already. ``clients`` None means
    the first `MAX_CLIENTS`. Raises ArgumentValueError for an unknown client, or
    for too many.
    """
    every = passages(capture, sightings) if known is None else known
    names = every.clients[:MAX_CLIENTS] if clients is None else tuple(clients)
    _check(names, every)
    chosen = every.of(names)
    limit = start + MAX_MESSAGES if stop is None else min(stop, start + MAX_MESSAGES)
    shown = chosen.messages[start:limit]
    if not shown:
        return empty_figure(capture, _HEADING, paper)
    if len(names) > 1:
        paper = paper.widened(_MIN_WIDTH_IN)
    note = _note(every, names)
    top = _TOP_IN + paper.more_top_in
    below = _ROW_IN + _BOTTOM_IN + foot_in(note, paper)
    while True:
        rows, placed = _place(shown, _TOGETHER_S * capture.info.clock.scale, top)
        height = (rows[-1].y if rows else top) + below
        over_in = height - paper.height_in
        if over_in <= 0 or len(shown) == 1:
            break
        shown = shown[: max(1, len(shown) - math.ceil(over_in / (3 * _ROW_IN)))]  # a message has up to three rows
    figure = SessionFigure(height, paper)
    title(figure, _HEADING + _which(start, len(shown), len(chosen.messages)), capture)
    lines = _Lines(inch_axes(figure), rows, names, chosen.gateways[:MAX_GATEWAYS] or ("",))
    lines.draw_lifelines()
    for each in placed:
        lines.draw(each)
    lines.draw_queue(placed)
    footnote(figure, note)
    figure.description += "\n\n" + "\n".join(map(passage_text, shown))
    return figure


def _check(names: Sequence[str], every: Passages) -> None:
    if len(names) > MAX_CLIENTS:
        raise ArgumentValueError(f"choose at most {MAX_CLIENTS} clients: the picture has no room for {len(names)}")
    for name in names:
        if name not in every.clients:
            known = ", ".join(repr(client) for client in every.clients[:10])
            raise ArgumentValueError(f"there is no client {name!r}: the recording has {known or 'none'}")


def _which(start: int, number: int, total: int) -> str:
    return "" if number == total else f", messages {start + 1} to {start + number} of {total}"


def _note(every: Passages, names: Sequence[str]) -> str:
    parts = []
    if not every.knows_gateway:
        parts.append("Only the clients' side was recorded. Dashed ways are inferred.")
    if every.skewed:
        parts.append("Times of the canister were moved to the recording's clock by an estimate.")
    if more := len(every.clients) - len(names):
        parts.append(f"{count(more, 'more client')} not shown.")
    return " ".join(parts) or "Each row is one instant; the rows are not to scale. A bar at the canister: in its queue."


def passage_text(message: Passage) -> str:
    """One message in words: its kind and number, and when each party had it."""
    frame = "no frame" if message.frame is None else f"frame {message.frame}"
    number = "" if message.sequence_num is None else f" {message.sequence_num}"
    who = f" of {client_name(message.client)}" if message.client else ""
    stations = [("client", message.client_s), ("gateway", message.gateway_s), ("canister", message.canister_s)]
    ordered = stations if message.outward else stations[::-1]
    way = " → ".join(f"{party} {at:.2f} s" for party, at in ordered if at is not None)
    fate = f": {one_line(message.why)}" if message.why else ": in the queue" if message.is_waiting else ""
    return f"{frame}, {message.kind}{number}{who}: {way}{fate}"


def client_name(client: str) -> str:
    """What a client is called in the picture: its session, or its principal if the recording does not hold it."""
    if not client:
        return "client"
    return f"client {client}" if len(client) < 8 else shorten(one_line(client), 16)


def _place(shown: Sequence[Passage], together_s: float, top_in: float) -> tuple[list[_Row], list[_Placed]]:
    """The rows, and the messages on them. What happens within ``together_s`` shares a row if there is room for it."""
    events = sorted(
        (at, number, lane)
        for number, message in enumerate(shown)
        for lane, at in enumerate((message.client_s, message.gateway_s, message.canister_s))
        if at is not None
    )
    rows: list[_Row] = []
    places: list[list[int | None]] = [[None, None, None] for _ in shown]
    here: set[object] = set()  # the messages and the clients on the last row
    for at, number, lane in events:
        client = shown[number].client if lane == _LANE["client"] else None
        other = [row for row in places[number] if row is not None]
        if rows and at == rows[-1].at_s and other == [len(rows) - 1]:
            places[number][lane] = len(rows) - 1  # at two parties at one instant, as the gateway's handshake
            here.add(client)
            continue
        is_free = number not in here and (client is None or client not in here)
        if not rows or at - rows[-1].at_s > together_s or not is_free:
            rows.append(_Row(at))
            here = set()
        here |= {number} if client is None else {number, client}
        places[number][lane] = len(rows) - 1
    _set_heights(rows, top_in)
    placed = [_Placed(message, *place) for message, place in zip(shown, places, strict=True)]
    return rows, placed


def _set_heights(rows: Sequence[_Row], top_in: float) -> None:
    y = top_in + 0.55 * _ROW_IN
    for number, row in enumerate(rows):
        if number:
            silence = row.at_s - rows[number - 1].at_s
            row.silence_s = silence if silence >= _LONG_S else 0.0
            y += _ROW_IN * (1.7 if row.silence_s else 1)
        row.y = y


class _Lines:
    """Draws on ``axes``, whose units are inches."""

    def __init__(self, axes: Axes, rows: Sequence[_Row], clients: Sequence[str], gateways: Sequence[str]) -> None:
        self._axes = axes
        self._rows = rows
        width, self._height = (max(ends) for ends in (axes.get_xlim(), axes.get_ylim()))
        figure: Any = axes.figure
        self._top = _TOP_IN + figure.paper.more_top_in
        self._paper = width - 0.05  # the right edge
        self._canister = width - max(_NARROW_QUEUE_IN if figure.paper.is_narrow else _QUEUE_IN, _QUEUE * width)
        space = 0.216 * width if len(gateways) == 1 else 0.14 * width  # between gateways, and to the canister
        self._gateways = {
            name: self._canister - space * (len(gateways) - number) for number, name in enumerate(gateways)
        }
        self._first_gateway = min(self._gateways.values())
        # Left of the gateway arrows slant; between there and the clients they are level, so that labels fit.
        self._elbow = self._first_gateway - 0.075 * width
        self._step = (self._first_gateway - _CLIENTS_X) / max(1, len(clients))
        self._clients = {name: _CLIENTS_X + self._step * number for number, name in enumerate(clients)}

    def draw_lifelines(self) -> None:
        """The parties, a line for each, and the times of the rows."""
        axes = self._axes
        parties = [(x, client_name(name)) for name, x in self._clients.items()]
        several = len(self._gateways) > 1
        parties += [
            (x, f"gateway {number}" if several else "gateway") for number, x in enumerate(self._gateways.values(), 1)
        ]
        for x, name in [*parties, (self._canister, "canister")]:
            axes.plot([x, x], [self._top - 0.1, self._height - _BOTTOM_IN], color=RULE, linewidth=1.2, zorder=0.5)
            axes.text(
                x, self._top - 0.22, name, ha="center", va="center", fontsize=8.5, fontweight="bold", color=INK,
                parse_math=False,
                bbox={"facecolor": LANE, "edgecolor": RULE, "boxstyle": "round,pad=0.35", "linewidth": 0.8},
            )  # fmt: skip
        axes.text(_TIME_X, self._top - 0.22, "seconds", fontsize=7.5, color=SOFT, va="center")
        for row in self._rows:
            axes.text(_TIME_X, row.y, f"{row.at_s:.2f}", fontsize=7.5, color=SOFT, va="center")
            if row.silence_s:
                y = row.y - 0.85 * _ROW_IN
                axes.text(_TIME_X, y, f"⋮ {duration(row.silence_s)}", fontsize=7, color=SOFT, va="center")
                axes.plot(
                    [0.9, self._canister + 0.4], [y, y], color=RULE, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0.4
                )

    def draw(self, placed: _Placed) -> None:
        """One message: its arrows, its mark, its label and what went wrong with it."""
        message = placed.message
        look = LOOKS[message.kind]
        color = BAD if message.lost or self._is_refused(message) else look.light
        points = self._points(placed)
        if message.outward:
            self._draw_way(message, points, color, ["client", "gateway", "canister"])
        else:
            self._draw_way(message, points, color, ["canister", "gateway", "client"])
        begin = next((points[party] for party in self._order(message) if party in points), None)
        if begin is not None:
            line = self._axes.plot([begin[0]], [begin[1]], zorder=4, **marker_style(look.marker, look.light, 5.5))[0]
            line.set_gid(self._gid(message, "mark"))
        if "client" in points:
            self._label(message, points["client"])
        elif "gateway" in points and message.lost is None:
            self._far_label(message, points["gateway"])
        if self._is_refused(message) and "canister" in points:
            self._refusal(message, points["canister"])

    @staticmethod
    def _is_refused(message: Passage) -> bool:
        return message.outward and message.lost is None and message.canister_s is not None and bool(message.why)

    @staticmethod
    def _order(message: Passage) -> list[str]:
        return ["client", "gateway", "canister"] if message.outward else ["canister", "gateway", "client"]

    def _points(self, placed: _Placed) -> dict[str, tuple[float, float]]:
        message = placed.message
        places = {
            "client": (self._clients[message.client], placed.client),
            "gateway": (self._gateways.get(message.gateway, self._first_gateway), placed.gateway),
            "canister": (self._canister, placed.canister),
        }
        return {party: (x, self._rows[row].y) for party, (x, row) in places.items() if row is not None}

    def _draw_way(
        self, message: Passage, points: dict[str, tuple[float, float]], color: str, order: Sequence[str]
    ) -> None:
        """Arrows between the parties that had the message, and what is known of the rest of its way."""
        here = [party for party in order if party in points]
        for number, (one, other) in enumerate(pairwise(here)):
            start, end = points[one], points[other]
            if one == "canister" and message.gateway_s is not None:
                start = (start[0], end[1])  # it waited in the queue until then
            if "client" in (one, other):
                is_inferred = "gateway" not in (one, other)
                self._bent_arrow(start, end, color, dashed=is_inferred, gid=self._gid(message, f"way{number}"))
            else:
                draw_arrow(self._axes, start, end, color, gid=self._gid(message, f"way{number}"))
        if not here:
            return
        last = points[here[-1]]
        if message.lost is not None:
            self._draw_loss(message, here[-1], last)
        elif len(here) == 1 and not message.is_waiting:
            self._draw_rest(message, here[0], last, color)

    def _bent_arrow(
        self, start: tuple[float, float], end: tuple[float, float], color: str, *, dashed: bool, gid: str | None
    ) -> None:
        """Level at the height of the client's row, and slanted beside the gateway."""
        bend = (self._elbow, start[1] if start[0] < end[0] else end[1])
        first = None if gid is None else f"{gid}-a"
        draw_arrow(self._axes, start, bend, color, dashed=dashed, head=False, gid=first)
        draw_arrow(self._axes, bend, end, color, dashed=dashed, gid=gid)

    def _draw_loss(self, message: Passage, at: str, last: tuple[float, float]) -> None:
        gateway = self._gateways.get(message.gateway, self._first_gateway)
        client = self._clients[message.client]
        goals = {
            "client to gateway": gateway - 0.25,
            "gateway to canister": (gateway + self._canister) / 2,
            "canister to gateway": (gateway + self._canister) / 2,
            "gateway to client": max(client + 0.3, gateway - 0.9),
            "unknown": gateway,
            "unsent": client + 0.3,
        }
        assert message.lost is not None
        end = (goals[message.lost], last[1])
        is_seen = not (at == "canister" and message.lost == "canister to gateway")
        draw_arrow(self._axes, last, end, BAD, dashed=not is_seen, head=False, gid=self._gid(message, "lost"))
        draw_cross(self._axes, end)
        words = one_line(message.why)
        if message.outward and message.lost == "client to gateway":
            left, right, until = gateway, self._canister, self._paper
        elif message.lost == "gateway to client":
            number = "" if message.sequence_num is None else f"{message.sequence_num} "
            left, right, until = gateway, self._canister, self._paper
            words = f"{number}{message.kind} {words}"
        else:
            left, right, until = end[0] + 0.05, self._canister, self._paper
        label = write_label(self._axes, left, right, last[1], words, BAD, until=until, bold=True, is_centred=False)
        label.set_gid(self._gid(message, "why"))

    def _draw_rest(self, message: Passage, at: str, last: tuple[float, float], color: str) -> None:
        """The way of a message that one party had, as far as nothing tells of the others."""
        gateway = self._gateways.get(message.gateway, self._first_gateway)
        if at == "client":
            is_control = message.kind in ("control", "malformed", "handshake")
            start, end = (last[0], gateway) if message.outward else (gateway, last[0])
            draw_arrow(self._axes, (start, last[1]), (end, last[1]), color, gid=self._gid(message, "rest"))
            if message.outward and not is_control:
                draw_arrow(self._axes, (gateway, last[1]), (self._canister, last[1]), color, dashed=True)
        elif at == "gateway":
            goal = self._canister if message.outward else self._clients[message.client]
            end_x = last[0] + 0.45 * (goal - last[0])
            draw_arrow(self._axes, last, (end_x, last[1]), color, dashed=True, head=False)

    def _label(self, message: Passage, at: tuple[float, float]) -> None:
        number = "" if message.sequence_num is None else f"{message.sequence_num} "
        text = f"{number}{message.kind}"
        if message.text and message.kind not in ("open", "ack", "keep_alive", "open_request"):
            text += f"  {one_line(message.text)}"
        if message.why and message.lost is None and not self._is_refused(message):
            text += f" ({one_line(message.why)})"
        right = min(at[0] + self._step, self._elbow + 0.1)
        label = write_label(self._axes, at[0], right, at[1], text, INK, until=right, is_centred=False)
        label.set_gid(self._gid(message, "label"))

    def _far_label(self, message: Passage, at: tuple[float, float]) -> None:
        """The kind of a message of which the client's side is not recorded."""
        number = "" if message.sequence_num is None else f"{message.sequence_num} "
        write_label(
            self._axes,
            at[0],
            self._canister,
            at[1],
            f"{number}{message.kind}",
            SOFT,
            until=self._canister,
            is_centred=False,
        )

    def _refusal(self, message: Passage, at: tuple[float, float]) -> None:
        draw_cross(self._axes, at)
        label = write_label(
            self._axes,
            at[0],
            self._paper,
            at[1],
            one_line(message.why),
            BAD,
            until=self._paper,
            bold=True,
            is_centred=False,
        )
        label.set_gid(self._gid(message, "why"))

    def draw_queue(self, placed: Sequence[_Placed]) -> None:
        """The bars of the messages that waited in the canister, and how long they waited."""
        bars: list[tuple[float, float, _Placed]] = []
        for each in placed:
            if each.message.outward or each.canister is None or each.message.lost == "canister to gateway":
                continue
            if each.gateway is None and not each.message.is_waiting:
                continue
            top = self._rows[each.canister].y
            bottom = self._rows[-1].y + 0.4 * _ROW_IN if each.gateway is None else self._rows[each.gateway].y
            bars.append((top, bottom, each))
        ends: list[float] = []  # of the bars beside each other
        labels: dict[float, list[tuple[float, bool, str]]] = {}
        drawn: list[tuple[float, float, float]] = []
        for top, bottom, each in sorted(bars, key=lambda bar: bar[:2]):
            lane = next((n for n, end in enumerate(ends) if end < top - 0.01), len(ends))
            ends[lane : lane + 1] = [bottom]
            x = self._canister + _BAR_GAP * (min(lane, _MAX_BARS) + 0.5)
            color = LOOKS[each.message.kind].light
            bar = self._axes.plot([x, x], [top, bottom], color=color, linewidth=3, solid_capstyle="butt", zorder=2.6)[0]
            bar.set_gid(self._gid(each.message, "queue"))
            drawn.append((top, bottom, x))
            if each.message.lost is not None:
                continue  # where it was lost is written there
            waited = 0.0
            if each.message.gateway_s is not None and each.message.canister_s is not None:
                waited = each.message.gateway_s - each.message.canister_s
            labels.setdefault(bottom, []).append((waited, each.message.is_waiting, color))
        for y, told in labels.items():
            beside = max(x for top, bottom, x in drawn if top - 0.06 <= y <= bottom + 0.06)
            self._queued_label(beside + 0.08, y, told)

    def _queued_label(self, x: float, y: float, told: Sequence[tuple[float, bool, str]]) -> None:
        longest, is_waiting, color = max(told)
        times = f" ×{len(told)}" if len(told) > 1 else ""
        text = f"in the queue{times}" if is_waiting else f"queued {duration(longest)}{times}"
        label: Any = self._axes.text(x, y, text, fontsize=7, color=color, va="center", ha="left", zorder=5)
        label.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.4})

    @staticmethod
    def _gid(message: Passage, part: str) -> str | None:
        """The id of what is drawn of a frame, so that the explorer can tell what was clicked."""
        return None if message.frame is None else f"icws-frame-{message.frame}-{part}"
