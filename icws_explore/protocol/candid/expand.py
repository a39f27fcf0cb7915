"""Names written out, so that a type can be looked at without following names.

`application_type` and `parse_type` give types in this form. A name stays only where a type contains
itself, or where writing everything out would not stay small.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .names import inner_types
from .types import MAX_TYPE_DEPTH, Func, Opt, Record, Ref, Service, Type, Variant, Vec, resolve

MAX_EXPANDED: Final = 2000  # constructors
MAX_NAMES: Final = 300


def expand(type_: Type) -> Type:
    """``type_`` with its head resolved and other names replaced by what they stand for. Raises DidError."""
    body = resolve(type_)
    kept = _recursive(body)
    if kept is None:
        return body
    try:
        return _Expansion(kept).of(body, 0)
    except _TooLargeError:
        return body


def _recursive(body: Type) -> set[Ref] | None:
    """The names that lead back to themselves; None when there are too many names to tell."""
    direct: dict[Ref, set[Ref]] = {}
    todo = list(_refs(body))
    while todo:
        ref = todo.pop()
        if ref not in direct:
            if len(direct) == MAX_NAMES:
                return None
            direct[ref] = _refs(resolve(ref))
            todo.extend(direct[ref])
    return {ref for ref in direct if ref in _reachable(ref, direct)}


def _refs(type_: Type) -> set[Ref]:
    found: set[Ref] = set()
    todo = [type_]
    while todo:
        at = todo.pop()
        if isinstance(at, Ref):
            found.add(at)
        else:
            todo.extend(inner_types(at))
    return found


def _reachable(start: Ref, direct: dict[Ref, set[Ref]]) -> set[Ref]:
    seen: set[Ref] = set()
    todo = list(direct[start])
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo.extend(direct[at])
    return seen


class _TooLargeError(Exception):
    pass


class _Expansion:
    def __init__(self, kept: set[Ref]) -> None:
        self._kept = kept
        self._left = MAX_EXPANDED

    def of(self, type_: Type, depth: int) -> Type:
        self._left -= 1
        if self._left < 0 or depth >= MAX_TYPE_DEPTH:
            raise _TooLargeError
        depth += 1
        match type_:
            case Ref():
                return type_ if type_ in self._kept else self.of(resolve(type_), depth)
            case Opt() | Vec():
                return type(type_)(self.of(type_.inner, depth))
            case Record() | Variant():
                return type(type_)(tuple(replace(each, type=self.of(each.type, depth)) for each in type_.fields))
            case Func():
                args = tuple(self.of(each, depth) for each in type_.args)
                results = tuple(self.of(each, depth) for each in type_.results)
                return replace(type_, args=args, results=results)
            case Service():
                return Service(tuple((name, self.of(each, depth)) for name, each in type_.methods))
        return type_
