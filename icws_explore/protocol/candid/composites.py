"""Readers of values that hold other values: ``read(reader, depth) -> value``, as in scalars.py.

Each pays for the values inside it before it reads them, knows how deep it is, and finds the readers
of its parts (``reader_of(wire type, expected type)``) when it first needs them, so that recursive
types need no special care. On a Fault each adds its step to the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .reader import MAX_DEPTH, Fault, Mismatch, Reader
from .readers import Read
from .types import Type
from .values import Some

ReaderOf = Callable[[int, Type | None], Read]
Part = tuple[str | None, int, Type | None]  # key (None: not expected), wire type, expected type


def opt(content_of: Callable[[], Read]) -> Read:
    """An option; ``content_of`` makes the reader of a present one."""
    content: Read | None = None

    def read(reader: Reader, depth: int) -> Any:
        nonlocal content
        tag = reader.byte("opt")
        if tag == 0:
            return None
        if tag != 1:
            raise Fault(f"opt is {tag}, not 0 or 1", reader.pos - 1)
        if content is None:
            content = content_of()
        return content(reader, depth)

    return read


def present(content: Read, as_is: Callable[[], Read], *, wraps: bool) -> Read:
    """The content of a present option. What does not fit becomes None, and is read ``as_is`` to find its end."""

    def read(reader: Reader, depth: int) -> Any:
        _enter(reader, depth, 1)
        start = reader.pos
        try:
            value = content(reader, depth + 1)
        except Mismatch:
            reader.pos = start
            as_is()(reader, depth + 1)
            return None
        return Some(value) if wraps else value

    return read


def hopeless(as_is: Read) -> Read:
    """The content of a present option of a type that never fits: None, without a try."""

    def read(reader: Reader, depth: int) -> None:
        _enter(reader, depth, 1)
        as_is(reader, depth + 1)

    return read


def vec(inner: int, expected: Type | None, reader_of: ReaderOf) -> Read:
    """A list."""
    element: Read | None = None

    def read(reader: Reader, depth: int) -> list[Any]:
        nonlocal element
        count = reader.count("the length of a vec")
        _enter(reader, depth, count)
        if element is None:
            element = reader_of(inner, expected)
        values: list[Any] = []
        add = values.append
        try:
            for _ in range(count):
                add(element(reader, depth + 1))
        except Fault as fault:
            fault.path.append(len(values))
            raise
        return values

    return read


def vec_at_once(elements: Callable[[Reader, int], Any], *, paid: bool) -> Read:
    """A vector of elements of fixed size; bytes cost no more than their length, so are not ``paid`` for.

    Numbers read at once cost a sixteenth of what a value costs that is read on its own.
    """

    def read(reader: Reader, depth: int) -> Any:
        count = reader.count("the length of a vec")
        _enter(reader, depth, count // 16 if paid else 0)
        return elements(reader, count)

    return read


def record(parts: Sequence[Part], keys: Sequence[str], reader_of: ReaderOf) -> Read:
    """A dict with ``keys`` in their order; those that no part gives are None."""
    steps: list[tuple[str | None, Read]] = []
    template = dict.fromkeys(keys)
    cost = max(len(parts), len(keys))

    def read(reader: Reader, depth: int) -> dict[str, Any]:
        _enter(reader, depth, cost)
        if len(steps) != len(parts):
            steps[:] = [(key, reader_of(inner, expected)) for key, inner, expected in parts]
        depth += 1
        values: dict[str, Any] = template.copy()
        key: str | None = None
        try:
            for key, content in steps:
                if key is None:
                    content(reader, depth)  # checked all the same
                else:
                    values[key] = content(reader, depth)
        except Fault as fault:
            fault.path.append("(an unknown field)" if key is None else key)
            raise
        return values

    return read


def variant(parts: Sequence[Part], labels: Callable[[int], str], reader_of: ReaderOf) -> Read:
    """A dict with one key; ``labels`` names a case that is not expected, by its index."""
    cases: list[Read | None] = [None] * len(parts)

    def read(reader: Reader, depth: int) -> dict[str, Any]:
        _enter(reader, depth, 1)
        at = reader.pos
        index = reader.count("a variant's case")
        if index >= len(parts):
            raise Fault(f"case {index} of a variant that has {len(parts)}", at)
        key, inner, expected = parts[index]
        if key is None:
            raise Mismatch(f"the case {labels(index)} is not an expected one", at)
        content = cases[index]
        if content is None:
            content = cases[index] = reader_of(inner, expected)
        try:
            return {key: content(reader, depth + 1)}
        except Fault as fault:
            fault.path.append(key)
            raise

    return read


def discarded(read: Read) -> Read:
    """Reads and forgets: None."""

    def discard(reader: Reader, depth: int) -> None:
        read(reader, depth)

    return discard


def label_of(number: int, names: Mapping[int, str]) -> str:
    """A field id as people may know it."""
    return names.get(number, f"_{number}_")


def _enter(reader: Reader, depth: int, values: int) -> None:
    if depth >= MAX_DEPTH:
        raise Fault(f"values are nested more than {MAX_DEPTH} deep", reader.pos)
    reader.left -= values
    if reader.left < 0:
        reader.charge(0)  # says so
