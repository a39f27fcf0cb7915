"""A recording as its user holds it: its frames decoded and as a table, verified, summarised, replayed.

`Capture` only stores frames. `Recording` is the same with the protocol's knowledge on top. Live sessions, taps,
simulations and files all give one, and every view takes one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.capture import save as save_capture
from icws_explore.capture.files import collector_paused
from icws_explore.protocol.errors import ArgumentTypeError
from icws_explore.protocol.principal import Principal

from .cells import Cells, cells_of, frame_cells
from .decode import DecodedFrame, decode_at, decode_frames, shared_frames
from .envelopes import EnvelopeVerdicts, check_envelopes
from .imports import load_any
from .timing.timing import Timing
from .verify import MessageVerdict, Verdicts, verify_capture

if TYPE_CHECKING:
    from .compare import Comparison
    from .doctor import Findings
    from .replay.text import Replays
    from .table import Table


def frame_table(capture: Capture) -> Table:
    """A row for each frame, indexed by frame number.

    Columns: ``t`` (UTC timestamps of the recording's clock), ``elapsed_s`` (seconds since the first
    frame), ``direction``, ``kind``, ``sequence_num`` (nullable integer), ``size`` (bytes),
    ``summary``, ``session`` and ``value`` (the application's message, else None).
    """
    with collector_paused():
        frames = list(capture.frames)  # a live session appends to them meanwhile
        return _table(frames, list(frame_cells(capture, frames)))


def table_of(frames: Sequence[DecodedFrame]) -> Table:
    """As `frame_table`, of frames that are already decoded."""
    return _table([decoded.frame for decoded in frames], [cells_of(decoded) for decoded in frames])


def _table(frames: Sequence[Frame], cells: Sequence[Cells]) -> Table:
    import numpy as np
    import pandas as pd

    from .table import Table

    times = [frame.t for frame in frames]
    array = np.array(times)  # of which pandas makes the same timestamps as of a list, in a tenth of the time
    return Table(
        {
            "t": pd.to_datetime(array if times else times, unit="s", utc=True, errors="coerce"),
            "elapsed_s": pd.Series(array - array[:1] if times else [], dtype="float64"),
            "direction": pd.Series([frame.direction for frame in frames], dtype="str"),
            "kind": pd.Series([cell.kind for cell in cells], dtype="str"),
            "sequence_num": pd.array([cell.sequence_num for cell in cells], dtype="UInt64"),
            "size": pd.Series([len(frame.data) for frame in frames], dtype="int64"),
            "summary": pd.Series([cell.summary for cell in cells], dtype="str"),
            "session": pd.Series([frame.session for frame in frames], dtype="object"),
            "value": pd.Series([cell.value for cell in cells], dtype="object"),
        },
        index=pd.RangeIndex(len(frames), name="frame"),
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """A recording in numbers. Durations are in seconds of the recording's clock.

    ``certificates_valid`` of ``certificates`` canister messages are authentic; both are 0 if nothing was
    verified. ``ended`` says how the connection closed, or is None if no close was recorded.
    """

    frames: int
    opened: bool
    open_latency_s: float | None
    sent: int
    received: int
    acks: int
    keep_alives: int
    malformed: int
    certificates: int
    certificates_valid: int
    ended: str | None
    duration_s: float

    @property
    def all_valid(self) -> bool:
        return self.certificates > 0 and self.certificates == self.certificates_valid and not self.malformed

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(frames: Sequence[DecodedFrame], verdicts: Iterable[MessageVerdict] = ()) -> Summary:
    """Count what happened. ``verdicts`` belong to the same frames."""
    kinds = Counter(d.kind for d in frames)
    judged = list(verdicts)
    asked = next((d.frame.t for d in frames if d.kind == "open_request"), None)
    opened = next((d.frame.t for d in frames if d.kind == "open"), None)
    times = [d.frame.t for d in frames]
    return Summary(
        frames=len(frames),
        opened=opened is not None,
        open_latency_s=None if asked is None or opened is None else opened - asked,
        sent=kinds["message"],
        received=kinds["app"],
        acks=kinds["ack"],
        keep_alives=kinds["keep_alive"],
        malformed=kinds["malformed"],
        certificates=len(judged),
        certificates_valid=sum(verdict.ok for verdict in judged),
        ended=next((d.summary for d in frames if d.frame.op == "close"), None),
        duration_s=max(times) - min(times) if times else 0.0,
    )


class Recording:
    """A recorded session, or several.

    A live session, a tap, a lab's scenario, a simulation and `load` all give a Recording::

        recording = icws.load("session.icws")
        recording[3]                            # frame 3, decoded
        [frame for frame in recording if frame.kind == "ack"]
        recording.verify()                      # the proofs, step by step
        recording.doctor()                      # what is wrong

    Its length is the number of frames, and iterating decodes each frame. ``raw`` is the `Capture` below it. A live
    session appends frames to it.
    """

    def __init__(self, raw: Capture) -> None:
        self.raw = raw

    @property
    def info(self) -> SessionInfo:
        """The configuration: URLs, canister, root key, clock, application type."""
        return self.raw.info

    @property
    def notes(self) -> list[str]:
        """What could not be read from the file, as lines of text."""
        return self.raw.notes

    def frames(self) -> Table:
        """Return a pandas DataFrame with a row for each frame, indexed by frame number.

        Its columns are ``t`` (UTC timestamps of the recording's clock), ``elapsed_s`` (seconds since the first frame),
        ``direction`` ("out" is sent by the client), ``kind``, ``sequence_num``, ``size`` (bytes), ``summary``,
        ``session`` and ``value`` (the application's message, or None).
        """
        return frame_table(self.raw)

    def verify(self, *, root_key: bytes | None = None, canister_id: Principal | None = None) -> Verdicts:
        """Verify each canister message at the time of its receipt. Returns a verdict for each.

        ``root_key`` (DER) and ``canister_id`` replace those of the recording. Raises IcwsError if no root key is
        known, or if the recording was simulated with stand-in cryptography.
        """
        return Verdicts(verify_capture(self.raw, root_key=root_key, canister_id=canister_id))

    def check_envelopes(
        self, *, root_key: bytes | None = None, canister_id: Principal | None = None
    ) -> EnvelopeVerdicts:
        """Check each request of the client as a replica does. Returns a verdict for each.

        Raises IcwsError if the recording was simulated with stand-in cryptography.
        """
        return EnvelopeVerdicts(check_envelopes(self.raw, root_key=root_key, canister_id=canister_id))

    def doctor(self, *, root_key: bytes | None = None, canister_id: Principal | None = None) -> Findings:
        """Return what is wrong as a list of findings, the worst first. The list of a healthy recording is empty.

        Each finding has an id, the frames that prove it, an explanation and a fix. ``root_key`` (DER) and
        ``canister_id`` replace those of the recording.
        """
        from .doctor import diagnose

        return diagnose(self.raw, root_key=root_key, canister_id=canister_id)

    def replay(
        self,
        *,
        root_key: bytes | None = None,
        canister_id: Principal | None = None,
        ack_interval_ms: int | None = None,
    ) -> Replays:
        """Run each session through the real SDK's state machine, and compare how it ends.

        ``ack_interval_ms`` is the client's ack interval in milliseconds, by default that of the recording.
        """
        from .replay.replay import replay_sessions
        from .replay.text import Replays

        return Replays(
            replay_sessions(self.raw, root_key=root_key, canister_id=canister_id, ack_interval_ms=ack_interval_ms)
        )

    def compare(self, other: Recording, *, names: tuple[str, str] = ("this", "the other")) -> Comparison:
        """Align both recordings by protocol events and return what differs; keys, nonces and times always do.

        ``names`` are what the texts call the two. Choose single sessions with `session`. Raises CaptureError if
        one of them has no session of this protocol, ArgumentTypeError if ``other`` is no recording.
        """
        from .compare import compare

        if not isinstance(other, Recording):
            raise ArgumentTypeError(
                f"other must be a recording, as icws.load(path) gives it, not {type(other).__name__}"
            )
        return compare(self.raw, other.raw, names=names)

    def as_python(self) -> str:
        """Return Python code that rebuilds the recording as the variable ``recording``, with its imports."""
        from .python_text import recording_code

        return recording_code(self.raw)

    def summary(self) -> Summary:
        """Return the recording in numbers. Certificates are counted if the root key is known."""
        verdicts = self.verify() if self.raw.info.root_key is not None else Verdicts()
        return summarise(list(shared_frames(self.raw)), verdicts)

    def timing(self, *, session: str | None = None) -> Timing:
        """Return the timing of all sessions, or of the named one: tables whose columns end in their units.

        The tables are ``messages``, ``acks``, ``keep_alives``, ``opens``, ``certificates`` and ``skews``. They cover
        the recording as it is now. Call this again for later frames of a live session.
        """
        return Timing(self.raw, session=session)

    def session(self, session_id: str | None) -> Recording:
        """Return one session of a recording that contains several. ``frame.session`` is the name of a session."""
        return Recording(self.raw.session(session_id))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an .icws file (compressed if ``path`` ends in .gz) and return its path. Raises CaptureError."""
        return save_capture(self.raw, path)

    def to_har(self, path: str | os.PathLike[str], *, redact: bool = False) -> Path:
        """Write a HAR file as Chrome writes it and return its path. Raises CaptureError.

        `load` gives the same frames back. A HAR does not hold the root key, the canister, the message type, the ack
        interval and the clock, nor connections that were lost (1006). With ``redact`` it holds type and size
        instead of messages.
        """
        from .export import to_har

        return to_har(self.raw, path, redact=redact)

    def to_csv(self, path: str | os.PathLike[str], *, redact: bool = False) -> Path:
        """Write the table of frames as CSV and return the path. Values are JSON text. Raises CaptureError."""
        from .export import to_csv

        return to_csv(self.raw, path, redact=redact)

    def to_parquet(self, path: str | os.PathLike[str], *, redact: bool = False) -> Path:
        """Write the table of frames and their bytes as Parquet and return the path.

        It needs pyarrow (``pip install "icws_explore[parquet]"``). Raises CaptureError, IcwsError without it.
        """
        from .export import to_parquet

        return to_parquet(self.raw, path, redact=redact)

    def __len__(self) -> int:
        return len(self.raw)

    def __iter__(self) -> Iterator[DecodedFrame]:
        return decode_frames(self.raw)

    def __getitem__(self, number: int) -> DecodedFrame:
        """Decode frame ``number``; negative numbers count from the end. Raises IndexError."""
        return decode_at(self.raw, number)

    def __repr__(self) -> str:
        info = self.raw.info
        what = f"canister {info.canister_id}" if info.canister_id else "an unnamed canister"
        return f"<Recording of {what}: {len(self)} frames, {self.raw.duration_s:.1f} s, clock {info.clock}>"


def load(path: str | os.PathLike[str]) -> Recording:
    """Load an ``.icws`` or ``.icws.gz`` file, a HAR file or a packet capture.

    ::

        recording = icws.load("session.icws")
        recording.doctor()

    What could not be read is listed in the recording's ``notes``. Raises CaptureError if the file cannot be read, or
    is of another kind.
    """
    return Recording(load_any(path))
