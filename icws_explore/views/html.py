"""The HTML views of recordings, frames and verifications. Each has a text twin with the same content.

The parts are jinja2 templates with autoescaping. A view carries its own style sheet and its twin: where a
notebook is not trusted the style is stripped, and then the text shows instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.text import Text

from icws_explore.analysis.decode import DecodedFrame

from . import text
from .facts import Fact, Weight, recording_facts
from .fields import Group, frame_groups
from .formatting import count
from .rows import MAX_FRAMES, FrameRow, excerpt_frames, frame_row
from .source import RecordingLike, capture_of
from .steps import StepRow, Verdict, step_rows, verdict_line
from .theme import color_variables

MAX_VERDICTS: Final = 100  # passed verifications in one view; all others are shown
TEXT_WIDTH: Final = 100  # columns of a text twin


class View:
    """Something to look at: ``html`` for a notebook, ``text`` for everything else."""

    def __init__(self, html: str, plain: str) -> None:
        self.html = html
        self.text = plain

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("icws_explore.views"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["counted"] = count
    return environment


@cache
def style(*sheets: str) -> Markup:
    """The style sheet of every view, followed by the named style sheets of this package."""
    rules = [resources.files("icws_explore.views").joinpath(name).read_text(encoding="utf-8") for name in sheets]
    base = resources.files("icws_explore.views").joinpath("style.css").read_text(encoding="utf-8")
    return Markup(color_variables() + "\n".join([base, *rules]))  # noqa: S704  # the package's own files and table


def render(template: str, **values: Any) -> Markup:
    """A template filled in. Values that are not Markup are escaped, and a missing name is an error."""
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704  # autoescape is on


def view_of(body: Markup, plain: str, *sheets: str) -> View:
    """A view of an HTML body and its text twin. ``sheets`` are style sheets that it needs besides the common one."""
    return View(str(render("view.html.j2", style=style(*sheets), text=plain, body=body)), plain)


def _view(template: str, lines: Sequence[Text], **values: Any) -> View:
    return view_of(render(template, **values), text.plain(lines))


def recording_view(recording: RecordingLike, *, limit: int | None = MAX_FRAMES, before: Sequence[Fact] = ()) -> View:
    """The facts of a recording, after those in ``before``, and its list of frames.

    Of more than ``limit`` frames (None: no limit) those in the middle are left out.
    """
    capture = capture_of(recording)
    facts = [*before, *recording_facts(capture)]
    parts = excerpt_frames(capture, limit)
    start = capture.frames[0].t if parts else 0.0
    return _view(
        "recording.html.j2",
        [*text.facts_lines(facts, width=TEXT_WIDTH), *text.frame_list_lines(parts, start=start, width=TEXT_WIDTH)],
        head_facts=facts,
        parts=[part.map(lambda decoded: frame_cells(decoded, start)) for part in parts],
        sessions=len(capture.session_ids) > 1,
    )


def frame_view(decoded: DecodedFrame) -> View:
    """Every field of one frame, layer by layer. Shortened bytes are shown in full on demand."""
    lines = list(text.frame_fields_lines(decoded, width=TEXT_WIDTH))
    row = frame_row(decoded, decoded.frame.t)
    return _view("frame.html.j2", lines, row=row, frame_groups=frame_groups(decoded))


def verdicts_view(verdicts: Sequence[Verdict]) -> View:
    """The verification of each message or request, step by step. What did not pass is open."""
    passed = [number for number, verdict in enumerate(verdicts) if verdict.ok]
    hidden = set(passed[MAX_VERDICTS:])
    shown = [verdict_cells(verdict) for number, verdict in enumerate(verdicts) if number not in hidden]
    if len(verdicts) == 1:
        lines = list(text.steps_lines(verdicts[0], width=TEXT_WIDTH))
    else:
        lines = list(text.verdicts_lines(verdicts, width=TEXT_WIDTH))
    return _view("verdicts.html.j2", lines, items=shown, left_out=len(hidden))


def facts_view(facts: Sequence[Fact]) -> View:
    """Names and values in two columns."""
    return _view("facts.html.j2", list(text.facts_lines(facts, width=TEXT_WIDTH)), head_facts=facts)


def figure_view(svg: str, description: str) -> View:
    """A figure that matplotlib drew, with its content in words."""
    drawn = Markup(svg)  # noqa: S704  # matplotlib turns text into paths, and escapes it in comments
    return view_of(render("figure.html.j2", svg=drawn, description=description), description)


def note_view(line: str, weight: Weight) -> View:
    """One line in the colour of its weight. The words alone must tell what the colour tells."""
    return view_of(render("note.html.j2", line=line, weight=weight), line)


def frame_cells(decoded: DecodedFrame, start: float) -> tuple[FrameRow, list[Group]]:
    """A frame's row and its fields, as the templates take them. ``start`` is the time that counts as 0."""
    return frame_row(decoded, start), frame_groups(decoded)


def verdict_cells(verdict: Verdict) -> tuple[Verdict, str, list[StepRow]]:
    """A verdict, its line and its steps, as the templates take them."""
    return verdict, verdict_line(verdict), step_rows(verdict.steps)
