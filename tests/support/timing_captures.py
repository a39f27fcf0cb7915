"""Sessions for the tests of timing: each goes wrong in one way, at known times."""

from __future__ import annotations

from collections.abc import Callable

from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.timing import Timing
from icws_explore.capture import Capture, ClockInfo
from icws_explore.protocol.service_messages import CloseReason

from .session_captures import SessionScript, healthy, hostile

VIRTUAL = ClockInfo("virtual")


def silent() -> Capture:
    """A client that never answers its ack (received at 290 s), and is put out 60 s later."""
    script = SessionScript(clock=VIRTUAL).opened().client_says(5, "a").acked(290, answered_after=None)
    script.canister_closes(350, CloseReason.KEEP_ALIVE_TIMEOUT)
    return script.closed(350.2, "out", 4000, "Received close message from canister").capture


def slow_answer() -> Capture:
    """The keep-alive leaves 66 s after its ack, when the canister has closed already."""
    script = SessionScript(clock=VIRTUAL).opened().client_says(5, "a").acked(290, answered_after=66)
    script.canister_closes(350, CloseReason.KEEP_ALIVE_TIMEOUT)
    return script.closed(356.2, "out", 4000, "Received close message from canister").capture


def unacked() -> Capture:
    """No ack ever comes: the client gives up 330 s after its first message."""
    script = SessionScript(clock=VIRTUAL).opened().client_says(5, "a").client_says(40, "b")
    return script.closed(335, "out", 4000, "Ack message timeout").capture


def two_hours() -> Capture:
    """25 acks, every fifth answered late but in time."""
    script = SessionScript(clock=VIRTUAL).opened()
    for tick in range(1, 26):
        script.client_says(300 * tick - 200, "x").client_says(300 * tick - 30, "y")
        script.acked(300 * tick, answered_after=0.1 if tick % 5 else 7.0 * tick / 5)
    return script.capture


def still_open() -> Capture:
    """Opened, one message under way, nothing else yet."""
    return SessionScript(clock=VIRTUAL).opened().client_says(10, "a").capture


def never_opened() -> Capture:
    """ws_open is sent at 0.1 s, and nothing comes back for a minute."""
    script = SessionScript(clock=VIRTUAL).opened()
    del script.capture.frames[2:]
    return script.closed(60.1, "out", 4000, "Open connection timeout").capture


def empty() -> Capture:
    return SessionScript().capture


ALL: tuple[Callable[[], Capture], ...] = (
    healthy, hostile, silent, slow_answer, unacked, two_hours, still_open, never_opened, empty,
)  # fmt: skip


def only(capture: Capture) -> SessionInstants:
    """The instants of a capture's one session; an empty one's too."""
    found = Timing(capture).sessions
    return found[0] if found else SessionInstants(None, 300.0)
