"""What `make course` writes: slides, hand-out, figures, packets, recordings and the page that leads to them."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode

import icws_explore as icws
from docs import trust
from docs.make_course import execute, figures, packets, recordings
from docs.make_course.__main__ import index_page
from docs.make_course.execute import DRAW_FOR_ALL, DRAWN_FOR, for_site, make_static, warnings_of, write_pages
from docs.make_course.fragments import markdown, outputs, title_of
from docs.make_course.handout import handout_page
from docs.make_course.slides import MAX_CHARACTERS, MAX_ROWS, slides_of, slides_page
from icws_explore.capture import Frame
from icws_explore.lab.scenarios import SCENARIOS
from icws_explore.views.figures.figure import PAPERS, Paper, SessionFigure
from icws_explore.views.source import capture_of
from support.data_files import SESSIONS
from support.machine import ROOT
from support.overlaps import beyond_the_paper

v4 = nbformat.v4


def lesson(*cells: NotebookNode) -> NotebookNode:
    return v4.new_notebook(
        cells=[v4.new_markdown_cell("# 01 · A lesson\n\nAbout [acks](../docs/glossary.md#ack)."), *cells]
    )


def code(source: str, *shown: NotebookNode, tag: str | None = None) -> NotebookNode:
    return v4.new_code_cell(source, outputs=list(shown), metadata={"tags": [tag]} if tag else {})


def result(**data: str) -> NotebookNode:
    return v4.new_output("execute_result", data={name.replace("_", "/"): value for name, value in data.items()})


def figure_result() -> NotebookNode:
    sized = {mime: f"<b>{size}</b>" for size, mime in DRAWN_FOR.items()}
    return v4.new_output("execute_result", data={"text/plain": "f", "text/html": "<b>screen</b>", **sized})


class TestExecuted:
    def test_a_warning_is_reported(self) -> None:
        warned = v4.new_output("stream", name="stderr", text="DeprecationWarning: old")
        assert list(warnings_of(lesson(code("f()", warned)))) == ["cell 1 warns: DeprecationWarning: old"]
        assert list(warnings_of(lesson(code("f()", v4.new_output("stream", name="stdout", text="fine"))))) == []

    def test_a_widget_needs_a_static_twin(self) -> None:
        widget = v4.new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "W"})
        twin = v4.new_output("display_data", data={**widget.data, "text/html": "<p>twin</p>"})
        assert list(warnings_of(lesson(code("w", widget)))) == ["cell 1 shows a widget without a static twin"]
        notebook = lesson(code("w", twin))
        assert list(warnings_of(notebook)) == []
        make_static(notebook)
        assert set(notebook.cells[1].outputs[0].data) == {"text/html", "text/plain"}

    def test_links_into_docs_lead_to_pages_of_the_site(self) -> None:
        notebook = lesson()
        assert "[acks](../glossary.md#ack)" in for_site(notebook).cells[0].source
        assert "../docs/" in notebook.cells[0].source, "the original stays as it is"

    def test_the_site_keeps_the_links_into_docs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def read(folder: Path) -> dict[str, NotebookNode]:
            return {path.name: nbformat.read(path, as_version=4) for path in folder.glob("notebooks/*.ipynb")}

        monkeypatch.setattr(execute, "executed", read)
        lessons = execute.execute_course()
        assert any("](../docs/glossary.md#canister)" in cell.source for cell in lessons["01_first_session.ipynb"].cells)

    def test_on_the_site_what_tells_an_answer_is_folded(self) -> None:
        shown = result(text_plain="the answer")
        exercise, text = code("answer = ...", shown, tag="exercise"), v4.new_markdown_cell("So")
        page = for_site(lesson(code("1", shown), exercise, code("2", shown), code("3"), text, code("4", shown)))
        folded = ["hide-output" in cell.metadata.get("tags", ()) for cell in page.cells]
        assert folded == [False, False, False, True, False, False, False]
        assert execute.ON_THE_SITE in page.cells[0].source

    def test_pages_of_earlier_builds_are_removed(self, tmp_path: Path) -> None:
        (tmp_path / "99_gone.ipynb").write_text("{}", encoding="utf-8")
        write_pages({"01_lesson.ipynb": lesson()}, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["01_lesson.ipynb"]


class TestFragments:
    def test_the_richest_output_is_shown_and_text_is_escaped(self) -> None:
        assert list(outputs(code("x", result(text_html="<b>x</b>", text_plain="x")), "page")) == [
            '<div class="output"><b>x</b></div>'
        ]
        (shown,) = outputs(code("x", result(text_plain="<script>")), "page")
        assert "&lt;script&gt;" in shown
        (picture,) = outputs(code("x", result(image_png="iVBORw0K\n", text_plain='a "figure"')), "page")
        assert 'alt="a &quot;figure&quot;" src="data:image/png;base64,iVBORw0K"' in picture

    def test_a_figure_is_the_one_that_was_drawn_for_the_size(self) -> None:
        drawn = figure_result()
        for size in ("slide", "page"):
            assert list(outputs(code("x", drawn), size)) == [f'<div class="output figure"><b>{size}</b></div>']
        page = for_site(lesson(code("x", drawn)))
        assert set(page.cells[1].outputs[0].data) == {"text/html", "text/plain"}
        assert page.cells[1].outputs[0].data["text/html"] == "<b>page</b>", "the site is about as wide"

    def test_a_kernel_draws_each_figure_for_all_sizes(self) -> None:
        shell = InteractiveShell()
        before = SessionFigure.__dict__.get("_repr_mimebundle_")
        try:
            shell.run_cell(DRAW_FOR_ALL)
            figure = icws.plots.timeline(icws.load(SESSIONS / "healthy.icws"))
            data, _ = shell.display_formatter.format(figure)
            live, _ = shell.display_formatter.format(SessionFigure(2.0))  # as a running session's, which has one size
        finally:
            del SessionFigure._repr_mimebundle_
        assert before is None
        assert {"text/html", *DRAWN_FOR.values()} <= set(data)
        assert set(live) >= {"text/html"}
        assert not set(live) & set(DRAWN_FOR.values())
        widths = [re.search(r'width="([\d.]+)pt"', data[mime])[1] for mime in ("text/html", *DRAWN_FOR.values())]
        assert widths == ["720", "960", "504"]

    def test_links_are_text_on_a_page_that_stands_alone(self) -> None:
        assert markdown("[acks](x.md)", links=False) == "<p>acks</p>\n"
        assert "<table>" in markdown("| a |\n|---|\n| b |")

    def test_a_notebook_needs_a_heading(self) -> None:
        assert title_of(lesson()) == "01 · A lesson"
        with pytest.raises(ValueError, match="no heading"):
            title_of(v4.new_notebook(cells=[v4.new_markdown_cell("text")]))


class TestSlides:
    def test_each_section_and_each_cell_has_one(self) -> None:
        notebook = lesson(
            v4.new_markdown_cell("## One\n\ntext\n\n## Two\n\nmore"), code("1 + 1", result(text_plain="2"))
        )
        slides = slides_of(notebook)
        assert len(slides) == 3
        assert "Two" in slides[2]
        assert "more" in slides[2]
        assert "output" in slides[2] or "<pre" in slides[2], "a short text has its cell below it"

    def test_a_prediction_is_asked_before_the_result_is_seen(self) -> None:
        asked = v4.new_markdown_cell("## One\n\n*Predict:* how many?")
        slides = slides_of(lesson(asked, code("1 + 1", result(text_plain="two"))))
        assert len(slides) == 3
        assert "two" not in slides[1]
        assert "One" in slides[2], "the cell stands under its heading"

    def test_what_is_for_who_works_in_the_notebook_is_left_out(self) -> None:
        notebook = lesson(code("score", result(text_plain="0 of 5")), v4.new_markdown_cell("**Go on:** 02"))
        assert len(slides_of(notebook)) == 1

    def test_a_long_section_is_cut_at_a_paragraph(self) -> None:
        long = "\n\n".join(["word " * 60] * 6)
        slides = slides_of(lesson(v4.new_markdown_cell(f"## Long\n\n{long}")))
        assert len(slides) == 4
        assert all("Long" in slide for slide in slides[1:])
        assert max(map(len, slides)) < 2 * MAX_CHARACTERS

    def test_a_sentence_before_a_list_is_no_slide_of_its_own(self) -> None:
        items = "\n".join(["- " + "word " * 50] * 4)
        slides = slides_of(lesson(v4.new_markdown_cell(f"## Parts\n\nThese are the parts:\n\n{items}")))
        assert len(slides) == 2

    def test_what_prepares_a_prediction_stands_below_it_if_it_shows_nothing(self) -> None:
        asked = v4.new_markdown_cell("**Exercise 1.** *Predict:* which step?")
        slides = slides_of(lesson(asked, code("changed = 1"), code("step = ...", tag="exercise")))
        assert len(slides) == 2
        assert slides[1].index("Predict") < slides[1].index("changed") < slides[1].index(">...<")

    def test_a_figure_has_a_slide_with_little_else(self) -> None:
        text = v4.new_markdown_cell("## Figure\n\nA short text.")
        slides = slides_of(lesson(text, code("f()", figure_result())))
        assert ["slide</b>" in slide for slide in slides] == [False, False, True]
        assert 'class="code"' in slides[2]
        slides = slides_of(lesson(text, code("a = 1\n" * 5 + "f()", figure_result())))
        assert ['class="code"' in slide for slide in slides] == [False, False, True, False]
        assert ["slide</b>" in slide for slide in slides] == [False, False, False, True]

    def test_the_picture_of_the_parties_is_a_figure(self) -> None:
        parties = result(text_html=icws.plots.trust().html, text_plain="t")
        slides = slides_of(lesson(code("import a\n" * 5 + "icws.plots.trust()", parties)))
        assert ['class="code"' in slide for slide in slides] == [True, False]
        assert '<div class="output figure">' in slides[1], "below long code it has a slide of its own"
        text = v4.new_markdown_cell("## Parties\n\nThese are they:")
        assert len(slides_of(lesson(text, code("icws.plots.trust()", parties)))) == 2

    def test_a_long_table_has_a_slide_of_its_own_below_long_code(self) -> None:
        for rows, slides in ((5, 1), (50, 2)):
            table = result(text_html="<table>" + "<tr><td>1</td></tr>" * rows + "</table>", text_plain="t")
            assert len(slides_of(lesson(code("a = 1\n" * 5 + "a", table)))) == slides

    def test_a_high_result_is_not_below_a_text(self) -> None:
        text = v4.new_markdown_cell("## Table\n\nA short text.")
        for rows, parts in ((4, 1), (20, 2)):
            table = result(text_html="<table>" + "<tr><td>1</td></tr>" * rows + "</table>", text_plain="row\n" * rows)
            slides = slides_of(lesson(text, code("table", table)))[1:]
            assert len(slides) == parts
            assert "<table" in slides[-1]
            assert 'class="code"' in slides[-1], "a result stands below its code"

    def test_a_table_is_cut_and_says_so(self) -> None:
        rows = "".join(f"<tr><td>row {number}</td></tr>" for number in range(40))
        table = result(text_html=f"<table><tr><th>what</th></tr>{rows}</table>after", text_plain="row\n" * 40)
        (*_, slide) = slides_of(lesson(code("table", table)))
        assert f"row {MAX_ROWS - 1}<" in slide
        assert f"row {MAX_ROWS}<" not in slide
        assert f"</table>after</div><p>… and {40 - MAX_ROWS} more rows</p>" in slide

    def test_a_sentence_about_a_result_stands_below_it(self) -> None:
        shown = code("1 + 1", result(text_plain="2"))
        for said, slides in (("It is two.", 1), ("*Predict:* and now?", 2), ("This is how:", 2), ("word " * 600, 2)):
            assert len(slides_of(lesson(shown, v4.new_markdown_cell(said)))) == slides, said
        assert len(slides_of(lesson(shown, v4.new_markdown_cell("The next one adds."), code("2 + 2")))) == 2, (
            "it is about that"
        )

    def test_what_only_tidies_up_has_none(self) -> None:
        tidy = code("await session.close()\nlab.stop()")
        assert "stop" not in slides_page(lesson(tidy))
        assert "stop" in slides_page(lesson(code("lab.stop()", result(text_plain="stopped"))))

    def test_a_sentence_that_leads_to_a_block_stands_with_it(self) -> None:
        text = "word " * 100
        slides = slides_of(lesson(v4.new_markdown_cell(f"## Long\n\n{text}\n\nThen it runs:\n\n```\n{text}\n```")))
        assert "Then it runs" not in slides[1]
        assert slides[2].index("Then it runs") < slides[2].index("<pre>")

    def test_addresses_of_links_do_not_count(self) -> None:
        link = f"[here](https://example.org/{'a' * MAX_CHARACTERS})"
        assert len(slides_of(lesson(v4.new_markdown_cell(f"## One\n\n{link}\n\n{link}\n\n{link}")))) == 2

    def test_an_exercise_stands_below_its_question_without_an_outcome(self) -> None:
        question = v4.new_markdown_cell("**Exercise 1.** Why?")
        notebook = lesson(question, code("answer = ...", result(text_plain="– replace"), tag="exercise"))
        assert len(slides_of(notebook)) == 2
        assert "replace" not in slides_page(notebook)

    def test_the_page_stands_alone(self) -> None:
        page = slides_page(lesson(v4.new_markdown_cell("## Two"), code("1")))
        assert page.count("<script>") == page.count("<script") == 1, "its own, and none of another file"
        assert "http" not in page
        assert page.count("<section") == 2


class TestHandout:
    def test_has_every_notebook_and_room_for_answers(self) -> None:
        notebook = lesson(
            code("answer = ...", result(text_plain="– replace"), tag="exercise"), code("2", result(text_plain="two"))
        )
        page = handout_page({"01_a.ipynb": notebook, "02_b.ipynb": lesson()})
        assert '<a href="#01_a">01 · A lesson</a>' in page
        assert page.count("<article") == 2
        assert "Your answer:" in page
        assert "replace" not in page
        assert "two" in page


class TestFigures:
    def test_the_gallery_gives_every_figure_with_caption_and_code(self) -> None:
        setup, found = figures.gallery()
        assert "icws.load" in setup
        assert "os.chdir" not in setup
        assert len({figure.name for figure in found}) == len(found) > 8
        assert all(figure.caption and "icws.plots." in figure.source for figure in found)
        assert not any("](" in figure.caption or "```" in figure.caption for figure in found)

    def test_are_written_as_svg_and_png(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        setup, found = figures.gallery()
        monkeypatch.setattr(figures, "gallery", lambda: (setup, found[:1]))
        before = Path.cwd()
        written = figures.draw_gallery(tmp_path)
        assert Path.cwd() == before
        drawn = [".svg", ".png", ".png", ".pdf", ".pdf"]
        assert [path.suffix for path in written] == [*drawn, *drawn, ".html"]  # the last figure is that of the parties
        assert [path.stem.rpartition("-")[2] for path in written[2:5]] == ["slide", "page", "column"]
        assert all(path.stat().st_size > 1000 for path in written)

    def test_a_cell_may_await(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in a kernel: the gallery plays a session on a lab. What one cell awaited, the next one has."""
        setup, found = figures.gallery()
        first = "import asyncio\n\nawait asyncio.sleep(0)\nkept = asyncio.get_running_loop()"
        later = f"assert asyncio.get_running_loop() is kept\nawait asyncio.sleep(0)\n{found[0].source}"
        monkeypatch.setattr(
            figures, "gallery", lambda: (f"{setup}\n{first}", [figures.GalleryFigure("Late", "c", later)])
        )
        assert [path.name for path in figures.draw_gallery(tmp_path)] == [
            "late.svg", "late.png", "late-slide.png", "late-page.pdf", "late-column.pdf",
            "trust.svg", "trust.png", "trust-slide.png", "trust-page.pdf", "trust-column.pdf", "index.html",
        ]  # fmt: skip

    def test_a_cell_without_a_figure_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(figures, "gallery", lambda: ("", [figures.GalleryFigure("None", "c", "a = 1\na")]))
        with pytest.raises(ValueError, match="shows no figure"):
            figures.draw_gallery(tmp_path)


