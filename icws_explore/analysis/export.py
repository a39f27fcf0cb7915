"""A recording for other tools: a HAR as Chrome writes it, a table as CSV or Parquet.

`to_har`, `to_csv` and `to_parquet` write a file; `Recording` has them as methods. Spans for OpenTelemetry are in
spans.py. Redacted, they hold of each application message the type and the size instead of its bytes and words (see
redaction/), and nothing of sockets that speak another protocol. Credentials in URLs and reasons never leave.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from icws_explore.capture import Capture, Frame
from icws_explore.capture.har_writer import save_har
from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.errors import CaptureError, IcwsError
from icws_explore.protocol.principal import Principal

from .decode import DecodedFrame, shared_frames
from .doctor.facts import CaptureFacts
from .redaction.pseudonyms import WithheldValue
from .redaction.redact import public_capture, without_words

if TYPE_CHECKING:
    import pandas as pd

PARQUET_EXTRA: Final = 'to_parquet needs pyarrow: pip install "icws_explore[parquet]"'


def exported(capture: Capture, *, redact: bool = False) -> tuple[Capture, list[DecodedFrame]]:
    """The capture that may leave, with its decoded frames. Redacted frames keep their bytes, to be judged by."""
    if not redact:
        return capture, list(shared_frames(capture))
    capture = public_capture(capture)
    others = {each.session for each in CaptureFacts(capture).left_out}
    frames = [d for d in shared_frames(capture) if d.frame.is_http or d.frame.session not in others]
    kept = Capture(capture.info, [d.frame for d in frames], capture.notes, capture.page_calls)
    return kept, [without_words(decoded) for decoded in frames]


def to_har(capture: Capture, path: str | os.PathLike[str], *, redact: bool = False) -> Path:
    """Write a HAR file and return its path; `har_writer.har_loss` says what it does not hold. Raises CaptureError."""
    if not redact:
        return save_har(capture, path)
    kept, frames = exported(capture, redact=True)
    said = {id(decoded.frame): f"{decoded.kind}, {decoded.size} bytes: {decoded.summary}" for decoded in frames}

    def shown(frame: Frame) -> str:
        return said[id(frame)]

    return save_har(kept, path, shown=shown)


def export_table(capture: Capture, *, redact: bool = False) -> pd.DataFrame:
    """The columns of `frame_table` and ``op``, ``code`` and ``reason``; ``value`` is JSON text."""
    return table_of_export(exported(capture, redact=redact)[1], redact=redact)


def table_of_export(frames: Sequence[DecodedFrame], *, redact: bool = False) -> pd.DataFrame:
    """As `export_table`, of frames that `exported` gave."""
    from .recording import table_of

    table = table_of(frames)
    table["summary"] = [without_credentials(text) for text in table["summary"]]
    table["value"] = [_json(decoded, redact=redact) for decoded in frames]
    table["op"] = [decoded.frame.op for decoded in frames]
    table["code"] = _column([decoded.frame.code for decoded in frames], "UInt16")
    reasons = [decoded.frame.reason for decoded in frames]
    table["reason"] = [None if reason is None else without_credentials(reason) for reason in reasons]
    return table


def _column(values: Sequence[Any], dtype: Any) -> Any:
    import pandas as pd

    return pd.array(values, dtype=dtype)


def to_csv(capture: Capture, path: str | os.PathLike[str], *, redact: bool = False) -> Path:
    """Write the frames as CSV in UTF-8 and return the path. Raises CaptureError.

    A cell that a spreadsheet would take for a formula gets a ' in front.
    """
    table = export_table(capture, redact=redact)
    for name in ("summary", "value", "reason", "session"):
        table[name] = [harmless(cell) for cell in table[name]]
    return _written(path, lambda target: table.to_csv(target, encoding="utf-8", errors="replace"))


_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def harmless(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula with a ' in front; anything else as it is."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def to_parquet(capture: Capture, path: str | os.PathLike[str], *, redact: bool = False) -> Path:
    """Write the frames as Parquet and return the path. Raises CaptureError, IcwsError without pyarrow.

    Unless it is redacted, the column ``data`` holds each frame's bytes. The file's metadata holds the configuration
    as line 1 of an .icws file does, under the key icws.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise IcwsError(PARQUET_EXTRA) from error
    kept, _ = exported(capture, redact=redact)
    table = export_table(capture, redact=redact)
    for name in ("summary", "value", "reason", "session"):
        table[name] = table[name].astype("object")
    made = pa.Table.from_pandas(table, preserve_index=True)
    if not redact:
        made = made.append_column("data", pa.array([frame.data for frame in kept.frames], type=pa.binary()))
    metadata = {**(made.schema.metadata or {}), b"icws": json.dumps(kept.info.to_json()).encode()}
    return _written(path, lambda target: pq.write_table(made.replace_schema_metadata(metadata), target))


def _written(path: str | os.PathLike[str], write: Any) -> Path:
    target = Path(path)
    try:
        write(target)
    except OSError as error:
        raise CaptureError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _json(decoded: DecodedFrame, *, redact: bool) -> str | None:
    """The application's message as JSON text: bytes as hexadecimal, principals as text; None if there is none."""
    if redact or not decoded.has_value or isinstance(decoded.value, WithheldValue):
        return None
    return json.dumps(decoded.value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.text if isinstance(value, Principal) else str(value)
