"""State machines as tables: each row is data, and one driver carries the rows out.

A row says: in this state, when this trigger comes and the guard holds, go to that state, do these
actions, and close the connection with this code. Guards and actions are functions of the machine's
class, so that a type checker and an editor can follow them from the row. The machines change state
only through `TransitionTable.fire`, so the diagrams that the docs draw from the tables always match
what runs. The idea is that of h11's ``_state.py``.

A table drives any object with a ``state`` and a method ``take`` (see `Driven`)::

    class Lamp:
        state = LampState.OFF

        def take(self, row): self.state = row.to
        def has_power(self, trigger): ...
        def shine(self, trigger): ...

    TABLE = TransitionTable([Transition(LampState.OFF, Kind.PRESS, LampState.ON, Lamp.has_power, (Lamp.shine,))])
    TABLE.fire(Lamp(), Press())
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Close:
    """How a connection is closed. ``code`` None: by a close frame without a code (the peer sees 1005)."""

    code: int | None
    reason: str = ""

    def __str__(self) -> str:
        return f"close({'' if self.code is None else self.code}{f', {self.reason!r}' if self.reason else ''})"


class Driven(Protocol):
    """A machine that a table drives."""

    @property
    def state(self) -> Any: ...

    def take(self, row: Any) -> None:
        """Enter the state ``row.to``. Called before the row's actions."""


class Triggered(Protocol):
    """What comes to a machine: its ``kind``, and whatever guards and actions need to know of it."""

    @property
    def kind(self) -> Any: ...


S = TypeVar("S", bound=Enum)  # states
K = TypeVar("K", bound=Enum)  # kinds of triggers
M = TypeVar("M", bound=Driven)  # the machine's class
E = TypeVar("E", bound=Triggered)  # its triggers


@dataclass(frozen=True, slots=True)
class Transition(Generic[S, K, M, E]):
    """One row. Without a ``guard`` the row always holds; the actions run in their order."""

    state: S
    trigger: K
    to: S
    guard: Callable[[M, E], bool] | None = None
    actions: tuple[Callable[[M, E], None], ...] = ()
    close: Close | None = None


class TransitionTable(Generic[S, K, M, E]):
    """All rows of one machine. Rows of the same state and trigger are tried in their order."""

    def __init__(self, rows: Iterable[Transition[S, K, M, E]]) -> None:
        self.rows = tuple(rows)
        self._by_cause: dict[tuple[S, K], list[Transition[S, K, M, E]]] = {}
        for row in self.rows:
            self._by_cause.setdefault((row.state, row.trigger), []).append(row)

    def __iter__(self) -> Iterator[Transition[S, K, M, E]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def fire(self, machine: M, trigger: E) -> Transition[S, K, M, E] | None:
        """Take the first row for ``trigger`` in the machine's state whose guard holds, and return it.

        None: no row applies, and nothing was done. Carrying out the row's ``close`` is the caller's part.
        """
        for row in self._by_cause.get((machine.state, trigger.kind), ()):
            if row.guard is None or row.guard(machine, trigger):
                machine.take(row)
                for action in row.actions:
                    action(machine, trigger)
                return row
        return None

    def with_action(self, old: Callable[[M, E], None], new: Callable[[M, E], None]) -> TransitionTable[S, K, M, E]:
        """The same table with ``new`` in place of the action ``old``, for a machine that deviates in one point."""
        return TransitionTable(
            replace(row, actions=tuple(new if action == old else action for action in row.actions)) for row in self.rows
        )

    def diagram(self) -> str:
        """The table as a Mermaid state diagram; the same text for the same table.

        Each pair of states has one arrow, which lists the rows (trigger, guard, close code), a row a
        line. Rows that keep the state are listed inside the state's box. The actions are left out.
        Mermaid would print the labels of several arrows between two states over each other, and it
        draws only one loop for each state.
        """
        lines = ["stateDiagram-v2"]
        if self.rows:
            lines.append(f"    [*] --> {self.rows[0].state.name}")
        inside: dict[str, list[str]] = {}
        arrows: dict[tuple[str, str], list[str]] = {}
        for row in self.rows:
            guard = "" if row.guard is None else f" [{row.guard.__name__}]"
            code = "" if row.close is None or row.close.code is None else str(row.close.code)
            label = f"{row.trigger.value}{guard}{'' if row.close is None else f' / close({code})'}"
            if row.state is row.to:
                inside.setdefault(row.state.name, [row.state.name]).append(label)
            else:
                arrows.setdefault((row.state.name, row.to.name), []).append(label)
        lines += [f"    {state}: {label}" for state, labels in inside.items() for label in labels]
        lines += [f"    {state} --> {to}: {'<br/>'.join(labels)}" for (state, to), labels in arrows.items()]
        return "\n".join(lines) + "\n"
