"""What stands in a redacted report where something private was: its type and its size, and nothing of itself.

The stand-ins take the place of the bytes and values before anything is shown, so that no view, figure
or text can give away what it was never given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from icws_explore.protocol import candid
from icws_explore.protocol.errors import DecodeError

_MAX_FIELDS: Final = 8  # of a record; more are counted
_MAX_DEPTH: Final = 4
_MAX_SHAPE: Final = 160  # characters


class Withheld(bytes):
    """As many zero bytes as the private ones were; views say their number instead of showing them."""

    @classmethod
    def of(cls, data: bytes) -> Withheld:
        return cls(len(data))

    def __str__(self) -> str:
        return f"‹{len(self)} bytes›"


@dataclass(frozen=True, slots=True)
class WithheldValue:
    """An application's message: the ``shape`` of its Candid type, and ``size`` in bytes."""

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
    """A Candid type without any name in it: in a message's own type table, labels are the sender's words too."""
    return _cut(_shape(type_, _MAX_DEPTH))


def _shape(type_: candid.Type, depth: int) -> str:
    it = candid.resolve(type_)
    if depth == 0:
        return "…"
    match it:
        case candid.Opt(inner):
            return f"opt {_shape(inner, depth - 1)}"
        case candid.Vec(inner):
            return "blob" if it == candid.BLOB else f"vec {_shape(inner, depth - 1)}"
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
            return str(it)
    return "a type of the future"


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHAPE else f"{text[: _MAX_SHAPE - 1]}…"
