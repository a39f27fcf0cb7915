"""Candid text of types (specification, "Core Grammar"), in one canonical form on one line.

Keywords and whatever is not an identifier are quoted as labels. Names (Ref) are written out where
that ends and stays short; a recursive type becomes its definitions, the wanted one last, which
`parse_type` reads back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .names import inner_types
from .types import (
    ANNOTATIONS,
    NAT8,
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
    resolve,
)

KEYWORDS: Final = frozenset(
    ("opt", "vec", "record", "variant", "func", "service", "blob", "type", "import", *ANNOTATIONS, *PRIM_BY_NAME)
)
MAX_INLINE: Final = 2000  # constructors; beyond, names stay names
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}


def type_text(type_: Type) -> str:
    """``type_`` as Candid text that `parse_type` turns into the same type."""
    size = _written_size(type_)
    if size is not None and size <= MAX_INLINE:
        return _write(type_, None)
    return _with_definitions(type_)


def label_text(label: str | int) -> str:
    """A field's or method's label as .did files write it."""
    if isinstance(label, int):
        return str(label)
    return label if _IDENTIFIER.match(label) and label not in KEYWORDS else quoted(label)


def quoted(text: str) -> str:
    """``text`` in double quotes, with what would not print escaped."""
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text) + '"'


def _written_size(type_: Type) -> int | None:
    """How many constructors the text has with all names written out; None when that never ends."""
    sizes: dict[Type, int | None] = {}
    todo: list[tuple[Type, bool]] = [(type_, False)]
    while todo:
        at, done = todo.pop()
        inner = (at.env.get(at.name, at),) if isinstance(at, Ref) else inner_types(at)
        if done:
            total = 1
            for each in inner:
                size = sizes[each]
                if size is None:  # still on the way: a circle
                    return None
                total += size
            sizes[at] = total
        elif at not in sizes:
            sizes[at] = None
            todo.append((at, True))
            todo.extend((each, False) for each in inner)
        elif sizes[at] is None:
            return None
    return sizes[type_]


def _with_definitions(type_: Type) -> str:
    names: dict[Ref, str] = {}
    todo: list[Type] = [type_]
    while todo:
        at = todo.pop()
        if isinstance(at, Ref):
            if at not in names:
                names[at] = _free_name(at.name, set(names.values()))
                todo.append(at.env[at.name])
        else:
            todo.extend(inner_types(at))
    lines = [f"type {name} = {_write(ref.env[ref.name], names)};" for ref, name in names.items() if ref != type_]
    own = names[type_] if isinstance(type_, Ref) else _free_name("Main", set(names.values()))
    body = type_.env[type_.name] if isinstance(type_, Ref) else type_
    return " ".join([*lines, f"type {own} = {_write(body, names)}"])


def _free_name(name: str, taken: set[str]) -> str:
    base = name if _IDENTIFIER.match(name) and name not in KEYWORDS else "T"
    free, number = base, 1
    while free in taken:
        number += 1
        free = f"{base}_{number}"
    return free


def _write(type_: Type, names: Mapping[Ref, str] | None) -> str:
    match type_:
        case Prim():
            return type_.name
        case Ref():
            return _write(resolve(type_), None) if names is None else names[type_]
        case Opt():
            return f"opt {_write(type_.inner, names)}"
        case Vec():
            return "blob" if type_.inner == NAT8 else f"vec {_write(type_.inner, names)}"
        case Record():
            if type_.is_tuple:
                return _braces("record", [_write(field.type, names) for field in type_.fields])
            return _braces("record", [f"{label_text(f.label)} : {_write(f.type, names)}" for f in type_.fields])
        case Variant():
            return _braces("variant", [_case(field.label, field.type, names) for field in type_.fields])
        case Func():
            return f"func {func_text(type_, names)}"
        case Service():
            return _braces("service", [f"{label_text(name)} : {_method(t, names)}" for name, t in type_.methods])
        case Future():
            return f"reserved /* future type {type_.opcode} */"
    raise TypeError(f"{type(type_).__name__} is not a Candid type")


def func_text(type_: Func, names: Mapping[Ref, str] | None = None) -> str:
    """``(…) -> (…) query``, without the word func, as methods are written."""
    args = ", ".join(_write(each, names) for each in type_.args)
    results = ", ".join(_write(each, names) for each in type_.results)
    return " ".join([f"({args}) -> ({results})", *type_.annotations])


def _method(type_: Type, names: Mapping[Ref, str] | None) -> str:
    if isinstance(type_, Ref) and names is not None:
        return names[type_]
    resolved = resolve(type_)
    return func_text(resolved, names) if isinstance(resolved, Func) else _write(resolved, names)


def _case(label: str | int, type_: Type, names: Mapping[Ref, str] | None) -> str:
    name = label_text(label)
    return name if isinstance(type_, Prim) and type_.name == "null" else f"{name} : {_write(type_, names)}"


def _braces(word: str, parts: list[str]) -> str:
    return f"{word} {{ {'; '.join(parts)} }}" if parts else f"{word} {{}}"
