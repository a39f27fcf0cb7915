from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.protocol.service_messages import CloseReason
from icws_explore.views.formatting import one_line
from icws_explore.views.report.file import report
from icws_explore.views.report.gather import gather
from icws_explore.views.report.markdown import (
    ELLIPSIS,
    MAX_CHARACTERS,
    code,
    html_code,
    markdown_report,
    prose,
    table,
)
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript, healthy, hostile

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ELEMENTS = {
    "h3",
    "h4",
    "p",
    "ul",
    "li",
    "strong",
    "code",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
}


def rendered(text: str) -> str:
    return RENDERER.render(text)


def tables(page: str) -> list[str]:
    return re.findall(r"<table>.*?</table>", page, re.DOTALL)


class TestContents:
    def test_begin_with_the_answer_and_the_findings(self) -> None:
        text = report(SCENARIOS["NO_KEEPALIVE"]()).markdown
        assert text.startswith("### ✗ NO_KEEPALIVE\n")
        heads = re.findall(r"^#### (.*)$", text, re.MULTILINE)
        assert heads == ["Findings", "Summary", "Timing against limits", "Verification"]
        finding = text[text.index("#### Findings") : text.index("#### Summary")]
        assert "- fix: " in finding
        assert "| # | seconds |" in finding
        assert re.search(r"^\| \*\*\d+\*\* \|", finding, re.MULTILINE)

    def test_of_a_healthy_session_are_short(self) -> None:
        text = report(healthy()).markdown
        assert "- ? not checked: whether the canister received 1 message" in text
        assert "- canister messages: 13 of 13 passed" in text
        assert "| OpenMessage after ws_open | 60 s | 1 met | 2.20 s | 57.8 s |" in text
        assert len(text) < 8_000

    def test_name_the_environment(self) -> None:
        text = report(healthy()).markdown
        environment = text[text.index("Environment") :]
        assert "- canister: `bnz7o-iuaaa-aaaaa-qaaaa-cai`" in environment
        assert "- Python: CPython" in environment
        assert "**Not in real time.**" in text

    def test_name_what_failed_and_where(self) -> None:
        text = report(hostile()).markdown
        assert re.search(r"- canister messages: \*\*\d of \d passed, 1 failed at sequence\*\*", text)
        assert "- ✗ frame 8: sequence failed" in text

    def test_list_several_sessions(self) -> None:
        capture = SessionScript(session="1").opened().capture
        bad = SessionScript(session="2").opened().app_says(4.0, "ahead", sequence_num=7)
        capture.frames += bad.capture.frames
        text = report(capture).markdown
        assert "| `2` | 4 | yes | 0 / 1 |" in text
        assert "Sequence, session <code>2</code>" in text

    def test_of_an_empty_recording_exist_too(self) -> None:
        assert "0 frames" in report(Capture()).markdown

    def test_can_be_redacted(self) -> None:
        text = report(healthy(), redact=True).markdown
        assert "**Redacted:**" in text
        assert "ping 1" not in text
        assert "‹record { text; nat64 }," in text


class TestAsMarkdown:
    @pytest.mark.parametrize("privacy", ["shown", "redacted", "anonymous"])
    @pytest.mark.parametrize("name", ["hostile", "healthy", "BODY_HASH", "STALE_NONCE"])
    def test_every_table_is_well_formed(self, name: str, privacy: str) -> None:
        capture = {"hostile": hostile, "healthy": healthy}.get(name, SCENARIOS.get(name, healthy))()
        page = rendered(markdown_report(gather(capture, privacy=privacy)))  # type: ignore[arg-type]  # of the three
        assert "| --" not in page
        assert tables(page)
        for each in tables(page):
            cells = {len(re.findall(r"<t[hd]\b", row)) for row in re.findall(r"<tr>.*?</tr>", each, re.DOTALL)}
            assert len(cells) == 1

    def test_nothing_from_a_peer_becomes_markup(self) -> None:
        capture = hostile()
        say = "| @dfinity #12 </details><script>x</script> ` ``` [a](http://x.y) ![i](//x.y/z) \u202e\n\n# head"
        script = SessionScript(session="`|<b>@you").opened().client_says(3.0, say).app_says(4.0, say)
        script.canister_closes(5.0, CloseReason.WRONG_SEQUENCE_NUMBER).closed(5.1, "out", 4000, say)
        capture.frames += script.capture.frames
        capture.notes.append(say)
        capture.info = replace(capture.info, gateway_url=f"wss://{say}", started_at=say, canister_id=say, app_type=say)
        text = report(capture, title=say).markdown
        page = rendered(text).replace("<!-- -->", "\x00")
        assert set(re.findall(r"<(\w+)", page)) <= ELEMENTS
        assert page.count("<details>") == page.count("</details>") == text.count("<summary>")
        outside = re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)
        assert not re.search(r"@\w|#\d|https?://|www\.", outside)
        assert all(character.isprintable() or character == "\n" for character in text)


