"""Times for the frames of a HAR that tells none, or only how far apart they are: those that the messages hold.

Without, every expiry and every certificate would seem to be of another age. A message's own timestamp
is its sender's clock's, which the protocol trusts for no more than a display either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from icws_explore.capture import Capture, Frame
from icws_explore.protocol.constants import NS_PER_S

from .decode import DecodedFrame, shared_frames

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
