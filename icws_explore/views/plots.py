"""`icws_explore.plots`: the figures of a recording.

Each function takes a recording, or a session or a tap that is still recording. ``session`` names one of several
sessions, and None means the first. Each returns a matplotlib figure that shows itself in a notebook;
``figure.save("name.png")`` writes it as PNG, SVG or PDF.

``size`` is "column" (3.5 in wide, for a paper in columns), "page" (7 in) or "slide" (13.33 in × 7.5 in, 16:9); the
first two are at most 9.5 in high. A figure with many rows shows as many as there is room for, and one that does not
fit otherwise is printed smaller. None is the size for a notebook.
"""

from __future__ import annotations

from collections.abc import Sequence

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import application_type, decode_frame, shared_frames
from icws_explore.analysis.passages import Sighting
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
from .figures.figure import SessionFigure, Size, drawn_frames, on_paper, one_session
from .figures.hash_tree import hash_tree_figure
from .figures.keep_alives import keep_alives_figure
from .figures.lanes import lanes_figure
from .figures.latencies import latencies_figure
from .figures.parties import parties_figure
from .figures.sequence_diagram import sequence_diagram_figure
from .figures.sequence_numbers import sequence_numbers_figure
from .figures.sessions import sessions_figure
from .figures.timeline import timeline_figure
from .figures.trust import trust_view
from .formatting import count
from .html import View
from .mermaid import mermaid_text
from .proof import Path, proof_for
from .source import RecordingLike, capture_of, frame_index

__all__ = [
    "SessionFigure",
    "Size",
    "ack_age",
    "anatomy",
    "certificate_age",
    "chain",
    "hash_tree",
    "keep_alives",
    "lanes",
    "latencies",
    "mermaid",
    "parties",
    "sequence_diagram",
    "sequence_numbers",
    "sessions",
    "timeline",
    "trust",
]


def trust() -> View:
    """The parties of the protocol, what passes between them, and what each of them trusts."""
    return trust_view()


def timeline(recording: RecordingLike, *, session: str | None = None, size: Size | None = None) -> SessionFigure:
    """Who sent what when, in lanes, and the open, ack and keep-alive time-outs as bars with their seconds."""
    return on_paper(size, lambda paper: timeline_figure(capture_of(recording), session=session, paper=paper))


def sequence_numbers(
    recording: RecordingLike, *, session: str | None = None, size: Size | None = None
) -> SessionFigure:
    """The sequence numbers of both directions over time, what is acknowledged, and where the order breaks."""
    return on_paper(size, lambda paper: sequence_numbers_figure(capture_of(recording), session=session, paper=paper))


def ack_age(recording: RecordingLike, *, session: str | None = None, size: Size | None = None) -> SessionFigure:
    """The age of the oldest message that waits for an ack, and the client's one ack timer, in seconds over time.

    Both are shown against the ack interval and against the limit, 30 s later, at which the client closes.
    """
    capture = capture_of(recording)
    return on_paper(size, lambda paper: ack_age_figure(capture, _one_session(capture, session), paper=paper))


def keep_alives(
    recording: RecordingLike,
    *,
    session: str | None = None,
    limit_s: float = KEEP_ALIVE_LIMIT_S,
    size: Size | None = None,
) -> SessionFigure:
    """The canister's window for a keep-alive after each ack, on its clock. ``limit_s`` is its time-out in seconds."""
    capture = capture_of(recording)
    return on_paper(
        size, lambda paper: keep_alives_figure(capture, _one_session(capture, session), limit_s=limit_s, paper=paper)
    )


def sequence_diagram(
    recording: RecordingLike,
    *,
    session: str | None = None,
    start: int = 0,
    stop: int | None = None,
    size: Size | None = None,
) -> SessionFigure:
    """Who sent what to whom, a row for each frame: acks as brackets; gaps, duplicates, swaps and losses marked.

    ``start`` and ``stop`` choose frames of the session, counted from 0. At most 60 frames are drawn.
    """
    return on_paper(
        size,
        lambda paper: sequence_diagram_figure(
            capture_of(recording), session=session, start=start, stop=stop, paper=paper
        ),
    )


def mermaid(recording: RecordingLike, *, session: str | None = None, start: int = 0, stop: int | None = None) -> str:
    """The sequence diagram as Mermaid text, for documents. It has no limit of 60 frames."""
    frames = one_session(list(shared_frames(capture_of(recording))), session)
    return mermaid_text(frames, start=start, stop=stop)


def lanes(
    recording: RecordingLike,
    *,
    session: str | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    size: Size | None = None,
) -> SessionFigure:
    """A lane for client, gateway and canister, and every message between them; inferred times are marked as such.

    ``start_s`` and ``end_s`` are seconds since the first frame (None: the whole session).
    """
    capture = capture_of(recording)
    return on_paper(
        size,
        lambda paper: lanes_figure(capture, _one_session(capture, session), start_s=start_s, end_s=end_s, paper=paper),
    )