class TestTrust:
    def test_has_all_words_of_the_svg_on_every_paper(self) -> None:
        said = [part.text for part in ET.fromstring(trust.picture()) if part.tag.endswith("}text")]
        for paper in (Paper(), *PAPERS.values()):
            figure = figures._trust_on(paper)
            (axes,) = figure.axes
            assert [text.get_text() for text in axes.texts] == said
            assert beyond_the_paper(figure) == []
            assert len(axes.patches) == 5, "three parties and two arrows"
            assert len(axes.lines) == 7


class TestPackets:
    def test_are_read_back_as_the_same_frames(self, tmp_path: Path) -> None:
        healthy = icws.load(SESSIONS / "healthy.icws")
        again = icws.load(packets.save_packets(capture_of(healthy), tmp_path / "healthy.pcapng"))
        assert [(d.frame.direction, d.frame.data) for d in again if d.frame.op == "binary"] == [
            (d.frame.direction, d.frame.data) for d in healthy if d.frame.op == "binary"
        ]
        assert again[16].frame.code == 1000

    @pytest.mark.parametrize(("size", "head"), [(5, "8205"), (200, "827e00c8"), (70_000, "827f0000000000011170")])
    def test_lengths_of_all_sizes(self, size: int, head: str) -> None:
        made = packets.websocket_frame(Frame(0.0, "in", "binary", b"x" * size))
        assert made == bytes.fromhex(head) + b"x" * size


