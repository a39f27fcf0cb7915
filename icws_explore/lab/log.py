"""The lab's event log: what each part of the lab did, in the order in which it happened.

A client of the real gateway is never told that a call was refused, that ws_open answered Err, or that a handler
trapped. The lab's parts write these events here, with their protocol time, so that they can be read beside a
recording.

`LabLog` holds the events. `ReplicaLog` writes the events of the replica and its canisters, in the protocol's terms.
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
from icws_explore.protocol.budgets import LAB_LOG_BYTES as MAX_BYTES
from icws_explore.protocol.budgets import LAB_LOG_EVENTS as MAX_EVENTS
from icws_explore.protocol.canister import Outcome, Reject, TimerRun
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.principal import Principal

from .replica.admission import Refused, Request

MAX_TEXT: Final = 2_000  # characters of a text in an event; a canister can print megabytes
_EVENT_BYTES: Final = 400  # of an event's objects without its texts


@dataclass(frozen=True, slots=True)
class LabEvent:
    """One event. ``t_ns`` is protocol time in nanoseconds since the epoch.

    ``part`` is "replica", "canister" or "gateway"; it is "lab" for an error of a server or in a `Faults` object.
    ``kind`` names what happened: "received", "accepted", "refused", "err", "trapped", "rejected" and others. ``text``
    is one line for a person. ``facts`` holds the details for a program; principals and ids are text.
    """

    t_ns: int
    part: str
    kind: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """The protocol time of day in UTC, with milliseconds."""
        return datetime.fromtimestamp(self.t_ns / NS_PER_S, UTC).strftime("%H:%M:%S.%f")[:-3]

    def as_json(self) -> dict[str, Any]:
        """Return the event as ``icws lab --json`` prints it."""
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
    """The events of a lab. The lab's thread writes them; any thread may read them.

    ``now_ns`` returns protocol time in nanoseconds since the epoch. The log keeps at most `MAX_EVENTS` events and
    `MAX_BYTES`, and drops the oldest ones. Texts are cut after `MAX_TEXT` characters.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._events: deque[LabEvent] = deque()
        self._bytes = 0  # of all events
        self._lock = threading.Lock()
        self._listeners: list[Callable[[LabEvent], None]] = []

    def write(self, part: str, kind: str, text: str, **facts: Any) -> None:
        """Add an event at the current protocol time, and call the listeners with it."""
        self.add(LabEvent(self._now_ns(), part, kind, _cut(text), {name: _cut(value) for name, value in facts.items()}))

    def add(self, event: LabEvent) -> None:
        """Add an event of another log, and call the listeners with it."""
        with self._lock:
            self._events.append(event)
            self._bytes += _size(event)
            while len(self._events) > MAX_EVENTS or self._bytes > MAX_BYTES:
                self._bytes -= _size(self._events.popleft())
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)

    def listen(self, listener: Callable[[LabEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with every further event, in the lab's thread. Returns a function that stops this."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    @property
    def now_ns(self) -> int:
        """The time now, ns since the epoch."""
        return self._now_ns()

    @property
    def events(self) -> list[LabEvent]:
        """The events so far, oldest first."""
        with self._lock:
            return list(self._events)


def _cut(value: Any) -> Any:
    """Return a text of at most MAX_TEXT characters, and any other value unchanged."""
    if not isinstance(value, str) or len(value) <= MAX_TEXT:
        return value
    return f"{value[:MAX_TEXT]}… ({len(value)} characters)"


def _size(event: LabEvent) -> int:
    """Estimate the memory of an event in bytes."""
    return _EVENT_BYTES + len(event.text) + sum(len(value) for value in event.facts.values() if isinstance(value, str))


_TRAPPED: Final = "IC0503"
_METHODS_WITH_RESULT: Final = ("ws_open", "ws_message", "ws_close")  # they answer Ok or Err


class ReplicaLog:
    """Writes the events of the replica and its canisters to ``log``."""

    def __init__(self, log: LabLog) -> None:
        self._log = log

    @contextmanager
    def refusals(self, kind: str, effective_id: Principal) -> Iterator[None]:
        """Log a Refused that is raised inside, and let it pass."""
        try:
            yield
        except Refused as refused:
            text = f"{kind} for {effective_id.short}: HTTP {refused.status} {refused.text.splitlines()[0]}"
            self._log.write("replica", "refused", text, status=refused.status, canister_id=str(effective_id))
            raise

    def received(self, request: Request) -> None:
        """The replica has accepted a call."""
        self._write("replica", "received", request, f"{request.method} from {request.sender.short}")

    def replayed(self, request: Request) -> None:
        """The replica has received a copy of a call that it knows."""
        text = f"{request.method} from {request.sender.short}: a copy of a known call, not executed twice"
        self._write("replica", "replayed", request, text)

    def not_replicated(self, request: Request, reject: Reject) -> None:
        """The ingress filter has rejected a call."""
        self._write("replica", "rejected", request, f"{request.method}: {reject.text}", reject_code=reject.code)

    @property
    def now_ns(self) -> int:
        """The time of the log, ns since the epoch."""
        return self._log.now_ns

    def executed(self, request: Request, outcome: Outcome, at_ns: int) -> None:
        """A call was executed at ``at_ns`` (the log's time): it was accepted, answered Err, trapped or was rejected."""
        if isinstance(outcome, Reject):
            self._rejected(request, outcome, executed_ns=at_ns)
        elif (err := _err(request, outcome.data)) is not None:
            self._write("canister", "err", request, f"{request.method}: {err}", err=err, executed_ns=at_ns)
        else:
            text = f"{request.method} from {request.sender.short}"
            self._write("canister", "accepted", request, text, executed_ns=at_ns)

    def queried(self, request: Request, outcome: Outcome) -> None:
        """A query was executed. Only failures are logged, because a gateway polls ten times a second."""
        if isinstance(outcome, Reject):
            self._rejected(request, outcome)

    def timers(self, canister_id: Principal, runs: Iterable[TimerRun]) -> None:
        """Timers have fired. Their traps are logged, because a timer has no caller that would see them."""
        for run in runs:
            if run.reject is not None:
                text = f"timer: {run.reject.text}"
                self._log.write("canister", "trapped", text, canister_id=str(canister_id))

    def upgraded(self, canister_id: Principal) -> None:
        """A canister was upgraded. No client is told."""
        text = (
            "the upgrade has removed all sessions of the canister. A gateway that has clients of this canister opens "
            "no new session with it until all of them have left"
        )
        self._log.write("canister", "upgraded", text, canister_id=str(canister_id))

    def stopped(self, canister_id: Principal) -> None:
        """A canister was stopped."""
        text = "the canister accepts no calls, and its timers do not fire"
        self._log.write("canister", "stopped", text, canister_id=str(canister_id))

    def frozen(self, canister_id: Principal) -> None:
        """A canister's cycles were used up."""
        text = "the canister has no cycles left and executes nothing"
        self._log.write("canister", "frozen", text, canister_id=str(canister_id))

    def uninstalled(self, canister_id: Principal) -> None:
        """A canister's code was removed."""
        self._log.write("canister", "uninstalled", "the canister contains no code", canister_id=str(canister_id))

    def reinstalled(self, canister_id: Principal) -> None:
        """A canister's code was installed anew."""
        text = "the canister was installed anew and has forgotten everything"
        self._log.write("canister", "reinstalled", text, canister_id=str(canister_id))

    def started(self, canister_id: Principal) -> None:
        """A canister was started."""
        self._log.write("canister", "started", "the canister accepts calls again", canister_id=str(canister_id))

    def printed(self, canister_id: Principal, at_ns: int, text: str) -> None:
        """A canister has printed a text. ``at_ns`` is not used: it differs from now only for overdue timers."""
        del at_ns
        self._log.write("canister", "printed", text, canister_id=str(canister_id))

    def _rejected(self, request: Request, reject: Reject, **more: Any) -> None:
        # Motoko's runtime turns a trap after an await into a reject of its own, which quotes the trap.
        is_trap = reject.error_code == _TRAPPED or _TRAPPED in reject.text
        kind = "trapped" if is_trap else "rejected"
        text = f"{request.method}: {reject.text}"
        self._write("canister", kind, request, text, reject_code=reject.code, error_code=reject.error_code, **more)

    def _write(self, part: str, kind: str, request: Request, text: str, **more: Any) -> None:
        facts = {
            "method": request.method,
            "canister_id": str(request.canister_id),
            "sender": str(request.sender),
            "request_id": request.request_id.hex(),
        }
        self._log.write(part, kind, text, **facts, **more)


def _err(request: Request, reply: bytes) -> str | None:
    if request.method not in _METHODS_WITH_RESULT:
        return None
    try:
        return decode_result(reply)
    except DecodeError:
        return None