def parties(
    recording: RecordingLike,
    *,
    sightings: Sequence[Sighting] = (),
    clients: Sequence[str] | None = None,
    start: int = 0,
    stop: int | None = None,
    size: Size | None = None,
) -> SessionFigure:
    """Clients, gateways and canister side by side, and each message at each of them: queued, passed on, lost.

    A recording of a tap with the network's side tells of the gateway; for a lab give ``sightings=lab.sightings``.
    Otherwise only the clients' side is known. ``clients`` names up to 4 sessions (None: the first ones). ``start`` and
    ``stop`` choose messages in the order of time, counted from 0; at most 40 are drawn. Raises ArgumentValueError.
    """
    capture = capture_of(recording)
    return on_paper(
        size,
        lambda paper: parties_figure(
            capture, sightings=sightings, clients=clients, start=start, stop=stop, paper=paper
        ),
    )


def certificate_age(recording: RecordingLike, *, session: str | None = None, size: Size | None = None) -> SessionFigure:
    """The age of each certificate on receipt against 300 s, of the named session or of all sessions."""
    capture = capture_of(recording)
    return on_paper(size, lambda paper: certificate_age_figure(capture, _sessions(capture, session), paper=paper))


def latencies(recording: RecordingLike, *, session: str | None = None, size: Size | None = None) -> SessionFigure:
    """The distribution of latencies from the canister to the client, of the named session or of all sessions."""
    capture = capture_of(recording)
    return on_paper(size, lambda paper: latencies_figure(capture, _sessions(capture, session), paper=paper))


def sessions(recording: RecordingLike, *, size: Size | None = None) -> SessionFigure:
    """All sessions on one page, a row each: opening, acks, keep-alives, close."""
    capture = capture_of(recording)
    return on_paper(size, lambda paper: sessions_figure(capture, _sessions(capture, None), paper=paper))


def hash_tree(
    recording: RecordingLike | HashTree | bytes,
    number: int | None = None,
    *,
    paths: Sequence[Path] = (),
    size: Size | None = None,
) -> SessionFigure:
    """Hash trees with the paths of a proof lit and pruned parts in grey.

    Of a recording: the trees in frame ``number``, from the delegation to the witness. Of the bytes of a certificate:
    its trees. Of a hash tree: that tree, with ``paths`` (tuples of labels) lit. Raises IndexError, and IcwsError for
    a frame without a certificate.
    """
    if isinstance(recording, HashTree):
        return on_paper(size, lambda paper: hash_tree_figure([("Hash tree", recording, paths)], paper=paper))
    trees = proof_for(recording, number).trees
    return on_paper(size, lambda paper: hash_tree_figure(trees, paper=paper))


def anatomy(recording: RecordingLike, number: int, *, size: Size | None = None) -> SessionFigure:
    """The byte map of frame ``number``, layer by layer, to scale. Raises IndexError."""
    capture = capture_of(recording)
    index, app_type = frame_index(capture, number), application_type(capture)
    frame = capture.frames[index]
    decoded = decode_frame(frame, number=index, app_type=app_type)
    heading = f"Frame {index}: {decoded.kind}, {count(len(frame.data), 'byte')}"
    return on_paper(size, lambda paper: anatomy_figure(annotate_frame(frame, app_type=app_type), heading, paper=paper))


def chain(
    recording: RecordingLike | bytes,
    number: int | None = None,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    now_ns: int | None = None,
    size: Size | None = None,
) -> SessionFigure:
    """Root key → subnet → certificate → witness → message, with the verification steps that check each link.

    Of a recording: the chain in frame ``number``. Of the bytes of a certificate: its own chain, by default under
    mainnet's root key and as of the time that it states. ``root_key`` is DER, ``now_ns`` is in ns since the epoch.
    Raises IndexError and IcwsError.
    """
    proof = proof_for(recording, number, root_key=root_key, canister_id=canister_id, now_ns=now_ns)
    return on_paper(size, lambda paper: chain_figure(proof, paper=paper))


def _sessions(capture: Capture, session: str | None) -> list[SessionInstants]:
    """The instants of the named session or of all sessions, without frames whose times contradict their order."""
    return Timing(capture, frames=drawn_frames(capture), session=session).sessions


def _one_session(capture: Capture, session: str | None) -> SessionInstants:
    """The instants of the named session, else of the first; without any frames they are empty."""
    found = _sessions(capture, session)
    return found[0] if found else SessionInstants(session, ACK_INTERVAL_MS / 1000)
