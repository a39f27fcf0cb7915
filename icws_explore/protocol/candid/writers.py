"""Functions that write Python values, one per Candid type: ``write(out, value, depth)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .header import unsigned
from .reader import MAX_DEPTH
from .scalar_writers import Refusal, Write, kind_of, scalar_writer, write_func, write_service
from .text import brief_text
from .types import NAT8, Func, Opt, Prim, Record, Service, Type, Variant, Vec, resolve, takes_null
from .values import Some


class Writers:
    """Makes writers; each type's once, and its inner ones when they are first needed (types may be recursive)."""

    def __init__(self) -> None:
        self._made: dict[Type, Write] = {}

    def writer(self, type_: Type) -> Write:
        resolved = resolve(type_)
        write = self._made.get(resolved)
        if write is None:
            write = self._made[resolved] = self._make(resolved)
        return write

    def _make(self, type_: Type) -> Write:
        match type_:
            case Prim():
                return scalar_writer(type_)
            case Opt():
                return self._opt(type_)
            case Vec():
                return self._blob(type_) if resolve(type_.inner) == NAT8 else self._vec(type_)
            case Record():
                return self._record(type_)
            case Variant():
                return self._variant(type_)
            case Func():
                return write_func
            case Service():
                return write_service
        raise TypeError(f"{type(type_).__name__} cannot be encoded")

    def _opt(self, type_: Opt) -> Write:
        def write(out: bytearray, value: Any, depth: int) -> None:
            if value is None:
                out.append(0)
                return
            if depth >= MAX_DEPTH:
                raise Refusal(f"values are nested more than {MAX_DEPTH} deep")
            out.append(1)
            self.writer(type_.inner)(out, value.value if isinstance(value, Some) else value, depth + 1)

        return write

    def _blob(self, type_: Vec) -> Write:
        as_list = self._vec(type_)

        def write(out: bytearray, value: Any, depth: int) -> None:
            if isinstance(value, (bytes, bytearray)):
                out += unsigned(len(value))
                out += value
            elif isinstance(value, memoryview):
                raw = value.tobytes()
                out += unsigned(len(raw))
                out += raw
            else:
                as_list(out, value, depth)

        return write

    def _vec(self, type_: Vec) -> Write:
        def write(out: bytearray, value: Any, depth: int) -> None:
            if not isinstance(value, (list, tuple)):
                raise Refusal(f"{brief_text(type_)} takes a list, not {kind_of(value)}")
            if depth >= MAX_DEPTH:
                raise Refusal(f"values are nested more than {MAX_DEPTH} deep")
            element = self.writer(type_.inner)
            out += unsigned(len(value))
            index = -1
            try:
                for each in value:
                    index += 1
                    element(out, each, depth + 1)
            except Refusal as refusal:
                refusal.path.append(index)
                raise

        return write

    def _record(self, type_: Record) -> Write:
        steps: list[tuple[str, tuple[str | int, ...], bool, Write]] = []
        keys = frozenset(type_.keys)

        def write(out: bytearray, value: Any, depth: int) -> None:
            if depth >= MAX_DEPTH:
                raise Refusal(f"values are nested more than {MAX_DEPTH} deep")
            if len(steps) != len(type_.fields):
                steps[:] = [
                    (key, _spellings(key, field.label), takes_null(field.type), self.writer(field.type))
                    for key, field in type_.by_id
                ]
            if not isinstance(value, Mapping):
                value = _from_sequence(type_, value)
            depth += 1
            key = ""
            found = 0
            try:
                for key, spellings, optional, inner in steps:
                    if key in value:
                        found += 1
                        inner(out, value[key], depth)
                        continue
                    spelling = next((s for s in spellings if s in value), None)
                    if spelling is not None:
                        found += 1
                        inner(out, value[spelling], depth)
                    elif optional:
                        inner(out, None, depth)
                    else:
                        raise Refusal("is missing")
            except Refusal as refusal:
                refusal.path.append(key)
                raise
            if found != len(value):
                _refuse_strangers(value, keys, steps)

        return write

    def _variant(self, type_: Variant) -> Write:
        cases: dict[str | int, tuple[int, str, Type]] = {}
        for index, (key, field) in enumerate(type_.by_id):
            for spelling in _spellings(key, field.label):
                cases.setdefault(spelling, (index, key, field.type))
        for index, (key, field) in enumerate(type_.by_id):
            cases[key] = (index, key, field.type)

        def write(out: bytearray, value: Any, depth: int) -> None:
            if depth >= MAX_DEPTH:
                raise Refusal(f"values are nested more than {MAX_DEPTH} deep")
            name, content = _case_of(value)
            case = cases.get(name) if isinstance(name, (str, int)) else None
            if case is None:
                raise Refusal(f"there is no case {name!r}; there are {', '.join(type_.keys) or 'none'}")
            index, key, inner = case
            out += unsigned(index)
            try:
                self.writer(inner)(out, content, depth + 1)
            except Refusal as refusal:
                refusal.path.append(key)
                raise

        return write


def _spellings(key: str, label: str | int) -> tuple[str | int, ...]:
    """How else a field without a name may be given: 0, "0" or "_0_"."""
    return (label, str(label), f"_{label}_") if isinstance(label, int) else (key,)


def _case_of(value: Any) -> tuple[Any, Any]:
    if isinstance(value, str):
        return value, None
    if isinstance(value, Mapping) and len(value) == 1:
        return next(iter(value.items()))
    raise Refusal(f'a variant takes {{"Case": value}} with one case, not {kind_of(value)}')


def _from_sequence(type_: Record, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, (list, tuple)):
        raise Refusal(f"a record takes a dict, not {kind_of(value)}")
    if not type_.is_tuple:
        raise Refusal(f"a record with named fields takes a dict, not {kind_of(value)}")
    if len(value) > len(type_.fields):
        raise Refusal(f"{len(value)} values for a tuple of {len(type_.fields)}")
    return dict(zip(type_.keys, value, strict=False))


def _refuse_strangers(value: Mapping[Any, Any], keys: frozenset[str], steps: list[Any]) -> None:
    allowed = set(keys).union(*(spellings for _, spellings, _, _ in steps)) if steps else set()
    strange = [repr(key) for key in value if key not in allowed]
    if strange:
        raise Refusal(f"there is no field {', '.join(strange[:3])}; there are {', '.join(sorted(keys)) or 'none'}")
    raise Refusal("a field is given twice, by name and by number")
