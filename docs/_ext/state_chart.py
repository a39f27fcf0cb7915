"""Draws the state diagrams of the pages, which are Mermaid text, as SVG: the site loads no script for them.

Each state is a column, each transition an arrow from column to column, read from top to bottom. Only the part of
``stateDiagram-v2`` that our tables write is understood; anything else is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMN: Final = 150  # all in pixels
LEFT: Final = 62
LINE: Final = 17
HEAD: Final = 58
CHAR: Final = 6.4
_ROW: Final = re.compile(r"(?P<source>\[\*\]|\w+)\s*-->\s*(?P<target>\w+)(?::\s*(?P<labels>.*))?$")
_STAYS: Final = re.compile(r"(?P<state>\w+):\s*(?P<label>.*)$")


@dataclass
class Chart:
    """``stays`` are the triggers that leave a state as it is, ``moves`` those that lead to another."""

    start: str = ""
    stays: dict[str, list[str]] = field(default_factory=dict)
    moves: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def states(self) -> list[str]:
        """From the start on, each before those that it leads to, as far as that can be."""
        order: list[str] = []
        seen: set[str] = set()

        def visit(state: str) -> None:
            if state not in seen:
                seen.add(state)
                for source, target in reversed(self.moves):
                    if source == state:
                        visit(target)
                order.insert(0, state)

        for state in (self.start, *(source for source, _ in self.moves), *self.stays):
            visit(state)
        return order


def parse(text: str) -> Chart:
    """Read Mermaid text. Raises ValueError for what is not understood."""
    first, *lines = [line.strip() for line in text.splitlines() if line.strip()]
    if first != "stateDiagram-v2":
        raise ValueError(f"cannot draw {first}: only stateDiagram-v2 is drawn")
    chart = Chart()
    for line in lines:
        if row := _ROW.match(line):
            labels = [part for part in (row["labels"] or "").split("<br/>") if part]
            if row["source"] == "[*]":
                chart.start = row["target"]
            else:
                chart.moves.setdefault((row["source"], row["target"]), []).extend(labels)
        elif stays := _STAYS.match(line):
            chart.stays.setdefault(stays["state"], [])
            if stays["label"] != stays["state"]:
                chart.stays[stays["state"]].append(stays["label"])
        else:
            raise ValueError(f"cannot draw the line {line!r}")
    return chart


def svg(chart: Chart, name: str) -> str:
    """The chart as an <svg> element; its colours are the page's. ``name`` is its own in the page."""
    states = chart.states
    x = {state: LEFT + COLUMN * number for number, state in enumerate(states)}
    width: float = x[states[-1]] + LEFT
    body: list[str] = []
    y = HEAD + 14
    for state in states:
        rows = [(state, chart.stays.get(state, []))] if chart.stays.get(state) else []
        rows += [(target, labels) for (source, target), labels in chart.moves.items() if source == state]
        for target, labels in rows:
            bottom = y + LINE * max(len(labels), 1)
            to_left = x[target] < x[state]
            at, anchor = (x[state] - 12, "end") if to_left else (x[state] + (26 if target == state else 12), "start")
            reach = max((len(label) for label in labels), default=0) * CHAR
            width = max(width, at + reach + 8) if not to_left else width
            body += [_text(at, y + LINE * (n + 1) - 6, label, anchor) for n, label in enumerate(labels)]
            if target == state:
                body.append(_path(f"M{x[state]},{y + 5} h14 v{bottom - y - 8} h-12", name))
                y = bottom + 10
            else:
                back = 6 if to_left else -6
                body.append(_path(f"M{x[state]},{bottom} H{x[target] + back}", name))
                y = bottom + 14
    lines = [f'<line class="life" x1="{x[s]}" y1="{HEAD - 14}" x2="{x[s]}" y2="{y}"/>' for s in states]
    heads = [
        f'<rect x="{x[s] - 56}" y="16" width="112" height="28" rx="6"/>'
        f'<text class="state" x="{x[s]}" y="35" text-anchor="middle">{escape(s)}</text>'
        for s in states
    ]
    start = f'<circle class="start" cx="{x[chart.start]}" cy="6" r="4"/>' if chart.start else ""
    arrow = (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="tip" d="M0,0 L8,4 L0,8 z"/></marker>'
    )
    described = f"State diagram: {', '.join(states)}; every transition is a row of the table below."
    return (
        f'<svg class="state-chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {y + 4}" '
        f'width="{width:.0f}" role="img" aria-label="{escape(described)}"><defs>{arrow}</defs>'
        f"{''.join(lines)}{start}{''.join(heads)}{''.join(body)}</svg>"
    )


def _text(x: float, y: float, label: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(label)}</text>'


def _path(d: str, marker: str) -> str:
    return f'<path class="move" d="{d}" marker-end="url(#{marker})"/>'


class Mermaid(SphinxDirective):
    """A fenced block of the language ``mermaid``."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        try:
            drawn = svg(parse("\n".join(self.content)), f"chart-{self.env.new_serialno('chart')}")
        except ValueError as error:
            raise self.error(str(error)) from error
        return [nodes.raw("", f'<div class="wide">{drawn}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
