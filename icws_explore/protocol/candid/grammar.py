"""The grammar of .did files for lark's LALR parser (Candid specification, "Core Grammar").

Wider than the specification in one thing, as all tools are: a keyword may be a field's or a method's
name without quotes. Comments are blanked before (did.py), because they nest.
"""

from __future__ import annotations

from typing import Final

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
