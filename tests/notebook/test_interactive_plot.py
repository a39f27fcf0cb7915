from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
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
        assert "<svg" in data["text/html"]
        assert "var(--icws-" in data["text/html"], "it takes the colours of the page"
        assert data["text/plain"] == widget.figure.description
        assert metadata["image/png"]["width"] == 1000


class TestZooming:
    def test_draws_the_part_that_is_asked_for(self) -> None:
        widget = interactive(plots.ack_age(healthy()))
        before, points = widget.svg, len(widget.points)
        widget.view = {"x": [0.5, 0.75], "y": [[0, 1], [0, 1]]}
        assert widget.drawn == widget.view
        assert widget.svg != before
        assert 0 < len(widget.points) < points

    def test_another_figure_of_the_kind_keeps_the_part(self) -> None:
        widget = interactive(plots.ack_age(healthy()))
        widget.view = {"x": [0.5, 0.75], "y": [[0, 1], [0, 1]]}
        widget.show(plots.ack_age(healthy()))
        assert widget.drawn["x"] == pytest.approx([0.5, 0.75])
        widget.show(plots.timeline(healthy()))
        assert widget.drawn == widget.view == {"x": [0.0, 1.0], "y": [[0.0, 1.0]]}

    def test_nonsense_shows_the_whole(self) -> None:
        widget = interactive(plots.ack_age(healthy()))
        widget.view = {"x": ["<b>", None], "y": 7}
        assert widget.drawn["x"] == [0.0, 1.0]
        assert widget.fault == ""


class TestColours:
    @pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
    def test_all_follow_the_page(self, draw: Any) -> None:
        """A colour that stays what it is would be unreadable in the dark theme."""
        fixed = re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", interactive(draw(healthy())).svg)
        assert sorted(set(fixed)) == []


TRAITS = ("svg", "points", "panels", "description", "view", "drawn", "fault")
PAGE = """<!doctype html><body data-jp-theme-light="%s"><style>%s</style><div id=el></div><script type=module>
%s
const data = %s, on = {};
window.model = {
  get: (name) => data[name], set: (name, value) => { data[name] = value; }, off() {},
  on: (name, act) => (on[name] ??= []).push(act),
  save_changes: async () => {
    Object.assign(data, await window.kernel(data.view));
    (on["change:svg"] ?? []).forEach((act) => act());
  },
};
render({ model: window.model, el: document.getElementById("el") });
</script>"""


@pytest.mark.browser
@pytest.mark.parametrize(("width", "light"), [(1024, "true"), (1600, "false")])
class TestInABrowser:
    def test_zooms_its_axes_resets_and_reads_markers(self, chromium_path: str, width: int, light: str) -> None:
        from playwright.sync_api import expect, sync_playwright

        widget = interactive(plots.ack_age(healthy()))
        source = str(InteractivePlot._esm).replace("export default { render };", "")

        def state() -> dict[str, Any]:
            return {name: getattr(widget, name) for name in TRAITS}

        def kernel(view: Any) -> dict[str, Any]:
            with ThreadPoolExecutor() as pool:  # Playwright's own loop runs here
                pool.submit(setattr, widget, "view", view).result()
            return {name: value for name, value in state().items() if name != "view"}

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path)
            try:
                page = browser.new_page(viewport={"width": width, "height": 800})
                faults: list[str] = []
                page.on("pageerror", lambda error: faults.append(str(error)))
                page.expose_function("kernel", kernel)
                values = json.dumps(state()).replace("</", "<\\/")
                page.set_content(PAGE % (light, widget._css, source, values))
                box = page.locator(".icws-stage > svg").bounding_box()
                assert box is not None
                x, y, text = next(p for p in widget.points if p[2].startswith("acked"))
                page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                assert page.get_by_role("status").inner_text() == text
                view = "() => JSON.stringify(model.get('drawn').x)"
                page.mouse.wheel(0, -100)  # a page scrolls on over a figure that nobody has clicked
                assert page.evaluate(view) == "[0,1]"
                page.get_by_role("button", name="zoom in").click()
                page.wait_for_function("() => model.get('drawn').x[0] > 0.1")
                expect(page.locator(".icws-stage > svg > svg")).to_have_count(0)  # nothing is only magnified
                page.get_by_role("button", name="show everything").click()
                page.wait_for_function("() => model.get('drawn').x[0] === 0")
                page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
                page.mouse.wheel(0, -100)
                page.wait_for_function("() => model.get('drawn').x[0] > 0.05")
                page.keyboard.press("0")
                page.wait_for_function("() => model.get('drawn').x[0] === 0")
                page.locator("div.icws-plot").focus()
                page.keyboard.press("ArrowRight")
                assert page.get_by_role("status").inner_text() == widget.points[0][2]
                colour = page.locator(".icws-stage > svg").evaluate(
                    "svg => getComputedStyle(svg.querySelector('#patch_1 path')).fill"
                )
                assert colour == ("rgb(255, 255, 255)" if light == "true" else "rgb(22, 25, 29)")
                assert faults == []
            finally:
                browser.close()
