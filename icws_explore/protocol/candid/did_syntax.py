"""The syntax of .did texts: from text to a parse tree.

The text is parsed with lark (LALR, at a cost linear in its length). Before that, two steps of our own: comments become
spaces, because they nest, and a text with too many tokens or too deep nesting is refused. Each fault has its line and
column. lark is imported at the first use, so that importing the package stays fast.

Accepted is what the grammar of candid_parser 0.2.4 (Rust) accepts, with one extension: a keyword is a valid
name of a field, a method or an argument also without quotes.

Source: Candid specification, "Core Grammar".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..errors import DidError
from .limits import MAX_DID_TOKENS, MAX_TYPE_DEPTH
from .types import too_deep

if TYPE_CHECKING:
    from lark import Lark, Tree
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

GRAMMAR: Final = r"""
did: (definition _SEMI)* definition? (actor _SEMI?)?
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
NUMBER: /0x[0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*/
STRING: /"(\\.|[^"\\])*"/s

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
TERMINAL_NAMES: Final = {
    "_SEMI": "';'", "_COMMA": "','", "_COLON": "':'", "_EQ": "'='", "_ARROW": "'->'",
    "_LBRACE": "'{'", "_RBRACE": "'}'", "_LPAR": "'('", "_RPAR": "')'",
    "ID": "a name", "STRING": "a name", "NUMBER": "a number", "$END": "the end",
    "OPT": "a type", "VEC": "a type", "RECORD": "a type", "VARIANT": "a type", "FUNC": "a type",
    "SERVICE": "'service'", "TYPE": "'type'", "IMPORT": "'import'",
    "QUERY": "'query'", "COMPOSITE_QUERY": "'composite_query'", "ONEWAY": "'oneway'",
}  # fmt: skip


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", lexer="basic", start=["did", "did_or_type"], propagate_positions=True)


_ESCAPE: Final = re.compile(rb"\\(?:([0-9a-fA-F]{2})|u\{([0-9a-fA-F_]+)\}|(.))", re.DOTALL)
_SIMPLE: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b'"': b'"', b"'": b"'"}


def unquoted(literal: str) -> str:
    """The text that a quoted name stands for. Raises DidError for unknown escapes and for what is not UTF-8."""
    try:
        return literal_bytes(literal).decode("utf-8")
    except UnicodeDecodeError:
        raise DidError(f"{literal[:40]!r} is not Unicode text") from None


def literal_bytes(literal: str) -> bytes:
    """The bytes that a literal in quotes stands for. Raises DidError for unknown escapes."""

    def escape(match: re.Match[bytes]) -> bytes:
        byte, scalar, other = match.groups()
        if byte is not None:
            return bytes([int(byte, 16)])
        if scalar is not None:
            return _scalar(scalar)
        if other not in _SIMPLE:
            raise DidError(f"\\{other.decode('utf-8', 'replace')} is not an escape")
        return _SIMPLE[other]

    return _ESCAPE.sub(escape, literal[1:-1].encode("utf-8", "surrogatepass"))


def _scalar(digits: bytes) -> bytes:
    number = int(digits.replace(b"_", b"") or b"0", 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise DidError(f"\\u{{{digits.decode()}}} is not a Unicode character")
    return chr(number).encode("utf-8")


_COMMENT_OR_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"?|//[^\n]*|/\*', re.DOTALL)
_COMMENT_MARK: Final = re.compile(r"/\*|\*/")
_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|\w+|->|[^\s]', re.DOTALL | re.ASCII)
_NESTING: Final = re.compile(r'"(?:\\.|[^"\\])*"|(?:\b(?:opt|vec)\s+)+|[{}()]', re.DOTALL | re.ASCII)


def parse_tree(text: str, start: str, max_tokens: int = MAX_DID_TOKENS) -> tuple[Tree[Any], int]:
    """The parse tree of ``text`` and the number of its tokens, words and signs alike. Raises DidError.

    ``start`` is "did", or "did_or_type" for a .did text or a bare type.
    """
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    blanked = blank_comments(text)
    _check_nesting(blanked)
    tokens = _count_tokens(blanked, max_tokens)
    try:
        return _parser().parse(blanked, start=start), tokens
    except (UnexpectedToken, UnexpectedCharacters) as error:
        raise _syntax_error(error) from None


def blank_comments(text: str) -> str:
    """``text`` with spaces in place of comments, so that places stay. Block comments nest. Raises DidError."""
    pieces = []
    done = 0
    while (match := _COMMENT_OR_STRING.search(text, done)) is not None:
        start, end = match.span()
        if match.group() == "/*":
            end = _comment_end(text, start)
        is_comment = text[start] == "/"
        pieces += [text[done:start], _blank(text[start:end]) if is_comment else text[start:end]]
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


def _count_tokens(text: str, most: int) -> int:
    """The number of tokens in a text without comments. Raises DidError for more than ``most``."""
    count = len(_TOKEN.findall(text))
    if count > most:
        raise DidError(f"the text has {count} words and signs, more than the {MAX_DID_TOKENS} allowed")
    return count


def _check_nesting(text: str) -> None:
    """Raises DidError for a text whose brackets and prefixes nest deeper than any type may.

    Building the types finds the other faults of nesting; here a text that only nests is refused at once.
    """
    depth = 0
    for match in _NESTING.finditer(text):
        found = match.group()
        if found in "{(":
            depth += 1
        elif found in "})":
            depth -= 1
        prefixes = len(found.split()) if found[0] in "ov" else 0
        if depth + prefixes > MAX_TYPE_DEPTH + 1:  # one more: the brackets around a constructor's arguments
            raise DidError(too_deep(), *_place(text, match.start()))


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _syntax_error(error: UnexpectedToken | UnexpectedCharacters) -> DidError:
    from lark.exceptions import UnexpectedToken

    if isinstance(error, UnexpectedToken):
        expected = error.accepts or error.expected
        found = "the end of the text" if error.token.type == "$END" else repr(str(error.token)[:40])
    else:
        expected = set()
        found = repr(error.char)
        if error.char == '"':
            return DidError("the quoted text that begins here has no end", error.line, error.column)
    words = sorted({TERMINAL_NAMES.get(name, name) for name in expected})
    line, column = (error.line, error.column) if error.line > 0 else (None, None)
    instead = f"; expected {_one_of(words)}" if words else ""
    return DidError(f"{found} cannot stand here{instead}", line, column)


def _one_of(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
