"""A capture as a table, and in a few numbers."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from icws_explore.capture import Capture

from .decode import DecodedFrame, shared_frames
from .verify import MessageVerdict

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("frame", "t", "elapsed_s", "direction", "kind", "sequence_num", "size", "summary", "session")


def frame_row(decoded: DecodedFrame) -> dict[str, Any]:
    """One frame as the object that `icws show --json` prints. ``t`` is in seconds since the epoch."""
    return {
        "frame": decoded.number,
        "t": decoded.frame.t,
        "direction": decoded.frame.direction,
        "kind": decoded.kind,
        "sequence_num": decoded.sequence_num,
        "size": decoded.size,
        "summary": decoded.summary,
    }


def frame_table(capture: Capture) -> pd.DataFrame:
    """A row a frame, indexed by frame number.

    Columns: ``t`` (UTC timestamps of the capture's clock), ``elapsed_s`` (seconds since the first
    frame), ``direction``, ``kind``, ``sequence_num`` (nullable integer), ``size`` (bytes),
    ``summary``, ``session`` and ``value`` (the application's message, else None).
    """
    import pandas as pd

    frames = list(shared_frames(capture))
    first = frames[0].frame.t if frames else 0.0
    return pd.DataFrame(
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
    """The table's own copy of an application's value: what is done to it there must not reach other views."""
    return copy.deepcopy(value) if isinstance(value, (dict, list, tuple)) else value


@dataclass(frozen=True, slots=True)
class Summary:
    """A session in numbers. Durations in seconds of the capture's clock.

    ``certificates_valid`` of ``certificates`` canister messages verified; both 0 when nothing was
    verified. ``ended`` is how the connection closed, or None while it is open.
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
    """Count what happened. ``verdicts`` are those of the same frames."""
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
