"""Candid in a frame: a first reading as one value; see protocol.candid for the codec."""

from __future__ import annotations

from icws_explore.protocol import candid
from icws_explore.protocol.errors import DecodeError

from ..decode import value_text
from .meanings import Context
from .node import Node


def candid_nodes(data: bytes, path: str, start: int, end: int, context: Context) -> list[Node]:
    """The nodes of the Candid message at ``data[start:end]``."""
    try:
        values = candid.decode(data[start:end])
    except DecodeError as error:
        return [Node(f"{path}:candid", "candid", start, end, data[start:end], "does not decode", fault=str(error))]
    return [Node(f"{path}:candid", "candid", start, end, data[start:end], ", ".join(map(value_text, values)))]
