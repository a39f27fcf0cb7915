"""Candid text of values, for the argument of a canister's init: ``(record { limit = 5 : nat; name = "x" })``.

The text is parsed with lark; `protocol.candid` encodes the values and says where one does not fit its type. Type
annotations are read and left to that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol.candid import Some, Type, encode, type_text
from icws_explore.protocol.errors import LabError, PrincipalError, ValueMismatchError, count_of
from icws_explore.protocol.principal import Principal

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

MAX_TEXT: Final = 1_000_000  # characters
GRAMMAR: Final = r"""
args: "(" [annotated ("," annotated)* ","?] ")"
?annotated: value (":" _type)?
_type: ("opt" | "vec")* NAME

?value: NUMBER                                        -> number
      | STRING                                        -> text
      | "true"                                        -> true
      | "false"                                       -> false
      | "null"                                        -> null
      | "opt" value                                   -> opt
      | "blob" STRING                                 -> blob
      | "principal" STRING                            -> principal
      | "vec" "{" [annotated (";" annotated)* ";"?] "}"   -> vec
      | "record" "{" [field (";" field)* ";"?] "}"    -> record
      | "variant" "{" label ["=" annotated] ";"? "}"  -> variant
      | "(" annotated ")"

?field: label "=" annotated                           -> labelled
      | annotated                                     -> unlabelled
label: NAME | STRING | NUMBER

NAME: /[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /[+-]?(0x[0-9a-fA-F_]+|[0-9][0-9_]*(\.[0-9_]*)?([eE][+-]?[0-9]+)?)/
STRING: /"(\\.|[^"\\])*"/s
%ignore /[ \t\r\n]+/
"""
_ESCAPE: Final = re.compile(rb"\\(?:([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|(.))", re.DOTALL)
_SIMPLE: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def encode_init(text: str, types: tuple[Type, ...]) -> bytes:
    """Encode an argument in Candid text for an init with these types. Raises LabError: the reason, on one line."""
    values = values_of(text)
    if len(values) > len(types):
        wanted = ", ".join(type_text(each) for each in types)
        raise LabError(f"the init argument has {count_of(len(values), 'value')}; the canister's init takes ({wanted})")
    values += [None] * (len(types) - len(values))  # optional ones may be left out
    try:
        return encode(list(types), values)
    except ValueMismatchError as error:
        raise LabError(f"the init argument does not fit the canister's init: {error}") from error


def values_of(text: str) -> list[Any]:
    """Parse values in Candid text, as Python values that `encode` takes. Raises LabError."""
    from lark.exceptions import UnexpectedInput, VisitError

    if len(text) > MAX_TEXT:
        raise LabError(f"the init argument has more than {MAX_TEXT:,} characters")
    try:
        tree = _parser().parse(text)
        return _vec(list(tree.children))
    except (UnexpectedInput, VisitError) as error:
        place = f" at line {error.line}, column {error.column}" if isinstance(error, UnexpectedInput) else ""
        raise LabError(
            f"the init argument is not Candid text{place}; write for example (record {{ limit = 5 }})"
        ) from None
    except (ValueError, RecursionError) as error:
        raise LabError(f"the init argument cannot be read: {error}") from error


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", start="args")


def _value(tree: Tree[Token] | Token) -> Any:
    kind, parts = str(getattr(tree, "data", "")), list(getattr(tree, "children", ()))
    return _READERS[kind](parts)


def _vec(parts: list[Any]) -> list[Any]:
    return [_value(part) for part in parts if part is not None]


def _variant(parts: list[Any]) -> dict[str | int, Any]:
    return {_label(parts[0]): None if parts[1] is None else _value(parts[1])}


def _record(parts: list[Any]) -> dict[str | int, Any]:
    record: dict[str | int, Any] = {}
    following = 0
    for part in parts:
        if part is None:
            continue
        if part.data == "labelled":
            label, value = _label(part.children[0]), part.children[1]
        else:
            label, value = following, part.children[0]
        record[label] = _value(value)
        following = label + 1 if isinstance(label, int) else following
    return record


def _label(tree: Any) -> str | int:
    token = tree.children[0]
    if token.type == "NUMBER":
        return int(str(token).replace("_", ""), 0)
    return _unquoted(str(token)).decode("utf-8") if token.type == "STRING" else str(token)


def _number(text: str) -> int | float:
    text = text.replace("_", "")
    is_float = "x" not in text.lower() and any(sign in text for sign in ".eE")
    return float(text) if is_float else int(text, 16 if "x" in text.lower() else 10)


def _principal(text: str) -> Principal:
    try:
        return Principal.of(text)
    except PrincipalError as error:
        raise ValueError(str(error)) from error


def _unquoted(literal: str) -> bytes:
    def escape(match: re.Match[bytes]) -> bytes:
        byte, scalar, other = match.groups()
        if byte is not None:
            return bytes([int(byte, 16)])
        if scalar is not None:
            return chr(int(scalar, 16)).encode("utf-8", "replace")
        return _SIMPLE.get(other, other)

    return _ESCAPE.sub(escape, literal[1:-1].encode("utf-8"))


def _text(literal: Token) -> str:
    return _unquoted(str(literal)).decode("utf-8")


_READERS: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "annotated": lambda parts: _value(parts[0]),
    "number": lambda parts: _number(str(parts[0])),
    "text": lambda parts: _text(parts[0]),
    "true": lambda _: True,
    "false": lambda _: False,
    "null": lambda _: None,
    "opt": lambda parts: Some(_value(parts[0])),
    "blob": lambda parts: _unquoted(str(parts[0])),
    "principal": lambda parts: _principal(_text(parts[0])),
    "vec": _vec,
    "variant": _variant,
    "record": _record,
}
