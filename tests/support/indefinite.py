"""CBOR with indefinite lengths, as IC4J (Jackson) writes maps and arrays; strings in chunks as well where asked for."""

from __future__ import annotations

from typing import Any

from icws_explore.protocol import cbor

_OPENING = {bytes: b"\x5f", str: b"\x7f", list: b"\x9f", dict: b"\xbf"}
_BREAK = b"\xff"


def indefinite(value: Any, *, chunks: bool = False) -> bytes:
    """``value`` with maps and arrays of indefinite length; with ``chunks`` each string is cut into two."""
    match value:
        case dict():
            inner = [indefinite(each, chunks=chunks) for item in value.items() for each in item]
        case list():
            inner = [indefinite(each, chunks=chunks) for each in value]
        case bytes() | str() if chunks:
            half = len(value) // 2
            inner = [cbor.dumps(value[:half]), cbor.dumps(value[half:])]
        case _:
            return cbor.dumps(value)
    return _OPENING[type(value)] + b"".join(inner) + _BREAK


def reencoded(data: bytes, *, chunks: bool = False, inside: tuple[str, ...] = ()) -> bytes:
    """The CBOR in ``data`` with indefinite lengths, also the CBOR in its byte strings called ``inside``."""
    fields = cbor.loads(data)
    for name in inside:
        fields[name] = indefinite(cbor.loads(fields[name]), chunks=chunks)
    return indefinite(fields, chunks=chunks)