class TestBounds:
    def test_fit_into_an_issue(self) -> None:
        capture = Capture(SessionInfo(canister_id="x" * 5000, app_type="|`" * 5000))
        for number in range(150):
            script = SessionScript(session=f"{number} " + "@`|" * 50).opened()
            script.client_says(3.0, "`|@" * 2000).app_says(4.0, "|" * 3000, sequence_num=9)
            capture.frames += script.closed(5.0, "out", 4000, "`|<@" * 30).capture.frames
        capture.notes += ["<`|@" * 500] * 20
        assert len(report(capture).markdown) < MAX_CHARACTERS

    def test_shorten_every_part_before_one_is_dropped(self) -> None:
        frames = [Frame(float(n), "in", "binary", b"\xff" * 20) for n in range(3000)]
        text = report(Capture(SessionInfo(), frames)).markdown
        assert len(text) < MAX_CHARACTERS
        assert "frames not shown" in text


BREAK = "<!-- -->"
ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
MARKUP = st.text(st.sampled_from(list("@#:/\\`*_{}[]()<>|!&~$-+=.^ 019abGHw\n")), max_size=40)


def text_of(page: str) -> str:
    """The text that a reader sees."""
    return html.unescape(re.sub(r"<[^>]*>", "", page.replace(BREAK, "")))


class TestProse:
    @given(st.one_of(ANY, MARKUP))
    def test_reads_as_the_original(self, text: str) -> None:
        page = rendered(f"x {prose(text, 10_000)} y")
        assert text_of(page).split() == ["x", *one_line(text).split(), "y"]

    @given(st.one_of(ANY, MARKUP))
    def test_makes_no_element(self, text: str) -> None:
        page = rendered(prose(text, 10_000))
        assert set(re.findall(r"<(\w+)", page.replace(BREAK, ""))) <= {"p"}

    @pytest.mark.parametrize(
        "text",
        [
            "@dfinity",
            "by @dfinity/core",
            "#12",
            "dfinity/x#3",
            "GH-7",
            ":+1:",
            ":smile:",
            "http://x.y",
            "www.x.y",
            "a@b.example",
        ],
    )
    def test_makes_no_link_on_github(self, text: str) -> None:
        """GitHub looks within one text node; the comment splits it into two."""
        nodes = re.split(r"<!-- -->", prose(text))
        assert len(nodes) > 1
        found = r"(^|\W)@\w|#\d|GH-\d|:[+\w]+:|https?://|www\.|@\w"
        assert not any(re.search(found, node) for node in nodes)

    @pytest.mark.parametrize("text", ["12:30:55", "0.150 s", "a_b", "BAD_CERTIFICATE", "(inferred)", "50 %", "x = 3!"])
    def test_leaves_harmless_text_alone(self, text: str) -> None:
        assert prose(text) == text

    @pytest.mark.parametrize("text", ["- x", "+ x", "# x", "> x", "1. x", "12) x", "=== ", "--- "])
    def test_begins_no_block(self, text: str) -> None:
        assert rendered(prose(text)).startswith("<p>")
        assert rendered(f"words\n{prose(text)}").count("<") == 2

    def test_keeps_the_writing_direction(self) -> None:
        assert prose("a\nb\u202ec\u200bd") == "a\\\\nb\\\\u202ec\\\\u200bd"

    @given(MARKUP, st.integers(1, 30))
    def test_is_bounded(self, text: str, limit: int) -> None:
        written = prose(text, limit)
        assert len(written) <= limit
        whole = prose(text, 10_000)
        assert written == whole or (written.endswith(ELLIPSIS) and whole.startswith(written[:-1]))


class TestCode:
    @given(st.one_of(ANY, MARKUP))
    def test_shows_the_original(self, text: str) -> None:
        shown = one_line(text)
        cell = code(text, 10_000)
        if not shown.strip():
            assert cell == ""
            return
        page = rendered("\n".join(table(["a", "b"], [[cell, "end"]])))
        [inside] = re.findall(r"<code>(.*?)</code>", page)
        assert html.unescape(inside).split() == re.sub(r"\\\|", r"\\ |", shown).split()
        assert "<td>end</td>" in page

    @given(st.lists(MARKUP, min_size=1, max_size=4))
    def test_keeps_a_table_a_table(self, texts: list[str]) -> None:
        page = rendered("\n".join(table(["n:", *("c" for _ in texts)], [["1", *map(code, texts)]])))
        assert len(re.findall(r"<td\b", page)) == len(re.findall(r"<th\b", page)) == len(texts) + 1
        assert set(re.findall(r"<(\w+)", page)) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}

    def test_is_bounded(self) -> None:
        assert len(code("`" * 500, 20)) <= 20 + 2 * 21 + 2


class TestHtmlCode:
    def test_is_escaped_and_bounded(self) -> None:
        assert html_code("<b>`&\n") == "<code>&lt;b&gt;`&amp;\\n</code>"
        assert html_code("&" * 9, 12) == "<code>&amp;&amp;…</code>"


class TestTable:
    def test_aligns_numbers_to_the_right(self) -> None:
        assert table(["#:", "kind"], [["1", "ack"]]) == ["| # | kind |", "| --: | --- |", "| 1 | ack |"]
