from __future__ import annotations

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.recording import Recording, summarise
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture
from icws_explore.views import text
from icws_explore.views.facts import recording_facts, summary_facts
from icws_explore.views.fields import frame_groups
from icws_explore.views.html import (
    MAX_VERDICTS,
    View,
    facts_view,
    frame_view,
    recording_view,
    style,
    verdict_cells,
    verdicts_view,
)
from icws_explore.views.rows import frame_rows
from support.markup import Markup
from support.session_captures import SessionScript, healthy, hostile

HARMLESS = {
    "div", "style", "pre", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "span", "details", "summary",
    "section", "h5", "code", "strong", "p",
}  # fmt: skip


def every_view(capture: Capture) -> list[View]:
    frames = list(decode_frames(capture))
    verdicts = list(verify_capture(capture))
    return [
        recording_view(capture),
        *map(frame_view, frames),
        *(verdicts_view([verdict]) for verdict in verdicts),
        verdicts_view(verdicts),
        facts_view(summary_facts(summarise(frames, verdicts))),
    ]


def headings(html: str) -> list[str]:
    """The words of the frame list's head."""
    return Markup(html[html.index("<table") : html.index("</thead>") + len("</thead>")] + "</table>").text.split()


def words(text_: str) -> str:
    return "".join(text_.split())


def recording_twin(capture: Capture) -> str:
    """The text of a whole recording in lines that are wide enough for everything."""
    lines = [
        *text.facts_lines(recording_facts(capture), width=400),
        *text.frame_lines(decode_frames(capture), width=400),
    ]
    return text.plain(lines)


class TestUntrustedContent:
    def test_adds_no_element_handler_or_address(self) -> None:
        for view in every_view(hostile()):
            page = Markup(view.html)
            assert page.tags <= HARMLESS
            assert page.handlers == []
            assert not {name for _, attributes in page.elements for name in attributes} & {"src", "href", "srcdoc"}

    def test_is_shown_as_text(self) -> None:
        page = Markup(recording_view(hostile()).html)
        assert "<script>alert('sent')</script>" in page.text
        assert '"><img src=x onerror=alert(1)>' in page.text
        assert "</code></details><style>*{display:none}</style>&amp;" in page.text

    def test_cannot_end_the_style_sheet_or_the_twin(self) -> None:
        assert "<" not in style()
        for view in every_view(hostile()):
            assert view.html.count("</style>") == 1
            assert view.html.count("</pre>") == 1


class TestTextTwin:
    @pytest.mark.parametrize("make", [healthy, hostile])
    def test_is_in_the_html_for_notebooks_without_style(self, make: object) -> None:
        for view in every_view(make()):  # type: ignore[operator]
            assert Markup(view.html).twin == view.text == repr(view)
            assert 'style="display:none"' in view.html

    @pytest.mark.parametrize("make", [healthy, hostile])
    def test_of_a_recording_says_the_same(self, make: object) -> None:
        capture = make()  # type: ignore[operator]
        seen, twin = words(Markup(recording_view(capture).html).text), words(recording_twin(capture))
        for row in frame_rows(decode_frames(capture)):
            for cell in (str(row.number), row.elapsed, row.arrow, row.kind, row.sequence, row.size, row.summary):
                assert words(cell) in seen
                assert words(cell) in twin

    @pytest.mark.parametrize("make", [healthy, hostile])
    def test_of_a_frame_says_the_same(self, make: object) -> None:
        for decoded in decode_frames(make()):  # type: ignore[operator]
            seen, twin = (
                words(Markup(frame_view(decoded).html).text),
                words(text.plain(text.frame_fields_lines(decoded, width=400))),
            )
            for group in frame_groups(decoded):
                assert words(group.title) in seen
                assert words(group.title) in twin
                for field in group.fields:
                    for part in (field.name, field.value, field.meaning):
                        assert words(part) in seen
                        assert words(part) in twin

    @pytest.mark.parametrize("make", [healthy, hostile])
    def test_of_a_verification_says_the_same(self, make: object) -> None:
        for verdict in verify_capture(make()):  # type: ignore[operator]
            seen, twin = (
                words(Markup(verdicts_view([verdict]).html).text),
                words(text.plain(text.steps_lines(verdict, width=400))),
            )
            _, line, rows = verdict_cells(verdict)
            assert words(line) in seen
            assert words(line) in twin
            for row in rows:
                for part in (row.mark, row.name, row.detail, *(side.full or side.short for _, side in row.sides)):
                    assert words(part) in seen
                    assert words(part) in twin or row.mark != "✗"


class TestRecordingView:
    def test_has_the_fields_of_each_frame(self) -> None:
        page = Markup(recording_view(healthy()).html)
        assert page.count("icws-sum") == 29
        assert page.text.count("WebsocketMessage") == 26

    def test_marks_closes_and_malformed_frames(self) -> None:
        page = Markup(recording_view(hostile()).html)
        assert page.count("icws-malformed") == 2
        assert page.count("icws-closed") == 2

    def test_is_bounded_and_counts_what_is_left_out(self) -> None:
        view = recording_view(healthy(), limit=4)
        assert "25 frames not shown" in Markup(view.html).text
        assert "25 frames not shown" in view.text

    def test_takes_a_recording_or_its_frames(self) -> None:
        assert recording_view(Recording(healthy())).html == recording_view(healthy()).html

    def test_names_several_sessions(self) -> None:
        capture = SessionScript(session="tab 1").opened().capture
        assert "kind" in headings(recording_view(capture).html)
        assert "session" not in headings(recording_view(capture).html)
        capture.frames += SessionScript(session="tab 2").opened().capture.frames
        assert "session" in headings(recording_view(capture).html)
        assert "tab 2" in Markup(recording_view(capture).html).text

    def test_of_a_frame_shows_all_bytes_on_demand(self) -> None:
        decoded = list(decode_frames(healthy()))[4]
        assert f"0x{decoded.frame.data.hex()}" in Markup(frame_view(decoded).html).text


class TestVerdicts:
    def test_open_what_failed(self) -> None:
        page = Markup(verdicts_view(list(verify_capture(hostile()))).html)
        opened = [attributes for name, attributes in page.elements if name == "details" and "open" in attributes]
        assert len(opened) == 1

    def test_leave_out_passed_ones_but_never_a_failed_one(self) -> None:
        good, bad = next(verify_capture(healthy())), next(v for v in verify_capture(hostile()) if not v.ok)
        page = Markup(verdicts_view([*[good] * (MAX_VERDICTS + 7), bad]).html)
        assert page.count("icws-verdict") == MAX_VERDICTS + 1
        assert "7 more verifications that passed not shown" in page.text
        assert "✗ frame 8" in page.text


@pytest.mark.browser
class TestInChromium:
    """With its style a view is shown, without it (in an untrusted notebook) its text, and never both."""

    def test_shows_the_view_or_the_text(self, chromium_path: str) -> None:
        from playwright.sync_api import sync_playwright

        trusted = recording_view(hostile()).html
        stripped = trusted.replace(f"<style>{style()}</style>", "")
        quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path, args=quiet, chromium_sandbox=False)
            page = browser.new_page()
            seen = []
            for html in (trusted, stripped):
                page.set_content(f"<!doctype html><body>{html}</body>")
                seen.append([page.locator(part).is_visible() for part in (".icws-view", ".icws-fallback")])
            browser.close()
        assert seen == [[True, False], [False, True]]
