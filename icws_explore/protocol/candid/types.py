"""Candid types as values: what a .did text declares and what a type table on the wire says.

Source: Candid specification, "Data". Types are immutable, hashable and compare by structure, labels
and declared field order included; `subtyping.same_type` compares by meaning. Recursion and names go
through `Ref`, which carries the environment it is defined in; `resolve` follows it.

Python values for what Python has no word for: references, and an option inside an option.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from ..errors import DidError
from ..principal import Principal

MAX_TYPE_DEPTH: Final = 128  # nested constructors in one type expression; names (Ref) start anew
MAX_ALIASES: Final = 100  # names for names for names …
ANNOTATIONS: Final = {"query": 1, "oneway": 2, "composite_query": 3}


@lru_cache(maxsize=4096)
def label_hash(name: str) -> int:
    """The field id of a name (Candid specification, "Symbolic Field Ids"). Raises DidError for lone surrogates."""
    value = 0
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DidError(f"the label {name!r} is not valid Unicode text") from error
    for byte in encoded:
        value = (value * 223 + byte) & 0xFFFFFFFF
    return value


class Type:
    """Base of all Candid types. ``str()`` gives the Candid text."""

    __slots__ = ()

    depth: int

    def __str__(self) -> str:
        from .text import type_text

        return type_text(self)


def _seal(type_: Type, identity: tuple[Any, ...], inner: Iterable[Type]) -> None:
    """Caches hash and depth, so that both stay cheap however large the type is."""
    depth = 1 + max((each.depth for each in inner), default=0)
    if depth > MAX_TYPE_DEPTH:
        raise DidError(f"a type is nested more than {MAX_TYPE_DEPTH} deep; name the inner ones with `type`")
    object.__setattr__(type_, "depth", depth)
    object.__setattr__(type_, "_hash", hash((type(type_).__name__, *identity)))


@dataclass(frozen=True, slots=True)
class Prim(Type):
    """A primitive type; use the constants below. ``opcode`` is its negative number on the wire."""

    name: str
    opcode: int
    depth: int = field(default=1, init=False, repr=False, compare=False)

    def __repr__(self) -> str:
        return self.name.upper()


NULL: Final = Prim("null", -1)
BOOL: Final = Prim("bool", -2)
NAT: Final = Prim("nat", -3)
INT: Final = Prim("int", -4)
NAT8: Final = Prim("nat8", -5)
NAT16: Final = Prim("nat16", -6)
NAT32: Final = Prim("nat32", -7)
NAT64: Final = Prim("nat64", -8)
INT8: Final = Prim("int8", -9)
INT16: Final = Prim("int16", -10)
INT32: Final = Prim("int32", -11)
INT64: Final = Prim("int64", -12)
FLOAT32: Final = Prim("float32", -13)
FLOAT64: Final = Prim("float64", -14)
TEXT: Final = Prim("text", -15)
RESERVED: Final = Prim("reserved", -16)
EMPTY: Final = Prim("empty", -17)
PRINCIPAL: Final = Prim("principal", -24)

PRIMS: Final[tuple[Prim, ...]] = (
    NULL, BOOL, NAT, INT, NAT8, NAT16, NAT32, NAT64, INT8, INT16, INT32, INT64,
    FLOAT32, FLOAT64, TEXT, RESERVED, EMPTY, PRINCIPAL,
)  # fmt: skip
PRIM_BY_NAME: Final[Mapping[str, Prim]] = {prim.name: prim for prim in PRIMS}
PRIM_BY_OPCODE: Final[Mapping[int, Prim]] = {prim.opcode: prim for prim in PRIMS}

OPT_CODE: Final = -18
VEC_CODE: Final = -19
RECORD_CODE: Final = -20
VARIANT_CODE: Final = -21
FUNC_CODE: Final = -22
SERVICE_CODE: Final = -23


@dataclass(frozen=True, slots=True)
class Opt(Type):
    """``opt T``: None, or a value of T."""

    inner: Type
    depth: int = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _seal(self, (self.inner,), (self.inner,))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Vec(Type):
    """``vec T``; ``vec nat8`` is a blob."""

    inner: Type
    depth: int = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _seal(self, (self.inner,), (self.inner,))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Field:
    """A record's field or a variant's case: its name, or its number where no name is known."""

    label: str | int
    type: Type
    id: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        label = self.label
        number = label_hash(label) if isinstance(label, str) else label
        if not 0 <= number < 1 << 32:
            raise DidError(f"the field number {number} is not below 2^32")
        object.__setattr__(self, "id", number)


def field_keys(labels: Sequence[str | int]) -> tuple[str, ...]:
    """The Python keys of fields: names as they are, "0", "1", … when all are numbered so, else "_<id>_"."""
    if all(label == i and isinstance(label, int) for i, label in enumerate(sorted(labels, key=_by_number))):
        return tuple(str(label) for label in labels)
    taken = {label for label in labels if isinstance(label, str)}
    keys = []
    for label in labels:
        key = label
        if isinstance(label, int):
            key = f"_{label}_"
            while key in taken:  # a field may be *named* "_5_" beside one numbered 5
                key = f"_{key}_"
        keys.append(str(key))
    return tuple(keys)


def _by_number(label: str | int) -> tuple[int, int]:
    return (0, label) if isinstance(label, int) else (1, 0)


@dataclass(frozen=True, slots=True)
class _Fields(Type):
    fields: tuple[Field, ...] = ()
    keys: tuple[str, ...] = field(init=False, repr=False, compare=False)
    by_id: tuple[tuple[str, Field], ...] = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        keys = field_keys([each.label for each in self.fields])
        object.__setattr__(self, "keys", keys)
        by_id = tuple(sorted(zip(keys, self.fields, strict=True), key=lambda pair: pair[1].id))
        for (_, one), (_, other) in pairwise(by_id):
            if one.id == other.id:
                what = type(self).__name__.lower()
                raise DidError(f"the {what} has the field {one.label} twice (as {other.label}, id {one.id})")
        object.__setattr__(self, "by_id", by_id)
        _seal(self, self.fields, (each.type for each in self.fields))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Record(_Fields):
    """``record { … }``; fields in declared order, ``by_id`` in wire order with their Python keys."""

    __hash__ = _Fields.__hash__

    @property
    def is_tuple(self) -> bool:
        return all(each.label == i for i, each in enumerate(self.fields))


@dataclass(frozen=True, slots=True)
class Variant(_Fields):
    """``variant { … }``; cases in declared order, ``by_id`` in wire order with their Python keys."""

    __hash__ = _Fields.__hash__


@dataclass(frozen=True, slots=True)
class Func(Type):
    """``func (…) -> (…)``; annotations sorted; names of arguments are documentation only."""

    args: tuple[Type, ...] = ()
    results: tuple[Type, ...] = ()
    annotations: tuple[str, ...] = ()
    arg_names: tuple[str | None, ...] = field(default=(), compare=False)
    result_names: tuple[str | None, ...] = field(default=(), compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for annotation in self.annotations:
            if annotation not in ANNOTATIONS:
                raise DidError(f"{annotation!r} is not a function annotation; there are {', '.join(ANNOTATIONS)}")
        object.__setattr__(self, "args", tuple(self.args))
        object.__setattr__(self, "results", tuple(self.results))
        object.__setattr__(self, "annotations", tuple(sorted(set(self.annotations))))
        _seal(self, (self.args, self.results, self.annotations), (*self.args, *self.results))

    def __hash__(self) -> int:
        return self._hash

    @property
    def is_query(self) -> bool:
        return "query" in self.annotations or "composite_query" in self.annotations


@dataclass(frozen=True, slots=True)
class Service(Type):
    """``service { … }``: method names with their types, each a Func or a Ref to one."""

    methods: tuple[tuple[str, Type], ...] = ()
    depth: int = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", tuple(self.methods))
        names = [name for name, _ in self.methods]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DidError(f"the service has the method {twice} twice")
        _seal(self, self.methods, (each for _, each in self.methods))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Future(Type):
    """A type of a later Candid version: an opcode below -24 whose values can only be skipped."""

    opcode: int
    depth: int = field(default=1, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Ref(Type):
    """A type by name. Two are equal when they name the same entry of the same environment."""

    name: str
    env: Mapping[str, Type] = field(repr=False)
    depth: int = field(default=1, init=False, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self.name == other.name and self.env is other.env

    def __hash__(self) -> int:
        return hash((self.name, id(self.env)))


BLOB: Final = Vec(NAT8)


def resolve(type_: Type) -> Type:
    """``type_`` without a Ref at its head. Raises DidError for undefined and vacuous names."""
    if not isinstance(type_, Ref):
        return type_
    at: Type = type_
    for _ in range(MAX_ALIASES):
        if not isinstance(at, Ref):
            return at
        if at.name not in at.env:
            raise DidError(f"the type {at.name} is not defined")
        at = at.env[at.name]
    raise DidError(f"the type {type_.name} is only defined as itself, or through more than {MAX_ALIASES} names")


def takes_null(type_: Type) -> bool:
    """Whether ``null`` is a subtype: such a field or argument may be missing."""
    resolved = resolve(type_)
    return resolved is NULL or resolved is RESERVED or isinstance(resolved, Opt)


def is_blob(type_: Type) -> bool:
    """Whether values are bytes: ``vec nat8``."""
    resolved = resolve(type_)
    return isinstance(resolved, Vec) and resolve(resolved.inner) == NAT8


@dataclass(frozen=True, slots=True)
class Some:
    """A present option whose content may itself be None: ``opt opt T``, ``opt null``, ``opt reserved``."""

    value: Any


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """A reference to a canister at a service type."""

    principal: Principal


@dataclass(frozen=True, slots=True)
class FuncRef:
    """A reference to one public method of a canister."""

    principal: Principal
    method: str
