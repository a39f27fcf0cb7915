"""Writing a changed part back into its frame: its own bytes, and every length around it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from icws_explore.protocol import candid, hashtree
from icws_explore.protocol.candid.header import header, signed, unsigned
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.errors import DecodeError, DidError, IcwsError, ValueMismatchError
from icws_explore.protocol.hashtree import HashTree
from icws_explore.protocol.principal import Principal

from .annotate import Node

_BYTE_STRING: Final = 2  # CBOR's major type
_COUNTED: Final = ("blob", "text", "principal")  # Candid values whose count says how many bytes follow


def with_node(data: bytes, root: Node, node: Node, new: bytes) -> bytes:
    """``data`` with ``new`` in the place of ``node``; lengths around it follow, unless one is what was changed."""
    start, end = node.start, node.end
    changed = node
    for parent in reversed(root.way_to(node)[:-1]):
        before, after = data[parent.start : start], data[end : parent.end]
        length = _length_of(parent)
        if length is not None and length is not changed:
            size = start - length.end + len(new) + len(after)
            before = data[parent.start : length.start] + _length_bytes(length, size) + data[length.end : start]
        new = before + new + after
        start, end, changed = parent.start, parent.end, parent
    return new


def _length_of(parent: Node) -> Node | None:
    """The part that says how many bytes follow it in ``parent``."""
    kind = parent.type
    if kind.startswith("bytes(") and parent.children[0].type == "head":
        return parent.children[0]
    if kind.startswith(_COUNTED):
        return next((child for child in parent.children if child.type == "count"), None)
    return None


def _length_bytes(length: Node, size: int) -> bytes:
    return cbor_head(_BYTE_STRING, size) if length.type == "head" else unsigned(size)


def cbor_head(major: int, argument: int) -> bytes:
    """The shortest head of a CBOR item (RFC 8949, section 3)."""
    if argument < 24:
        return bytes([major << 5 | argument])
    power = next(power for power in range(4) if argument < 1 << (8 << power))
    return bytes([major << 5 | 24 + power]) + argument.to_bytes(1 << power, "big")


def tree_bytes(tree: HashTree) -> bytes:
    """A hash tree as CBOR, without the tag."""
    return hashtree.encode(tree, tagged=False)


def encoded_value(data: bytes, root: Node, node: Node, value: Any, app_type: candid.Type | None) -> bytes:
    """``value`` as ``node`` would be written, in CBOR or in Candid at the type that stands there."""
    way = root.way_to(node)
    for depth in range(len(way) - 2, -1, -1):
        if any(child.type == "magic number" for child in way[depth].children):
            return _candid_value(data, way[depth:], value, app_type)
    if ":" in node.path and not node.path.endswith(":key"):
        if isinstance(value, bytes):
            return value
        raise IcwsError(f"{node.path} is no value but a {node.type}: give the bytes that it should be")
    return dumps(_plain(value))


def _plain(value: Any) -> Any:
    """Principals are their bytes in CBOR, wherever they stand."""
    match value:
        case Principal():
            return value.raw
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def _candid_value(data: bytes, way: list[Node], value: Any, app_type: candid.Type | None) -> bytes:
    """``way`` leads from what holds the message to the node."""
    node = way[-1]
    if ":" in node.path and not node.path.endswith(":value"):
        return _part(node, value)
    holder = way[0]
    magic = next(child for child in holder.children if child.type == "magic number")
    message = data[magic.start : holder.end]
    try:
        type_ = _type_at(message, way, app_type)
        if isinstance(candid.resolve(type_), candid.Variant) and isinstance(value, str):
            value = {value: None}
        return candid.encode([type_], [value])[len(header([type_])) :]
    except (DecodeError, DidError) as error:
        raise IcwsError(f"change {node.path} byte by byte: its message does not decode ({error})") from error


def _part(node: Node, value: Any) -> bytes:
    """Lengths, opcodes and the like, as numbers or bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and node.type == "text":
        return value.encode()
    if not isinstance(value, int):
        raise ValueMismatchError(node.path, f"is {type(value).__name__}; a {node.type} is a number or bytes")
    if node.type in ("opcode", "type"):
        return signed(value)
    if value < 0:
        raise ValueMismatchError(node.path, f"is {value}; a {node.type} is not negative")
    return unsigned(value)


def _type_at(message: bytes, way: list[Node], app_type: candid.Type | None) -> candid.Type:
    """The wire type of the value that ``way`` leads to. Raises CandidError where the message is broken."""
    types = [type_ for type_, _ in candid.decode_typed(message, names=candid.names_of([app_type] if app_type else []))]
    values = [child for child in way[0].children if not _is_head(child)]
    type_ = types[values.index(way[1])]
    for above, node in pairwise(way[1:]):
        type_ = _inner(candid.resolve(type_), _step(above, node))
    return type_


def _is_head(node: Node) -> bool:
    return node.type in ("head", "count", "magic number", "type table", "types of the values")


def _step(above: Node, node: Node) -> str:
    base = above.path.removesuffix(":value")
    return node.path[len(base) + 1 :]


def _inner(type_: candid.Type, step: str) -> candid.Type:
    match type_:
        case candid.Opt() | candid.Vec():
            return type_.inner
        case candid.Record() | candid.Variant():
            return next(field.type for key, field in type_.by_id if key == step)
    raise IcwsError(f"{type_} has nothing called {step!r}")
