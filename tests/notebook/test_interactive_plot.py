from __future__ import annotations

import json
import re
from typing import Any

import pytest

from icws_explore.notebook.interactive_plot import InteractivePlot, interactive, marked
from icws_explore.views import plots
from support.session_captures import healthy, hostile

DRAW = (plots.timeline, plots.ack_age, plots.keep_alives, plots.lanes, plots.certificate_age, plots.latencies,
        plots.sequence_numbers, plots.sessions, plots.sequence_diagram)  # fmt: skip


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
class TestAnyFigure:
    def test_becomes_a_widget_with_its_svg_and_its_points(self, draw: Any) -> None:
        widget = interactive(draw(healthy()))
        assert widget.svg.startswith("<svg")
        assert widget.points
        assert all(0 <= x <= 1 and 0 <= y <= 1 and text for x, y, text in widget.points)

    def test_carries_no_markup_of_a_peer(self, draw: Any) -> None:
        assert "<script" not in interactive(draw(hostile())).svg


class TestPoints:
    def test_say_what_stands_there(self) -> None:
        texts = [text for _, _, text in marked(plots.ack_age(healthy()))]
        assert "acked at this age: at 212.40 s, 208 s" in texts
        assert "restarted by an ack: at 512.90 s, 0 s" in texts

    def test_lie_where_the_markers_are(self) -> None:
        figure = plots.ack_age(healthy())
        points = {text: (x, y) for x, y, text in marked(figure)}
        first, second = points["restarted by an ack: at 212.40 s, 0 s"], points["restarted by an ack: at 512.90 s, 0 s"]
        assert first[0] < second[0]
        assert first[1] == second[1]


class TestTwin:
    def test_is_the_picture_and_its_words(self) -> None:
        widget = interactive(plots.ack_age(healthy()))
        data, metadata = widget._repr_mimebundle_()
        assert data["image/png"]
        assert data["text/plain"] == widget.figure.description
        assert metadata["image/png"]["width"] == 1000


PAGE = """<!doctype html><body><div id=el></div><script type=module>
%s
const data = %s;
const model = { get: (name) => data[name], on() {}, off() {} };
render({ model, el: document.getElementById("el") });
</script>"""


@pytest.mark.browser
class TestInABrowser:
    def test_zooms_resets_and_tells(self, chromium_path: str) -> None:
        from playwright.sync_api import expect, sync_playwright

        widget = interactive(plots.ack_age(healthy()))
        data = {name: getattr(widget, name) for name in ("svg", "points", "panels", "description")}
        code = InteractivePlot._esm
        source = (code if isinstance(code, str) else str(code)).replace("export default { render };", "")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path)
            try:
                page = browser.new_page(viewport={"width": 1000, "height": 800})
                faults: list[str] = []
                page.on("pageerror", lambda error: faults.append(str(error)))
                page.set_content(PAGE % (source, json.dumps(data).replace("</", "<\\/")))
                box = page.locator("svg").bounding_box()
                assert box is not None

                def view() -> str:
                    return str(page.locator("svg").get_attribute("viewBox"))

                whole = view()
                x, y, text = next(p for p in widget.points if p[2].startswith("acked"))
                page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                assert page.get_by_role("status").inner_text() == text
                page.mouse.wheel(0, -100)
                page.wait_for_function(
                    "whole => document.querySelector('svg').getAttribute('viewBox') !== whole", arg=whole
                )
                rulers = page.locator("div[aria-hidden=true]")
                expect(rulers.first).to_contain_text(re.compile(r"\d+ s"))  # the axes have moved out of sight
                expect(rulers.last).to_contain_text(re.compile(r"\d+"))
                page.mouse.dblclick(box["x"] + 5, box["y"] + 5)
                expect(rulers.first).to_be_hidden()
                assert [float(part) for part in view().split()] == pytest.approx(
                    [float(part) for part in whole.split()]
                )
                page.locator("div.icws").focus()
                page.keyboard.press("ArrowRight")
                assert page.get_by_role("status").inner_text() == widget.points[0][2]
                assert faults == []
            finally:
                browser.close()
