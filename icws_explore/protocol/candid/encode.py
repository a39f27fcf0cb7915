"""Encoding Python values as Candid (specification, "Serialisation").

Types are compiled once into a header (magic number, type table, argument types) and a function per
argument; the last hundred or so are kept. The type table holds each distinct type once, however it
was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..errors import ValueMismatchError
from .header import header
from .scalar_writers import Refusal, Write
from .types import Type
from .writers import Writers


def encode(types: Sequence[Type], values: Sequence[Any], *, inner_first: bool = False) -> bytes:
    """``values`` at ``types`` as one Candid message; ``inner_first`` orders its type table as @dfinity/candid does.

    Records are mappings (or sequences, for tuples), variants ``{"Case": value}`` (or ``"Case"`` where
    the case is null), blobs bytes, options None or the value (Some where None could be the content),
    principals Principal or their text. Missing keys of optional fields are null.

    Raises ValueMismatchError with the path to the value that does not fit, DidError for a type that
    refers to an undefined name.
    """
    if len(types) != len(values):
        raise ValueMismatchError("", f"{len(values)} values for {len(types)} types")
    head, writes = _compiled(tuple(types), inner_first)
    out = bytearray(head)
    index = 0
    try:
        for index, write in enumerate(writes):
            write(out, values[index], 0)
    except Refusal as refusal:
        path = [*reversed(refusal.path)]
        if len(types) > 1:
            path.insert(0, index)
        raise ValueMismatchError(".".join(map(str, path)), refusal.reason) from None
    except RecursionError:
        raise ValueMismatchError(str(index), "is nested too deep for the stack that is left") from None
    return bytes(out)


@lru_cache(maxsize=128)
def _compiled(types: tuple[Type, ...], inner_first: bool) -> tuple[bytes, tuple[Write, ...]]:
    writers = Writers()
    return header(types, inner_first=inner_first), tuple(writers.writer(type_) for type_ in types)
