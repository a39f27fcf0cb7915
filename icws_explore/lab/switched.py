"""`SwitchedFaults`: faults that are switched on and off while sessions run.

A fault of the catalogue is written for a plan: it numbers sessions from 0, and acts at times after the start. Switched
on in the middle, it counts the sessions that are open as the first ones, and its first planned action is due at once.
If no session is open, the fault waits for the next one, and its first action is due `LEAD_S` real seconds later, so
that a session can open. What it has delayed already still arrives when it is switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from icws_explore.live.path import Delivery
from icws_explore.protocol.canister import App
from icws_explore.protocol.gateway.events import PollOutcome

from .faults import Direction, Faults, FaultyClock, GuardedFaults, HttpRequest, Refusal, Stage
from .log import LabLog

LEAD_S: Final = 10.0  # real seconds


@dataclass(slots=True, eq=False)
class Switched:
    """A fault that is on. ``stage`` is that of the lab or tap, ``scale`` protocol seconds per real second.

    ``acts`` counts what it has changed: frames, calls, polls, and actions from outside.
    """

    name: str
    faults: Faults
    stage: Stage
    scale: float
    sessions: list[int]  # the open ones; their places are their numbers for the faults
    acts: int = 0
    is_on: bool = True
    has_begun: bool = False
    _first_s: float | None = field(default=None, init=False)
    _lead_s: float = field(default=0.0, init=False)

    def begin(self, *, lead_s: float) -> None:
        """Start the time of the fault. Its first planned action is due ``lead_s`` real seconds later."""
        self.has_begun = True
        self._lead_s = lead_s * self.scale
        self.faults.begin(self)

    def number(self, session: int) -> int:
        """Return the number of a session for the faults. The first new session starts a fault that waits."""
        if session not in self.sessions:
            self.sessions.append(session)
        if not self.has_begun:
            self.begin(lead_s=LEAD_S)
        return self.sessions.index(session)

    def seen(self, data: bytes, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Count what a hook has made of a frame."""
        self.acts += list(deliveries) != [Delivery(data)]
        return deliveries

    # What the faults may do: a `Stage` with their own numbers of sessions

    @property
    def now_ns(self) -> int:
        """The correct time, ns since the epoch."""
        return self.stage.now_ns

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action``: the first one when the lead is over, later ones as long after it as planned."""
        self._first_s = seconds if self._first_s is None else self._first_s
        self.stage.after(self._lead_s + max(0.0, seconds - self._first_s), lambda: self._if_on(action))

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action`` that many seconds from now."""
        self.stage.after(seconds, lambda: self._if_on(action))

    def upgrade_canister(self, app: App | None = None) -> None:
        """Upgrade the canister."""
        self.acts += 1
        self.stage.upgrade_canister(app)

    def stop_canister(self) -> None:
        """Stop the canister."""
        self.acts += 1
        self.stage.stop_canister()

    def freeze_canister(self) -> None:
        """Use the canister's cycles up."""
        self.acts += 1
        self.stage.freeze_canister()

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client."""
        if session < len(self.sessions):
            self.acts += 1
            self.stage.send(self.sessions[session], data)

    def drop(self, session: int, code: int | None = 1006) -> None:
        """End a connection."""
        if session < len(self.sessions):
            self.acts += 1
            self.stage.drop(self.sessions[session], code)

    def _if_on(self, action: Callable[[], object]) -> None:
        if self.is_on:
            action()


Hook = Callable[[Switched, bytes], Sequence[Delivery]]


class SwitchedFaults(Faults):
    """``base`` are the faults that a lab was made with. `switch_on` adds others. Use it on the lab's loop."""

    def __init__(self, base: Faults, log: LabLog) -> None:
        self.on: tuple[Switched, ...] = ()
        self._base = base
        self._log = log

    def switch_on(self, name: str, faults: Faults, stage: Stage, *, scale: float, sessions: Sequence[int]) -> Switched:
        """Add faults, for the ``sessions`` that are open and those to come."""
        switched = Switched(name, GuardedFaults(faults, self._log), stage, scale, list(sessions))
        if sessions or not uses_sessions(faults):
            switched.begin(lead_s=0.0)
        self.on += (switched,)
        return switched

    def switch_off(self, name: str) -> None:
        """Remove the faults of that name."""
        for switched in self.on:
            switched.is_on = switched.is_on and switched.name != name
        self.on = tuple(each for each in self.on if each.is_on)

    def begin(self, stage: Stage) -> None:
        self._base.begin(stage)

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        return self._chain(
            self._base.relay(direction, data), lambda switched, each: switched.faults.relay(direction, each)
        )

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        first = self._base.client_frame(session, data)
        return self._chain(first, lambda switched, each: switched.faults.client_frame(switched.number(session), each))

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        first = self._base.gateway_frame(session, data)
        return self._chain(first, lambda switched, each: switched.faults.gateway_frame(switched.number(session), each))

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        first = self._base.call(session, envelope)
        return self._chain(first, lambda switched, each: switched.faults.call(switched.number(session), each))

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        answer, late_ms = self._base.poll_answer(gateway, outcome)
        for switched in self.on:
            before = answer
            answer, more_ms = switched.faults.poll_answer(gateway, answer)
            switched.acts += answer is not before or more_ms > 0
            late_ms += more_ms
        return answer, late_ms

    def refusal(self, request: HttpRequest) -> Refusal | None:
        refused = self._base.refusal(request)
        for switched in self.on:
            if refused is None and (refused := switched.faults.refusal(request)) is not None:
                switched.acts += 1
        return refused

    def clock_error_ns(self, clock: FaultyClock, number: int, now_ns: int) -> int:
        own = self._base.clock_error_ns(clock, number, now_ns)
        return own + sum(switched.faults.clock_error_ns(clock, number, now_ns) for switched in self.on)

    def _chain(self, deliveries: list[Delivery], hook: Hook) -> list[Delivery]:
        for switched in self.on:
            deliveries = chained(deliveries, lambda data, switched=switched: switched.seen(data, hook(switched, data)))  # type: ignore[misc]
        return deliveries


def chained(deliveries: Sequence[Delivery], hook: Callable[[bytes], Sequence[Delivery]]) -> list[Delivery]:
    """Return what ``hook`` makes of each delivery. Delays add up."""
    return [
        replace(after, delay_ms=before.delay_ms + after.delay_ms, overtakable=before.overtakable or after.overtakable)
        for before in deliveries
        for after in hook(before.data)
    ]


def uses_sessions(faults: Faults) -> bool:
    """Whether a fault concerns sessions: all that have a hook for frames, and all that end connections."""
    return not faults.beyond_path
