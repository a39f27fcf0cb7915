"""`.icws` files: JSON Lines, append-only, flushed after every frame, gzipped if the name ends in `.gz`.

Line 1 is the configuration (`SessionInfo`), every other line a frame or a note. A recorder may be killed
at any moment and files get damaged, so `load` keeps every complete frame and notes what it left out.
Lines, frames and unpacked bytes are bounded (the ``MAX_…`` constants).
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

import orjson

from icws_explore.protocol.budgets import FILE_FRAMES as MAX_FRAMES
from icws_explore.protocol.budgets import FILE_NOTE
from icws_explore.protocol.budgets import FILE_NOTES as MAX_SAID
from icws_explore.protocol.budgets import FILE_PAGE_CALLS as MAX_PAGE_CALLS
from icws_explore.protocol.budgets import RECORDING_LINE as MAX_LINE
from icws_explore.protocol.budgets import RECORDING_LINES as MAX_LINES
from icws_explore.protocol.budgets import RECORDING_PARTS as MAX_PARTS
from icws_explore.protocol.budgets import RECORDING_UNPACKED as MAX_UNPACKED
from icws_explore.protocol.budgets import RECORDING_UNREADABLE as MAX_UNREADABLE
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.type_checks import checked

from .capture import Capture, PageCall, SessionInfo
from .files import START, FileKind, kind_of, open_file, unreadable
from .frame import Frame, cut, encodable


class Line(NamedTuple):
    """``number`` counts from 1 and includes blank lines; ``is_whole`` says whether the line ended with a newline."""

    number: int
    text: bytes
    is_whole: bool


def read_lines(path: Path, notes: list[str]) -> Iterator[Line]:
    """Yield the lines that are not blank, and note where a damaged file ends. Raises CaptureError."""
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
                notes.append(f"the file could only be read up to line {number}: {error.strerror or error}")
                return
            if not text:
                return
            unpacked += len(text)
            if is_packed and unpacked > MAX_UNPACKED:
                notes.append(
                    f"everything from line {number} on is left out: more than {MAX_UNPACKED} bytes; unpack the file"
                )
                return
            if not text.isspace():
                yield Line(number, text, text.endswith(b"\n"))
        notes.append(f"everything after line {MAX_LINES} is left out")


MAX_NOTES: Final = 20  # unreadable lines that are described; the others are counted
_SHORT: Final = 65_536  # bytes of a line that orjson reads; it takes 13 bytes of memory for each
_CHANGE: Final = ("did", "far")  # members of a frame that may follow later
_IMPORT: Final = ": convert it with icws import"
_ADVICE: Final = {
    FileKind.HAR: _IMPORT,
    FileKind.PCAP: _IMPORT,
    FileKind.FLOWS: _IMPORT,
    FileKind.GZIP: ": unpack it first",
    FileKind.ZIP: ": unpack it first",
    FileKind.UTF16: ": save it as UTF-8",
}


class CaptureWriter:
    """Appends frames to a file as they pass. Use it as a context manager, or call `close`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: SessionInfo,
        notes: Iterable[str] = (),
        page_calls: Iterable[PageCall] = (),
    ) -> None:
        """``notes`` (for example what an import left out) and ``page_calls`` go into line 1. Raises CaptureError."""
        self.path = Path(path)
        try:
            self._raw: IO[bytes] = self.path.open("wb")
        except OSError as error:
            raise CaptureError(f"cannot write {self.path}: {error.strerror}") from error
        except ValueError as error:  # a NUL in the name
            raise CaptureError(f"cannot write {str(self.path)!r}: {error}") from error
        is_packed = self.path.suffix == ".gz"
        self._gzip = gzip.GzipFile(fileobj=self._raw, mode="wb", mtime=0) if is_packed else None
        said: dict[str, Any] = {"notes": [encodable(note) for note in notes]}
        calls = {"page_calls": [call.to_json() for call in page_calls]}
        try:
            self._put(_line(info.to_json() | (said if said["notes"] else {}) | (calls if calls["page_calls"] else {})))
        except CaptureError:
            with contextlib.suppress(OSError):  # closing tries to write once more
                self.close()
            raise

    def write(self, *frames: Frame) -> None:
        """Append frames and hand them to the operating system before returning. Raises CaptureError."""
        self._put(b"".join(frame.to_line() for frame in frames))

    def write_parts(self, parts: Iterable[bytes]) -> None:
        """Append the parts of a line, as `Frame.line_parts` gives them. Raises CaptureError."""
        self._put(*parts)

    def note(self, text: str) -> None:
        """Append a note. Raises CaptureError."""
        self._put(_line({"note": encodable(text)}))

    def amend(self, number: int, frame: Frame, text: str) -> None:
        """Append the ``did`` and ``far`` of ``frame``, number ``number`` of the file, with a note. Raises CaptureError.

        A reader that does not know this reads the note.
        """
        line = frame.to_json()
        self._put(
            _line({"note": encodable(text), "frame": number} | {name: line[name] for name in _CHANGE if name in line})
        )

    def _put(self, *parts: bytes) -> None:
        try:
            if self._gzip is None:
                self._raw.writelines(parts)
            else:
                self._gzip.writelines(parts)
                self._gzip.flush()  # a sync flush, so that everything written so far can be read back
            self._raw.flush()
        except (OSError, ValueError) as error:
            raise CaptureError(f"cannot write {self.path}: {error}") from error

    def close(self) -> None:
        """Close the file. Raises OSError if its end cannot be written; the file is closed all the same."""
        try:
            if self._gzip is not None:
                self._gzip.close()
        finally:
            self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None) -> None:
        self.close()


