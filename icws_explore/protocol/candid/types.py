"""Candid types as Python values, for declared types (.did) and for the types of a message (type table).

Types are immutable and hashable. They compare by structure, including labels and the declared order of
fields; `subtyping.same_type` compares by meaning. A named type is a `Ref`, which holds the environment
(name → type) that defines it; `resolve` follows it. Recursive types are possible only through a `Ref`.
Copies and unpickled types equal the original, except that a copied `Ref` has an environment of its own.

`Some`, `ServiceRef` and `FuncRef` are the Python values of options within options and of references.

Source: Candid specification, "Types" and "Data".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Final

from ..errors import DidError
from ..principal import Principal
from .limits import MAX_ALIASES, MAX_EXPANDED, MAX_EXPANDED_NAMES, MAX_TYPE_DEPTH

ANNOTATIONS: Final = {"query": 1, "oneway": 2, "composite_query": 3}  # name → byte in the type table


@lru_cache(maxsize=4096)
def label_hash(name: str) -> int:
    """The field id of a name (specification, "Symbolic Field Ids"). Raises DidError for lone surrogates."""
    value = 0
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DidError(f"the label {name!r} is not valid Unicode text") from error
    for byte in encoded:
        value = (value * 223 + byte) & 0xFFFFFFFF
    return value


class Type:
    """Base of all Candid types. ``str()`` gives the Candid text. ``depth`` counts the nested constructors."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    depth: int

    def __str__(self) -> str:
        from .text import type_text

        return type_text(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # Cached hashes depend on the process (strings) and on identities (Ref), so a copy computes its own.
        return type(self), tuple(getattr(self, name) for name in self.__match_args__)


def _seal(type_: Type, identity: tuple[Any, ...], inner: Iterable[Type]) -> None:
    """Stores depth and hash, so that both are cheap for large types. Raises DidError for too deep types."""
    depth = 1 + max((each.depth for each in inner), default=0)
    if depth > MAX_TYPE_DEPTH:
        raise DidError(too_deep())
    object.__setattr__(type_, "depth", depth)
    object.__setattr__(type_, "_hash", hash((type(type_).__name__, *identity)))


def too_deep() -> str:
    """The error text for a type that is nested too deep."""
    return f"a type is nested more than {MAX_TYPE_DEPTH} deep; name the inner ones with `type`"


@dataclass(frozen=True, slots=True)
class Prim(Type):
    """A primitive type; the constants below are all there are. ``opcode`` is its negative number in a message."""

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
    """A field of a record or a case of a variant. ``label`` is its name, or its number if the name is unknown."""

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
    """The keys of the fields in Python: the names; "0", "1", … for a tuple; "_<id>_" for other numbers."""
    if all(label == i and isinstance(label, int) for i, label in enumerate(sorted(labels, key=_numbers_first))):
        return tuple(str(label) for label in labels)
    names = {label for label in labels if isinstance(label, str)}
    keys = []
    for label in labels:
        key = label
        if isinstance(label, int):
            key = f"_{label}_"
            while key in names:  # a field may have the *name* "_5_" beside a field with the number 5
                key = f"_{key}_"
        keys.append(str(key))
    return tuple(keys)


def _shown(label: str | int) -> str:
    from .text import printable

    return printable(str(label))


def _numbers_first(label: str | int) -> tuple[int, int]:
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
                what, first, second = type(self).__name__.lower(), _shown(one.label), _shown(other.label)
                raise DidError(f"the {what} has the field {first} twice (as {second}, id {one.id})")
        object.__setattr__(self, "by_id", by_id)
        _seal(self, self.fields, (each.type for each in self.fields))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Record(_Fields):
    """``record { … }``. ``fields`` are in declared order, ``by_id`` in the order of a message, with Python keys."""

    __hash__ = _Fields.__hash__

    @property
    def is_tuple(self) -> bool:
        return all(each.label == i for i, each in enumerate(self.fields))


@dataclass(frozen=True, slots=True)
class Variant(_Fields):
    """``variant { … }``. ``fields`` are in declared order, ``by_id`` in the order of a message, with Python keys."""

    __hash__ = _Fields.__hash__


@dataclass(frozen=True, slots=True)
class Func(Type):
    """``func (…) -> (…)``. Annotations are sorted; names of arguments and results are documentation only."""

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
                known = ", ".join(ANNOTATIONS)
                raise DidError(f"{annotation!r} is not a function annotation; use one of {known}")
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
    """``service { … }``: the methods' names with their types, each a Func or a Ref to one."""

    methods: tuple[tuple[str, Type], ...] = ()
    depth: int = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", tuple(self.methods))
        twice = first_repeated(name for name, _ in self.methods)
        if twice is not None:
            raise DidError(f"the service has the method {_shown(twice)} twice")
        _seal(self, self.methods, (each for _, each in self.methods))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Future(Type):
    """A type of a later Candid version: an opcode below -24. Its values can only be skipped."""

    opcode: int
    depth: int = field(default=1, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Ref(Type):
    """A type by name. Two Refs are equal if they name the same entry of the same environment."""

    name: str
    env: Mapping[str, Type] = field(repr=False)
    depth: int = field(default=1, init=False, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self.name == other.name and self.env is other.env

    def __hash__(self) -> int:
        return hash((self.name, id(self.env)))


BLOB: Final = Vec(NAT8)


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs a second time; None if all are different."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def resolve(type_: Type) -> Type:
    """The type that a Ref stands for; any other type as it is. Raises DidError for undefined and endless names."""
    if not isinstance(type_, Ref):
        return type_
    at: Type = type_
    for _ in range(MAX_ALIASES + 1):
        if not isinstance(at, Ref):
            return at
        if at.name not in at.env:
            raise DidError(f"the type {at.name} is not defined")
        at = at.env[at.name]
    raise DidError(no_type(type_.name))


def no_type(name: str) -> str:
    """The error text for a name that leads to no type."""
    return f"the type {name} is only defined as itself, or through more than {MAX_ALIASES} names"


def takes_null(type_: Type) -> bool:
    """Whether a field or an argument of this type may be missing: ``null`` is a subtype."""
    resolved = resolve(type_)
    return isinstance(resolved, Opt) or resolved in (NULL, RESERVED)


def is_blob(type_: Type) -> bool:
    """Whether the values are bytes: ``vec nat8``."""
    resolved = resolve(type_)
    return isinstance(resolved, Vec) and resolve(resolved.inner) == NAT8


def inner_types(type_: Type) -> tuple[Type, ...]:
    """The types that ``type_`` directly contains. A Ref is not followed and contains none."""
    match type_:
        case Opt() | Vec():
            return (type_.inner,)
        case Record() | Variant():
            return tuple(field.type for field in type_.fields)
        case Func():
            return (*type_.args, *type_.results)
        case Service():
            return tuple(method for _, method in type_.methods)
    return ()


def expand(type_: Type) -> Type:
    """``type_`` with names replaced by their definitions, so that it can be read without following names.

    A name stays where the type is recursive, and all names but the outermost stay where the result would be too
    large (MAX_EXPANDED). Raises DidError for undefined and endless names.
    """
    body = resolve(type_)
    recursive = _recursive_names(body)
    if recursive is None:
        return body
    try:
        return _Expansion(recursive).of(body, 0)
    except _TooLargeError:
        return body


def _recursive_names(body: Type) -> set[Ref] | None:
    """The names that lead back to themselves; None if there are more than MAX_EXPANDED_NAMES names."""
    direct: dict[Ref, set[Ref]] = {}
    todo = list(_refs(body))
    while todo:
        ref = todo.pop()
        if ref not in direct:
            if len(direct) == MAX_EXPANDED_NAMES:
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
    def __init__(self, recursive: set[Ref]) -> None:
        self._recursive = recursive
        self._left = MAX_EXPANDED

    def of(self, type_: Type, depth: int) -> Type:
        self._left -= 1
        if self._left < 0 or depth >= MAX_TYPE_DEPTH:
            raise _TooLargeError
        depth += 1
        match type_:
            case Ref():
                return type_ if type_ in self._recursive else self.of(resolve(type_), depth)
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


@dataclass(frozen=True, slots=True)
class Some:
    """A present option whose content may itself be None: ``opt opt T``, ``opt null``, ``opt reserved``."""

    value: Any


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """A reference to a canister, typed as a service."""

    principal: Principal


@dataclass(frozen=True, slots=True)
class FuncRef:
    """A reference to one public method of a canister."""

    principal: Principal
    method: str
