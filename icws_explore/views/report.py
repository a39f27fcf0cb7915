"""The report: one HTML page that holds everything, needs no network and runs no script.

What the page says of a capture is what the notebook's views and the commands say of it; the same
templates and rows make it. Everything that a peer sent is escaped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Final

from markupsafe import Markup

from icws_explore.analysis.decode import DecodedFrame, decode_frames
from icws_explore.analysis.doctor import Findings, diagnose
from icws_explore.analysis.table import Summary, summarise
from icws_explore.analysis.verify import MessageVerdict, verify_frames
from icws_explore.capture import Capture
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal

from .facts import capture_facts, clock_note, summary_facts
from .findings import findings_html
from .html import detailed, judged, render, style
from .rows import one_line
from .sequence_plot import sequences
from .subject import Subject, capture_of
from .timeline import timeline

MAX_REPORT_FRAMES: Final = 500  # in full; of a longer capture the first and the last ones


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """The figures of one session, as <svg> elements, with what they show in words."""

    session: str
    timeline: Markup
    timeline_label: str
    sequences: Markup
    sequences_label: str


def report_html(
    subject: Subject, *, root_key: bytes | None = None, canister_id: Principal | None = None, title: str | None = None
) -> str:
    """The page. ``root_key`` (DER) and ``canister_id`` override the capture's.

    Without any root key nothing is verified, and the page says so.
    """
    capture = capture_of(subject)
    frames = list(decode_frames(capture))
    key = root_key or capture.info.root_key
    verdicts: list[MessageVerdict] = []
    if key is not None:
        verdicts = list(verify_frames(frames, capture, root_key=key, canister_id=canister_id))
    summary = summarise(frames, verdicts)
    findings = diagnose(capture, root_key=key, canister_id=canister_id)
    start = frames[0].frame.t if frames else 0.0
    head, left_out, tail = _window(frames)
    return render(
        "report.html.j2",
        title=one_line(title or f"IC WebSocket session, {capture.info.canister_id or 'canister not known'}"),
        style=style(),
        page_style=Markup(_resource("report.css")),  # noqa: S704  # our own file
        verdict_word=_verdict_word(summary, findings, verified=key is not None),
        findings=findings_html(findings),
        scaled=clock_note(capture) if capture.info.clock.kind != "real" else None,
        summary_facts=summary_facts(summary),
        capture_facts=capture_facts(capture),
        sessions=[_figures(capture, frames, session) for session in capture.session_ids] if frames else [],
        several=len(capture.session_ids) > 1,
        head=[detailed(d, start) for d in head],
        tail=[detailed(d, start) for d in tail],
        left_out=left_out,
        verified=key is not None,
        verdicts=[judged(v) for v in verdicts],
        version=metadata.version("icws_explore"),
    )


def write_report(
    subject: Subject,
    path: str | os.PathLike[str],
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
) -> Path:
    """Write the page to ``path``. Raises CaptureError when that cannot be written."""
    target = Path(path)
    page = report_html(subject, root_key=root_key, canister_id=canister_id, title=title)
    try:
        target.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise CaptureError(f"cannot write {target}: {error.strerror}") from error
    return target


def _window(frames: Sequence[DecodedFrame]) -> tuple[Sequence[DecodedFrame], int, Sequence[DecodedFrame]]:
    if len(frames) <= MAX_REPORT_FRAMES:
        return frames, 0, []
    half = MAX_REPORT_FRAMES // 2
    return frames[:half], len(frames) - 2 * half, frames[-half:]


def _verdict_word(summary: Summary, findings: Findings, *, verified: bool) -> tuple[str, str]:
    """The report's one-line answer and its weight (good, note, bad)."""
    if findings.has_errors or summary.malformed or summary.certificates != summary.certificates_valid:
        return "✗ something in this session is not as it should be", "bad"
    if not verified:
        return "– nothing was verified: the capture names no root key", "note"
    if not summary.certificates:
        return "– the canister sent nothing that could be verified", "note"
    return f"✓ every frame decodes, and all {summary.certificates} canister messages verify", "good"


def _figures(capture: Capture, frames: Sequence[DecodedFrame], session: str | None) -> SessionFigures:
    mine = [d for d in frames if d.frame.session == session]
    counts = summarise(mine)
    return SessionFigures(
        session=one_line(session or ""),
        timeline=_inline(timeline(capture, frames=frames, session=session).inline_svg(f"timeline {session}")),
        timeline_label=(
            f"Session timeline over {counts.duration_s:.1f} seconds: {counts.sent} messages sent, {counts.received} "
            f"received, {counts.acks} acks, {counts.keep_alives} keep-alives, with the time-outs of each."
        ),
        sequences=_inline(sequences(capture, frames=frames, session=session).inline_svg(f"sequences {session}")),
        sequences_label="Sequence numbers over time in both directions, and how far each was acknowledged.",
    )


def _inline(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704  # drawn by matplotlib, which turns text into paths and escapes its comments


def _resource(name: str) -> str:
    return resources.files("icws_explore.views").joinpath(name).read_text(encoding="utf-8")
