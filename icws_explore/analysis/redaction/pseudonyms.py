"""Stand-ins for private data in a redacted report.

`Pseudonyms` renames principals by role and order of appearance: client-1, canister-1, gateway-1, otherwise
principal-1. A principal has the same name throughout a report. The management canister and the anonymous
principal keep their names.

`Withheld` and `WithheldValue` replace bytes and values by their type and size. They are put in place before
anything is shown, so that no view, figure or text can reveal the original.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from icws_explore.protocol import candid
from icws_explore.protocol.errors import DecodeError, MessageError, PrincipalError
from icws_explore.protocol.messages import parse_message_key
from icws_explore.protocol.principal import Principal

from ..decode import DecodedFrame

_FULL: Final = re.compile(r"(?<![a-z0-9-])[a-z0-9]{5}(?:-[a-z0-9]{5}){0,10}-[a-z0-9]{1,5}(?![a-z0-9-])")
_SHORT: Final = re.compile(r"(?<![a-z0-9-])[a-z0-9]{5}…-[a-z0-9]{1,5}(?![a-z0-9-])")
_NOBODY: Final = (Principal.MANAGEMENT.text, Principal.ANONYMOUS.text)


class Pseudonyms:
    """The names given so far. `apply` also names principals that occur only in a text."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {name: name for name in _NOBODY}
        self._shorts: dict[str, str] = {}
        self._given: Counter[str] = Counter()

    @classmethod
    def of(cls, frames: Iterable[DecodedFrame], canister_id: str | None) -> Pseudonyms:
        """Name the principals of a capture: its canister first, then those in its frames."""
        names = cls()
        if canister_id is not None:
            names.name(canister_id, "canister")
        for decoded in frames:
            for role, principal in _principals(decoded):
                names.name(principal.text, role)
        return names

    def name(self, text: str, role: str = "principal") -> str:
        """Return the name of the principal ``text``, or ``text`` itself if it is not a principal."""
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
        """Replace every principal in ``text``, whether complete or shortened."""
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


_MAX_FIELDS: Final = 8  # fields of a record that are shown; the others are counted
_MAX_DEPTH: Final = 4
_MAX_SHAPE: Final = 160  # characters


class Withheld(bytes):
    """Zero bytes instead of private ones; views show only how many there were."""

    @classmethod
    def of(cls, data: bytes) -> Withheld:
        return cls(len(data))

    def __str__(self) -> str:
        return f"‹{len(self)} bytes›"


@dataclass(frozen=True, slots=True)
class WithheldValue:
    """An application message as the ``shape`` of its Candid type and its ``size`` in bytes."""

    shape: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> WithheldValue:
        try:
            shapes = [shape(type_) for type_, _ in candid.decode_typed(content)]
        except DecodeError:
            return cls("not Candid", len(content))
        return cls(_cut(", ".join(shapes) or "no value"), len(content))

    def __str__(self) -> str:
        return f"‹{self.shape}, {self.size} bytes›"


def shape(type_: candid.Type) -> str:
    """Describe a Candid type without its labels, which are the sender's words."""
    return _cut(_shape(type_, _MAX_DEPTH))


def _shape(type_: candid.Type, depth: int) -> str:
    resolved = candid.resolve(type_)
    if depth == 0:
        return "…"
    match resolved:
        case candid.Opt(inner):
            return f"opt {_shape(inner, depth - 1)}"
        case candid.Vec(inner):
            return "blob" if resolved == candid.BLOB else f"vec {_shape(inner, depth - 1)}"
        case candid.Record(fields):
            inner_shapes = [_shape(each.type, depth - 1) for each in fields[:_MAX_FIELDS]]
            more = len(fields) - len(inner_shapes)
            return f"record {{ {'; '.join([*inner_shapes, *([f'{more} more'] if more else [])])} }}"
        case candid.Variant(fields):
            return f"variant of {len(fields)}"
        case candid.Func():
            return "func"
        case candid.Service():
            return "service"
        case candid.Prim():
            return str(resolved)
    return "unknown type"


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHAPE else f"{text[: _MAX_SHAPE - 1]}…"
