"""The report as one HTML page that contains everything, loads nothing and runs no script.

It uses the templates and rows of the notebook's views, and everything that a peer sent is escaped. The page is
bounded, however long the recording is: of frames, verifications and sessions it shows the ends and what is around
the evidence of the findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final

from markupsafe import Markup

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.network_calls import NetworkCall
from icws_explore.analysis.timing.instants import SessionInstants, instants
from icws_explore.capture.files import collector_paused

from ..facts import NO_END, clock_text
from ..fields import Group
from ..figures.figure import drawn_frames
from ..figures.sequence_numbers import sequence_numbers_figure
from ..figures.timeline import timeline_figure
from ..findings import evidence_rows, finding_row, left_out_lines, nothing_line, unchecked_lines
from ..formatting import count, one_line, seconds
from ..html import frame_cells, render, style, verdict_cells
from ..limits import HEADS, NO_LIMITS
from ..rows import FrameRow, Part, excerpt
from ..steps import StepRow, Verdict
from .contents import Contents, SequenceRow, SessionContents, session_sequence

MAX_FRAMES: Final = 240  # in the frame list, each with its fields
MAX_SEQUENCE: Final = 60  # rows of one session, shared where there are several
MAX_FAILED, MAX_PASSED = 25, 25  # verifications of messages and of requests
MAX_DRAWN: Final = 600  # frames of one session in a figure
MAX_LISTED: Final = 60  # sessions and calls in a table


@dataclass(frozen=True, slots=True)
class SessionPage:
    """One session in full: its sequence, and its figures as <svg> elements with their content in words.

    ``drawn`` says which part of a long session the figures show.
    """

    session: str
    sequence: list[Part[SequenceRow]]
    drawn: str
    timeline: Markup
    timeline_label: str
    numbers: Markup
    numbers_label: str


@collector_paused()
def html_report(contents: Contents) -> str:
    """The page."""
    capture = contents.capture
    frames = _frames(contents)
    verifications = (("Canister messages", contents.verdicts), ("Client requests", contents.requests))
    page = render(
        "report.html.j2",
        contents=contents,
        style=style(),
        page_style=Markup(_resource("report.css")),  # noqa: S704  # the package's own file
        nothing=nothing_line(contents.findings),
        unchecked=unchecked_lines(contents.findings),
        other_protocols=left_out_lines(contents.findings),
        findings=[(finding_row(finding), evidence_rows(contents.frames, finding)) for finding in contents.findings],
        clock=clock_text(capture) if capture.info.clock.kind != "real" else None,
        in_detail=[_session_page(contents, session, number) for number, session in enumerate(contents.in_detail)],
        sessions=[_session_row(session) for session in contents.sessions[:MAX_LISTED]],
        sessions_left_out=max(0, len(contents.sessions) - MAX_LISTED),
        several=len(contents.sessions) > 1,
        limit_heads=HEADS,
        no_limits=NO_LIMITS,
        frames=frames,
        listed={row.number for part in frames for row, _ in part.items},
        verifications=[(name, *_verifications(verdicts)) for name, verdicts in verifications if verdicts],
        calls=[_call_row(call) for call in contents.calls[:MAX_LISTED]],
        calls_left_out=max(0, len(contents.calls) - MAX_LISTED),
    )
    return contents.published(str(page))


def _frames(contents: Contents) -> list[Part[tuple[FrameRow, list[Group]]]]:
    places = {decoded.number: place for place, decoded in enumerate(contents.frames)}
    evidence = [places[number] for number in contents.evidence if number in places]
    return [
        part.map(lambda row: frame_cells(contents.frames[row], contents.start))
        for part in excerpt(len(contents.frames), evidence, limit=MAX_FRAMES)
    ]


def _verifications(verdicts: Sequence[Verdict]) -> tuple[list[tuple[Verdict, str, list[StepRow]]], int]:
    """Some of those that did not pass and of those that did, and how many are not shown."""
    failed = [verdict for verdict in verdicts if not verdict.ok]
    passed = [verdict for verdict in verdicts if verdict.ok]
    shown = sorted([*failed[:MAX_FAILED], *passed[:MAX_PASSED]], key=lambda verdict: verdict.frame)
    return [verdict_cells(verdict) for verdict in shown], len(verdicts) - len(shown)


def _session_row(session: SessionContents) -> tuple[str, ...]:
    summary = session.summary
    return (
        one_line(session.name or ""),
        str(summary.frames),
        f"{seconds(summary.duration_s)} s",
        "yes" if summary.opened else "no",
        f"{summary.sent} / {summary.received}",
        f"{summary.acks} / {summary.keep_alives}",
        one_line(summary.ended or NO_END),
        ", ".join(dict.fromkeys(session.findings)) or "none",
    )


def _call_row(call: NetworkCall) -> tuple[str, ...]:
    """A request of the gateway to the network, and its outcome."""
    what = call.method_name or call.target
    relayed = "" if call.frame is None else f"frame {call.frame}"
    outcome = f"{call.outcome}{'' if call.reject_code is None else f' ({call.reject_code})'}"
    return str(call.request), one_line(what[:120]), relayed, outcome, one_line(call.text)


def _session_page(contents: Contents, session: SessionContents, number: int) -> SessionPage:
    in_order = drawn_frames(contents.capture, session.frames)
    frames = _part_to_draw(in_order, contents.evidence)
    drawn = ""
    if len(frames) < len(in_order):
        drawn = f"The figures show {len(frames)} of {len(in_order)} frames, from frame {frames[0].number} on."
    timing = _timing(contents, session, in_order, frames)
    figure = timeline_figure(contents.capture, frames=frames, session=session.name, timing=timing)
    numbers = sequence_numbers_figure(contents.capture, frames=frames, session=session.name)
    counts = session.summary
    return SessionPage(
        session=one_line(session.name or ""),
        sequence=session_sequence(
            session.frames, contents.evidence, limit=MAX_SEQUENCE // len(contents.in_detail), start=contents.start
        ),
        drawn=drawn,
        timeline=_inline(figure.inline_svg(f"timeline {number}")),
        timeline_label=(
            f"Session timeline over {counts.duration_s:.1f} seconds: {count(counts.sent, 'message')} sent, "
            f"{counts.received} received, {count(counts.acks, 'ack')}, {count(counts.keep_alives, 'keep-alive')}, and "
            "the time-outs of each."
        ),
        numbers=_inline(numbers.inline_svg(f"sequence numbers {number}")),
        numbers_label="Sequence numbers over time in both directions, and how far each was acknowledged.",
    )


def _timing(
    contents: Contents, session: SessionContents, in_order: Sequence[DecodedFrame], frames: Sequence[DecodedFrame]
) -> SessionInstants:
    """The instants for the frames that are drawn, which include time-outs that began before the first of them."""
    if len(in_order) < len(session.frames):
        timing = instants(contents.capture, in_order).sessions[session.name]
    else:
        timing = next(each for each in contents.timing.sessions if each.session == session.name)
    if len(frames) == len(in_order):
        return timing
    return replace(timing, first=frames[0].frame.t - contents.start, last=frames[-1].frame.t - contents.start)


def _part_to_draw(frames: Sequence[DecodedFrame], evidence: Sequence[int]) -> Sequence[DecodedFrame]:
    """The part of a long session that a figure has room for: around the first evidence, else the end."""
    if len(frames) <= MAX_DRAWN:
        return frames
    named = set(evidence)
    at = next((row for row, decoded in enumerate(frames) if decoded.number in named), len(frames) - 1)
    first = max(0, min(at - 2 * MAX_DRAWN // 3, len(frames) - MAX_DRAWN))
    return frames[first : first + MAX_DRAWN]


def _inline(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704  # drawn by matplotlib, which turns text into paths and escapes its comments


def _resource(name: str) -> str:
    return resources.files("icws_explore.views").joinpath(name).read_text(encoding="utf-8")
