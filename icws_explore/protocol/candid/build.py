"""From lark's parse tree to types; whatever the grammar cannot check is checked here, with its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..errors import DidError
from .types import (
    BLOB,
    MAX_ALIASES,
    NULL,
    PRIM_BY_NAME,
    Field,
    Func,
    Opt,
    Record,
    Ref,
    Service,
    Type,
    Variant,
    Vec,
    resolve,
)

if TYPE_CHECKING:
    from lark import Token, Tree

_ESCAPE: Final = re.compile(rb"\\(?:([0-9a-fA-F]{2})|u\{([0-9a-fA-F_]+)\}|(.))", re.DOTALL)
_SIMPLE: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b'"': b'"', b"'": b"'"}


@dataclass(slots=True)
class Parsed:
    """A .did text's contents."""

    types: dict[str, Type] = field(default_factory=dict)
    methods: dict[str, Func] = field(default_factory=dict)
    init_args: tuple[Type, ...] | None = None
    has_service: bool = False
    places: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Method:
    name: str
    type: Type
    place: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Methods:
    service: Service
    places: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str | None
    type: Type


@dataclass(frozen=True, slots=True)
class _Actor:
    type: Type
    places: dict[str, tuple[int, int]]
    init_args: tuple[Type, ...] | None
    place: tuple[int, int]


