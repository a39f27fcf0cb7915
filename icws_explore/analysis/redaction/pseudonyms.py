"""Principals under other names: the same one is the same name throughout a report, and says what it is.

Names are given by role in the order of appearance: client-1, canister-1, gateway-1, else principal-1. The
management canister and the anonymous principal are nobody's and keep their own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from icws_explore.protocol.errors import MessageError, PrincipalError
from icws_explore.protocol.messages import parse_message_key
from icws_explore.protocol.principal import Principal

from ..decode import DecodedFrame

_FULL: Final = re.compile(r"(?<![a-z0-9-])[a-z0-9]{5}(?:-[a-z0-9]{5}){0,10}-[a-z0-9]{1,5}(?![a-z0-9-])")
_SHORT: Final = re.compile(r"(?<![a-z0-9-])[a-z0-9]{5}…-[a-z0-9]{1,5}(?![a-z0-9-])")
_NOBODY: Final = (Principal.MANAGEMENT.text, Principal.ANONYMOUS.text)


class Pseudonyms:
    """Names given so far; `apply` goes on giving them to principals that only a text names."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {name: name for name in _NOBODY}
        self._shorts: dict[str, str] = {}
        self._given: Counter[str] = Counter()

    @classmethod
    def of(cls, frames: Iterable[DecodedFrame], canister_id: str | None) -> Pseudonyms:
        """Those of a capture: its canister first, then as its frames name them."""
        names = cls()
        if canister_id is not None:
            names.name(canister_id, "canister")
        for decoded in frames:
            for role, principal in _principals(decoded):
                names.name(principal.text, role)
        return names

    def name(self, text: str, role: str = "principal") -> str:
        """The name of the principal that ``text`` is; ``text`` itself where it is none."""
        if text not in self._names:
            try:
                principal = Principal.from_text(text)
            except PrincipalError:
                return text
            self._given[role] += 1
            self._names[text] = f"{role}-{self._given[role]}"
            self._shorts[principal.short] = self._names[text]
        return self._names[text]

    def apply(self, text: str) -> str:
        """``text`` with every principal in it under its other name, in full or shortened."""
        text = _FULL.sub(lambda found: self.name(found[0]), text)
        return _SHORT.sub(lambda found: self._shorts.get(found[0], "a principal"), text)


def _principals(decoded: DecodedFrame) -> Iterable[tuple[str, Principal]]:
    if decoded.handshake is not None:
        yield "gateway", decoded.handshake.gateway_principal
    if decoded.envelope is not None:
        for role, principal in (("client", decoded.envelope.sender), ("canister", decoded.envelope.canister_id)):
            if principal is not None:
                yield role, principal
    if decoded.open_args is not None and decoded.open_args.gateway_principal is not None:
        yield "gateway", decoded.open_args.gateway_principal
    if decoded.message is not None:
        yield "client", decoded.message.client_key.client_principal
    if decoded.canister_message is not None:
        try:
            yield "gateway", parse_message_key(decoded.canister_message.key)[0]
        except MessageError:
            return
