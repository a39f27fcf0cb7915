"""The tables of a dataset: what each row is of, which columns it has, and how a recording becomes rows.

The columns of ``frames`` are those of `frame_table`, those of ``acks`` and ``keep_alives`` those of the timing tables,
so a column has one name wherever it is met. Every table begins with ``recording``, the recording's name in the dataset,
and ``day``, a UTC date (YYYY-MM-DD): of the frame, or of the session's first frame.

- ``sessions``: a row for each session, with its configuration and its `Summary`.
- ``findings``: a row for each of the doctor's findings.

A redacted recording is judged on its real bytes first. Its tables then hold no message, no bytes and no words of
others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from icws_explore.capture import Capture, SessionInfo
from icws_explore.capture.files import collector_paused
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal

from ..compare.sides import spoken_versions
from ..decode import DecodedFrame
from ..doctor import Findings, diagnose
from ..export import exported, table_of_export
from ..recording import summarise
from ..timing.timing import Timing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TABLES: Final = ("frames", "sessions", "findings", "acks", "keep_alives")
ARROW_EXTRA: Final = 'a dataset needs pyarrow: pip install "icws_explore[parquet]"'

Rows = Mapping[str, "pd.DataFrame"]


@dataclass(frozen=True, slots=True)
class Examined:
    """A recording's tables by name, and what else is told of it. ``frames`` is in them only if it was asked for."""

    tables: Rows
    state: str
    frames: int
    sessions: int


def examined(
    capture: Capture,
    name: str,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    redact: bool = False,
    with_frames: bool = True,
) -> Examined:
    """Examine a recording, which is called ``name``, and return its tables.

    ``root_key`` (DER) and ``canister_id`` are as for `Recording.doctor`.
    """
    with collector_paused():
        findings = diagnose(capture, root_key=root_key, canister_id=canister_id)
        kept, frames = exported(capture, redact=redact)
        sessions = _by_session(frames)
        days = {session: day_of(ours[0].frame.t) for session, ours in sessions.items()}
        timing = Timing(kept, frames=frames)
        tables = {
            "sessions": _sessions(kept.info, sessions, days, name),
            "findings": _findings(findings, _renamed(capture, kept), days, name, redact=redact),
            "acks": _dated(timing.acks, days, name),
            "keep_alives": _dated(timing.keep_alives, days, name),
        }
        if with_frames:
            tables["frames"] = _frames(frames, name, redact=redact)
    return Examined(tables, findings.state, len(frames), len(sessions))


def day_of(t: float) -> str:
    """The UTC date of a time in seconds since the epoch, as YYYY-MM-DD; of times beyond all calendars, the last one."""
    try:
        return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d").rjust(10, "0")
    except (ValueError, OverflowError, OSError):
        return "0001-01-01" if t < 0 else "9999-12-31"


def _by_session(frames: Sequence[DecodedFrame]) -> dict[str | None, list[DecodedFrame]]:
    found: dict[str | None, list[DecodedFrame]] = {}
    for decoded in frames:
        if not decoded.frame.is_http:
            found.setdefault(decoded.frame.session, []).append(decoded)
    return found


def _renamed(capture: Capture, kept: Capture) -> Mapping[str | None, str | None]:
    """The name in the tables of each session: redaction replaces names that came with a file."""
    if kept is capture:
        return {session: session for session in capture.session_ids}
    from ..redaction.redact import public_capture

    pairs = zip(capture.frames, public_capture(capture).frames, strict=True)
    return {before.session: after.session for before, after in pairs}


def _frames(frames: Sequence[DecodedFrame], name: str, *, redact: bool) -> pd.DataFrame:
    table = table_of_export(frames, redact=redact)
    table["data"] = [None if redact else decoded.frame.data for decoded in frames]
    table = table.reset_index()
    table.insert(0, "recording", name)
    table.insert(1, "day", [day_of(decoded.frame.t) for decoded in frames])
    return table


def _sessions(
    info: SessionInfo, sessions: Mapping[str | None, list[DecodedFrame]], days: Mapping[str | None, str], name: str
) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {"recording": name, "day": days[session], "session": session, **_session(info, frames)}
        for session, frames in sessions.items()
    ]
    return pd.DataFrame(rows, columns=[field.name for field in schema_of("sessions")])


