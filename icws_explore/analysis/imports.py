"""A capture from whatever file holds one: `.icws`, a browser's HAR, recorded packets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from icws_explore.capture import Capture, load
from icws_explore.capture.files import START, FileKind, kind_of, open_file
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.type_checks import checked

FOREIGN: Final = (FileKind.HAR, FileKind.PCAP)


@checked(CaptureError, path="the file's path")
def file_kind(path: str | os.PathLike[str]) -> FileKind:
    """By its first bytes. Raises CaptureError.

    Those of a pipe would then be gone: it can only be read as a capture (OTHER).
    """
    if Path(path).is_fifo():
        return FileKind.OTHER
    with open_file(Path(path)) as stream:
        return kind_of(stream.read(START))


@checked(CaptureError, path="the file's path")
def load_any(path: str | os.PathLike[str]) -> Capture:
    """The capture in a file; of a HAR or packets the canister is that of the first request. Raises CaptureError."""
    kind = file_kind(path)
    if kind not in FOREIGN:
        return load(path)
    from icws_explore.capture.har import load_har
    from icws_explore.capture.packets import load_pcap

    from .identify import identify

    return identify(load_pcap(path) if kind is FileKind.PCAP else load_har(path))
