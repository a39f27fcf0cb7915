"""What the page of every byte says about each part of a frame, before its bytes.

A frame is cut into its parts by the paths of its annotated fields. Each part has a heading, a few sentences, and the
names of the steps of verification that use it. Source: docs/protocol.md, interface specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Guide:
    """The text of one part of a frame, and the ``steps`` of verification that are shown below its bytes."""

    title: str
    text: str
    steps: tuple[str, ...] = ()


GUIDES: Final[Mapping[str, Guide]] = {
    "": Guide("The frame", "CBOR: a map with the parts below. A tag in front may say that CBOR follows.", ("parse",)),
    "gateway_principal": Guide("The gateway's principal", "29 bytes that name the gateway. Nothing signs them."),
    "envelope": Guide(
        "The envelope", "The signed request: a content, the sender's public key, and a signature.", ("parse",)
    ),
    "envelope.content": Guide(
        "Content of the request",
        "What the client signs: which method of which canister is called, by whom, and until when the call is valid. "
        "The hash of all these fields is the request id.",
        ("request_id", "expiry"),
    ),
    "envelope.content.arg": Guide(
        "Argument of the call",
        "The argument in Candid. A type table comes first, because Candid describes its own types. Names of fields "
        "are sent as 32-bit hashes. The values follow in the order of the types.",
    ),
    "envelope.sender_pubkey": Guide(
        "The sender's public key", "The sender is the hash of this key, so nobody can claim another one.", ("sender",)
    ),
    "envelope.sender_sig": Guide(
        "The sender's signature",
        "A signature over the request id. A replica checks it before the canister sees the call.",
        ("signature",),
    ),
    "envelope.sender_delegation": Guide(
        "Delegations of the sender",
        "The sender's key allows another key to sign for it, until a certain time. Internet Identity does this.",
        ("delegation",),
    ),
    "key": Guide(
        "Key of the message",
        "The gateway's principal and a number with 20 digits. Under this key the witness lists the message's hash.",
    ),
    "content": Guide(
        "Content of the message",
        "Who the message is for, its sequence number, the canister's time, and the payload in Candid. The hash of "
        "these bytes must be in the witness.",
        ("body", "sequence", "client_key"),
    ),
    "cert": Guide("The certificate", "What the subnet signed: a part of its state, as a hash tree."),
    "cert.tree": Guide(
        "Tree of the certificate",
        "The subnet's state, pruned to what matters here: the time, and the 32 bytes that the canister certified. "
        "Everything else is replaced by its hash, so the root hash can still be computed.",
        ("time", "certified_data"),
    ),
    "cert.signature": Guide(
        "Signature of the certificate",
        "A BLS signature over the root hash of the tree above. More than two thirds of the subnet's nodes had to "
        "take part.",
        ("signature",),
    ),
    "cert.delegation": Guide(
        "Delegation to the subnet",
        "The root key does not sign every certificate itself. This inner certificate is signed by the root key, and "
        "says which key the subnet has and for which canisters it may speak.",
        ("delegation",),
    ),
    "tree": Guide(
        "The witness",
        "The canister's own hash tree of messages, pruned to the ones in this batch. Its root hash is the certified "
        "data. So the witness ties the message to the certificate.",
        ("lookup",),
    ),
}

OTHER: Final = Guide("Another field", "The protocol has no field of this name.")


def part_of(path: str) -> str:
    """The longest key of `GUIDES` that the path of a field begins with, or ``other``."""
    steps = path.partition(":")[0].split(".")
    for length in range(min(len(steps), 3), 0, -1):
        name = ".".join(steps[:length])
        if name in GUIDES:
            return name
    return "other"


def guide_of(part: str) -> Guide:
    return GUIDES.get(part, OTHER)
