"""Reading .did texts: type definitions, the service, and imports of other texts.

`did_syntax` parses a text. A `_Builder` turns the parse tree into types and checks what a grammar cannot: names,
field numbers, methods. A `_Loader` reads the imported texts.

An import is read by a callback, because this room does no input or output. As in candid_parser, ``import "file"``
adds the type definitions of a text, ``import service "file"`` also the methods of its service, and an imported text
may import others. All definitions share one environment, so a name may be defined only once. Unlike there, an
import that leads back to its own text is an error.

Source: Candid specification, "Interfaces" and "Imports".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..errors import DidError, count_of
from .did_syntax import parse_tree, unquoted
from .limits import MAX_ALIASES, MAX_DID_IMPORTS, MAX_DID_SIZE, MAX_DID_TOKENS
from .text import brief_text, printable, type_text
from .types import (
    BLOB,
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
    expand,
    first_repeated,
    no_type,
    resolve,
)

if TYPE_CHECKING:
    from lark import Token, Tree

_Place = tuple[int, int]  # line and column, from 1
ReadImport = Callable[[str, str], tuple[str, str]]
"""Reads an imported text: ``(path as written, name of the importing text) -> (name, text)``. Raises DidError.

The name identifies the text in error texts and finds imports that lead back to their own text.
"""


@dataclass(frozen=True, slots=True)
class DidFile:
    """The contents of a .did text: named types in order, the methods of the service, the constructor's arguments."""

    types: dict[str, Type]
    methods: dict[str, Func]
    init_args: tuple[Type, ...] | None = None  # None: the service is not declared as a constructor
    has_service: bool = False
    places: Mapping[str, _Place] = field(default_factory=dict, repr=False)  # method → line, column

    @property
    def service(self) -> Service:
        return Service(tuple(self.methods.items()))

    def application_type(self) -> Type:
        """The type of application messages, names expanded: T of ``ws_message : (…, opt T)``.

        Raises DidError, which says what to change. The SDK refuses such a canister without a reason
        (ic-websocket-js 0.5.0, ic-websocket.ts, getApplicationMessageIdl).
        """
        method = self.methods.get("ws_message")
        if method is None:
            raise DidError(self._why_no_ws_message())
        line, column = self.places.get("ws_message", (None, None))
        if len(method.args) != 2:
            shown = brief_text(method, 200).removeprefix("func ")  # brief: a recursive argument has no end
            raise DidError(
                f"ws_message has {count_of(len(method.args), 'argument')}, {shown}; it needs two: the SDK's "
                "record { msg : … }, and `opt T` with the type T of your application's messages",
                line, column,
            )  # fmt: skip
        second = resolve(method.args[1])
        if not isinstance(second, Opt):
            name = type_text(method.args[1])
            name = name if len(name) <= 60 else "T"
            raise DidError(f"ws_message's second argument is not optional; write `opt {name}`", line, column)
        return expand(second.inner)

    def _why_no_ws_message(self) -> str:
        wanted = "`ws_message : (CanisterWsMessageArguments, opt T) -> (CanisterWsMessageResult);`"
        if not self.has_service:
            return f"the .did has no service, only types; add `service : {{ … }}` with {wanted}"
        methods = ", ".join(map(printable, list(self.methods)[:8])) or "none"
        return f"the service has no method ws_message; add {wanted} with your message type T (its methods: {methods})"


def parse_did(text: str, *, read_import: ReadImport | None = None, name: str = "") -> DidFile:
    """The types and methods in a .did text. Raises DidError with line and column.

    ``read_import`` reads the texts that it imports, ``name`` is the name of ``text`` there. Without ``read_import``
    an import is an error.
    """
    did = _Loader(read_import).parse(text, name, "did")
    assert isinstance(did, DidFile)  # by the start symbol
    return did


def parse_type(text: str) -> Type:
    """The type in ``text``: a type such as ``record { text : text }``, or the last one that a .did text defines.

    Names are expanded; a recursive type keeps the names that lead back to it. Raises DidError with line and column.
    """
    return _known_type(text) if len(text) <= MAX_KNOWN else _type(text)


MAX_KNOWN: Final = 16_384  # characters of a text whose type is remembered


def _type(text: str) -> Type:
    parsed = _Loader(None).parse(text, "", "did_or_type")
    return _last_type(parsed) if isinstance(parsed, DidFile) else parsed


