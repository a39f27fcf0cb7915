"""Reading .did text: type definitions and the service (Candid specification, "Interfaces").

lark is imported and its tables are built at the first use, so that importing the package stays quick.

The grammar of .did files for lark's LALR parser (Candid specification, "Core Grammar").

Wider than the specification in one thing, as all tools are: a keyword may be a field's or a method's
name without quotes. Comments are blanked before (did.py), because they nest.

From lark's parse tree to types; whatever the grammar cannot check is checked here, with its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..errors import DidError
from .names import expand
from .text import brief_text, type_text
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
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken


GRAMMAR: Final = r"""
did: (definition _SEMI)* (definition | actor _SEMI?)?
did_or_type: did | datatype _SEMI?

definition: TYPE ID _EQ datatype                    -> type_definition
          | IMPORT SERVICE? STRING                  -> import_definition

actor: SERVICE ID? _COLON (tuptype _ARROW)? (actortype | reference)

actortype: _LBRACE (method (_SEMI method)* _SEMI?)? _RBRACE
method: name _COLON (functype | reference)

functype: tuptype _ARROW tuptype annotation*
!annotation: QUERY | COMPOSITE_QUERY | ONEWAY
tuptype: _LPAR (argtype (_COMMA argtype)* _COMMA?)? _RPAR
argtype: name _COLON datatype                       -> named_argument
       | datatype                                   -> argument

?datatype: reference
         | OPT datatype                             -> opt
         | VEC datatype                             -> vec
         | RECORD _LBRACE (record_field (_SEMI record_field)* _SEMI?)? _RBRACE      -> record
         | VARIANT _LBRACE (variant_field (_SEMI variant_field)* _SEMI?)? _RBRACE   -> variant
         | FUNC functype                            -> func
         | SERVICE actortype                        -> service

reference: ID

record_field: label _COLON datatype                 -> labelled
            | datatype                              -> unlabelled
variant_field: label _COLON datatype                -> labelled
             | label                                -> bare_case

label: name | NUMBER                                -> number
!name: ID | STRING | OPT | VEC | RECORD | VARIANT | FUNC | SERVICE | TYPE | IMPORT
     | QUERY | COMPOSITE_QUERY | ONEWAY

TYPE: "type"
IMPORT: "import"
SERVICE: "service"
OPT: "opt"
VEC: "vec"
RECORD: "record"
VARIANT: "variant"
FUNC: "func"
QUERY: "query"
COMPOSITE_QUERY: "composite_query"
ONEWAY: "oneway"

ID: /[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /0x[0-9a-fA-F](_?[0-9a-fA-F])*|[0-9](_?[0-9])*/
STRING: /"(\\.|[^"\\\n])*"/

_SEMI: ";"
_COMMA: ","
_COLON: ":"
_EQ: "="
_ARROW: "->"
_LBRACE: "{"
_RBRACE: "}"
_LPAR: "("
_RPAR: ")"

