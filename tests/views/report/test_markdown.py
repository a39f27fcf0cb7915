from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from icws_explore.views.report.markdown import ELLIPSIS, code, html_code, prose, table
from icws_explore.views.rows import one_line

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
BREAK = "<!-- -->"
ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
MARKUP = st.text(st.sampled_from(list("@#:/\\`*_{}[]()<>|!&~$-+=.^ 019abGHw\n")), max_size=40)


def rendered(markdown: str) -> str:
    return RENDERER.render(markdown)


def text_of(page: str) -> str:
    """What a reader sees."""
    return html.unescape(re.sub(r"<[^>]*>", "", page.replace(BREAK, "")))


class TestProse:
    @given(st.one_of(ANY, MARKUP))
    def test_reads_as_it_was(self, text: str) -> None:
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
    def test_github_makes_no_link_of_it(self, text: str) -> None:
        """GitHub looks within one text node; the comment makes two of it."""
        nodes = re.split(r"<!-- -->", prose(text))
        assert len(nodes) > 1
        found = r"(^|\W)@\w|#\d|GH-\d|:[+\w]+:|https?://|www\.|@\w"
        assert not any(re.search(found, node) for node in nodes)

    @pytest.mark.parametrize("text", ["12:30:55", "0.150 s", "a_b", "BAD_CERTIFICATE", "(inferred)", "50 %", "x = 3!"])
    def test_leaves_what_is_harmless_as_it_is(self, text: str) -> None:
        assert prose(text) == text

    @pytest.mark.parametrize("text", ["- x", "+ x", "# x", "> x", "1. x", "12) x", "=== ", "--- "])
    def test_begins_no_block(self, text: str) -> None:
        assert rendered(prose(text)).startswith("<p>")
        assert rendered(f"words\n{prose(text)}").count("<") == 2

    def test_turns_no_writing_round_and_hides_nothing(self) -> None:
        assert prose("a\nb\u202ec\u200bd") == "a\\\\nb\\\\u202ec\\\\u200bd"

    @given(MARKUP, st.integers(1, 30))
    def test_is_bounded(self, text: str, limit: int) -> None:
        written = prose(text, limit)
        assert len(written) <= limit
        whole = prose(text, 10_000)
        assert written == whole or (written.endswith(ELLIPSIS) and whole.startswith(written[:-1]))


class TestCode:
    @given(st.one_of(ANY, MARKUP))
    def test_shows_what_was_sent(self, text: str) -> None:
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
    def test_numbers_stand_right(self) -> None:
        assert table(["#:", "kind"], [["1", "ack"]]) == ["| # | kind |", "| --: | --- |", "| 1 | ack |"]