def parse_application_type(text: str, *, read_import: ReadImport | None = None, name: str = "") -> Type:
    """The type of application messages in ``text``: that of a .did with a service, else as `parse_type`.

    Imports as in `parse_did`. Raises DidError with line and column.
    """
    if "import" in text or len(text) > MAX_KNOWN:
        return _application_type(text, read_import, name)
    return _known_application_type(text)


def _application_type(text: str, read_import: ReadImport | None = None, name: str = "") -> Type:
    parsed = _Loader(read_import).parse(text, name, "did_or_type")
    if not isinstance(parsed, DidFile):
        return parsed
    return parsed.application_type() if parsed.has_service else _last_type(parsed)


# Parsing takes milliseconds, and every session of a dapp and every look at its recording asks for the same type.
_known_type: Final = lru_cache(maxsize=64)(_type)
_known_application_type: Final = lru_cache(maxsize=64)(_application_type)


def _last_type(did: DidFile) -> Type:
    if not did.types:
        raise DidError("no type is defined here; give one such as `record { text : text }`", 1, 1)
    return expand(list(did.types.values())[-1])


@dataclass(frozen=True, slots=True)
class _Import:
    path: str
    with_service: bool
    place: _Place


@dataclass(slots=True)
class _Loaded:
    """A text with everything but its imports: its service, and whether that belongs to the result."""

    service: _ServiceOf | None = None
    is_merged: bool = False


@dataclass(frozen=True, slots=True)
class _ServiceOf:
    methods: dict[str, Func]
    places: dict[str, _Place]
    init_args: tuple[Type, ...] | None


class _Loader:
    """Parses a text and the texts that it imports, into one environment."""

    def __init__(self, read_import: ReadImport | None) -> None:
        self._read_import = read_import
        self._env: dict[str, Type] = {}
        self._defined_in: dict[str, str] = {}  # type → name of the text
        self._loaded: dict[str, _Loaded] = {}  # in the order in which the texts were finished
        self._importing: list[str] = []
        self._size = 0  # characters of all texts so far
        self._tokens_left = MAX_DID_TOKENS
        self._imports_left = MAX_DID_IMPORTS

    def parse(self, text: str, name: str, start: str) -> DidFile | Type:
        tree = self._tree(text, start)
        builder = _Builder(self._env)
        self._importing.append(name)
        if start == "did_or_type":
            (tree,) = tree.children
            if tree.data != "did":
                return builder.type(tree)
        own = self._build(tree, builder, name)
        services = [(file, each.service) for file, each in self._loaded.items() if each.is_merged]
        return self._merged(own, [(file, service) for file, service in services if service is not None])

    def _merged(self, own: _ServiceOf | None, imported: list[tuple[str, _ServiceOf]]) -> DidFile:
        methods = {} if own is None else dict(own.methods)
        for name, service in imported:
            for method, type_ in service.methods.items():
                if method in methods:
                    raise DidError(f"the method {printable(method)} of {printable(name)} is defined already")
                methods[method] = type_
        init_args, places = (None, {}) if own is None else (own.init_args, own.places)
        return DidFile(self._env, methods, init_args, own is not None or bool(imported), places)

    def _tree(self, text: str, start: str) -> Tree[Any]:
        self._size += len(text)
        if self._size > MAX_DID_SIZE:
            raise DidError(f"the text has {self._size} characters, more than the {MAX_DID_SIZE} allowed")
        tree, tokens = parse_tree(text, start, self._tokens_left)
        self._tokens_left -= tokens
        return tree

    def _build(self, tree: Tree[Any], builder: _Builder, name: str) -> _ServiceOf | None:
        results = builder.parts(tree)
        for part in results:
            if isinstance(part, _Import):
                self._follow(part, name)
        builder.define([part for part in results if isinstance(part, _Definition)], self._defined_in, name)
        return builder.service(next((part for part in results if isinstance(part, _Actor)), None))

    def _follow(self, wanted: _Import, importer: str) -> None:
        if self._read_import is None:
            raise DidError(
                f"{printable(wanted.path)} is imported, but this text comes from no file beside which it could be; "
                "give the .did file itself, or put the definitions in place of this line",
                *wanted.place,
            )
        self._imports_left -= 1
        if self._imports_left < 0:
            raise DidError(f"more than the {MAX_DID_IMPORTS} imports allowed", *wanted.place)
        try:
            name, text = self._read_import(wanted.path, importer)
        except DidError as error:
            raise DidError(error.reason, *wanted.place) from error
        if name in self._importing:
            circle = [*self._importing[self._importing.index(name) :], name]
            raise DidError(f"{printable(name)} imports itself: {' → '.join(map(printable, circle))}", *wanted.place)
        if name not in self._loaded:
            self._importing.append(name)
            loaded = _Loaded()
            try:
                loaded.service = self._build(self._tree(text, "did"), _Builder(self._env), name)
            except DidError as error:
                at = "" if error.line is None else f", line {error.line}, column {error.column}"
                raise DidError(f"{error.reason} (in {printable(name)}{at})", *wanted.place) from error
            self._importing.pop()
            self._loaded[name] = loaded
        if wanted.with_service:
            self._merge_service(name, wanted.place)

    def _merge_service(self, name: str, place: _Place) -> None:
        loaded = self._loaded[name]
        if loaded.service is None:
            raise DidError(f"{printable(name)} has no service to import", *place)
        if loaded.service.init_args is not None:
            raise DidError(f"the service of {printable(name)} is a constructor, which cannot be imported", *place)
        loaded.is_merged = True


