"""A test of a state machine written as a sequence of actions and expected events::

    assert (
        Playbook(machine, start_ns)
        >> do("receive", handshake)
        << SendFrame
        >> wait(60_000)
        << Failed("Open timeout expired before receiving the open message")
        << CloseConnection(4000, "Open connection timeout")
    )

Each event after a ``>>`` needs a ``<<`` that matches it, in order: the event itself, its class, a
predicate, or a tuple (class, {field: value or predicate}). Only ``wait``, ``run`` and ``pause`` advance time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

NS_PER_MS = 1_000_000
M = TypeVar("M")


@dataclass(frozen=True)
class Do:
    """Call a method of the machine, with ``now_ns`` as its last argument unless ``timeless``."""

    method: str
    args: tuple[Any, ...]
    timeless: bool = False
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Advance time by ``ms``; ``tick`` is "late" (once, at the end), "punctual" (at every deadline) or "none"."""

    ms: float
    tick: str = "late"


def do(method: str, *args: Any, **kwargs: Any) -> Do:
    return Do(method, args, kwargs=kwargs)


def do_timeless(method: str, *args: Any) -> Do:
    return Do(method, args, timeless=True)


def wait(ms: float) -> Wait:
    """Advance ``ms`` and tick once at the end."""
    return Wait(ms)


def run(ms: float) -> Wait:
    """Advance ``ms`` with a tick at every deadline, and none at the end."""
    return Wait(ms, "punctual")


def pause(ms: float) -> Wait:
    """Advance ``ms`` without a tick, as when the owner is busy."""
    return Wait(ms, "none")


class Playbook(Generic[M]):
    def __init__(self, machine: M, start_ns: int) -> None:
        self.machine = machine
        self.now_ns = start_ns
        self.seen: list[Any] = []
        self._unmatched: list[Any] = []

    def __rshift__(self, step: Do | Wait) -> Playbook[M]:
        self._assert_all_matched()
        machine: Any = self.machine
        if isinstance(step, Do):
            instant = () if step.timeless else (self.now_ns,)
            self._add(getattr(machine, step.method)(*step.args, *instant, **step.kwargs))
            return self
        end_ns = self.now_ns + round(step.ms * NS_PER_MS)
        while step.tick == "punctual" and (due_ns := machine.deadline_ns) is not None and due_ns <= end_ns:
            self._add(machine.tick(due_ns))
        self.now_ns = end_ns
        if step.tick == "late":
            self._add(machine.tick(end_ns))
        return self

    def __lshift__(self, expected: Any) -> Playbook[M]:
        assert self._unmatched, f"no event is left; expected {expected}"
        event = self._unmatched.pop(0)
        assert _matches(event, expected), f"got {event}; expected {expected}"
        return self

    def __bool__(self) -> bool:
        self._assert_all_matched()
        return True

    def last(self, kind: type) -> Any:
        """The latest event of the class ``kind``."""
        return next(event for event in reversed(self.seen) if isinstance(event, kind))

    def skip(self) -> Playbook[M]:
        """Accept the remaining events of the last action, whatever they are."""
        self._unmatched.clear()
        return self

    def _add(self, events: Any) -> None:
        self._unmatched.extend(events or ())
        self.seen.extend(events or ())

    def _assert_all_matched(self) -> None:
        assert not self._unmatched, f"unexpected events: {self._unmatched}"


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
