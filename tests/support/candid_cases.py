"""Candid for tests: messages written as hex, random types with values that fit, and counted work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import (
    Field,
    Func,
    FuncRef,
    Opt,
    Record,
    Ref,
    Service,
    ServiceRef,
    Some,
    Type,
    Variant,
    Vec,
)
from icws_explore.protocol.candid.types import PRIMS, takes_null
from icws_explore.protocol.principal import Principal

LIST_DID = "type Node = record { head : int; tail : List }; type List = opt Node;"
TREE_DID = "type Tree = variant { leaf : nat; branch : record { left : Tree; right : Tree } };"


def didl(text: str) -> bytes:
    """A message: hex with spaces behind DIDL; what stands in 'single quotes' is ASCII."""
    out = bytearray(b"DIDL")
    for index, piece in enumerate(text.split("'")):
        out += piece.encode("ascii") if index % 2 else bytes.fromhex(piece)
    return bytes(out)


def work_of(call: Callable[[], Any]) -> int:
    """How many functions ``call`` enters, C functions included: a clock that no busy machine slows."""
    count = 0

    def count_one(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    before = sys.getprofile()
    sys.setprofile(count_one)
    try:
        call()
    finally:
        sys.setprofile(before)
    return count


def with_little_stack(call: Callable[[], Any], frames: int = 60) -> Any:
    """What ``call`` gives where only about ``frames`` nested calls are left to it."""
    used = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1

    def deeper(levels: int) -> Any:
        return call() if levels == 0 else deeper(levels - 1)

    return deeper(sys.getrecursionlimit() - used - frames)


principals = st.binary(max_size=29).map(Principal)
texts = st.text(max_size=20)
labels = st.one_of(
    st.text(max_size=8), st.sampled_from(["opt", "text", "query", "a b", "é", '"', "_5_"]),
    st.integers(0, 2**32 - 1), st.integers(0, 5),
)  # fmt: skip
_PRIM_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "empty": st.nothing(),
    "null": st.none(),
    "reserved": st.none(),
    "bool": st.booleans(),
    "nat": st.integers(0, 2**200) | st.integers(0, 300),
    "int": st.integers(-(2**200), 2**200) | st.integers(-300, 300),
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
    "text": texts,
    "principal": principals,
    **{f"nat{bits}": st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"int{bits}": st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _field_id(label: str | int) -> int:
    return candid.label_hash(label) if isinstance(label, str) else label


def _fields(types: st.SearchStrategy[Type], least: int) -> st.SearchStrategy[tuple[Field, ...]]:
    named = st.lists(labels, min_size=least, max_size=5, unique_by=_field_id).flatmap(
        lambda chosen: st.tuples(*[st.builds(Field, st.just(label), types) for label in chosen])
    )
    tuples = st.lists(types, min_size=least, max_size=3).map(
        lambda inner: tuple(Field(index, type_) for index, type_ in enumerate(inner))
    )
    return named | tuples


def _bigger(types: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    some = st.lists(types, max_size=3).map(tuple)
    funcs = st.one_of(
        st.builds(Func, some, some, st.sampled_from([(), ("query",), ("composite_query",)])),
        st.builds(Func, some, st.just(()), st.just(("oneway",))),
    )
    services = st.dictionaries(texts, funcs, max_size=3).map(lambda methods: Service(tuple(methods.items())))
    return st.one_of(
        st.builds(Opt, types), st.builds(Vec, types), _fields(types, 0).map(Record), _fields(types, 1).map(Variant),
        funcs, services,
    )  # fmt: skip


_inhabited_prims = st.sampled_from([prim for prim in PRIMS if prim.name != "empty"])
recursive_types: st.SearchStrategy[Type] = st.sampled_from(
    [candid.parse_type(LIST_DID), candid.parse_type(TREE_DID), Vec(Ref("List", candid.parse_did(LIST_DID).types))]
)
finite_types: st.SearchStrategy[Type] = st.recursive(_inhabited_prims, _bigger, max_leaves=12)
types: st.SearchStrategy[Type] = st.recursive(_inhabited_prims | recursive_types, _bigger, max_leaves=12)


def values_of(type_: Type, room: int = 4) -> st.SearchStrategy[Any]:
    """Values as decode gives them; ``room`` bounds how deep recursive types go."""
    type_ = candid.resolve(type_)
    match type_:
        case candid.Prim():
            return _PRIM_VALUES[type_.name]
        case Opt():
            if room <= 0:
                return st.none()
            present = st.deferred(lambda: values_of(type_.inner, room - 1))
            return st.none() | (st.builds(Some, present) if takes_null(type_.inner) else present)
        case Vec():
            if candid.resolve(type_.inner) == candid.NAT8:
                return st.binary(max_size=40)
            if room <= 0 or candid.resolve(type_.inner) == candid.EMPTY:
                return st.just([])
            return st.lists(st.deferred(lambda: values_of(type_.inner, room - 1)), max_size=3)
        case Record():
            return st.fixed_dictionaries({key: values_of(field.type, room - 1) for key, field in type_.by_id})
        case Variant():
            cases = list(type_.by_id) if room > 0 else [min(type_.by_id, key=lambda case: _size(case[1].type))]
            return st.sampled_from(cases).flatmap(
                lambda case: st.fixed_dictionaries({case[0]: values_of(case[1].type, room - 1)})
            )
        case Func():
            return st.builds(FuncRef, principals, texts)
        case Service():
            return st.builds(ServiceRef, principals)
    raise AssertionError(type_)


def _size(type_: Type) -> int:
    return len(str(type_))


def typed_values(of: st.SearchStrategy[Type] = types) -> st.SearchStrategy[tuple[Type, Any]]:
    """Pairs of a type and a value of it."""
    return of.flatmap(lambda type_: values_of(type_).map(lambda value: (type_, value)))
