"""The session's three time-outs, as this side of the socket sees them.

Rules (ic-websocket-js 0.5.0 ic-websocket.ts and ack-messages.ts; CDK 0.4.1 timers.rs):

- open: the canister's OpenMessage within 60 s of the client's ws_open;
- ack: one timer of the ack interval + 30 s, started by the first ws_message that waits for an ack,
  started anew by every AckMessage;
- keep_alive: the canister wants a KeepAliveMessage within 60 s of its AckMessage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from icws_explore.protocol.constants import (
    ACK_INTERVAL_MS,
    KEEP_ALIVE_TIMEOUT_MS,
    LATENCY_BOUND_MS,
    NS_PER_S,
    OPEN_TIMEOUT_MS,
)

from .decode import DecodedFrame

DeadlineName = Literal["open", "ack", "keep_alive"]
Outcome = Literal["met", "missed", "running", "ended"]

OPEN_LIMIT_S: Final = OPEN_TIMEOUT_MS / 1000
KEEP_ALIVE_LIMIT_S: Final = KEEP_ALIVE_TIMEOUT_MS / 1000


@dataclass(frozen=True, slots=True)
class Deadline:
    """One run of one timer.

    ``start`` and ``end`` are seconds since the epoch, ``limit_s`` is how long it may take.
    ``started_by`` and ``ended_by`` are frame numbers. ``outcome`` is "met", "missed" (nothing came
    in time), "ended" (the session closed first), or "running" when the capture stops. ``canister_time``
    says that ``start`` is the canister's timestamp from a certified message, not the time of receipt.
    """

    name: DeadlineName
    start: float
    limit_s: float
    started_by: int
    end: float | None = None
    ended_by: int | None = None
    outcome: Outcome = "running"
    canister_time: bool = False

    @property
    def due(self) -> float:
        """When the timer fires, in seconds since the epoch."""
        return self.start + self.limit_s

    def stop(self, decoded: DecodedFrame, *, answered: bool) -> Deadline:
        """The same timer, stopped by a frame: the one that was waited for, or the end of the session."""
        at = decoded.frame.t
        outcome: Outcome = "missed" if at > self.due else "met" if answered else "ended"
        return replace(self, end=at, ended_by=decoded.number, outcome=outcome)


def ack_limit_s(ack_interval_ms: int | None) -> float:
    """Seconds until the client gives up on an ack; None means the SDK's default interval."""
    return ((ACK_INTERVAL_MS if ack_interval_ms is None else ack_interval_ms) + LATENCY_BOUND_MS) / 1000


def deadlines(frames: Iterable[DecodedFrame], ack_interval_ms: int | None) -> list[Deadline]:
    """The timers of one session in the order of their starts."""
    done: list[Deadline] = []
    running: dict[DeadlineName, Deadline] = {}
    limits = {"open": OPEN_LIMIT_S, "ack": ack_limit_s(ack_interval_ms), "keep_alive": KEEP_ALIVE_LIMIT_S}

    def start(name: DeadlineName, decoded: DecodedFrame, at: float, *, canister_time: bool = False) -> None:
        running[name] = Deadline(name, at, limits[name], decoded.number, canister_time=canister_time)

    def stop(names: Sequence[DeadlineName], decoded: DecodedFrame, *, answered: bool) -> None:
        done.extend(running.pop(name).stop(decoded, answered=answered) for name in names if name in running)

    for decoded in frames:
        at = decoded.frame.t
        match decoded.kind:
            case "open_request":
                start("open", decoded, at)
            case "open":
                stop(["open"], decoded, answered=True)
            case "message" | "keep_alive":
                if decoded.kind == "keep_alive":
                    stop(["keep_alive"], decoded, answered=True)
                if "ack" not in running:
                    start("ack", decoded, at)
            case "ack":
                stop(["ack", "keep_alive"], decoded, answered=True)
                start("ack", decoded, at)
                made, certified = _made_at(decoded)
                start("keep_alive", decoded, made, canister_time=certified)
        if decoded.frame.op == "close":
            stop(["open", "ack", "keep_alive"], decoded, answered=False)
    return sorted([*done, *running.values()], key=lambda deadline: (deadline.start, deadline.started_by))


def _made_at(decoded: DecodedFrame) -> tuple[float, bool]:
    """When the canister made a message: its own timestamp, unless the two clocks plainly disagree."""
    received = decoded.frame.t
    if decoded.message is not None:
        made = decoded.message.timestamp_ns / NS_PER_S
        if received - KEEP_ALIVE_LIMIT_S <= made <= received:
            return made, True
    return received, False
