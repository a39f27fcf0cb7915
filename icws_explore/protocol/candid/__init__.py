"""Candid, the Internet Computer's interface language and data format.

`Type` and its kinds are the types. `parse_did` and `parse_type` read them from text, `type_text` writes them.
`parse_value` and `value_text` read and write values as text.
`encode` and `decode` translate between Python values and messages, `annotate` explains a message byte by byte.

Everything here is pure, and messages and texts may come from anyone: limits.py bounds their cost.
"""

from __future__ import annotations

from .annotate import annotate
from .decode import decode, decode_typed
from .did import DidFile, ReadImport, parse_application_type, parse_did, parse_type
from .encode import encode
from .names import known_names, names_of
from .subtyping import is_subtype, same_type
from .text import type_text
from .types import (
    BLOB,
    BOOL,
    EMPTY,
    FLOAT32,
    FLOAT64,
    INT,
    INT8,
    INT16,
    INT32,
    INT64,
    NAT,
    NAT8,
    NAT16,
    NAT32,
    NAT64,
    NULL,
    PRINCIPAL,
    RESERVED,
    TEXT,
    Field,
    Func,
    FuncRef,
    Future,
    Opt,
    Prim,
    Record,
    Ref,
    Service,
    ServiceRef,
    Some,
    Type,
    Variant,
    Vec,
    expand,
    label_hash,
    resolve,
)
from .value_text import parse_value, value_text

__all__ = [
    "BLOB",
    "BOOL",
    "EMPTY",
    "FLOAT32",
    "FLOAT64",
    "INT",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "NAT",
    "NAT8",
    "NAT16",
    "NAT32",
    "NAT64",
    "NULL",
    "PRINCIPAL",
    "RESERVED",
    "TEXT",
    "DidFile",
    "Field",
    "Func",
    "FuncRef",
    "Future",
    "Opt",
    "Prim",
    "ReadImport",
    "Record",
    "Ref",
    "Service",
    "ServiceRef",
    "Some",
    "Type",
    "Variant",
    "Vec",
    "annotate",
    "decode",
    "decode_typed",
    "encode",
    "expand",
    "is_subtype",
    "known_names",
    "label_hash",
    "names_of",
    "parse_application_type",
    "parse_did",
    "parse_type",
    "parse_value",
    "resolve",
    "same_type",
    "type_text",
    "value_text",
]
