"""The HTML views: a capture, a frame, a verification. Each has a text twin that says the same.

The pieces are jinja2 templates with escaping on. A view carries its style and its twin: where a
notebook is not trusted the style is stripped, and then the text shows instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.recording import Summary

from . import text
from .facts import Fact, Subject, capture_facts, capture_of, summary_facts
from .fields import Group, frame_groups
from .rows import MAX_FRAMES, FrameRow, frame_row, frame_window
from .steps import StepRow, Verdict, step_rows, verdict_line
from .theme import color_variables

MAX_VERDICTS: Final = 100  # messages that verify in one view; those that do not are all shown
_TEXT_WIDTH: Final = 100


class View:
    """Something to look at: HTML in a notebook, text everywhere else."""

    def __init__(self, html: str, plain: str) -> None:
        self.html = html
        self.text = plain

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


@cache
def environment() -> Environment:
    """The templates; what is not Markup is escaped, and a missing name is an error."""
    return Environment(
        loader=PackageLoader("icws_explore.views"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


@cache
def style() -> Markup:
    """The style sheet of every view, read once."""
    rules = resources.files("icws_explore.views").joinpath("style.css").read_text(encoding="utf-8")
    return Markup(color_variables() + rules)  # noqa: S704  # our own file and table, nothing from outside


def capture_view(subject: Subject, *, limit: int | None = MAX_FRAMES, before: Sequence[Fact] = ()) -> View:
    """The frame list under ``before`` and the capture's facts; beyond ``limit`` frames the middle is left out."""
    capture = capture_of(subject)
    facts = [*before, *capture_facts(capture)]
    window = frame_window(capture, limit)
    body = render(
        "capture.html.j2",
        head_facts=facts,
        head=[detailed(d, window.start) for d in window.head],
        tail=[detailed(d, window.start) for d in window.tail],
        left_out=window.left_out,
        sessions=len(capture.session_ids) > 1,
    )
    return _view(body, text.window_text(facts, window, width=_TEXT_WIDTH))


def capture_html(subject: Subject, *, limit: int | None = MAX_FRAMES) -> str:
    return capture_view(subject, limit=limit).html


def frame_view(decoded: DecodedFrame) -> View:
    """One frame, every field of every layer, with long bytes in full on demand."""
    body = render("frame.html.j2", row=frame_row(decoded, decoded.frame.t), frame_groups=frame_groups(decoded))
    return _view(body, text.frame_detail_text(decoded, width=_TEXT_WIDTH))


def frame_html(decoded: DecodedFrame) -> str:
    return frame_view(decoded).html


def verdicts_view(verdicts: Sequence[Verdict]) -> View:
    """The walk over each message or request, step by step; what fails stands open."""
    good = [number for number, verdict in enumerate(verdicts) if verdict.ok]
    hidden = set(good[MAX_VERDICTS:])
    shown = [judged(verdict) for number, verdict in enumerate(verdicts) if number not in hidden]
    body = render("verdicts.html.j2", items=shown, left_out=len(hidden))
    if len(verdicts) == 1:
        return _view(body, text.steps_text(verdicts[0], width=_TEXT_WIDTH))
    return _view(body, text.verdicts_text(verdicts, width=_TEXT_WIDTH))


def verdicts_html(verdicts: Sequence[Verdict]) -> str:
    return verdicts_view(verdicts).html


def summary_view(summary: Summary) -> View:
    """A session in numbers."""
    return facts_view(summary_facts(summary))


def facts_view(facts: Sequence[Fact]) -> View:
    """Names and values in two columns."""
    return _view(render("facts.html.j2", head_facts=facts), text.facts_text(facts, width=_TEXT_WIDTH))


def figure_view(svg: str, description: str) -> View:
    """A figure that matplotlib drew, with what it shows in words."""
    drawn = Markup(svg)  # noqa: S704  # matplotlib turns text into paths, and escapes it in comments
    return _view(render("figure.html.j2", svg=drawn, description=description), description)


def note_view(line: str, weight: str) -> View:
    """One line that is "good", "bad" or a "note"; its words say so as well."""
    return _view(render("note.html.j2", line=line, weight=weight), line)


def detailed(decoded: DecodedFrame, start: float) -> tuple[FrameRow, list[Group]]:
    """A frame's row and its fields, as the templates take them."""
    return frame_row(decoded, start), frame_groups(decoded)


def judged(verdict: Verdict) -> tuple[Verdict, str, list[StepRow]]:
    """A verdict, its line and its steps, as the templates take them."""
    return verdict, verdict_line(verdict), step_rows(verdict.steps)


def render(template: str, **values: Any) -> Markup:
    """A template's escaped result."""
    return Markup(environment().get_template(template).render(**values))  # noqa: S704  # autoescape is on


def _view(body: Markup, plain: str) -> View:
    return View(str(render("view.html.j2", style=style(), text=plain, body=body)), plain)
