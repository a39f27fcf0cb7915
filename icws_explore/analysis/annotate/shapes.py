"""The shapes of the protocol's CBOR: what each field means, and which byte strings hold another layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from .meanings import (
    Explain,
    always,
    client_nonce_meaning,
    key_meaning,
    method_meaning,
    principal_meaning,
    public_key_meaning,
    sequence_meaning,
    service_meaning,
    time_meaning,
)

Inner = Literal["canister_message_content", "certificate", "hash_tree", "arguments", "content", "canister_ranges"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of an item.

    ``fields`` are the shapes of a map's values, ``element`` is that of an array's elements. ``explain`` gives the
    meaning of a value. ``inner`` is the layer that a byte string holds. ``is_tree``: the item is a hash tree.
    """

    fields: Mapping[str, Shape] = field(default_factory=dict)
    element: Shape | None = None
    explain: Explain | None = None
    inner: Inner | None = None
    is_tree: bool = False


PLAIN: Final = Shape()
PRINCIPAL: Final = Shape(explain=principal_meaning)
TIME: Final = Shape(explain=time_meaning)
PUBLIC_KEY: Final = Shape(explain=public_key_meaning)
SIGNATURE: Final = Shape(
    explain=always("signature by the sender's key, or by the session key at the end of the delegations")
)

HANDSHAKE: Final = Shape({"gateway_principal": PRINCIPAL})

_DELEGATION: Final = Shape(
    {
        "delegation": Shape({"pubkey": PUBLIC_KEY, "expiration": TIME, "targets": Shape(element=PRINCIPAL)}),
        "signature": Shape(explain=always("signature by the previous key of the chain")),
    }
)
_CONTENT: Final = Shape(
    {
        "request_type": Shape(explain=always("an update call, whatever the method is")),
        "canister_id": PRINCIPAL,
        "method_name": Shape(explain=method_meaning),
        "arg": Shape(inner="arguments"),
        "sender": PRINCIPAL,
        "ingress_expiry": TIME,
        "nonce": Shape(explain=always("makes the request unique")),
    }
)
ENVELOPE_FRAME: Final = Shape(
    {
        "envelope": Shape(
            {
                "content": _CONTENT,
                "sender_pubkey": PUBLIC_KEY,
                "sender_sig": SIGNATURE,
                "sender_delegation": Shape(element=_DELEGATION),
            }
        )
    }
)
CANISTER_MESSAGE: Final = Shape(
    {
        "key": Shape(explain=key_meaning),
        "content": Shape(inner="canister_message_content"),
        "cert": Shape(inner="certificate"),
        "tree": Shape(inner="hash_tree"),
    }
)
WEBSOCKET_MESSAGE: Final = Shape(
    {
        "client_key": Shape({"client_principal": PRINCIPAL, "client_nonce": Shape(explain=client_nonce_meaning)}),
        "sequence_num": Shape(explain=sequence_meaning),
        "timestamp": TIME,
        "is_service_message": Shape(explain=service_meaning),
        "content": Shape(inner="content"),
    }
)
HASH_TREE: Final = Shape(is_tree=True)
CERTIFICATE: Final = Shape(
    {
        "tree": Shape(is_tree=True),
        "signature": Shape(explain=always("BLS signature over the root hash of tree")),
        "delegation": Shape({"subnet_id": PRINCIPAL, "certificate": Shape(inner="certificate")}),
    }
)
CANISTER_RANGES: Final = Shape(element=Shape(element=PRINCIPAL))
