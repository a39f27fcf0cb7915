"""`.icws` files: JSON Lines, append-only, one flush a frame, gzip when the name ends in `.gz`.

A recorder may be killed at any moment, and files get damaged, so a reader keeps every whole frame, and
says what it left out.

The lines of an `.icws` file, packed or not: within bounds, and up to where a damaged one ends.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NamedTuple, Self

from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.type_checks import checked

from .capture import Capture, SessionInfo
from .files import START, FileKind, kind_of, open_file, unreadable
from .frame import Frame, encodable

MAX_LINE: Final = 48 * 1024 * 1024  # bytes: base64 of the largest message that any gateway lets through, and room
MAX_LINES: Final = 2_000_000  # blank and unreadable ones too
MAX_UNPACKED: Final = 512 * 1024 * 1024  # bytes; gzip makes a thousand of one, so a small file could fill any memory


class Line(NamedTuple):
    """``number`` counts from 1, blank ones too; ``is_whole`` says whether it ended with a newline."""

    number: int
    text: bytes
    is_whole: bool


def read_lines(path: Path, notes: list[str]) -> Iterator[Line]:
    """Each line that is not blank; ``notes`` say where a damaged file ends. Raises CaptureError if it is unreadable."""
    with open_file(path) as raw:
        is_packed = raw.peek(2)[:2] == b"\x1f\x8b"
        stream: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if is_packed else raw
        unpacked = 0
        for number in range(1, MAX_LINES + 1):
            try:
                text = stream.readline(MAX_LINE)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                notes.append(f"the file ends in the middle of line {number}: {error}")
                return
            except OSError as error:
                if number == 1:
                    raise unreadable(path, error) from error
                notes.append(f"the file could be read up to line {number}: {error.strerror or error}")
                return
            if not text:
                return
            unpacked += len(text)
            if is_packed and unpacked > MAX_UNPACKED:
                notes.append(
                    f"line {number} and what follows left out: more than {MAX_UNPACKED} bytes, unpack it first"
                )
                return
            if text.strip():
                yield Line(number, text, text.endswith(b"\n"))
        notes.append(f"what follows line {MAX_LINES} is left out")


MAX_FRAMES: Final = 1_000_000
MAX_NOTES: Final = 20  # a file that is no capture after its first line must not fill the screen
MAX_SAID: Final = 200  # notes that the file itself holds
_IMPORT: Final = ": turn it into a capture with icws import"
_ADVICE: Final = {
    FileKind.HAR: _IMPORT,
    FileKind.PCAP: _IMPORT,
    FileKind.GZIP: ": unpack it first",
    FileKind.ZIP: ": unpack it first",
    FileKind.UTF16: ": save it as UTF-8",
}


class CaptureWriter:
    """Appends frames to a file as they pass. Use as a context manager, or call `close`."""

    def __init__(self, path: str | os.PathLike[str], info: SessionInfo, notes: Iterable[str] = ()) -> None:
        """``notes`` are kept in the file: what it does not hold of what it was made from."""
        self.path = Path(path)
        try:
            self._raw: IO[bytes] = self.path.open("wb")
        except OSError as error:
            raise CaptureError(f"cannot write {self.path}: {error.strerror}") from error
        except ValueError as error:  # a NUL in the name
            raise CaptureError(f"cannot write {str(self.path)!r}: {error}") from error
        is_packed = self.path.suffix == ".gz"
        self._gzip = gzip.GzipFile(fileobj=self._raw, mode="wb", mtime=0) if is_packed else None
        said = {"notes": [encodable(note) for note in notes]}
        try:
            self._put(info.to_json() | (said if said["notes"] else {}))
        except CaptureError:
            with contextlib.suppress(OSError):  # closing tries once more to write
                self._raw.close()
            raise

    def write(self, frame: Frame) -> None:
        """Append one frame; it is with the operating system when this returns. Raises CaptureError."""
        self._put(frame.to_json())

    def note(self, text: str) -> None:
        """Append something worth knowing that no frame says. Raises CaptureError."""
        self._put({"note": encodable(text)})

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


@checked(path="the file's path")
def save(capture: Capture, path: str | os.PathLike[str]) -> Path:
    """Write a whole capture. Raises CaptureError."""
    with CaptureWriter(path, capture.info, capture.notes) as writer:
        for frame in capture.frames:
            writer.write(frame)
    return writer.path


@checked(path="the file's path")
def load(path: str | os.PathLike[str]) -> Capture:
    """Read an `.icws` or `.icws.gz` file up to its last whole frame.

    What had to be left out is said in ``capture.notes``, behind the notes that the file itself holds. A
    damaged first line costs what it said; only a file without any readable frame behind it is refused.
    Raises CaptureError for one that cannot be opened or is no capture.
    """
    path = Path(path)
    notes: list[str] = []
    lines = read_lines(path, notes)
    first = next(lines, None)
    if first is None:
        raise CaptureError(f"{path} is empty{': ' + notes[0] if notes else ''}; it holds no capture")
    head, fault = _head(path, first, notes)
    capture = Capture(head, notes=notes)
    unreadable = said = 0
    for line in lines if fault is None else chain([first], lines):
        if len(capture.frames) >= MAX_FRAMES:
            notes.append(f"line {line.number} and what follows left out: more than {MAX_FRAMES} frames")
            break
        try:
            members = _object(line.text)
            if isinstance(note := members.get("note"), str):
                said += 1
                if said <= MAX_SAID:
                    notes.append(encodable(note))
                continue
            capture.frames.append(Frame.from_json(members))
        except CaptureError as error:
            unreadable += 1
            if fault is not None and unreadable > MAX_NOTES and not capture.frames:
                break  # no capture at all
            if unreadable <= MAX_NOTES and line.number > 1:
                notes.append(_left_out(line, error))
    if fault is not None and not capture.frames:
        raise CaptureError(fault)
    if unreadable > MAX_NOTES:
        notes.append(f"{unreadable - MAX_NOTES} more lines left out")
    return capture


def _head(path: Path, first: Line, notes: list[str]) -> tuple[SessionInfo, str | None]:
    """What line 1 says. Where that is not all that it should: why the file is no capture if no frame follows."""
    try:
        line = _object(first.text)
        info, faults = SessionInfo.readable(line)
    except CaptureError as error:
        kind = kind_of(first.text[:START])
        if kind not in (FileKind.CAPTURE, FileKind.OTHER):
            raise CaptureError(f"{path} is not a capture, it is {kind}{_ADVICE.get(kind, '')}") from error
        if kind is FileKind.CAPTURE and _is_whole(first.text):  # of another version
            raise CaptureError(f"{path} is not a capture that can be read here: {error}") from error
        notes.append(f"line 1, which says what was configured, cannot be read ({error})")
        return SessionInfo(), f"{path} is not a capture: {error}"
    said = line.get("notes")
    if isinstance(said, list):
        notes.extend(encodable(note) for note in said[:MAX_SAID] if isinstance(note, str) and note)
    notes.extend(f"line 1: {fault}; that is left out" for fault in faults)
    return info, f"{path} is not a capture: {faults[0]}" if faults else None


def _left_out(line: Line, error: CaptureError) -> str:
    if line.is_whole:
        return f"line {line.number} left out: {error}"
    return f"line {line.number} is torn (the recorder was stopped while writing it) and left out"


def _is_whole(text: bytes) -> bool:
    try:
        return bool(_object(text))
    except CaptureError:
        return False


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CaptureError("not JSON") from error
    if not isinstance(value, dict):
        raise CaptureError("not a JSON object")
    return value
