"""Candid in a frame: the parts of protocol.candid.annotate, with the frame's offsets and names.

Below the message's own path stand ``:magic``, ``:types`` and ``:args``, then the values. The first
value's fields follow the path directly (``content.text``), the value itself is ``:value``; further
values have their index. Lengths, tags and the like are ``:length``, ``:tag`` … of their value.

What the parts and values of a Candid message say, in the protocol's words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol import candid, interface
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal

from .meanings import (
    Context,
    client_nonce_meaning,
    instant,
    last_incoming_meaning,
    sequence_meaning,
    service_meaning,
    time_meaning,
)
from .node import Node

if TYPE_CHECKING:
    from .layers import Layers


# An application's nat64 or int called timestamp is told as an instant when it lies in these years.
_SINCE_NS: Final = 1_000_000_000 * NS_PER_S  # 2001
_UNTIL_NS: Final = 4_102_444_800 * NS_PER_S  # 2100

_CASES: Final[Mapping[str, str]] = {
    "OpenMessage": "the session is open",
    "AckMessage": "what the canister has received so far",
    "KeepAliveMessage": "the client is still there, and what it has received so far",
    "CloseMessage": "the canister has ended the session",
    "WrongSequenceNumber": "the client's message was not the next one",
    "InvalidServiceMessage": "the client sent a service message that only a canister sends",
    "KeepAliveTimeout": "the client did not answer an ack in time",
    "ClosedByApplication": "the canister's application wanted it",
}
_FIELDS: Final[Mapping[str, Callable[[Any, Context], str]]] = {
    "sequence_num": sequence_meaning,
    "timestamp": time_meaning,
    "is_service_message": service_meaning,
    "client_nonce": client_nonce_meaning,
    "last_incoming_sequence_num": last_incoming_meaning,
    "gateway_principal": lambda _value, _context: "the gateway that the client is connected to, as its handshake said",
    "client_principal": lambda _value, _context: "who the client is",
    "client_key": lambda _value, _context: "whose session it is",
    "content": lambda _value, _context: "the message itself",
    "reason": lambda _value, _context: "why the canister closed",
}
_PART_WORDS: Final[Mapping[str, str]] = {
    "magic": "what every Candid message begins with",
    "types": "the types that the values are written in",
    "args": "how many values follow, and of which types",
    "types.count": "entries in the type table",
    "args.count": "values",
}
_LAST: Final[Mapping[str, str]] = {"length": "how many follow", "count": "how many follow", "of": "what is inside"}


def protocol_meaning(name: str, part: candid.CandidNode, context: Context) -> str:
    """A value of the protocol's own messages; ``name`` is the last step of its path."""
    explain = _FIELDS.get(name)
    return _CASES.get(name, "") if explain is None else explain(part.value, context)


def app_meaning(name: str, part: candid.CandidNode, context: Context) -> str:
    """A value of an application, of which nothing is known but its name."""
    value = part.value
    if name == "timestamp" and isinstance(value, int) and _SINCE_NS <= value <= _UNTIL_NS:
        return f"as nanoseconds: {time_meaning(value, context)}"
    if name == "timestamp" and isinstance(value, int) and _SINCE_NS <= value * NS_PER_S <= _UNTIL_NS:
        return f"as seconds: {instant(value * NS_PER_S)}"
    return ""


def part_meaning(part: candid.CandidNode) -> str:
    """A length, an opcode, a field id …: how the message is written."""
    last = part.path.rpartition(".")[2]
    match part.type:
        case "opcode":
            return f"defines a type: {part.meaning}"
        case "field id":
            unknown = part.meaning.startswith("_") and part.meaning.endswith("_")
            return "hash of a name that is not known" if unknown else f"hash of the name {part.meaning}"
        case "field":
            return "a field of it"
        case "type" if part.children:
            return f"type {last}, as others refer to it"
        case "type":
            return "its type"
        case "index":
            return f"case {part.value}: {part.meaning}"
        case "unread":
            return f"not read: {part.end - part.start} bytes"
    return part.meaning or _PART_WORDS.get(part.path) or _LAST.get(last, "")


MAX_NODES: Final = 2000  # of one message; the rest of a larger one is one leaf
_HEAD: Final = ("magic", "types", "args")
_PARTS: Final = frozenset(("byte", "count", "index", "bytes", "values", "unread"))


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a message: at which types, and whether the fields are the protocol's own.

    ``before`` are the types of older clients. ``wraps_content``: the arguments of ws_message, whose
    msg.content is a message of its own.
    """

    types: tuple[candid.Type, ...] | None = None
    before: tuple[candid.Type, ...] | None = None
    of_protocol: bool = True
    wraps_content: bool = False


def reading_of_arguments(method: object, app_type: candid.Type | None) -> Reading:
    """The arguments of a canister's method; those that are not the protocol's are read as they come."""
    match method:
        case "ws_open":
            return Reading((interface.OPEN_ARGS,), (interface.OPEN_ARGS_BEFORE_0_3,))
        case "ws_message":
            second = interface.APPLICATION_MESSAGE if app_type is None else candid.Opt(app_type)
            return Reading((interface.MESSAGE_ARGS, second), wraps_content=True)
        case "ws_close":
            return Reading((interface.CLOSE_ARGS,))
        case "ws_get_messages":
            return Reading((interface.POLL_ARGS,))
    return Reading(of_protocol=False)


def reading_of_content(is_service_message: object, app_type: candid.Type | None) -> Reading:
    """The content of a WebsocketMessage: a service message, or the application's."""
    if is_service_message is True:
        return Reading((interface.SERVICE_MESSAGE,))
    return Reading(None if app_type is None else (app_type,), of_protocol=False)


