"""Reading .did text: type definitions and the service (Candid specification, "Interfaces").

lark is imported and its tables are built at the first use, so that importing the package stays quick.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ..errors import DidError
from .build import Builder
from .expand import expand
from .grammar import GRAMMAR, TERMINAL_NAMES
from .text import brief_text, type_text
from .types import Func, Opt, Service, Type, resolve

if TYPE_CHECKING:
    from lark import Lark
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

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
