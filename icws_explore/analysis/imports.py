"""A capture from whatever file holds one: `.icws`, a browser's HAR, recorded packets.

What an imported capture does not say of itself, but its own frames do.

Times for the frames of a HAR that tells none, or only how far apart they are: those that the messages hold.

Without, every expiry and every certificate would seem to be of another age. A message's own timestamp
is its sender's clock's, which the protocol trusts for no more than a display either.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from icws_explore.capture import Capture, Frame, load
from icws_explore.capture.files import START, FileKind, Notes, kind_of, open_file
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.type_checks import checked

from .decode import DecodedFrame, shared_frames

FOREIGN: Final = (FileKind.HAR, FileKind.PCAP)


@checked(path="the file's path")
def file_kind(path: str | os.PathLike[str]) -> FileKind:
    """By its first bytes. Raises CaptureError.

    Those of a pipe would then be gone: it can only be read as a capture (OTHER).
    """
    if Path(path).is_fifo():
        return FileKind.OTHER
    with open_file(Path(path)) as stream:
        return kind_of(stream.read(START))


@checked(path="the file's path")
def load_any(path: str | os.PathLike[str]) -> Capture:
    """The capture in a file; of a HAR or packets the canister is that of the first request. Raises CaptureError."""
    kind = file_kind(path)
    if kind not in FOREIGN:
        return load(path)
    from icws_explore.capture.har import load_har
    from icws_explore.capture.packets import load_pcap

    return identify(load_pcap(path) if kind is FileKind.PCAP else load_har(path))


MAX_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Party:
    """Who called whom in a client's frame."""

    session: str | None
    canister_id: Principal | None
    sender: Principal | None


def parties(capture: Capture) -> Iterator[Party]:
    """The parties of each envelope that a client sent, in the order of the frames."""
    for frame in capture.frames:
        if frame.op != "binary" or frame.direction != "out":
            continue
        try:
            envelope = Envelope.decode_frame(frame.data)
        except DecodeError:
            continue  # not of this protocol, or malformed: the decoded table says so
        yield Party(frame.session, envelope.canister_id, envelope.sender)


def identify(capture: Capture) -> Capture:
    """The capture with the canister of its first envelope, and the client where there is only one.

    What the capture says already stays. Sessions that hold no envelope at all are named in the notes. A HAR
    without usable times gets those that its messages hold.
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
        notes.append(f"the canister is that of the first session; there are others: {others}")
    speaking = {party.session for party in found}
    silent = [session for session in capture.session_ids if session not in speaking and session is not None]
    for session in silent:
        notes.some("sessions that sent none", f"session {session} sent no IC WebSocket request")
    info = replace(
        info,
        canister_id=info.canister_id or (canisters[0].text if canisters else None),
        client_principal=info.client_principal or (senders.pop().text if len(senders) == 1 else None),
    )
    return Capture(info, capture.frames, notes.counted())


_EARLIEST_S: Final = 1e9  # 2001: what lies before is no time since the epoch
_FEW: Final = 3  # frames of one moment


def retimed(capture: Capture) -> Capture:
    """``capture`` itself where its times can be, or where its messages tell none."""
    if capture.info.origin != "har" or not capture.frames:
        return capture
    sessions: dict[str | None, list[DecodedFrame]] = {}
    for decoded in shared_frames(capture):
        sessions.setdefault(decoded.frame.session, []).append(decoded)
    frames: list[Frame] = []
    notes = list(capture.notes)
    for name, decoded_frames in sessions.items():
        times = _times(decoded_frames)
        if times is not None:
            where = "the socket" if name is None else f"session {name}"
            notes.append(f"{where}: its times are those that its messages hold")
        pairs = zip(decoded_frames, times or [d.frame.t for d in decoded_frames], strict=True)
        frames.extend(d.frame if t == d.frame.t else replace(d.frame, t=t) for d, t in pairs)
    if len(notes) == len(capture.notes):
        return capture
    return Capture(capture.info, sorted(frames, key=lambda frame: frame.t), notes)


def _times(frames: list[DecodedFrame]) -> list[float] | None:
    """Seconds since the epoch for each; None: as they are."""
    given = [decoded.frame.t for decoded in frames]
    is_spread = len(set(given)) > 1 or len(given) < _FEW
    if is_spread and min(given) >= _EARLIEST_S:
        return None
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