def candid_nodes(layers: Layers, path: str, start: int, end: int, reading: Reading) -> list[Node]:
    """The nodes of the Candid message at ``data[start:end]``; they tile it, whatever it holds."""
    message = layers.data[start:end]
    root = candid.annotate(message, reading.types, max_nodes=MAX_NODES)
    if root.first_fault() is not None and reading.before is not None and root.find("0.gateway_principal") is None:
        before = candid.annotate(message, reading.before, max_nodes=MAX_NODES)
        root = root if before.first_fault() is not None else before
    nodes = _Message(layers, path, start, reading, root).nodes()
    if root.fault is not None and nodes:  # a value that is missing: nowhere, so where the values should be
        nodes[-1].fault, nodes[-1].fault_at = root.fault, _shifted(root.fault_at, start)
    return nodes


class _Message:
    """One message on its way into the frame's tree."""

    def __init__(self, layers: Layers, path: str, start: int, reading: Reading, root: candid.CandidNode) -> None:
        self.layers = layers
        self.path = path
        self.start = start
        self.reading = reading
        self.root = root

    def nodes(self) -> list[Node]:
        return [self.node(part, self.root) for part in self.root.children]

    def node(self, part: candid.CandidNode, parent: candid.CandidNode) -> Node:
        is_part = _is_part(part, parent)
        path = self._path(part.path, is_part)
        start, end = self.start + part.start, self.start + part.end
        node = Node(path, _type(part), start, end, _value(part), self._meaning(part, is_part), fault=part.fault)
        node.fault_at = _shifted(part.fault_at, self.start)
        if self.reading.wraps_content and part.path == "0.msg.content" and len(part.children) == 2:
            node.children = self._content(part, path)
        else:
            node.children = [self.node(child, part) for child in part.children]
        if node.children and not isinstance(node.value, Principal):
            node.value = None  # what has parts is structure; a principal is worth saying at once
        if part.type == "text" or _is_blob(part):
            node.value = part.value
        return node

    def _content(self, part: candid.CandidNode, path: str) -> list[Node]:
        """A blob that is a message: its length, then the message."""
        length, content = part.children
        service = self.root.find("0.msg.is_service_message")
        reading = reading_of_content(service and service.value, self.layers.context.app_type)
        start, end = self.start + content.start, self.start + content.end
        if start == end or not self.layers.enter():
            return [self.node(length, part), self.node(content, part)]
        below = candid_nodes(self.layers, path, start, end, reading)
        self.layers.leave()
        return [self.node(length, part), *below]

    def _path(self, path: str, is_part: bool) -> str:
        if path.partition(".")[0] in _HEAD:
            return f"{self.path}:{path}"
        if is_part:
            above, _, last = path.rpartition(".")
            return f"{self._path(above, False)}:{last}"
        first, _, rest = path.partition(".")
        if first != "0":
            return f"{self.path}.{path}"
        return f"{self.path}.{rest}" if rest else f"{self.path}:value"

    def _meaning(self, part: candid.CandidNode, is_part: bool) -> str:
        first, _, rest = part.path.partition(".")
        if first in _HEAD or is_part:
            return part_meaning(part)
        if first == "1" and not rest and self.reading.wraps_content:
            return "not read: only its declared type says something, that of the application's messages"
        explain = protocol_meaning if self.reading.of_protocol else app_meaning
        return explain(rest.rpartition(".")[2], part, self.layers.context) or part.meaning


def _is_part(part: candid.CandidNode, parent: candid.CandidNode) -> bool:
    """Whether it belongs to how a value is written, and is no value itself."""
    return part.type in _PARTS or " × " in part.type or (parent.type == "text" and part.type == "text")


def _is_blob(part: candid.CandidNode) -> bool:
    return part.type in ("blob", "vec nat8")


def _type(part: candid.CandidNode) -> str:
    return f"blob({len(part.value)})" if _is_blob(part) and isinstance(part.value, bytes) else part.type


def _value(part: candid.CandidNode) -> Any:
    value = part.value
    if isinstance(value, (list, dict, tuple)):  # below the deepest level that is taken apart
        return None
    return value


def _shifted(offset: int | None, by: int) -> int | None:
    return None if offset is None else offset + by
