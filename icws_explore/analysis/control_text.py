"""What frames say that carry no message of the protocol: closes, pings, and the gateway's own HTTP.

Gateway 1.4.6 drops the connection of a client that closes, without a close frame of its own. So the
1006 behind a client's close is how every session of the SDK ends, and no loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from icws_explore.capture import Frame

NO_CODE: Final = 1005
LOST: Final = 1006


def control_text(frame: Frame, *, is_after_own_close: bool = False) -> str:
    """A frame that is neither binary nor text, in words. ``is_after_own_close``: as `OwnCloses` knows."""
    match frame.op:
        case "close":
            return _close_text(frame, is_after_own_close)
        case "request":
            return f"the gateway asks the network: {frame.reason}"
        case "response":
            return f"the network answers HTTP {frame.code}: {frame.reason}"
        case _:
            return f"WebSocket {frame.op}, {len(frame.data)} bytes"


def _close_text(frame: Frame, is_after_own: bool) -> str:
    if frame.code == LOST and is_after_own:
        return "the connection ended after the client's close (1006)"
    if frame.code == LOST:
        return "the connection was lost (1006)"
    by = "the gateway's side" if frame.direction == "in" else "the client"
    code = "no code" if frame.code in (None, NO_CODE) else str(frame.code)
    return f"closed by {by}: {code}" + (f" {frame.reason!r}" if frame.reason else "")


class OwnCloses:
    """Which sessions their clients have closed, among the frames seen so far, in order."""

    def __init__(self, frames: Iterable[Frame] = ()) -> None:
        self._closed: set[str | None] = set()
        for frame in frames:
            self.see(frame)

    def see(self, frame: Frame) -> bool:
        """Take the next frame of a capture; whether it is a close behind the client's own in its session."""
        if frame.op != "close":
            return False
        if frame.session in self._closed:
            return True
        if frame.direction == "out" and frame.code != LOST:
            self._closed.add(frame.session)
        return False
