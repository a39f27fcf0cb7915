"""The node's signature on a query's answer, which today's agents verify.

Source: interface specification, "Response verification": Ed25519 by a node of the subnet over
``\\x0Bic-response`` and the representation-independent hash of the answer, its time and the id of
the request it answers. Agents read the node's key from ``/subnet/<id>/node/<id>/public_key``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from icws_explore.protocol.canister import Outcome, Reject
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.request_id import request_id

_DOMAIN: Final = b"\x0bic-response"


def query_answer(outcome: Outcome) -> dict[str, Any]:
    """A query's reply or rejection, as it is written and as it is signed."""
    if isinstance(outcome, Reject):
        return {
            "status": "rejected",
            "reject_code": outcome.code,
            "reject_message": outcome.text,
            "error_code": outcome.error_code,
        }
    return {"status": "replied", "reply": {"arg": outcome.data}}


def signed(answer: Mapping[str, Any], of_request: bytes, now_ns: int, node: Identity) -> dict[str, Any]:
    """``answer`` with the node's signature beside it."""
    hashed = request_id({**answer, "timestamp": now_ns, "request_id": of_request})
    signature = {
        "timestamp": now_ns,
        "signature": node.sign(_DOMAIN + hashed),
        "identity": node.principal.raw,
    }
    return {**answer, "signatures": [signature]}
