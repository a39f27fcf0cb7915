"""`icws_explore.plots`: the figures, for whatever holds a capture."""

from __future__ import annotations

from collections.abc import Sequence

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import application_type, decode_frame
from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.keep_alives import KEEP_ALIVE_LIMIT_S
from icws_explore.analysis.timing.timing import Timing
from icws_explore.capture import Capture
from icws_explore.protocol.constants import ACK_INTERVAL_MS
from icws_explore.protocol.hashtree import HashTree
from icws_explore.protocol.principal import Principal

from . import mermaid as mermaid_text
from . import sequence_diagram as diagram
from .facts import Subject, capture_of
from .figures import acks as ack_age_plot
from .figures import anatomy as anatomy_figure
from .figures import certificates as certificate_plot
from .figures import chain as chain_figure
from .figures import keep_alives as keep_alive_plot
from .figures import lanes as lanes_plot
from .figures import latencies as latency_plot
from .figures import sequence as sequence_plot
from .figures import sessions as sessions_plot
from .figures import timeline as timeline_plot
from .figures import tree as tree_figure
from .figures.figure import SessionFigure
from .proof import Path, panels_of, proof_for

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
    "sequences",
    "sessions",
    "timing",
]


def timing(subject: Subject, *, session: str | None = None) -> SessionFigure:
    """Who did what when, in lanes, with the ack and keep-alive deadlines in seconds of the capture's clock.

    ``session`` picks one of a capture that holds several, else it is the first.
    """
    return timeline_plot.timeline(capture_of(subject), session=session)


def sequences(subject: Subject, *, session: str | None = None) -> SessionFigure:
    """The sequence numbers of both directions over time, and what each ack covers. Arguments as of `timing`."""
    return sequence_plot.sequences(capture_of(subject), session=session)


def ack_age(subject: Subject, *, session: str | None = None) -> SessionFigure:
    """How old the oldest message is that waits for an ack, and the client's one ack timer: two saw-teeth, in seconds.

    Both against the ack interval and the 30 s more after which the client gives up. Arguments as of `timing`.
    """
    capture = capture_of(subject)
    return ack_age_plot.ack_age(capture, _instants(capture, session))


def keep_alives(subject: Subject, *, session: str | None = None, limit_s: float = KEEP_ALIVE_LIMIT_S) -> SessionFigure:
    """Each ack's window for the keep-alive, by the canister's clock. ``limit_s`` is its time-out, in seconds."""
    capture = capture_of(subject)
    return keep_alive_plot.keep_alive_windows(capture, _instants(capture, session), limit_s=limit_s)


def sequence_diagram(
    subject: Subject, *, session: str | None = None, start: int = 0, stop: int | None = None
) -> SessionFigure:
    """Who sent what to whom, a row a frame: sequence numbers, acks as brackets, gaps, duplicates and swaps marked.

    Rows ``start`` to ``stop`` of the session (counted from 0; at most 60 are drawn). ``session`` as of `timing`.
    """
    return diagram.sequence_diagram(capture_of(subject), session=session, start=start, stop=stop)


def mermaid(subject: Subject, *, session: str | None = None, start: int = 0, stop: int | None = None) -> str:
    """The sequence diagram as Mermaid text, for documents. Arguments as of `sequence_diagram`, without its limit."""
    return mermaid_text.mermaid(capture_of(subject), session=session, start=start, stop=stop)


def lanes(
    subject: Subject, *, session: str | None = None, start_s: float | None = None, end_s: float | None = None
) -> SessionFigure:
    """Client, gateway and canister in a lane each, and every message between them; what nobody saw is marked inferred.

    From ``start_s`` to ``end_s`` (seconds since the first frame; None: all). ``session`` as of `timing`.
    """
    capture = capture_of(subject)
    return lanes_plot.lanes(capture, _instants(capture, session), start_s=start_s, end_s=end_s)


def certificate_age(subject: Subject, *, session: str | None = None) -> SessionFigure:
    """How old each certificate was on receipt, against 300 s to either side; of all sessions or the named one."""
    capture = capture_of(subject)
    return certificate_plot.certificate_age(capture, Timing(capture, session=session).sessions)


def latencies(subject: Subject, *, session: str | None = None) -> SessionFigure:
    """The distribution of each part of the way down, with percentiles; of all sessions or the named one."""
    capture = capture_of(subject)
    return latency_plot.latencies(capture, Timing(capture, session=session).sessions)


def sessions(subject: Subject) -> SessionFigure:
    """Every session of a capture on one page, a row each: opening, acks, keep-alives, its end."""
    capture = capture_of(subject)
    return sessions_plot.overview(capture, Timing(capture).sessions)


def hash_tree(
    subject: Subject | HashTree | bytes, number: int | None = None, *, paths: Sequence[Path] = ()
) -> SessionFigure:
    """Hash trees with the way to what they prove lit, and what is pruned in grey.

    Of a recording: the trees of frame ``number``, from the delegation to the witness. Of a certificate's
    bytes: its own. Of a hash tree: that tree, the way to each of ``paths`` (tuples of labels) lit.
    Raises IndexError, and IcwsError for a frame without a certificate.
    """
    if isinstance(subject, HashTree):
        return tree_figure.tree_figure([("hash tree", subject, paths)])
    return tree_figure.tree_figure(panels_of(proof_for(subject, number)))


def anatomy(subject: Subject, number: int) -> SessionFigure:
    """The byte map of frame ``number``, layer by layer, to scale. Raises IndexError."""
    capture = capture_of(subject)
    frame = capture.frames[number]
    index, app_type = number % len(capture), application_type(capture)
    decoded = decode_frame(frame, number=index, app_type=app_type)
    heading = f"Frame {index}: {decoded.kind}, {len(frame.data)} bytes"
    return anatomy_figure.anatomy_figure(annotate_frame(frame, app_type=app_type), heading)


def chain(
    subject: Subject | bytes,
    number: int | None = None,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    now_ns: int | None = None,
) -> SessionFigure:
    """Root key → subnet → certificate → witness → message, and the steps that judge each link.

    Of a recording: what frame ``number`` carries. Of a certificate's bytes: its own chain, under mainnet's
    key and at its own time unless told otherwise (``now_ns`` in ns). Raises IndexError and IcwsError.
    """
    return chain_figure.chain_figure(
        proof_for(subject, number, root_key=root_key, canister_id=canister_id, now_ns=now_ns)
    )


def _instants(capture: Capture, session: str | None) -> SessionInstants:
    """The named session of a capture, else the first; an empty one where there is none."""
    found = Timing(capture, session=session).sessions
    return found[0] if found else SessionInstants(session, ACK_INTERVAL_MS / 1000)
