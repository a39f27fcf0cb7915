"""The management canister, as far as a canister's CDK needs it: randomness. Other methods are rejected by name."""

from __future__ import annotations

import hashlib

from icws_explore.protocol.candid import BLOB, encode
from icws_explore.protocol.canister import CANISTER_ERROR, Outcome, Reject, Reply


class Management:
    """Answers the calls of canisters. ``secret`` seeds the randomness, so that a lab with a seed is reproducible."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._drawn = 0

    def call(self, method: str) -> Outcome:
        """Answer a call."""
        if method != "raw_rand":
            text = f"the lab's management canister has no method '{method}', only raw_rand"
            return Reject(CANISTER_ERROR, text, "IC0536")
        self._drawn += 1
        random = hashlib.sha256(self._secret + self._drawn.to_bytes(8, "big")).digest()
        return Reply(encode([BLOB], [random]))
