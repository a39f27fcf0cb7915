"""What each part of the lab saw, in the order of happening: the ground truth behind a capture.

The real gateway never tells a client that a canister answered Err, trapped, or that the replica
refused a request. The lab's parts write it down here, with the protocol time at which it happened.

What the replica and its canisters tell the lab's log, in the words of the protocol.

The real gateway passes none of it on: not that a call was refused, not that ws_open answered Err,
not that a handler trapped. Here it can be read beside the capture.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from icws_explore.protocol.arguments import decode_result
from icws_explore.protocol.canister import Outcome, Reject, TimerRun
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.principal import Principal

from .replica.admission import Refused, Request

MAX_EVENTS: Final = 100_000  # the oldest go first; an hour of a busy lab fits


@dataclass(frozen=True, slots=True)
class LabEvent:
    """One thing that happened. ``t_ns`` is protocol time in nanoseconds since the epoch.

    ``part`` is "replica", "canister" or "gateway", and "lab" where a fault itself has failed; ``kind`` names
    what happened ("accepted", "refused", "replied", "err", "trapped", "rejected", …); ``text`` is one line
    for a person; ``facts`` are the same things for a program (principals and ids as text).
    """

    t_ns: int
    part: str
    kind: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """Protocol time of day, to the millisecond, UTC."""
        return datetime.fromtimestamp(self.t_ns / NS_PER_S, UTC).strftime("%H:%M:%S.%f")[:-3]

    def as_json(self) -> dict[str, Any]:
        """The event as ``icws lab --json`` prints it."""
        return {
            "t": self.t_ns / NS_PER_S,
            "part": self.part,
            "event": self.kind,
            "text": self.text,
            **self.facts,
        }

    def __str__(self) -> str:
        return f"{self.time} {self.part:<8} {self.kind:<10} {self.text}"


class LabLog:
    """The lab's events. Written in the lab's thread, read from any."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._events: deque[LabEvent] = deque(maxlen=MAX_EVENTS)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[LabEvent], None]] = []

    def write(self, part: str, kind: str, text: str, **facts: Any) -> None:
        """Note an event at the protocol's now, and tell the listeners."""
        event = LabEvent(self._now_ns(), part, kind, text, facts)
        with self._lock:
            self._events.append(event)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)

    def listen(self, listener: Callable[[LabEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with every further event, in the lab's thread. Returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    @property
    def events(self) -> list[LabEvent]:
        """What happened so far, oldest first."""
        with self._lock:
            return list(self._events)


_TRAPPED = "IC0503"
_ANSWERS_RESULT = ("ws_open", "ws_message", "ws_close")


class Testimony:
    """Writes the replica's and the canisters' side into ``log``."""

    def __init__(self, log: LabLog) -> None:
        self._log = log

    @contextmanager
    def refusals(self, kind: str, effective_id: Principal) -> Iterator[None]:
        """Note what the body refuses; it goes on."""
        try:
            yield
        except Refused as refused:
            text = f"{kind} for {effective_id.short}: HTTP {refused.status} {refused.text.splitlines()[0]}"
            self._log.write("replica", "refused", text, status=refused.status, canister_id=str(effective_id))
            raise

    def received(self, request: Request) -> None:
        self._write("replica", "received", request, f"{request.method} from {request.sender.short}")

    def replayed(self, request: Request) -> None:
        text = f"{request.method} from {request.sender.short} again: not executed twice"
        self._write("replica", "replayed", request, text)

    def not_replicated(self, request: Request, reject: Reject) -> None:
        self._write("replica", "rejected", request, f"{request.method}: {reject.text}", reject_code=reject.code)

    def executed(self, request: Request, outcome: Outcome) -> None:
        """An update call: accepted, answered with Err, trapped or rejected."""
        if isinstance(outcome, Reject):
            self._rejected(request, outcome)
        elif (err := _err(request, outcome.data)) is not None:
            self._write("canister", "err", request, f"{request.method}: {err}", err=err)
        else:
            self._write("canister", "accepted", request, f"{request.method} from {request.sender.short}")

    def queried(self, request: Request, outcome: Outcome) -> None:
        """Queries are not logged, at ten polls a second, unless they fail."""
        if isinstance(outcome, Reject):
            self._rejected(request, outcome)

    def timers(self, canister_id: Principal, runs: Iterable[TimerRun]) -> None:
        """A timer's trap reaches nobody else."""
        for run in runs:
            if run.reject is not None:
                text = f"in a timer: {run.reject.text}"
                self._log.write("canister", "trapped", text, canister_id=str(canister_id))

    def upgraded(self, canister_id: Principal) -> None:
        """What no client is told, and every one of them will miss."""
        self._log.write("canister", "upgraded", "its sessions are forgotten", canister_id=str(canister_id))

    def stopped(self, canister_id: Principal) -> None:
        text = "it takes no calls, and its timers rest"
        self._log.write("canister", "stopped", text, canister_id=str(canister_id))

    def started(self, canister_id: Principal) -> None:
        self._log.write("canister", "started", "it takes calls again", canister_id=str(canister_id))

    def printed(self, canister_id: Principal, at_ns: int, text: str) -> None:
        del at_ns  # the log has the protocol's now, which differs only when timers are caught up with
        self._log.write("canister", "printed", text, canister_id=str(canister_id))

    def _rejected(self, request: Request, reject: Reject) -> None:
        # Motoko's runtime passes a trap behind an await on as a reject of its own, which quotes it.
        is_trap = reject.error_code == _TRAPPED or _TRAPPED in reject.text
        kind = "trapped" if is_trap else "rejected"
        text = f"{request.method}: {reject.text}"
        self._write("canister", kind, request, text, reject_code=reject.code, error_code=reject.error_code)

    def _write(self, part: str, kind: str, request: Request, text: str, **more: Any) -> None:
        facts = {
            "method": request.method,
            "canister_id": str(request.canister_id),
            "sender": str(request.sender),
            "request_id": request.request_id.hex(),
        }
        self._log.write(part, kind, text, **facts, **more)


def _err(request: Request, reply: bytes) -> str | None:
    if request.method not in _ANSWERS_RESULT:
        return None
    try:
        return decode_result(reply)
    except DecodeError:
        return None
