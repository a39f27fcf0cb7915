"""The cells of an executed notebook as HTML, for slides and for the hand-out. The notebooks are the project's own."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from markdown_it import MarkdownIt
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from icws_explore.views.figures.figure import Size

from .execute import DRAWN_FOR

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": True}).enable("table")
CODE_STYLE: Final = HtmlFormatter(style="friendly").get_style_defs(".code")
MAX_LINES: Final = 60  # of an output of text


def markdown(source: str, *, links: bool = True) -> str:
    """Markdown as HTML. Without ``links`` they are text, for a page that stands alone."""
    return _MARKDOWN.render(source if links else without_links(source))


def without_links(source: str) -> str:
    """Markdown in which links are text."""
    return re.sub(r"(?<!!)\[([^\]]*)\]\([^)]*\)", r"\1", source)


def code(source: str) -> str:
    return f'<div class="code">{highlight(source, PythonLexer(), HtmlFormatter(nowrap=False))}</div>'


def outputs(cell: NotebookNode, size: Size) -> Iterator[str]:
    """Each output of a code cell in its richest form that needs no kernel; a figure is drawn for ``size``."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield _text(output.text)
        elif DRAWN_FOR[size] in output.get("data", ()):
            yield f'<div class="output figure">{output.data[DRAWN_FOR[size]]}</div>'
        elif "data" in output:
            yield f'<div class="output{" figure" if is_trust(output) else ""}">{_richest(output.data)}</div>'


def has_figure(cell: NotebookNode) -> bool:
    return any(set(output.get("data", ())) & set(DRAWN_FOR.values()) for output in cell.outputs)


def is_trust(output: NotebookNode) -> bool:
    """Whether it is the picture of the parties, whose one form fits every size."""
    return '<svg class="icws-trust"' in output.get("data", {}).get("text/html", "")


def height_of(cell: NotebookNode) -> int:
    """About how many lines the outputs of a cell take: rows of tables, or lines of text."""
    return sum(_lines(output) for output in cell.outputs)


def _lines(output: NotebookNode) -> int:
    if output.output_type == "stream":
        return int(output.text.count("\n"))
    data = output.get("data", {})
    rows = len(re.findall(r"<(?:tr|dt)\b", data.get("text/html", "")))
    return rows or int(data.get("text/plain", "").count("\n")) + 1


def _richest(data: Mapping[str, Any]) -> str:
    if "text/html" in data:
        return str(data["text/html"])
    if "image/svg+xml" in data:
        return str(data["image/svg+xml"])
    if "image/png" in data:
        picture = data["image/png"]
        encoded = b64encode(picture).decode() if isinstance(picture, bytes) else str(picture).strip()
        return f'<img alt="{html.escape(str(data["text/plain"]))}" src="data:image/png;base64,{encoded}">'
    if "text/markdown" in data:
        return markdown(data["text/markdown"], links=False)
    return _text(data["text/plain"])


def _text(text: str) -> str:
    lines = text.rstrip().splitlines()
    more = f"\n… {len(lines) - MAX_LINES} more lines" if len(lines) > MAX_LINES else ""
    return f"<pre class='text'>{html.escape(chr(10).join(lines[:MAX_LINES]))}{more}</pre>"


def title_of(notebook: NotebookNode) -> str:
    """The heading of a notebook's first cell. Raises ValueError if that has none."""
    found = re.match(r"# (.+)", notebook.cells[0].source)
    if found is None:
        raise ValueError("the first cell has no heading")
    return found[1]
