"""Names of fields by their ids.

A Candid message contains the hash of each field's name, not the name. A field whose type is not
declared can only be named if its hash is known. The names known here are those of the protocol (CDK 0.4.1
ws_types.did and service_messages.did, SDK idl.ts) and of the public example applications.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from .types import Record, Ref, Type, Variant, inner_types, label_hash, resolve

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
    """Field id → name, for every name of the protocol."""
    return MappingProxyType({label_hash(name): name for name in PROTOCOL_NAMES})


def names_of(types: Iterable[Type]) -> dict[int, str]:
    """Field id → name, for every label in ``types`` and every name of the protocol."""
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
        if isinstance(type_, Ref):
            todo.append(resolve(type_))
        else:
            todo.extend(inner_types(type_))
    return names


def label_of(number: int, names: Mapping[int, str]) -> str:
    """The name of field id ``number``; "_<id>_" if ``names`` does not have it."""
    return names.get(number, f"_{number}_")
