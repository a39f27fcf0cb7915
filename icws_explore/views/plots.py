"""`icws_explore.plots`: the figures of a recording.

Each function takes a recording, or a session or a tap that is still recording. ``session`` names one of several
sessions, and None means the first. Each returns a matplotlib figure that shows itself in a notebook;
``figure.save("name.png")`` writes it as PNG, SVG or PDF.
"""

from __future__ import annotations

from collections.abc import Sequence

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import application_type, decode_frame, shared_frames
from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.keep_alives import KEEP_ALIVE_LIMIT_S
from icws_explore.analysis.timing.timing import Timing
from icws_explore.capture import Capture
from icws_explore.protocol.constants import ACK_INTERVAL_MS
from icws_explore.protocol.hashtree import HashTree
from icws_explore.protocol.principal import Principal

from .figures.ack_age import ack_age_figure
from .figures.anatomy import anatomy_figure
from .figures.certificate_age import certificate_age_figure
from .figures.chain import chain_figure
from .figures.figure import SessionFigure, drawn_frames, one_session
from .figures.hash_tree import hash_tree_figure
from .figures.keep_alives import keep_alives_figure
from .figures.lanes import lanes_figure
from .figures.latencies import latencies_figure
from .figures.sequence_diagram import sequence_diagram_figure
from .figures.sequence_numbers import sequence_numbers_figure
from .figures.sessions import sessions_figure
from .figures.timeline import timeline_figure
from .formatting import count
from .mermaid import mermaid_text
from .proof import Path, proof_for
from .source import RecordingLike, capture_of, frame_index

__all__ = [
    "SessionFigure",
    "ack_age",
    "anatomy",
    "certificate_age",
    "chain",
    "hash_tree",
    "keep_alives",
    "lanes",
    "latencies",
    "mermaid",
    "sequence_diagram",
    "sequence_numbers",
    "sessions",
    "timeline",
]


def timeline(recording: RecordingLike, *, session: str | None = None) -> SessionFigure:
    """Who sent what when, in lanes, and the open, ack and keep-alive time-outs as bars with their seconds."""
    return timeline_figure(capture_of(recording), session=session)


def sequence_numbers(recording: RecordingLike, *, session: str | None = None) -> SessionFigure:
    """The sequence numbers of both directions over time, what is acknowledged, and where the order breaks."""
    return sequence_numbers_figure(capture_of(recording), session=session)


def ack_age(recording: RecordingLike, *, session: str | None = None) -> SessionFigure:
    """The age of the oldest message that waits for an ack, and the client's one ack timer, in seconds over time.

    Both are shown against the ack interval and against the limit, 30 s later, at which the client closes.
    """
    capture = capture_of(recording)
    return ack_age_figure(capture, _one_session(capture, session))


def keep_alives(
    recording: RecordingLike, *, session: str | None = None, limit_s: float = KEEP_ALIVE_LIMIT_S
) -> SessionFigure:
    """The canister's window for a keep-alive after each ack, on its clock. ``limit_s`` is its time-out in seconds."""
    capture = capture_of(recording)
    return keep_alives_figure(capture, _one_session(capture, session), limit_s=limit_s)


def sequence_diagram(
    recording: RecordingLike, *, session: str | None = None, start: int = 0, stop: int | None = None
) -> SessionFigure:
    """Who sent what to whom, a row for each frame: acks as brackets; gaps, duplicates, swaps and losses marked.

    ``start`` and ``stop`` choose frames of the session, counted from 0. At most 60 frames are drawn.
    """
    return sequence_diagram_figure(capture_of(recording), session=session, start=start, stop=stop)


def mermaid(recording: RecordingLike, *, session: str | None = None, start: int = 0, stop: int | None = None) -> str:
    """The sequence diagram as Mermaid text, for documents. It has no limit of 60 frames."""
    frames = one_session(list(shared_frames(capture_of(recording))), session)
    return mermaid_text(frames, start=start, stop=stop)


def lanes(
    recording: RecordingLike, *, session: str | None = None, start_s: float | None = None, end_s: float | None = None
) -> SessionFigure:
    """A lane for client, gateway and canister, and every message between them; inferred times are marked as such.

    ``start_s`` and ``end_s`` are seconds since the first frame (None: the whole session).
    """
    capture = capture_of(recording)
    return lanes_figure(capture, _one_session(capture, session), start_s=start_s, end_s=end_s)


def certificate_age(recording: RecordingLike, *, session: str | None = None) -> SessionFigure:
    """The age of each certificate on receipt against 300 s, of the named session or of all sessions."""
    capture = capture_of(recording)
    return certificate_age_figure(capture, _sessions(capture, session))


def latencies(recording: RecordingLike, *, session: str | None = None) -> SessionFigure:
    """The distribution of latencies from the canister to the client, of the named session or of all sessions."""
    capture = capture_of(recording)
    return latencies_figure(capture, _sessions(capture, session))


def sessions(recording: RecordingLike) -> SessionFigure:
    """All sessions on one page, a row each: opening, acks, keep-alives, close."""
    capture = capture_of(recording)
    return sessions_figure(capture, _sessions(capture, None))


def hash_tree(
    recording: RecordingLike | HashTree | bytes, number: int | None = None, *, paths: Sequence[Path] = ()
) -> SessionFigure:
    """Hash trees with the paths of a proof lit and pruned parts in grey.

    Of a recording: the trees in frame ``number``, from the delegation to the witness. Of the bytes of a certificate:
    its trees. Of a hash tree: that tree, with ``paths`` (tuples of labels) lit. Raises IndexError, and IcwsError for
    a frame without a certificate.
    """
    if isinstance(recording, HashTree):
        return hash_tree_figure([("Hash tree", recording, paths)])
    return hash_tree_figure(proof_for(recording, number).trees)


def anatomy(recording: RecordingLike, number: int) -> SessionFigure:
    """The byte map of frame ``number``, layer by layer, to scale. Raises IndexError."""
    capture = capture_of(recording)
    index, app_type = frame_index(capture, number), application_type(capture)
    frame = capture.frames[index]
    decoded = decode_frame(frame, number=index, app_type=app_type)
    heading = f"Frame {index}: {decoded.kind}, {count(len(frame.data), 'byte')}"
    return anatomy_figure(annotate_frame(frame, app_type=app_type), heading)


def chain(
    recording: RecordingLike | bytes,
    number: int | None = None,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    now_ns: int | None = None,
) -> SessionFigure:
    """Root key → subnet → certificate → witness → message, with the verification steps that check each link.

    Of a recording: the chain in frame ``number``. Of the bytes of a certificate: its own chain, by default under
    mainnet's root key and as of the time that it states. ``root_key`` is DER, ``now_ns`` is in ns since the epoch.
    Raises IndexError and IcwsError.
    """
    return chain_figure(proof_for(recording, number, root_key=root_key, canister_id=canister_id, now_ns=now_ns))


def _sessions(capture: Capture, session: str | None) -> list[SessionInstants]:
    """The instants of the named session or of all sessions, without frames whose times contradict their order."""
    return Timing(capture, frames=drawn_frames(capture), session=session).sessions


def _one_session(capture: Capture, session: str | None) -> SessionInstants:
    """The instants of the named session, else of the first; without any frames they are empty."""
    found = _sessions(capture, session)
    return found[0] if found else SessionInstants(session, ACK_INTERVAL_MS / 1000)