class TestRecordings:
    def test_a_fault_is_the_same_in_every_build(self, tmp_path: Path) -> None:
        name = next(iter(SCENARIOS))
        first = recordings.record_fault(name, tmp_path)
        assert first.name == f"{name.lower()}.icws.gz"
        frames = [d.frame for d in icws.load(first)]
        assert [d.frame for d in icws.load(recordings.record_fault(name, tmp_path))] == frames
        assert name in {finding.id for finding in icws.load(first).doctor()}


class TestIndex:
    def test_leads_to_every_part(self) -> None:
        names = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
        page = index_page(names, has_pdf=True)
        for name in names:
            stem = name.removesuffix(".ipynb")
            assert f'href="site/course/{stem}.html"' in page
            assert f'href="slides/{stem}.html"' in page
            assert f'href="teachers/notebooks/{name}"' in page
        assert "handout.pdf" in page
        assert "handout.pdf" not in index_page(names, has_pdf=False)


class TestGuide:
    TEXT = (ROOT / "docs" / "how-to" / "teachers_guide.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
    def test_says_what_goes_wrong_in_each_notebook_and_what_to_ask(self, path: Path) -> None:
        section = self.TEXT.split(f"\n### {path.name[:2]} · ")[1].split("\n##")[0]
        assert "*Goes wrong:*" in section
        assert "*Ask:*" in section
        assert "?" in section
