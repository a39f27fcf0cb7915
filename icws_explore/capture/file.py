"""`.icws` files: JSON Lines, append-only, one flush a frame, gzip when the name ends in `.gz`.

A recorder may be killed at any moment, so a reader keeps every whole frame, and says what it left
out. Only a file whose first line is unreadable is refused.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from icws_explore.protocol.argument_types import checked
from icws_explore.protocol.errors import CaptureError

from .capture import Capture
from .frame import Frame
from .info import SessionInfo

MAX_LINE: Final = 48 * 1024 * 1024  # bytes: base64 of the largest message that any gateway lets through, and room
MAX_FRAMES: Final = 2_000_000
MAX_NOTES: Final = 20  # a file that is no capture after its first line must not fill the screen


class CaptureWriter:
    """Appends frames to a file as they pass. Use as a context manager, or call `close`."""

    def __init__(self, path: str | os.PathLike[str], info: SessionInfo) -> None:
        self.path = Path(path)
        try:
            self._raw: IO[bytes] = self.path.open("wb")
        except OSError as error:
            raise CaptureError(f"cannot write {self.path}: {error.strerror}") from error
        self._gzip = gzip.GzipFile(fileobj=self._raw, mode="wb", mtime=0) if _is_gzip(self.path) else None
        try:
            self._put(info.to_json())
        except CaptureError:
            with contextlib.suppress(OSError):  # closing tries once more to write
                self._raw.close()
            raise

    def write(self, frame: Frame) -> None:
        """Append one frame; it is with the operating system when this returns. Raises CaptureError."""
        self._put(frame.to_json())

    def _put(self, line: dict[str, Any]) -> None:
        encoded = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            if self._gzip is None:
                self._raw.write(encoded)
            else:
                self._gzip.write(encoded)
                self._gzip.flush()  # a sync flush: what is written so far can be read back
            self._raw.flush()
        except (OSError, ValueError) as error:
            raise CaptureError(f"cannot write {self.path}: {error}") from error

    def close(self) -> None:
        if self._gzip is not None:
            self._gzip.close()
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None) -> None:
        self.close()


@checked(CaptureError, path="the file's path")
def save(capture: Capture, path: str | os.PathLike[str]) -> Path:
    """Write a whole capture. Raises CaptureError."""
    with CaptureWriter(path, capture.info) as writer:
        for frame in capture.frames:
            writer.write(frame)
    return writer.path


@checked(CaptureError, path="the file's path")
def load(path: str | os.PathLike[str]) -> Capture:
    """Read an `.icws` or `.icws.gz` file up to its last whole frame.

    What had to be left out is said in ``capture.notes``. Raises CaptureError when the file cannot
    be opened or its first line is not that of a capture.
    """
    path = Path(path)
    notes: list[str] = []
    lines = _lines(path, notes)
    first = next(lines, None)
    if first is None:
        raise CaptureError(f"{path} is empty{': ' + notes[0] if notes else ''}; it holds no capture")
    try:
        info = SessionInfo.from_json(_object(first[1]))
    except CaptureError as error:
        raise CaptureError(f"{path} is not a capture: {error}") from error
    capture = Capture(info, notes=notes)
    unreadable = 0
    for number, text, whole in lines:
        if len(capture.frames) >= MAX_FRAMES:
            notes.append(f"line {number} and what follows left out: more than {MAX_FRAMES} frames")
            break
        try:
            capture.frames.append(Frame.from_json(_object(text)))
        except CaptureError as error:
            unreadable += 1
            if unreadable > MAX_NOTES:
                continue
            if whole:
                notes.append(f"line {number} left out: {error}")
            else:
                notes.append(f"line {number} is torn (the recorder was stopped while writing it) and left out")
    if unreadable > MAX_NOTES:
        notes.append(f"{unreadable - MAX_NOTES} more lines left out")
    return capture


def _lines(path: Path, notes: list[str]) -> Iterator[tuple[int, bytes, bool]]:
    """(line number from 1, text, whether it ended in a newline) for each line that is not blank."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from error
    with raw:
        try:
            is_gzip = raw.peek(2)[:2] == b"\x1f\x8b" if hasattr(raw, "peek") else _is_gzip(path)
        except OSError as error:
            raise CaptureError(f"cannot read {path}: {error.strerror}") from error
        stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if is_gzip else raw  # type: ignore[assignment]  # same API
        number = 0
        while True:
            try:
                text = stream.readline(MAX_LINE)
            except (EOFError, OSError, zlib.error) as error:
                if isinstance(error, IsADirectoryError):
                    raise CaptureError(f"cannot read {path}: it is a directory") from error
                notes.append(f"the file ends in the middle of line {number + 1}: {error}")
                return
            if not text:
                return
            number += 1
            if text.strip():
                yield number, text, text.endswith(b"\n")


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CaptureError("not JSON") from error
    if not isinstance(value, dict):
        raise CaptureError("not a JSON object")
    return value


def _is_gzip(path: Path) -> bool:
    return path.suffix == ".gz"