@dataclass(frozen=True, slots=True)
class _Definition:
    name: str
    type: Type
    place: _Place


@dataclass(frozen=True, slots=True)
class _Method:
    name: str
    type: Type
    place: _Place


@dataclass(frozen=True, slots=True)
class _Methods:
    service: Service
    places: dict[str, _Place]


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str | None
    type: Type


@dataclass(frozen=True, slots=True)
class _Actor:
    type: Type
    places: dict[str, _Place]
    init_args: tuple[Type, ...] | None
    place: _Place


class _Builder:
    """Builds the types of one text. The method for a rule of the grammar gets the results of the rules in it."""

    def __init__(self, env: dict[str, Type]) -> None:
        self._env = env
        self._used: list[tuple[Ref, _Place]] = []
        self._services: list[tuple[Service, _Place]] = []

    def type(self, tree: Tree[Any]) -> Type:
        """The type that the whole text is. It can contain only built-in names."""
        type_: Type = self._result(tree)
        self._check_names([])
        return type_

    def parts(self, tree: Tree[Any]) -> list[Any]:
        """The results of a .did's definitions, imports and service."""
        return [self._result(child) for child in tree.children]

    def define(self, definitions: list[_Definition], defined_in: dict[str, str], text: str) -> None:
        """Adds the definitions of the text called ``text`` to the environment, and checks all names in it."""
        places: dict[str, _Place] = {}
        for each in definitions:
            name, place = each.name, each.place
            if name in PRIM_BY_NAME or name == "blob":
                raise DidError(f"{name} is a built-in type; give yours another name", *place)
            if name in self._env:
                where = f"in line {places[name][0]}" if name in places else f"in {printable(defined_in[name])}"
                raise DidError(f"the type {name} is defined already, {where}", *place)
            self._env[name] = each.type
            places[name] = place
            defined_in[name] = text
        self._check_names(definitions)

    def service(self, actor: _Actor | None) -> _ServiceOf | None:
        """The service that a text declares."""
        if actor is None:
            return None
        service = resolve(actor.type)
        if not isinstance(service, Service):
            raise DidError("the service is declared by a type that is not a service", *actor.place)
        methods: dict[str, Func] = {}
        for name, type_ in service.methods:
            func = resolve(type_)
            assert isinstance(func, Func)  # checked by _check_names
            methods[name] = func
        return _ServiceOf(methods, actor.places, actor.init_args)

    def _result(self, tree: Tree[Any]) -> Any:
        """Bottom up and without recursion, because the text decides how deep it nests."""
        results: dict[int, Any] = {}
        for node in tree.iter_subtrees():
            parts = [results[id(child)] if hasattr(child, "data") else child for child in node.children]
            make: Callable[[list[Any], _Place], Any] = getattr(self, f"_{node.data}")
            place = (1, 1) if node.meta.empty else (node.meta.line, node.meta.column)
            try:
                results[id(node)] = make(parts, place)
            except DidError as error:
                if error.line is None:
                    raise DidError(error.reason, *place) from None
                raise
        return results[id(tree)]

    def _check_names(self, definitions: list[_Definition]) -> None:
        for ref, place in self._used:
            if ref.name not in self._env:
                raise DidError(f"the type {ref.name} is not defined", *place)
        lengths: dict[str, int] = {}
        for each in definitions:
            if _alias_length(each.name, self._env, lengths) > MAX_ALIASES:
                raise DidError(no_type(each.name), *each.place)
        for service, place in self._services:
            for name, type_ in service.methods:
                if not isinstance(resolve(type_), Func):
                    raise DidError(f"the method {printable(name)} is not of a function type", *place)

    # definitions

    def _type_definition(self, parts: list[Any], place: _Place) -> _Definition:
        return _Definition(str(parts[-2]), parts[-1], place)

    def _import_definition(self, parts: list[Any], place: _Place) -> _Import:
        return _Import(unquoted(parts[-1]), len(parts) == 3, place)

    def _actor(self, parts: list[Any], place: _Place) -> _Actor:
        body = parts[-1]
        arguments = next((part for part in parts if isinstance(part, list)), None)
        init = None if arguments is None else tuple(argument.type for argument in arguments)
        if isinstance(body, _Methods):
            return _Actor(body.service, body.places, init, place)
        return _Actor(body, {}, init, place)

    # methods and functions

    def _actortype(self, parts: list[_Method], place: _Place) -> _Methods:
        service = Service(tuple((method.name, method.type) for method in parts))
        self._services.append((service, place))
        return _Methods(service, {method.name: method.place for method in parts})

    def _method(self, parts: list[Any], place: _Place) -> _Method:
        return _Method(parts[0], parts[1], place)

    def _functype(self, parts: list[Any], place: _Place) -> Func:
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

    def _annotation(self, parts: list[Token], _place: _Place) -> str:
        return str(parts[0])

    def _tuptype(self, parts: list[_Argument], place: _Place) -> list[_Argument]:
        twice = first_repeated(part.name for part in parts if part.name is not None)
        if twice is not None:
            raise DidError(f"two arguments have the name {printable(twice)}", *place)
        return parts

    def _named_argument(self, parts: list[Any], _place: _Place) -> _Argument:
        return _Argument(parts[0], parts[1])

    def _argument(self, parts: list[Any], _place: _Place) -> _Argument:
        return _Argument(None, parts[0])

    # types

    def _reference(self, parts: list[Token], place: _Place) -> Type:
        name = str(parts[0])
        if name in PRIM_BY_NAME:
            return PRIM_BY_NAME[name]
        if name == "blob":
            return BLOB
        ref = Ref(name, self._env)
        self._used.append((ref, place))
        return ref

    def _opt(self, parts: list[Any], _place: _Place) -> Type:
        return Opt(parts[1])

    def _vec(self, parts: list[Any], _place: _Place) -> Type:
        return Vec(parts[1])

    def _record(self, parts: list[Any], _place: _Place) -> Type:
        fields = []
        following = 0
        for label, type_ in parts[1:]:
            made = Field(following if label is None else label, type_)
            following = made.id + 1
            fields.append(made)
        return Record(tuple(fields))

    def _variant(self, parts: list[Any], _place: _Place) -> Type:
        return Variant(tuple(Field(label, type_) for label, type_ in parts[1:]))

    def _func(self, parts: list[Any], _place: _Place) -> Type:
        func: Type = parts[1]
        return func

    def _service(self, parts: list[Any], _place: _Place) -> Type:
        methods: _Methods = parts[1]
        return methods.service

    def _labelled(self, parts: list[Any], _place: _Place) -> tuple[str | int | None, Type]:
        return parts[0], parts[1]

    def _unlabelled(self, parts: list[Any], _place: _Place) -> tuple[str | int | None, Type]:
        return None, parts[0]

    def _bare_case(self, parts: list[Any], _place: _Place) -> tuple[str | int | None, Type]:
        return parts[0], NULL

    def _label(self, parts: list[Any], _place: _Place) -> str:
        return str(parts[0])

    def _number(self, parts: list[Token], _place: _Place) -> int:
        digits = parts[0].replace("_", "")
        if len(digits) > 10 + len("0x"):
            raise DidError(f"the field number {digits[:20]} is not below 2^32")
        number = int(digits, 16) if digits.startswith("0x") else int(digits)
        return Field(number, NULL).id  # checks the range while the place is known

    def _name(self, parts: list[Token], _place: _Place) -> str:
        token = parts[0]
        return unquoted(token) if token.type == "STRING" else str(token)


def _alias_length(name: str, env: Mapping[str, Type], known: dict[str, int]) -> int:
    """The number of names from ``name`` to a type that is not a name; more than MAX_ALIASES for an endless one.

    ``known`` holds the lengths found so far, which keeps the cost for all names linear.
    """
    way: list[str] = []
    at: Type = env[name]
    way.append(name)
    while isinstance(at, Ref) and at.name not in known and len(way) <= MAX_ALIASES:
        way.append(at.name)
        at = env[at.name]
    length = known.get(at.name, MAX_ALIASES) if isinstance(at, Ref) else 0
    for each in reversed(way):
        length = min(length + 1, MAX_ALIASES + 1)
        known[each] = length
    return known[name]
