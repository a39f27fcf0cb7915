"""The explorer where no widget can run (a page made of the notebook, GitHub): frames, findings, one frame in full."""

from __future__ import annotations

from typing import Final

from icws_explore.analysis.decode import decode_at
from icws_explore.analysis.doctor import Findings
from icws_explore.analysis.recording import Recording
from icws_explore.views import text
from icws_explore.views.facts import recording_facts
from icws_explore.views.fields import frame_groups
from icws_explore.views.findings import findings_html, findings_text
from icws_explore.views.html import TEXT_WIDTH, View, note_view, render, view_of
from icws_explore.views.rows import excerpt_frames, frame_row

MAX_ROWS: Final = 60
NOTHING: Final = "the explorer has no source yet: give icws.explore a file, a session, a tap or a lab"


def static_twin(recording: Recording | None, findings: Findings, selected: int | None = None) -> View:
    """The first and last frames of ``recording``, its findings, and frame ``selected`` (None: the first) folded.

    The row of ``selected`` is marked.
    """
    if recording is None:
        return note_view(NOTHING, "note")
    capture = recording.raw
    facts = recording_facts(capture)
    parts = excerpt_frames(capture, MAX_ROWS)
    start = capture.frames[0].t if capture.frames else 0.0
    number = selected if selected is not None and selected < len(capture) else 0
    detail = decode_at(capture, number) if len(capture) else None
    body = render(
        "explorer_twin.html.j2",
        head_facts=facts,
        parts=[part.map(lambda decoded: frame_row(decoded, start)) for part in parts],
        sessions=len(capture.session_ids) > 1,
        findings=findings_html(findings),
        picked=selected,
        row=None if detail is None else frame_row(detail, start),
        frame_groups=[] if detail is None else frame_groups(detail),
    )
    lines = text.plain(
        [
            *text.facts_lines(facts, width=TEXT_WIDTH),
            *text.frame_list_lines(parts, start=start, width=TEXT_WIDTH),
        ]
    )
    return view_of(body, f"{lines}\n\n{findings_text(findings)}")
