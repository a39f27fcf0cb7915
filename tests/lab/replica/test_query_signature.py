from __future__ import annotations

from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from icws_explore.lab.replica.subnet import query_answer, signed
from icws_explore.protocol.canister import Outcome, Reject, Reply
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.request_id import request_id

NODE = Ed25519Identity.from_secret(b"n" * 32)
REQUEST = b"\x07" * 32
NOW = 1_795_000_000_123_456_789


def verify(answer: dict[str, Any], of_request: bytes = REQUEST) -> None:
    """As an agent does it: over everything but the signatures, with the time and the request's id."""
    (signature,) = answer["signatures"]
    content = {name: value for name, value in answer.items() if name != "signatures"}
    hashed = request_id({**content, "timestamp": signature["timestamp"], "request_id": of_request})
    load_der_public_key(NODE.public_key_der).verify(signature["signature"], b"\x0bic-response" + hashed)  # type: ignore[union-attr, call-arg]


@pytest.mark.parametrize("outcome", [Reply(b"DIDL\x00\x00"), Reject(5, "no", "IC0503")])
class TestNodeSignature:
    def test_verifies(self, outcome: Outcome) -> None:
        verify(signed(query_answer(outcome), REQUEST, NOW, NODE))

    def test_names_the_node_and_the_time(self, outcome: Outcome) -> None:
        (signature,) = signed(query_answer(outcome), REQUEST, NOW, NODE)["signatures"]
        assert (signature["identity"], signature["timestamp"]) == (NODE.principal.raw, NOW)

    def test_is_for_one_request_only(self, outcome: Outcome) -> None:
        with pytest.raises(InvalidSignature):
            verify(signed(query_answer(outcome), REQUEST, NOW, NODE), b"\x08" * 32)


class TestAnswers:
    def test_reply_and_rejection(self) -> None:
        assert query_answer(Reply(b"x")) == {"status": "replied", "reply": {"arg": b"x"}}
        assert query_answer(Reject(4, "no", "IC0406")) == {
            "status": "rejected",
            "reject_code": 4,
            "reject_message": "no",
            "error_code": "IC0406",
        }