def _line(members: dict[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@checked(path="the file's path")
def save(capture: Capture, path: str | os.PathLike[str]) -> Path:
    """Write a capture and return the path. Raises CaptureError."""
    with CaptureWriter(path, capture.info, capture.notes, capture.page_calls) as writer:
        for frame in capture.frames:
            writer.write(frame)
    return writer.path


@checked(path="the file's path")
def load(path: str | os.PathLike[str]) -> Capture:
    """Read an `.icws` or `.icws.gz` file up to its last complete frame.

    ``capture.notes`` holds the notes stored in the file, then what had to be left out. A file with a damaged
    first line is read without its configuration if a readable frame follows. Raises CaptureError if the
    file cannot be opened or is not a capture.
    """
    path = Path(path)
    notes: list[str] = []
    lines = read_lines(path, notes)
    first = next(lines, None)
    if first is None:
        raise CaptureError(f"{path} is empty{': ' + notes[0] if notes else ''}")
    capture = Capture(notes=notes)
    capture.info, fault = _head(path, first, capture)
    unreadable = said = 0
    for line in lines if fault is None else chain([first], lines):
        if len(capture.frames) >= MAX_FRAMES:
            notes.append(f"everything from line {line.number} on is left out: more than {MAX_FRAMES} frames")
            break
        try:
            members = _object(line.text)
            if isinstance(note := members.get("note"), str):
                said += 1
                if said <= MAX_SAID:
                    notes.append(encodable(cut(note, FILE_NOTE)))
                _amend(capture, members)
                continue
            capture.frames.append(Frame.from_json(members))
        except CaptureError as error:
            unreadable += 1
            if fault is not None and unreadable > MAX_NOTES and not capture.frames:
                break  # not a capture
            if unreadable <= MAX_NOTES and line.number > 1:
                notes.append(_left_out(line, error))
            if unreadable >= MAX_UNREADABLE:
                notes.append(f"everything after line {line.number} is left out: {unreadable} lines are unreadable")
                break
    if fault is not None and not capture.frames:
        raise CaptureError(fault)
    if unreadable > MAX_NOTES:
        notes.append(f"{unreadable - MAX_NOTES} more lines left out")
    return capture


def _amend(capture: Capture, line: dict[str, Any]) -> None:
    """Give a frame that stands above the change that its note tells of. Raises CaptureError."""
    number = line.get("frame")
    if isinstance(number, int) and 0 <= number < len(capture.frames):
        capture.frames[number] = capture.frames[number].with_change(line)


def _head(path: Path, first: Line, capture: Capture) -> tuple[SessionInfo, str | None]:
    """Read line 1; its notes and page calls go into ``capture``.

    If something is wrong with the line, also return the error to raise if no frame follows.
    """
    notes = capture.notes
    try:
        line = _object(first.text)
        info, faults = SessionInfo.readable(line)
    except CaptureError as error:
        kind = kind_of(first.text[:START])
        if kind not in (FileKind.CAPTURE, FileKind.OTHER):
            raise CaptureError(f"{path} is not a capture, it is {kind}{_ADVICE.get(kind, '')}") from error
        if kind is FileKind.CAPTURE and _is_whole(first.text):  # another version
            raise CaptureError(f"{path} cannot be read: {error}") from error
        notes.append(f"line 1 (the configuration) cannot be read: {error}")
        return SessionInfo(), f"{path} is not a capture: {error}"
    said = line.get("notes")
    if isinstance(said, list):
        notes.extend(encodable(cut(note, FILE_NOTE)) for note in said[:MAX_SAID] if isinstance(note, str) and note)
    calls = line.get("page_calls")
    if isinstance(calls, list):
        read = (PageCall.readable(call) for call in calls[:MAX_PAGE_CALLS])
        capture.page_calls.extend(call for call in read if call is not None)
    notes.extend(f"line 1: {fault}; left out" for fault in faults)
    return info, f"{path} is not a capture: {faults[0]}" if faults else None


def _left_out(line: Line, error: CaptureError) -> str:
    if line.is_whole:
        return f"line {line.number} left out: {error}"
    return f"line {line.number} is incomplete (the recorder was stopped while writing it) and left out"


def _is_whole(text: bytes) -> bool:
    try:
        return bool(_object(text))
    except CaptureError:
        return False


def _object(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_PARTS and sum(map(text.count, (b",", b"{", b"["))) > MAX_PARTS:
        raise CaptureError(f"more than {MAX_PARTS} parts")
    try:
        value = orjson.loads(text) if len(text) <= _SHORT else _lenient(text)
    except orjson.JSONDecodeError:
        value = _lenient(text)
    if not isinstance(value, dict):
        raise CaptureError("not a JSON object")
    return value


def _lenient(text: bytes) -> Any:
    """What the standard library reads beyond strict JSON in UTF-8 (lone surrogates, NaN, other encodings), and lines of
    any length in a small multiple of it.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CaptureError("not JSON") from error
