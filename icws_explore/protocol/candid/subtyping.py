"""The subtype relation of Candid types.

Every type is a subtype of every ``opt``. So whether a relation holds is never a choice between alternatives: it is
a set of pairs of types that must all hold. The set is worked off in a loop, and a pair that occurs again, as in
recursive types, needs no second look.

Source: Candid specification, "Upgrading and Subtyping".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .types import (
    EMPTY,
    INT,
    NAT,
    PRINCIPAL,
    RESERVED,
    Field,
    Func,
    Opt,
    Prim,
    Record,
    Service,
    Type,
    Variant,
    Vec,
    resolve,
    takes_null,
)

_Pair = tuple[Type, Type]


def is_subtype(narrow: Type, wide: Type, charge: Callable[[int], None] | None = None) -> bool:
    """Whether every value of ``narrow`` decodes at ``wide``. ``charge`` is called with the number of new pairs."""
    return _holds([(narrow, wide)], _subtype_rule, charge)


def same_type(one: Type, other: Type) -> bool:
    """Whether both mean the same type. The order of fields and the names of types and arguments do not matter."""
    return _holds([(one, other)], _same_rule, None)


def _holds(
    todo: list[_Pair], rule: Callable[[Type, Type], list[_Pair] | None], charge: Callable[[int], None] | None
) -> bool:
    seen: set[_Pair] = set()
    while todo:
        pair = todo.pop()
        if pair in seen:
            continue
        seen.add(pair)
        more = rule(resolve(pair[0]), resolve(pair[1]))
        if more is None:
            return False
        if charge is not None:
            charge(1 + len(more))
        todo.extend(more)
    return True


def _subtype_rule(narrow: Type, wide: Type) -> list[_Pair] | None:
    """The further pairs that must hold, or None if the relation fails."""
    if isinstance(wide, Opt) or narrow == EMPTY or wide == RESERVED:
        return []
    if isinstance(narrow, Prim):
        return [] if narrow == wide or (narrow == NAT and wide == INT) else None
    if isinstance(narrow, Service) and wide == PRINCIPAL:
        return []
    match narrow, wide:
        case Vec(), Vec():
            return [(narrow.inner, wide.inner)]
        case Record(), Record():
            return _record_rule(_by_id(narrow), _by_id(wide))
        case Variant(), Variant():
            return _all_of(_by_id(narrow), _by_id(wide))
        case Func(), Func():
            return _func_rule(narrow, wide)
        case Service(), Service():
            more = _all_of(dict(wide.methods), dict(narrow.methods))
            return None if more is None else [(method, wanted) for wanted, method in more]
    return None


def _by_id(type_: Record | Variant) -> dict[int, Type]:
    return {field.id: field.type for field in type_.fields}


def _all_of(some: Mapping[Any, Type], others: Mapping[Any, Type]) -> list[_Pair] | None:
    """Each of ``some`` with the one of ``others`` that has the same key; None if one is missing."""
    if not some.keys() <= others.keys():
        return None
    return [(type_, others[key]) for key, type_ in some.items()]


def _func_rule(narrow: Func, wide: Func) -> list[_Pair] | None:
    if narrow.annotations != wide.annotations:
        return None
    taken = _record_rule(_numbered(wide.args), _numbered(narrow.args))
    given = _record_rule(_numbered(narrow.results), _numbered(wide.results))
    return None if taken is None or given is None else taken + given


def _record_rule(narrow: dict[int, Type], wide: dict[int, Type]) -> list[_Pair] | None:
    pairs = []
    for number, type_ in wide.items():
        if number in narrow:
            pairs.append((narrow[number], type_))
        elif not takes_null(type_):
            return None
    return pairs


def _numbered(types: Iterable[Type]) -> dict[int, Type]:
    return dict(enumerate(types))


def _same_rule(one: Type, other: Type) -> list[_Pair] | None:
    if type(one) is not type(other):
        return None
    if isinstance(one, (Opt, Vec)) and isinstance(other, (Opt, Vec)):
        return [(one.inner, other.inner)]
    if isinstance(one, (Record, Variant)) and isinstance(other, (Record, Variant)):
        return _same_fields([field for _, field in one.by_id], [field for _, field in other.by_id])
    match one, other:
        case Func(), Func():
            if one.annotations != other.annotations or len(one.args) != len(other.args):
                return None
            if len(one.results) != len(other.results):
                return None
            return list(zip(one.args + one.results, other.args + other.results, strict=True))
        case Service(), Service():
            methods, others = dict(one.methods), dict(other.methods)
            return [(methods[name], others[name]) for name in methods] if methods.keys() == others.keys() else None
    return [] if one == other else None


def _same_fields(one: list[Field], other: list[Field]) -> list[_Pair] | None:
    if [field.id for field in one] != [field.id for field in other]:
        return None
    return [(a.type, b.type) for a, b in zip(one, other, strict=True)]