class Builder:
    """Builds one text's types. Each rule's method gets the results of the rules inside it."""

    def __init__(self) -> None:
        self.env: dict[str, Type] = {}
        self._defined_at: dict[str, tuple[int, int]] = {}
        self._used: list[tuple[Ref, tuple[int, int]]] = []
        self._services: list[tuple[Service, tuple[int, int]]] = []

    def build(self, tree: Tree[Any]) -> Parsed | Type:
        """Bottom up and without recursion: nesting is the text's to choose."""
        results: dict[int, Any] = {}
        for node in tree.iter_subtrees():
            parts = [results[id(child)] if hasattr(child, "data") else child for child in node.children]
            make: Callable[[list[Any], tuple[int, int]], Any] = getattr(self, f"_{node.data}")
            place = (1, 1) if node.meta.empty else (node.meta.line, node.meta.column)
            try:
                results[id(node)] = make(parts, place)
            except DidError as error:
                if error.line is None:
                    raise DidError(error.reason, *place) from None
                raise
        result: Parsed | Type = results[id(tree)]
        return result

    # whole texts

    def _did(self, parts: list[Any], _place: tuple[int, int]) -> Parsed:
        self._check_names()
        parsed = Parsed(types=self.env)
        actor = next((part for part in parts if isinstance(part, _Actor)), None)
        if actor is not None:
            service = resolve(actor.type)
            if not isinstance(service, Service):
                raise DidError("the service is declared by a type that is not a service", *actor.place)
            parsed.has_service = True
            parsed.init_args = actor.init_args
            parsed.places = actor.places
            for name, type_ in service.methods:
                func = resolve(type_)
                assert isinstance(func, Func)  # _check_names has looked
                parsed.methods[name] = func
        return parsed

    def _did_or_type(self, parts: list[Any], _place: tuple[int, int]) -> Parsed | Type:
        (part,) = parts
        if isinstance(part, Type):
            self._check_names()
        result: Parsed | Type = part
        return result

    def _check_names(self) -> None:
        for ref, place in self._used:
            if ref.name not in self.env:
                raise DidError(f"the type {ref.name} is not defined", *place)
        for name, type_ in self.env.items():
            try:
                resolve(type_)
            except DidError:
                raise DidError(
                    f"the type {name} is only defined as itself, or through more than {MAX_ALIASES} names",
                    *self._defined_at[name],
                ) from None
        for service, place in self._services:
            for name, type_ in service.methods:
                if not isinstance(resolve(type_), Func):
                    raise DidError(f"the method {name} is not of a function type", *place)

    def _type_definition(self, parts: list[Any], place: tuple[int, int]) -> None:
        name, type_ = str(parts[-2]), parts[-1]
        if name in PRIM_BY_NAME or name == "blob":
            raise DidError(f"{name} is a built-in type; give yours another name", *place)
        if name in self.env:
            line, _ = self._defined_at[name]
            raise DidError(f"the type {name} is defined already, in line {line}", *place)
        self.env[name] = type_
        self._defined_at[name] = place

    def _import_definition(self, parts: list[Any], place: tuple[int, int]) -> None:
        raise DidError(f"imports are not followed; put the definitions of {parts[-1]} in place of this line", *place)

    def _actor(self, parts: list[Any], place: tuple[int, int]) -> _Actor:
        body = parts[-1]
        arguments = next((part for part in parts if isinstance(part, list)), None)
        init = None if arguments is None else tuple(argument.type for argument in arguments)
        if isinstance(body, _Methods):
            return _Actor(body.service, body.places, init, place)
        return _Actor(body, {}, init, place)

    # methods and functions

    def _actortype(self, parts: list[_Method], place: tuple[int, int]) -> _Methods:
        service = Service(tuple((method.name, method.type) for method in parts))
        self._services.append((service, place))
        return _Methods(service, {method.name: method.place for method in parts})

    def _method(self, parts: list[Any], place: tuple[int, int]) -> _Method:
        return _Method(parts[0], parts[1], place)

    def _functype(self, parts: list[Any], place: tuple[int, int]) -> Func:
        arguments, results = parts[0], parts[1]
        func = Func(
            tuple(each.type for each in arguments),
            tuple(each.type for each in results),
            tuple(parts[2:]),
            tuple(each.name for each in arguments),
            tuple(each.name for each in results),
        )
        if "oneway" in func.annotations and func.results:
            raise DidError("a oneway function has no results; write `-> () oneway`", *place)
        return func

    def _annotation(self, parts: list[Token], _place: tuple[int, int]) -> str:
        return str(parts[0])

    def _tuptype(self, parts: list[_Argument], place: tuple[int, int]) -> list[_Argument]:
        names = [part.name for part in parts if part.name is not None]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DidError(f"two arguments are called {twice}", *place)
        return parts

    def _named_argument(self, parts: list[Any], _place: tuple[int, int]) -> _Argument:
        return _Argument(parts[0], parts[1])

    def _argument(self, parts: list[Any], _place: tuple[int, int]) -> _Argument:
        return _Argument(None, parts[0])

    # types

    def _reference(self, parts: list[Token], place: tuple[int, int]) -> Type:
        name = str(parts[0])
        if name in PRIM_BY_NAME:
            return PRIM_BY_NAME[name]
        if name == "blob":
            return BLOB
        ref = Ref(name, self.env)
        self._used.append((ref, place))
        return ref

    def _opt(self, parts: list[Any], _place: tuple[int, int]) -> Type:
        return Opt(parts[1])

    def _vec(self, parts: list[Any], _place: tuple[int, int]) -> Type:
        return Vec(parts[1])

    def _record(self, parts: list[Any], _place: tuple[int, int]) -> Type:
        fields = []
        following = 0
        for label, type_ in parts[1:]:
            made = Field(following if label is None else label, type_)
            following = made.id + 1
            fields.append(made)
        return Record(tuple(fields))

    def _variant(self, parts: list[Any], _place: tuple[int, int]) -> Type:
        return Variant(tuple(Field(label, type_) for label, type_ in parts[1:]))

    def _func(self, parts: list[Any], _place: tuple[int, int]) -> Type:
        func: Type = parts[1]
        return func

    def _service(self, parts: list[Any], _place: tuple[int, int]) -> Type:
        methods: _Methods = parts[1]
        return methods.service

    def _labelled(self, parts: list[Any], _place: tuple[int, int]) -> tuple[str | int | None, Type]:
        return parts[0], parts[1]

    def _unlabelled(self, parts: list[Any], _place: tuple[int, int]) -> tuple[str | int | None, Type]:
        return None, parts[0]

    def _bare_case(self, parts: list[Any], _place: tuple[int, int]) -> tuple[str | int | None, Type]:
        return parts[0], NULL

    def _label(self, parts: list[Any], _place: tuple[int, int]) -> str:
        return str(parts[0])

    def _number(self, parts: list[Token], _place: tuple[int, int]) -> int:
        digits = parts[0].replace("_", "")
        if len(digits) > 10 + len("0x"):
            raise DidError(f"the field number {digits[:20]} is not below 2^32")
        number = int(digits, 16) if digits.startswith("0x") else int(digits)
        return Field(number, NULL).id  # checks its range, while its place is known

    def _name(self, parts: list[Token], _place: tuple[int, int]) -> str:
        token = parts[0]
        return unquoted(token) if token.type == "STRING" else str(token)


def unquoted(literal: str) -> str:
    """The text a quoted name stands for. Raises DidError for escapes that are none."""

    def escape(match: re.Match[bytes]) -> bytes:
        byte, scalar, other = match.groups()
        if byte is not None:
            return bytes([int(byte, 16)])
        if scalar is not None:
            return _scalar(scalar)
        if other not in _SIMPLE:
            raise DidError(f"\\{other.decode('utf-8', 'replace')} is not an escape")
        return _SIMPLE[other]

    raw = _ESCAPE.sub(escape, literal[1:-1].encode("utf-8", "surrogatepass"))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise DidError(f"{literal} is not Unicode text") from None


def _scalar(digits: bytes) -> bytes:
    number = int(digits.replace(b"_", b"") or b"0", 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise DidError(f"\\u{{{digits.decode()}}} is not a Unicode character")
    return chr(number).encode("utf-8")
