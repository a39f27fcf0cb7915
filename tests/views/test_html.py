from __future__ import annotations

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.recording import Recording, summarise
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture
from icws_explore.views import text
from icws_explore.views.fields import frame_groups
from icws_explore.views.html import (
    MAX_VERDICTS,
    View,
    capture_html,
    capture_view,
    frame_html,
    frame_view,
    judged,
    style,
    summary_view,
    verdicts_html,
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
        capture_view(capture),
        *map(frame_view, frames),
        *(verdicts_view([verdict]) for verdict in verdicts),
        verdicts_view(verdicts),
        summary_view(summarise(frames, verdicts)),
    ]


def headings(html: str) -> list[str]:
    """The words of the frame list's head."""
    return Markup(html[html.index("<table") : html.index("</thead>") + len("</thead>")] + "</table>").text.split()


def words(text_: str) -> str:
    return "".join(text_.split())


class TestUntrustedContent:
    def test_adds_no_element_no_handler_and_no_address(self) -> None:
        for view in every_view(hostile()):
            page = Markup(view.html)
            assert page.tags <= HARMLESS
            assert page.handlers == []
            assert not {name for _, attributes in page.elements for name in attributes} & {"src", "href", "srcdoc"}

    def test_is_shown_as_it_is(self) -> None:
        page = Markup(capture_html(hostile()))
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
    def test_stands_in_the_html_for_where_the_style_is_stripped(self, make: object) -> None:
        for view in every_view(make()):  # type: ignore[operator]
            assert Markup(view.html).twin == view.text == repr(view)
            assert 'style="display:none"' in view.html

    @pytest.mark.parametrize("make", [healthy, hostile])
    def test_of_a_capture_says_the_same(self, make: object) -> None:
        capture = make()  # type: ignore[operator]
        seen, twin = words(Markup(capture_html(capture)).text), words(text.capture_text(capture, width=400))
        for row in frame_rows(decode_frames(capture)):
            for cell in (str(row.number), row.elapsed, row.arrow, row.kind, row.sequence, row.size, row.summary):
                assert words(cell) in seen
                assert words(cell) in twin

    @pytest.mark.parametrize("make", [healthy, hostile])
    def test_of_a_frame_says_the_same(self, make: object) -> None:
        for decoded in decode_frames(make()):  # type: ignore[operator]
            seen, twin = words(Markup(frame_html(decoded)).text), words(text.frame_detail_text(decoded, width=400))
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
            seen, twin = words(Markup(verdicts_html([verdict])).text), words(text.steps_text(verdict, width=400))
            _, line, rows = judged(verdict)
            assert words(line) in seen
            assert words(line) in twin
            for row in rows:
                for part in (row.mark, row.name, row.detail, *(side.full or side.short for _, side in row.sides)):
                    assert words(part) in seen
                    assert words(part) in twin or row.mark != "✗"


class TestCaptureView:
    def test_opens_each_frame_to_its_fields(self) -> None:
        page = Markup(capture_html(healthy()))
        assert page.count("icws-sum") == 29
        assert page.text.count("WebsocketMessage") == 26

    def test_marks_the_ends_and_what_does_not_decode(self) -> None:
        page = Markup(capture_html(hostile()))
        assert page.count("icws-malformed") == 2
        assert page.count("icws-closed") == 2

    def test_is_bounded_and_says_so(self) -> None:
        view = capture_view(healthy(), limit=4)
        assert "25 frames not shown" in Markup(view.html).text
        assert "25 frames not shown" in view.text

    def test_takes_a_recording_as_well(self) -> None:
        assert capture_html(Recording(healthy())) == capture_html(healthy())

    def test_names_the_sessions_where_there_are_several(self) -> None:
        capture = SessionScript(session="tab 1").opened().capture
        assert "kind" in headings(capture_html(capture))
        assert "session" not in headings(capture_html(capture))
        capture.frames += SessionScript(session="tab 2").opened().capture.frames
        assert "session" in headings(capture_html(capture))
        assert "tab 2" in Markup(capture_html(capture)).text

    def test_of_a_frame_has_the_bytes_in_full_on_demand(self) -> None:
        decoded = list(decode_frames(healthy()))[4]
        assert f"0x{decoded.frame.data.hex()}" in Markup(frame_html(decoded)).text


class TestVerdicts:
    def test_what_fails_stands_open(self) -> None:
        page = Markup(verdicts_html(list(verify_capture(hostile()))))
        opened = [attributes for name, attributes in page.elements if name == "details" and "open" in attributes]
        assert len(opened) == 1

    def test_many_good_ones_are_cut_but_never_a_bad_one(self) -> None:
        good, bad = next(verify_capture(healthy())), next(v for v in verify_capture(hostile()) if not v.ok)
        page = Markup(verdicts_html([*[good] * (MAX_VERDICTS + 7), bad]))
        assert page.count("icws-verdict") == MAX_VERDICTS + 1
        assert "7 more messages that verify are not shown" in page.text
        assert "✗ frame 8" in page.text


@pytest.mark.browser
class TestInChromium:
    """With its style a view shows itself, without (an untrusted notebook) its text; never both."""

    def test_shows_the_view_or_the_text(self, chromium_path: str) -> None:
        from playwright.sync_api import sync_playwright

        trusted = capture_html(hostile())
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
