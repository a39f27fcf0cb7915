"""Tests of a state machine as a play: what is done to it, and what it must say to that.

    assert (
        Playbook(machine, start_ns)
        >> do("receive", handshake)
        << SendFrame
        >> wait(60_000)
        << Failed("Open timeout expired before receiving the open message")
        << CloseConnection(4000, "Open connection timeout")
    )

After each ``>>`` every event has to be named by a ``<<``, in order: an event itself, its class, a
predicate, or a tuple (class, {field: value or predicate}). Time only passes by ``wait``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

NS_PER_MS = 1_000_000
M = TypeVar("M")


@dataclass(frozen=True)
class Do:
    """Call a method of the machine; the instant is added as its last argument, unless it is timeless."""

    method: str
    args: tuple[Any, ...]
    timeless: bool = False
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Let time pass; ``tick`` at the end of it, or at every deadline on the way, or not at all."""

    ms: float
    tick: str = "late"


def do(method: str, *args: Any, **kwargs: Any) -> Do:
    return Do(method, args, kwargs=kwargs)


def do_timeless(method: str, *args: Any) -> Do:
    return Do(method, args, timeless=True)


def wait(ms: float) -> Wait:
    """``ms`` later, one tick."""
    return Wait(ms)


def run(ms: float) -> Wait:
    """``ms`` later, with a tick at every deadline on the way."""
    return Wait(ms, "punctual")


def pause(ms: float) -> Wait:
    """``ms`` later, without a tick: the owner was busy."""
    return Wait(ms, "none")


class Playbook(Generic[M]):
    def __init__(self, machine: M, start_ns: int) -> None:
        self.machine = machine
        self.now_ns = start_ns
        self.seen: list[Any] = []
        self._unnamed: list[Any] = []

    def __rshift__(self, step: Do | Wait) -> Playbook[M]:
        self._nothing_left()
        machine: Any = self.machine
        if isinstance(step, Do):
            instant = () if step.timeless else (self.now_ns,)
            self._heard(getattr(machine, step.method)(*step.args, *instant, **step.kwargs))
            return self
        end_ns = self.now_ns + round(step.ms * NS_PER_MS)
        while step.tick == "punctual" and (due_ns := machine.deadline_ns) is not None and due_ns <= end_ns:
            self._heard(machine.tick(due_ns))
        self.now_ns = end_ns
        if step.tick == "late":
            self._heard(machine.tick(end_ns))
        return self

    def __lshift__(self, expected: Any) -> Playbook[M]:
        assert self._unnamed, f"nothing more happened, {expected} was expected"
        event = self._unnamed.pop(0)
        assert _matches(event, expected), f"{event} happened, {expected} was expected"
        return self

    def __bool__(self) -> bool:
        self._nothing_left()
        return True

    def last(self, kind: type) -> Any:
        """The latest event of that class."""
        return next(event for event in reversed(self.seen) if isinstance(event, kind))

    def skip(self) -> Playbook[M]:
        """The rest of what just happened does not matter here."""
        self._unnamed.clear()
        return self

    def _heard(self, events: Any) -> None:
        self._unnamed.extend(events or ())
        self.seen.extend(events or ())

    def _nothing_left(self) -> None:
        assert not self._unnamed, f"not expected: {self._unnamed}"


def _matches(event: Any, expected: Any) -> bool:
    if isinstance(expected, type):
        return isinstance(event, expected)
    if isinstance(expected, tuple):
        kind, fields = expected
        return isinstance(event, kind) and all(_fits(getattr(event, name), want) for name, want in fields.items())
    return _fits(event, expected)


def _fits(value: Any, want: Any) -> bool:
    if isinstance(want, Callable) and not isinstance(want, type):  # type: ignore[arg-type]  # an abstract class
        return bool(want(value))
    return bool(value == want)
