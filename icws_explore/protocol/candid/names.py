"""Names for field ids: Candid sends only hashes, so what is not declared must be recognised.

The protocol's own names: CDK 0.4.1 ws_types.did and service_messages.did, SDK idl.ts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from .types import Func, Opt, Record, Ref, Service, Type, Variant, Vec, label_hash, resolve

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
