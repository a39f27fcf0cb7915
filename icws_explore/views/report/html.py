"""The report: one HTML page that holds everything, needs no network and runs no script.

What the page says of a capture is what the notebook's views and the commands say of it; the same
templates and rows make it. Everything that a peer sent is escaped. However long the capture, the page
is bounded: of frames, walks and sessions it shows the ends and what is around the evidence.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Final

from markupsafe import Markup

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.doctor import Finding
from icws_explore.analysis.network_calls import NetworkCall
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal

from ..facts import NO_END, Subject, clock_note
from ..fields import Group
from ..figures.sequence import sequences
from ..figures.timeline import timeline
from ..findings import NOTHING, finding_row
from ..html import detailed, judged, render, style
from ..rows import FrameRow, excerpt, frame_row, gaps, one_line, seconds
from ..steps import StepRow, Verdict
from .contents import Contents, Privacy, SessionContents, SessionSequence, sequence
from .gather import gather

MAX_FRAMES: Final = 240  # in the frame list, each with its fields
MAX_SEQUENCE: Final = 60  # rows of one session, shared where there are several
MAX_EVIDENCE: Final = 12  # frames beside one finding
MAX_FAILED, MAX_VALID = 25, 25  # walks over messages and requests, of each
MAX_DRAWN: Final = 600  # frames of one session in a figure
MAX_LISTED: Final = 60  # sessions and calls in a table


@dataclass(frozen=True, slots=True)
class SessionPage:
    """One session in full: its sequence, and its figures as <svg> elements with what they show in words."""

    session: str
    sequence: SessionSequence
    drawn: str
    timeline: Markup
    timeline_label: str
    sequences: Markup
    sequences_label: str


@dataclass(frozen=True, slots=True)
class FramePart:
    """Frames without a gap; ``left_out`` frames before them are not shown."""

    left_out: int
    rows: list[tuple[FrameRow, list[Group]]]


def report_html(
    subject: Subject,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
    privacy: Privacy = "shown",
) -> str:
    """The page. ``root_key`` (DER) and ``canister_id`` override the capture's; ``privacy`` as of `gather`.

    Without any root key nothing is verified, and the page says so.
    """
    return page_of(gather(subject, root_key=root_key, canister_id=canister_id, title=title, privacy=privacy))


def page_of(contents: Contents) -> str:
    """The page of what was gathered."""
    capture = contents.capture
    shown, left_out = _frames(contents)
    listed = {row.number for part in shown for row, _ in part.rows}
    in_detail = contents.in_detail
    page = render(
        "report.html.j2",
        contents=contents,
        style=style(),
        page_style=Markup(_resource("report.css")),  # noqa: S704  # our own file
        nothing=NOTHING,
        findings=[(finding_row(finding), evidence_rows(contents, finding)) for finding in contents.findings],
        scaled=clock_note(capture) if capture.info.clock.kind != "real" else None,
        summary_facts=contents.in_short,
        in_detail=[_session_page(contents, session, number) for number, session in enumerate(in_detail)],
        sessions=[_session_row(session) for session in contents.sessions[:MAX_LISTED]],
        sessions_left_out=max(0, len(contents.sessions) - MAX_LISTED),
        several=len(contents.sessions) > 1,
        frames=shown,
        frames_left_out=left_out,
        listed=listed,
        walks=[
            (name, *_walks(verdicts))
            for name, verdicts in (
                ("Canister messages", contents.verdicts),
                ("The client's requests", contents.requests),
            )
            if verdicts
        ],
        calls=[_call_row(call) for call in contents.calls[:MAX_LISTED]],
        calls_left_out=max(0, len(contents.calls) - MAX_LISTED),
    )
    return contents.published(str(page))


def write_report(
    subject: Subject,
    path: str | os.PathLike[str],
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
    privacy: Privacy = "shown",
) -> Path:
    """Write the page to ``path``. Raises CaptureError when that cannot be written."""
    page = report_html(subject, root_key=root_key, canister_id=canister_id, title=title, privacy=privacy)
    return write_text(path, page)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a finished report. Raises CaptureError when that cannot be."""
    target = Path(path)
    try:
        target.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise CaptureError(f"cannot write {target}: {error.strerror}") from error
    return target