%ignore /[ \t\r\n\f\uFEFF]+/
"""

_A_NAME: Final = "a name"
TERMINAL_NAMES: Final = {
    "_SEMI": "';'", "_COMMA": "','", "_COLON": "':'", "_EQ": "'='", "_ARROW": "'->'",
    "_LBRACE": "'{'", "_RBRACE": "'}'", "_LPAR": "'('", "_RPAR": "')'",
    "ID": _A_NAME, "STRING": _A_NAME, "NUMBER": "a number", "$END": "the end",
    "OPT": "a type", "VEC": "a type", "RECORD": "a type", "VARIANT": "a type", "FUNC": "a type",
    "SERVICE": "'service'", "TYPE": "'type'", "IMPORT": "'import'",
    "QUERY": "'query'", "COMPOSITE_QUERY": "'composite_query'", "ONEWAY": "'oneway'",
}  # fmt: skip


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


MAX_DID_SIZE: Final = 1 << 18  # characters
_COMMENT_OR_TEXT: Final = re.compile(r'"(?:\\.|[^"\\\n])*"?|//[^\n]*|/\*')
_COMMENT_MARK: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class DidFile:
    """What a .did text says: named types in order, the service's methods and constructor arguments."""

    types: dict[str, Type]
    methods: dict[str, Func]
    init_args: tuple[Type, ...] | None = None  # None: not a constructor
    has_service: bool = False
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)  # method → line, column

    @property
    def service(self) -> Service:
        return Service(tuple(self.methods.items()))

    def application_type(self) -> Type:
        """T of ``ws_message : (…, opt T)``: what the application's messages are, names written out.

        Raises DidError that says what to change, as the SDK refuses such a canister without saying
        why (ic-websocket-js 0.5.0, ic-websocket.ts, getApplicationMessageIdl).
        """
        method = self.methods.get("ws_message")
        if method is None:
            raise DidError(self._why_no_ws_message())
        line, column = self.places.get("ws_message", (None, None))
        if len(method.args) != 2:
            shown = brief_text(method, 200).removeprefix("func ")  # a recursive argument has no end
            much = "only one argument" if len(method.args) == 1 else f"{len(method.args)} arguments"
            raise DidError(
                f"ws_message has {much}, {shown}; it takes two: the SDK's record {{ msg : … }}, and `opt T` "
                "with your application's message type T",
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
        there = ", ".join(list(self.methods)[:8]) or "none"
        return f"the service has no method ws_message; add {wanted} with your message type T (there are: {there})"


def parse_did(text: str) -> DidFile:
    """The .did text as types and methods. Raises DidError with line and column."""
    did = _parse(text, "did")
    assert isinstance(did, DidFile)  # the grammar's start symbol says so
    return did


def parse_type(text: str) -> Type:
    """The type in ``text``: a type such as ``record { text : text }``, or the last one a .did defines.

    Names are written out (expand.py); a recursive type keeps the names that lead back to it.
    Raises DidError with line and column.
    """
    parsed = _parse(text, "did_or_type")
    if isinstance(parsed, Type):
        return parsed  # nothing but built-in names can be in it
    if not parsed.types:
        raise DidError("no type is defined here; give one such as `record { text : text }`", 1, 1)
    return expand(list(parsed.types.values())[-1])


def _parse(text: str, start: str) -> DidFile | Type:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    if len(text) > MAX_DID_SIZE:
        raise DidError(f"the text has {len(text)} characters, more than {MAX_DID_SIZE}")
    try:
        tree = _parser().parse(blank_comments(text), start=start)
    except (UnexpectedToken, UnexpectedCharacters) as error:
        raise _syntax_error(error) from None
    result = Builder().build(tree)
    if isinstance(result, Type):
        return result
    return DidFile(result.types, result.methods, result.init_args, result.has_service, result.places)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", start=["did", "did_or_type"], propagate_positions=True)


def blank_comments(text: str) -> str:
    """``text`` with comments as spaces, so that places stay. Block comments nest. Raises DidError."""
    pieces = []
    done = 0
    while (match := _COMMENT_OR_TEXT.search(text, done)) is not None:
        start, end = match.span()
        if match.group() == "/*":
            end = _comment_end(text, start)
        comment = text[start] == "/"
        pieces += [text[done:start], _blank(text[start:end]) if comment else text[start:end]]
        done = end
    return "".join([*pieces, text[done:]])


def _comment_end(text: str, start: int) -> int:
    depth = 0
    for match in _COMMENT_MARK.finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    raise DidError("the comment that begins here has no end", *_place(text, start))


def _blank(comment: str) -> str:
    return re.sub(r"[^\n]", " ", comment)


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _syntax_error(error: UnexpectedToken | UnexpectedCharacters) -> DidError:
    from lark.exceptions import UnexpectedToken

    if isinstance(error, UnexpectedToken):
        expected = error.accepts or error.expected
        found = "the end of the text" if error.token.type == "$END" else repr(str(error.token)[:40])
    else:
        expected = error.allowed or set()
        found = repr(error.char)
        if error.char == '"':
            return DidError("the quoted text that begins here has no end on its line", error.line, error.column)
    words = sorted({TERMINAL_NAMES.get(name, name) for name in expected})
    line, column = (error.line, error.column) if error.line > 0 else (None, None)
    return DidError(f"{found} is not expected here, but {_one_of(words)}", line, column)


def _one_of(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words) or "nothing"
