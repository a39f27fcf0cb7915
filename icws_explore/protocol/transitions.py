"""State machines as tables: the rows are data, the machines only carry them out.

A row says: in this state, when this happens and the guard holds, go there, do that, and close the
connection like so. The machines of this package look every step up here and change state in no
other way, so the diagrams that the docs draw from the tables cannot differ from what runs
(the idea of h11's ``_state.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)
T = TypeVar("T", bound=Enum)


@dataclass(frozen=True, slots=True)
class Close:
    """How a connection is ended. ``code`` None: a close frame without a code (the peer sees 1005)."""

    code: int | None
    reason: str = ""

    def __str__(self) -> str:
        return f"close({'' if self.code is None else self.code}{f', {self.reason!r}' if self.reason else ''})"


@dataclass(frozen=True, slots=True)
class Transition(Generic[S, T]):
    """One row. ``guard`` and ``actions`` name what the machine knows how to test and to do."""

    state: S
    trigger: T
    to: S
    guard: str = ""
    actions: tuple[str, ...] = ()
    close: Close | None = None


class TransitionTable(Generic[S, T]):
    """All rows of one machine, in the order in which their guards are tried."""

    def __init__(self, rows: Iterable[Transition[S, T]]) -> None:
        self.rows = tuple(rows)
        self._by_cause: dict[tuple[S, T], list[Transition[S, T]]] = {}
        for row in self.rows:
            self._by_cause.setdefault((row.state, row.trigger), []).append(row)

    def __iter__(self) -> Iterator[Transition[S, T]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, state: S, trigger: T, holds: Callable[[str], bool]) -> Transition[S, T] | None:
        """The first row for ``trigger`` in ``state`` whose guard holds; None: the trigger means nothing here."""
        for row in self._by_cause.get((state, trigger), ()):
            if not row.guard or holds(row.guard):
                return row
        return None

    @property
    def guards(self) -> frozenset[str]:
        return frozenset(row.guard for row in self.rows if row.guard)

    @property
    def actions(self) -> frozenset[str]:
        return frozenset(action for row in self.rows for action in row.actions)

    def diagram(self) -> str:
        """The table as a Mermaid state diagram: what changes the state on one arrow for each pair of states, what
        does not inside of the state; a line a row, with guard and close code. The actions are the table's.

        Of several arrows between the same states Mermaid lays the words on each other, and of those that
        lead back to their own state it draws one only. Text is the same for the same table.
        """
        lines = ["stateDiagram-v2"]
        if self.rows:
            lines.append(f"    [*] --> {self.rows[0].state.name}")
        inside: dict[str, list[str]] = {}
        arrows: dict[tuple[str, str], list[str]] = {}
        for row in self.rows:
            guard = f" [{row.guard}]" if row.guard else ""
            code = "" if row.close is None or row.close.code is None else str(row.close.code)
            words = f"{row.trigger.value}{guard}{'' if row.close is None else f' / close({code})'}"
            if row.state is row.to:
                inside.setdefault(row.state.name, [row.state.name]).append(words)
            else:
                arrows.setdefault((row.state.name, row.to.name), []).append(words)
        lines += [f"    {state}: {words}" for state, all_words in inside.items() for words in all_words]
        lines += [f"    {state} --> {to}: {'<br/>'.join(words)}" for (state, to), words in arrows.items()]
        return "\n".join(lines) + "\n"
