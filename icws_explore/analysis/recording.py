"""A recording as its user holds it: its frames decoded and as a table, verified, summarised, replayed.

`Capture` only stores frames. `Recording` is the same with the protocol's knowledge on top. Live sessions, taps,
simulations and files all give one, and every view takes one.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icws_explore.capture import Capture, SessionInfo
from icws_explore.capture import save as save_capture
from icws_explore.protocol.principal import Principal

from .decode import DecodedFrame, decode_at, decode_frames, shared_frames
from .envelopes import EnvelopeVerdicts, check_envelopes
from .imports import load_any
from .timing.timing import Timing
from .verify import MessageVerdict, Verdicts, verify_capture

if TYPE_CHECKING:
    from .doctor import Findings
    from .replay.text import Replays
    from .table import Table


def frame_table(capture: Capture) -> Table:
    """A row for each frame, indexed by frame number.

    Columns: ``t`` (UTC timestamps of the recording's clock), ``elapsed_s`` (seconds since the first
    frame), ``direction``, ``kind``, ``sequence_num`` (nullable integer), ``size`` (bytes),
    ``summary``, ``session`` and ``value`` (the application's message, else None).
    """
    import pandas as pd

    from .table import Table

    frames = list(shared_frames(capture))
    first = frames[0].frame.t if frames else 0.0
    return Table(
        {
            "t": pd.to_datetime([d.frame.t for d in frames], unit="s", utc=True),
            "elapsed_s": pd.Series([d.frame.t - first for d in frames], dtype="float64"),
            "direction": pd.Series([d.frame.direction for d in frames], dtype="str"),
            "kind": pd.Series([d.kind for d in frames], dtype="str"),
            "sequence_num": pd.array([d.sequence_num for d in frames], dtype="UInt64"),
            "size": pd.Series([d.size for d in frames], dtype="int64"),
            "summary": pd.Series([d.summary for d in frames], dtype="str"),
            "session": pd.Series([d.frame.session for d in frames], dtype="object"),
            "value": pd.Series([_own(d.value) for d in frames], dtype="object"),
        },
        index=pd.RangeIndex(len(frames), name="frame"),
    )


def _own(value: Any) -> Any:
    """Copy an application value, so that a change in the table does not reach other views."""
    return copy.deepcopy(value) if isinstance(value, (dict, list, tuple)) else value


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
    """A recorded session, or several. ``raw`` is the capture underneath; a live session appends to it."""

    def __init__(self, raw: Capture) -> None:
        self.raw = raw

    @property
    def info(self) -> SessionInfo:
        """The configuration: URLs, canister, root key, clock, application type."""
        return self.raw.info

    @property
    def notes(self) -> list[str]:
        """What could not be read from the file, in plain lines."""
        return self.raw.notes

    def frames(self) -> Table:
        """A row for each frame; `frame_table` lists the columns with their units."""
        return frame_table(self.raw)

    def verify(self, *, root_key: bytes | None = None, canister_id: Principal | None = None) -> Verdicts:
        """Verify each canister message at the time of its receipt. Raises IcwsError without a root key."""
        return Verdicts(verify_capture(self.raw, root_key=root_key, canister_id=canister_id))

    def check_envelopes(
        self, *, root_key: bytes | None = None, canister_id: Principal | None = None
    ) -> EnvelopeVerdicts:
        """Check each request of the client as a replica does. Raises IcwsError for simulated cryptography."""
        return EnvelopeVerdicts(check_envelopes(self.raw, root_key=root_key, canister_id=canister_id))

    def doctor(self, *, root_key: bytes | None = None, canister_id: Principal | None = None) -> Findings:
        """Return what is wrong, worst first, each with evidence and fix; empty for a healthy recording."""
        from .doctor import diagnose

        return diagnose(self.raw, root_key=root_key, canister_id=canister_id)

    def replay(
        self,
        *,
        root_key: bytes | None = None,
        canister_id: Principal | None = None,
        ack_interval_ms: int | None = None,
    ) -> Replays:
        """Run each session through the real SDK's state machine and compare how it ends.

        ``ack_interval_ms`` is in milliseconds and defaults to that of the recording.
        """
        from .replay.replay import replay_sessions
        from .replay.text import Replays

        return Replays(
            replay_sessions(self.raw, root_key=root_key, canister_id=canister_id, ack_interval_ms=ack_interval_ms)
        )

    def as_python(self) -> str:
        """Python code that rebuilds the recording as the variable ``recording``, with its imports."""
        from .python_text import recording_code

        return recording_code(self.raw)

    def summary(self) -> Summary:
        """Return the recording in numbers; certificates count if the root key is known."""
        verdicts = self.verify() if self.raw.info.root_key is not None else Verdicts()
        return summarise(list(shared_frames(self.raw)), verdicts)

    def timing(self, *, session: str | None = None) -> Timing:
        """Return timing tables: messages, acks, keep-alives, opens, certificates, skew; of all sessions or one.

        The tables cover the recording as it is now. Call again for later frames of a live session.
        """
        return Timing(self.raw, session=session)

    def session(self, session_id: str | None) -> Recording:
        """Return one session of a recording that holds several."""
        return Recording(self.raw.session(session_id))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an .icws file and return its path. Raises CaptureError."""
        return save_capture(self.raw, path)

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
    """Load an ``.icws`` or ``.icws.gz`` file, a HAR file or a packet capture. Raises CaptureError."""
    return Recording(load_any(path))
