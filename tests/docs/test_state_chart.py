"""State diagrams: Mermaid text of our tables as SVG, with every transition on it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from docs._ext import state_chart
from support.machine import ROOT

SMALL = """
stateDiagram-v2
    [*] --> IDLE
    BUSY: BUSY
    BUSY: tick
    BUSY --> IDLE: done<br/>failed / close(4000)
    IDLE --> BUSY: start [is_ready]
    BUSY --> GONE: lost
"""


def diagrams() -> list[str]:
    page = (ROOT / "docs" / "state-machines.md").read_text(encoding="utf-8")
    return re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)


def words(svg: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", svg)]


class TestParse:
    def test_distinguishes_fixed_parts_from_moving_ones(self) -> None:
        chart = state_chart.parse(SMALL)
        assert chart.start == "IDLE"
        assert chart.stays == {"BUSY": ["tick"]}
        assert chart.moves["BUSY", "IDLE"] == ["done", "failed / close(4000)"]

    def test_orders_states_from_the_start_on(self) -> None:
        assert state_chart.parse(SMALL).states == ["IDLE", "BUSY", "GONE"]

    @pytest.mark.parametrize("text", ["sequenceDiagram\n    A->>B: hello", "stateDiagram-v2\n    state X {"])
    def test_refuses_what_it_cannot_draw(self, text: str) -> None:
        with pytest.raises(ValueError, match="cannot draw"):
            state_chart.parse(text)


class TestSvg:
    @pytest.mark.parametrize("text", [SMALL, *diagrams()], ids=lambda text: text.split()[3])
    def test_shows_every_state_and_every_label(self, text: str) -> None:
        chart = state_chart.parse(text)
        labels = [label for group in (*chart.stays.values(), *chart.moves.values()) for label in group]
        assert sorted(words(state_chart.svg(chart, "c"))) == sorted([*chart.states, *labels])

    def test_the_page_has_diagrams(self) -> None:
        assert len(diagrams()) >= 4

    def test_escapes_what_it_shows(self) -> None:
        assert "<b>" not in state_chart.svg(state_chart.parse("stateDiagram-v2\n  A --> B: <b>"), "c")
