"""The recordings that commands are given: .icws files, and what `icws import` reads, without importing it first."""

from __future__ import annotations

from pathlib import Path

from icws_explore.capture import Capture, load
from icws_explore.capture.kinds import START, FileKind, kind_of, open_file

from .console import note


def read_capture(file: str) -> Capture:
    """The capture in ``file``; what could not be read of it is noted. Raises CaptureError.

    Of a HAR or a packet capture the canister is that of the first request; nobody is asked for anything.
    """
    kind = FileKind.OTHER
    if not Path(file).is_fifo():  # what is looked at in a pipe is gone: it can only be read as a capture
        with open_file(Path(file)) as stream:
            kind = kind_of(stream.read(START))
    if kind in (FileKind.HAR, FileKind.PCAP):
        capture = _imported(file, kind)
        note(f"{file} is {kind}: read as icws import does")
    else:
        capture = load(file)
    for text in capture.notes:
        note(text)
    return capture


def _imported(file: str, kind: FileKind) -> Capture:
    from icws_explore.analysis.identify import identify
    from icws_explore.capture.har import load_har
    from icws_explore.capture.pcap import load_pcap

    return identify(load_pcap(file) if kind is FileKind.PCAP else load_har(file))
