"""Names for field ids: Candid sends only hashes, so what is not declared must be recognised.

The protocol's own names: CDK 0.4.1 ws_types.did and service_messages.did, SDK idl.ts.

Names written out, so that a type can be looked at without following names.

`application_type` and `parse_type` give types in this form. A name stays only where a type contains
itself, or where writing everything out would not stay small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from .types import MAX_TYPE_DEPTH, Func, Opt, Record, Ref, Service, Type, Variant, Vec, label_hash, resolve

PROTOCOL_NAMES: Final = (
    # ws_open, ws_close, ws_message, ws_get_messages
    "client_principal", "client_nonce", "client_key", "gateway_principal", "msg", "nonce",
    "sequence_num", "timestamp", "is_service_message", "content",
    "messages", "key", "cert", "tree", "is_end_of_queue", "Ok", "Err",
    # service messages
    "OpenMessage", "AckMessage", "KeepAliveMessage", "CloseMessage", "last_incoming_sequence_num", "reason",
    "WrongSequenceNumber", "InvalidServiceMessage", "KeepAliveTimeout", "ClosedByApplication",
    # the public example applications
    "text", "GroupMessage", "JoinedChat", "name", "message",
)  # fmt: skip


@lru_cache(maxsize=1)
def known_names() -> Mapping[int, str]:
    """Field id → name for every name of the protocol."""
    return MappingProxyType({label_hash(name): name for name in PROTOCOL_NAMES})


def names_of(types: Iterable[Type]) -> dict[int, str]:
    """Field id → name for every label that ``types`` mention, the protocol's included."""
    names = dict(known_names())
    seen: set[Type] = set()
    todo = list(types)
    while todo:
        type_ = todo.pop()
        if type_ in seen:
            continue
        seen.add(type_)
        if isinstance(type_, (Record, Variant)):
            names.update({field.id: field.label for field in type_.fields if isinstance(field.label, str)})
        todo.append(resolve(type_)) if isinstance(type_, Ref) else todo.extend(inner_types(type_))
    return names


def inner_types(type_: Type) -> tuple[Type, ...]:
    """The types that ``type_`` is made of; none for a Ref, which is not followed."""
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


MAX_EXPANDED: Final = 2000  # constructors
MAX_NAMES: Final = 300


def expand(type_: Type) -> Type:
    """``type_`` with its head resolved and other names replaced by what they stand for. Raises DidError."""
    body = resolve(type_)
    kept = _recursive(body)
    if kept is None:
        return body
    try:
        return _Expansion(kept).of(body, 0)
    except _TooLargeError:
        return body


def _recursive(body: Type) -> set[Ref] | None:
    """The names that lead back to themselves; None when there are too many names to tell."""
    direct: dict[Ref, set[Ref]] = {}
    todo = list(_refs(body))
    while todo:
        ref = todo.pop()
        if ref not in direct:
            if len(direct) == MAX_NAMES:
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
    def __init__(self, kept: set[Ref]) -> None:
        self._kept = kept
        self._left = MAX_EXPANDED

    def of(self, type_: Type, depth: int) -> Type:
        self._left -= 1
        if self._left < 0 or depth >= MAX_TYPE_DEPTH:
            raise _TooLargeError
        depth += 1
        match type_:
            case Ref():
                return type_ if type_ in self._kept else self.of(resolve(type_), depth)
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
