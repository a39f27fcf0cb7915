"""Types as Candid text, in one canonical form on one line.

Labels that are keywords or no identifiers are quoted. Names (Ref) are replaced by their definitions where the text
stays short. Otherwise, and for a recursive type, the text consists of definitions with the wanted type last.
`parse_type` reads both forms back as the same type.

Source: Candid specification, "Core Grammar".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ..errors import DidError
from .limits import MAX_INLINE, MAX_TYPE_DEPTH
from .types import (
    ANNOTATIONS,
    NULL,
    PRIM_BY_NAME,
    Func,
    Future,
    Opt,
    Prim,
    Record,
    Ref,
    Service,
    Type,
    Variant,
    Vec,
    inner_types,
    is_blob,
    resolve,
)

KEYWORDS: Final = frozenset(
    ("opt", "vec", "record", "variant", "func", "service", "blob", "type", "import", *ANNOTATIONS, *PRIM_BY_NAME)
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}


def type_text(type_: Type) -> str:
    """``type_`` as Candid text. Raises DidError for undefined names."""
    size = _written_size(type_)
    if size is not None and size[0] <= MAX_INLINE and size[1] <= MAX_TYPE_DEPTH:
        return "".join(_pieces(type_, None))
    return _with_definitions(type_)


def brief_text(type_: Type, limit: int = 100) -> str:
    """The first ``limit`` characters of the text, for error texts. The cost does not depend on the type's size."""
    text = ""
    for piece in _pieces(type_, None):
        text += piece
        if len(text) > limit:
            return f"{text[: limit - 1]}…"
    return text


def label_text(label: str | int) -> str:
    """The label of a field or a method as it is written in .did files."""
    if isinstance(label, int):
        return str(label)
    return label if _IDENTIFIER.match(label) and label not in KEYWORDS else quoted(label)


def printable(name: str) -> str:
    """A name for error texts, which have one line: as it is, or quoted if a character is not printable."""
    return name if name.isprintable() else quoted(name)


def quoted(text: str) -> str:
    """``text`` in double quotes. Characters that are not printable are escaped."""
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text) + '"'


def _written_size(type_: Type) -> tuple[int, int] | None:
    """The number and the nesting of constructors in the text without definitions; None for a recursive type."""
    sizes: dict[Type, tuple[int, int] | None] = {}
    todo: list[tuple[Type, bool]] = [(type_, False)]
    while todo:
        at, done = todo.pop()
        inner = (_named(at),) if isinstance(at, Ref) else inner_types(at)
        if done:
            parts = [size for each in inner if (size := sizes[each]) is not None]
            sizes[at] = (1 + sum(size for size, _ in parts), 1 + max((depth for _, depth in parts), default=0))
        elif at not in sizes:
            sizes[at] = None
            todo.append((at, True))
            todo.extend((each, False) for each in inner)
        elif sizes[at] is None:  # not finished yet: a cycle
            return None
    return sizes[type_]


def _named(ref: Ref) -> Type:
    if ref.name not in ref.env:
        raise DidError(f"the type {ref.name} is not defined")
    return ref.env[ref.name]


def _with_definitions(type_: Type) -> str:
    names: dict[Ref, str] = {}
    fresh = _Names()
    todo: list[Type] = [type_]
    while todo:
        at = todo.pop()
        if isinstance(at, Ref):
            if at not in names:
                names[at] = fresh.take(at.name)
                todo.append(_named(at))
        else:
            todo.extend(inner_types(at))
    body = _named(type_) if isinstance(type_, Ref) else type_
    own = type_ if isinstance(type_, Ref) else next((ref for ref in names if _named(ref) == body), None)
    definitions = [(name, _named(ref)) for ref, name in names.items() if ref != own]
    definitions.append((names[own] if own is not None else fresh.take("Main"), body))
    return " ".join(f"type {name} = {''.join(_pieces(each, names))};" for name, each in definitions)


class _Names:
    """Names for definitions: the original ones, changed where they are taken already or are keywords."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, name: str) -> str:
        base = name if _IDENTIFIER.match(name) and name not in KEYWORDS else "T"
        free = base
        while free in self._taken:
            self._next[base] = self._next.get(base, 1) + 1
            free = f"{base}_{self._next[base]}"
        self._taken.add(free)
        return free


_Written = Mapping[Ref, str] | None  # the names to use; None: write the definitions instead


def _pieces(type_: Type, names: _Written) -> Iterator[str]:
    match type_:
        case Prim():
            yield type_.name
        case Ref():
            if names is None:
                yield from _pieces(resolve(type_), None)
            else:
                yield names[type_]
        case Vec() if is_blob(type_):
            yield "blob"
        case Opt() | Vec():
            yield "opt " if isinstance(type_, Opt) else "vec "
            yield from _pieces(type_.inner, names)
        case Record():
            yield from _braces("record", _fields(type_, names))
        case Variant():
            yield from _braces("variant", (_case(field.label, field.type, names) for field in type_.fields))
        case Func():
            yield "func "
            yield from _signature(type_, names)
        case Service():
            yield from _braces("service", (_method(name, each, names) for name, each in type_.methods))
        case Future():  # pragma: no branch
            yield f"reserved /* future type {type_.opcode} */"


def _signature(type_: Func, names: _Written) -> Iterator[str]:
    for opening, types in (("(", type_.args), (") -> (", type_.results)):
        yield opening
        for index, each in enumerate(types):
            if index:
                yield ", "
            yield from _pieces(each, names)
    yield " ".join([")", *type_.annotations])


def _method(name: str, type_: Type, names: _Written) -> Iterator[str]:
    yield f"{label_text(name)} : "
    if isinstance(type_, Ref) and names is not None:
        yield names[type_]
    else:
        resolved = resolve(type_)
        yield from _signature(resolved, names) if isinstance(resolved, Func) else _pieces(resolved, names)


def _fields(type_: Record, names: _Written) -> Iterator[Iterator[str]]:
    if type_.is_tuple:
        return (_pieces(field.type, names) for field in type_.fields)
    return (_labelled(field.label, field.type, names) for field in type_.fields)


def _labelled(label: str | int, type_: Type, names: _Written) -> Iterator[str]:
    yield f"{label_text(label)} : "
    yield from _pieces(type_, names)


def _case(label: str | int, type_: Type, names: _Written) -> Iterator[str]:
    return iter((label_text(label),)) if type_ == NULL else _labelled(label, type_, names)


def _braces(word: str, parts: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"{word} {{"
    between = " "
    for part in parts:
        yield between
        yield from part
        between = "; "
    yield "}" if between == " " else " }"