def evidence_rows(
    contents: Contents, finding: Finding, *, limit: int = MAX_EVIDENCE
) -> list[tuple[bool, FrameRow | None]]:
    """At most ``limit`` frames that a finding names (True) and their neighbours in its sessions; None is a gap."""
    numbers = set(finding.frames)
    near = [d for d in contents.frames if d.number in numbers or _is_of(finding, d)]
    rows = [row for row, decoded in enumerate(near) if decoded.number in numbers]
    around = {row + step for row in rows for step in (-1, 0, 1)}
    found: list[tuple[bool, FrameRow | None]] = []
    for part in excerpt(len(near), rows, limit=limit, around=1):
        shown = [row for row in part if row in around]
        if shown and found:
            found.append((False, None))
        found += [(near[row].number in numbers, frame_row(near[row], contents.start)) for row in shown]
    return found


def _is_of(finding: Finding, decoded: DecodedFrame) -> bool:
    return decoded.frame.session in finding.sessions and not decoded.frame.is_http


def _frames(contents: Contents) -> tuple[list[FramePart], int]:
    chosen = excerpt(len(contents.frames), contents.evidence, limit=MAX_FRAMES)
    left = gaps(chosen, len(contents.frames))
    parts = [
        FramePart(before, [detailed(contents.frames[i], contents.start) for i in part])
        for before, part in zip(left, chosen, strict=False)
    ]
    return parts, left[-1]


def _walks(verdicts: Sequence[Verdict]) -> tuple[list[tuple[Verdict, str, list[StepRow]]], int]:
    """Those that do not hold, then those that do, and how many more there are."""
    failed = [verdict for verdict in verdicts if not verdict.ok]
    valid = [verdict for verdict in verdicts if verdict.ok]
    shown = sorted([*failed[:MAX_FAILED], *valid[:MAX_VALID]], key=lambda it: it.frame)
    return [judged(verdict) for verdict in shown], len(verdicts) - len(shown)


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
    """What the gateway asked the network, and what became of it."""
    what = call.method_name or call.target
    relayed = "" if call.frame is None else f"frame {call.frame}"
    said = f"{call.outcome}{'' if call.reject_code is None else f' ({call.reject_code})'}"
    return str(call.request), one_line(what[:120]), relayed, said, one_line(call.text)


def _session_page(contents: Contents, session: SessionContents, number: int) -> SessionPage:
    frames = _drawn(session.frames, contents.evidence)
    timing = next(it for it in contents.timing.sessions if it.session == session.name)
    counts = session.summary
    drawn, room = "", MAX_SEQUENCE // len(contents.in_detail)
    if len(frames) < len(session.frames):
        origin = contents.start
        drawn = f"Drawn are {len(frames)} of {len(session.frames)} frames, from {frames[0].number} on."
        timing = replace(timing, first=frames[0].frame.t - origin, last=max(d.frame.t for d in frames) - origin)
    figure = timeline(contents.capture, frames=frames, session=session.name, timing=timing)
    numbers = sequences(contents.capture, frames=frames, session=session.name)
    return SessionPage(
        session=one_line(session.name or ""),
        sequence=sequence(session.frames, contents.evidence, limit=room, start=contents.start),
        drawn=drawn,
        timeline=_inline(figure.inline_svg(f"timeline {number}")),
        timeline_label=(
            f"Session timeline over {counts.duration_s:.1f} seconds: {counts.sent} messages sent, {counts.received} "
            f"received, {counts.acks} acks, {counts.keep_alives} keep-alives, with the time-outs of each."
        ),
        sequences=_inline(numbers.inline_svg(f"sequences {number}")),
        sequences_label="Sequence numbers over time in both directions, and how far each was acknowledged.",
    )


def _drawn(frames: Sequence[DecodedFrame], evidence: Sequence[int]) -> Sequence[DecodedFrame]:
    """The part of a long session that a figure has room for: around the first evidence, else its end."""
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