def _session(info: SessionInfo, frames: Sequence[DecodedFrame]) -> dict[str, Any]:
    asked = next((decoded.envelope for decoded in frames if decoded.envelope is not None), None)
    greeted = next((decoded.handshake for decoded in frames if decoded.handshake is not None), None)
    canister = None if asked is None or asked.canister_id is None else asked.canister_id.text
    client = None if asked is None or asked.sender is None else asked.sender.text
    ended = next((decoded for decoded in frames if decoded.frame.op == "close"), None)
    counted = summarise(frames).to_json()
    del counted["certificates"], counted["certificates_valid"]  # the findings say what is not authentic
    return {
        "t": frames[0].frame.t,
        "canister_id": canister or info.canister_id,
        "gateway_url": info.gateway_url,
        "gateway_principal": None if greeted is None else greeted.gateway_principal.text,
        "client_principal": client or info.client_principal,
        "origin": info.origin,
        "clock": str(info.clock),
        "versions": [f"{what}: {version}" for what, version in spoken_versions(frames).items()],
        "size": sum(decoded.size for decoded in frames),
        "code": None if ended is None else ended.frame.code,
        **counted,
    }


def _findings(
    findings: Findings,
    names: Mapping[str | None, str | None],
    days: Mapping[str | None, str],
    name: str,
    *,
    redact: bool,
) -> pd.DataFrame:
    import pandas as pd

    first_day = min(days.values(), default=day_of(0.0))
    rows = []
    for finding in findings:
        ours = [names.get(session, session) for session in finding.sessions]
        rows.append(
            {
                "recording": name,
                "day": min((days[session] for session in ours if session in days), default=first_day),
                "cause": finding.id,
                "severity": finding.severity,
                "sessions": ours,
                "frames": list(finding.frames),
                "explanation": None if redact else finding.explanation,
                "fix": finding.fix,
            }
        )
    return pd.DataFrame(rows, columns=[field.name for field in schema_of("findings")])


def _dated(table: pd.DataFrame, days: Mapping[str | None, str], name: str) -> pd.DataFrame:
    dated = table.copy()
    dated.insert(0, "recording", name)
    dated.insert(1, "day", [days[session if isinstance(session, str) else None] for session in table["session"]])
    return dated


@cache
def schema_of(table: str) -> pa.Schema:
    """The columns of a table with their types. Raises IcwsError without pyarrow.

    Every file of a table has them, also one without rows, so a reader never has to unite two kinds of files.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise IcwsError(ARROW_EXTRA) from error
    text, whole, real = pa.string(), pa.uint64(), pa.float64()
    head = [("recording", text), ("day", text)]
    seconds = pa.timestamp("ns", tz="UTC")
    columns: dict[str, list[tuple[str, Any]]] = {
        "frames": [
            ("frame", pa.int64()), ("t", seconds), ("elapsed_s", real), ("direction", text), ("kind", text),
            ("sequence_num", whole), ("size", pa.int64()), ("summary", text), ("session", text), ("value", text),
            ("op", text), ("code", pa.uint16()), ("reason", text), ("data", pa.binary()),
        ],
        "sessions": [
            ("session", text), ("t", real), ("canister_id", text), ("gateway_url", text), ("gateway_principal", text),
            ("client_principal", text), ("origin", text), ("clock", text), ("versions", pa.list_(text)),
            ("frames", pa.int64()), ("size", pa.int64()), ("opened", pa.bool_()), ("open_latency_s", real),
            ("sent", pa.int64()), ("received", pa.int64()), ("acks", pa.int64()), ("keep_alives", pa.int64()),
            ("malformed", pa.int64()), ("ended", text), ("code", pa.uint16()), ("duration_s", real),
        ],
        "findings": [
            ("cause", text), ("severity", text), ("sessions", pa.list_(text)), ("frames", pa.list_(pa.int64())),
            ("explanation", text), ("fix", text),
        ],
        "acks": [
            ("session", text), ("frame", pa.int64()), ("sequence_num", whole), ("acks", whole), ("made_s", real),
            ("certified_s", real), ("received_s", real), ("spacing_made_s", real), ("spacing_received_s", real),
            ("covers_first", whole), ("covers_last", whole), ("oldest_age_s", real), ("limit_s", real),
            ("margin_s", real), ("since_restart_s", real),
        ],
        "keep_alives": [
            ("session", text), ("ack_frame", pa.int64()), ("frame", pa.int64()), ("sequence_num", whole),
            ("ack_made_s", real), ("ack_received_s", real), ("sent_s", real), ("delay_seen_s", real),
            ("delay_sent_s", real), ("delay_arrived_s", real), ("delay_arrived_min_s", real),
            ("delay_arrived_max_s", real), ("limit_s", real), ("margin_s", real), ("outcome", text),
        ],
    }  # fmt: skip
    return pa.schema([*head, *columns[table]])


def as_arrow(table: str, rows: pd.DataFrame) -> pa.Table:
    """The rows as an Arrow table of the columns of ``table``. Raises IcwsError without pyarrow."""
    schema = schema_of(table)
    import pyarrow as pa

    return pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
