"""Loading a capture from any supported file: `.icws`, HAR, packets, flow files of mitmproxy.

An imported file lacks facts that its own frames contain. `identify` takes the canister and the client from
the first requests. `retimed` repairs the times of a HAR that has none, or only differences: it uses the
timestamps inside the messages, because otherwise every expiry and certificate age would be wrong. Such a
timestamp comes from the clock of the message's sender.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from icws_explore.capture import Capture, Frame, load
from icws_explore.capture.files import START, FileKind, Notes, collector_paused, kind_of, open_file
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.type_checks import checked

from .decode import DecodedFrame, shared_frames

FOREIGN: Final = (FileKind.HAR, FileKind.PCAP, FileKind.FLOWS)


@checked(path="the file's path")
def file_kind(path: str | os.PathLike[str]) -> FileKind:
    """Recognise a file by its first bytes. Raises CaptureError.

    The bytes read from a pipe would be lost, so a pipe counts as OTHER and is read as an `.icws` file.
    """
    if Path(path).is_fifo():
        return FileKind.OTHER
    with open_file(Path(path)) as stream:
        return kind_of(stream.read(START))


@checked(path="the file's path")
def load_any(path: str | os.PathLike[str], *, url: str = "") -> Capture:
    """Load the capture in a file. The canister of an import is that of its first request. Raises CaptureError.

    Of a file of another tool only the sockets whose URL contains ``url`` are read.
    """
    with collector_paused():
        return _load(path, url)


def _load(path: str | os.PathLike[str], url: str) -> Capture:
    kind = file_kind(path)
    return load(path) if kind not in FOREIGN else identify(load_foreign(path, url=url))


def load_foreign(path: str | os.PathLike[str], *, url: str = "") -> Capture:
    """Read a file of another tool; what is neither packets nor flows is read as HAR. Raises CaptureError."""
    from icws_explore.capture.flows import load_flows
    from icws_explore.capture.har import load_har
    from icws_explore.capture.packets import load_pcap

    match file_kind(path):
        case FileKind.PCAP:
            return load_pcap(path, url=url)
        case FileKind.FLOWS:
            return load_flows(path, url=url)
    return load_har(path, url=url, parties_of=call_parties)


def call_parties(body: bytes) -> tuple[str, str] | None:
    """The canister and the sender of a call, as text, from its HTTP body; None if the body is not a call."""
    try:
        envelope = Envelope.decode(body)
    except DecodeError:
        return None
    if envelope.sender is None or envelope.canister_id is None:
        return None
    return envelope.canister_id.text, envelope.sender.text


MAX_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Party:
    """The sender and the canister of a client's request."""

    session: str | None
    canister_id: Principal | None
    sender: Principal | None


def parties(capture: Capture) -> Iterator[Party]:
    """Yield the parties of each request that a client sent, in the order of the frames."""
    for frame in capture.frames:
        if frame.op != "binary" or frame.direction != "out":
            continue
        try:
            envelope = Envelope.decode_frame(frame.data)
        except DecodeError:
            continue  # another protocol or malformed; decoding reports it
        yield Party(frame.session, envelope.canister_id, envelope.sender)


def identify(capture: Capture) -> Capture:
    """Add the canister of the first request, and the client if there is only one.

    Facts that the capture already states stay. Sessions without a request are listed in the notes. A HAR
    without usable times gets the times inside its messages.
    """
    capture = retimed(capture)
    info = capture.info
    found = list(parties(capture))
    canisters = list(dict.fromkeys(party.canister_id for party in found if party.canister_id is not None))
    senders = {party.sender for party in found if party.sender is not None}
    notes = Notes()
    notes += capture.notes
    if len(canisters) > 1 and info.canister_id is None:
        others = ", ".join(canister.text for canister in canisters[1 : 1 + MAX_NAMED])
        others += f" and {len(canisters) - 1 - MAX_NAMED} more" if len(canisters) - 1 > MAX_NAMED else ""
        notes.append(f"the canister is that of the first session; other sessions use {others}")
    speaking = {party.session for party in found}
    silent = [session for session in capture.session_ids if session not in speaking and session is not None]
    for session in silent:
        notes.some("sessions that sent none", f"session {session} sent no IC WebSocket request")
    info = replace(
        info,
        canister_id=info.canister_id or (canisters[0].text if canisters else None),
        client_principal=info.client_principal or (senders.pop().text if len(senders) == 1 else None),
    )
    return Capture(info, capture.frames, notes.counted(), capture.page_calls)


_EARLIEST_S: Final = 1e9  # 2001; smaller numbers are not seconds since the epoch
_FEW: Final = 3  # this many frames with the same time mean that the file has no times


def retimed(capture: Capture) -> Capture:
    """Return the capture with repaired times, or ``capture`` itself if its times are plausible."""
    if capture.info.origin != "har" or not capture.frames:
        return capture
    given: dict[str | None, list[float]] = {}
    for frame in capture.frames:
        given.setdefault(frame.session, []).append(frame.t)
    if all(_are_plausible(times) for times in given.values()):
        return capture  # without decoding a frame
    sessions: dict[str | None, list[DecodedFrame]] = {}
    for decoded in shared_frames(capture):
        sessions.setdefault(decoded.frame.session, []).append(decoded)
    frames: list[Frame] = []
    notes = list(capture.notes)
    for name, decoded_frames in sessions.items():
        times = _times(decoded_frames)
        if times is not None:
            where = "the socket" if name is None else f"session {name}"
            notes.append(f"{where}: the file has no usable times, so those inside the messages are used")
        pairs = zip(decoded_frames, times or [d.frame.t for d in decoded_frames], strict=True)
        frames.extend(d.frame if t == d.frame.t else replace(d.frame, t=t) for d, t in pairs)
    if len(notes) == len(capture.notes):
        return capture
    return Capture(capture.info, sorted(frames, key=lambda frame: frame.t), notes, capture.page_calls)


def _are_spread(times: Sequence[float]) -> bool:
    return len(times) < _FEW or len(set(times)) > 1


def _are_plausible(times: Sequence[float]) -> bool:
    """Whether the times (s) of a session are those of a clock."""
    return _are_spread(times) and min(times) >= _EARLIEST_S


def _times(frames: list[DecodedFrame]) -> list[float] | None:
    """Return repaired times in seconds since the epoch, or None to keep the times as they are."""
    given = [decoded.frame.t for decoded in frames]
    if _are_plausible(given):
        return None
    is_spread = _are_spread(given)
    held = [None if d.message is None else d.message.timestamp_ns / NS_PER_S for d in frames]
    first = next(((index, t) for index, t in enumerate(held) if t is not None), None)
    if first is None:
        return None
    if is_spread:
        return [t + first[1] - given[first[0]] for t in given]
    times, latest = [], first[1]
    for t in held:
        latest = latest if t is None else max(latest, t)
        times.append(latest)
    return times
