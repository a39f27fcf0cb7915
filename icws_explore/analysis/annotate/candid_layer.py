"""Candid messages in a frame: the nodes of `candid.annotate`, with offsets, paths and meanings of the frame.

Below the path of the message stand ``:magic``, ``:types`` and ``:args``, then the values. The fields of the first value
follow the path directly (``content.text``), and that value itself is ``:value``. Further values have their index.
Lengths, tags and similar parts have a colon before their name: ``content.text:length``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol import candid, interface
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import count_of
from icws_explore.protocol.node import Node
from icws_explore.protocol.principal import Principal

from .limits import MAX_CANDID_NODES
from .meanings import (
    Context,
    client_nonce_meaning,
    instant,
    last_incoming_meaning,
    sequence_meaning,
    service_meaning,
    time_meaning,
)

if TYPE_CHECKING:
    from .layers import Layers

_HEAD: Final = ("magic", "types", "args")
_PARTS: Final = frozenset(("byte", "count", "index", "bytes", "values", "unread"))


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a message.

    ``types`` are the expected types, ``before`` those of older clients. ``of_protocol``: the fields are the
    protocol's own. ``wraps_content``: the message is the arguments of ws_message, whose msg.content is a message.
    """

    types: tuple[candid.Type, ...] | None = None
    before: tuple[candid.Type, ...] | None = None
    of_protocol: bool = True
    wraps_content: bool = False


def reading_of_arguments(method: object, app_type: candid.Type | None) -> Reading:
    """How to read the arguments of a canister's method. Those of an unknown method have no expected types."""
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
    """How to read the content of a WebsocketMessage: as a service message or as an application message."""
    if is_service_message is True:
        return Reading((interface.SERVICE_MESSAGE,))
    return Reading(None if app_type is None else (app_type,), of_protocol=False)


def candid_nodes(layers: Layers, path: str, start: int, end: int, reading: Reading) -> list[Node]:
    """The nodes of the Candid message at ``data[start:end]``. They cover that range, also if the message is broken."""
    message = layers.data[start:end]
    root = candid.annotate(message, reading.types, max_nodes=MAX_CANDID_NODES)
    if reading.before is not None and root.first_fault() is not None and root.at_path("0.gateway_principal") is None:
        before = candid.annotate(message, reading.before, max_nodes=MAX_CANDID_NODES)
        root = root if before.first_fault() is not None else before
    nodes = _Message(layers, path, start, reading, root).nodes()
    if root.fault is not None and nodes:  # a missing value has no place, so the fault is shown behind the last value
        nodes[-1].fault, nodes[-1].fault_at = root.fault, _shifted(root.fault_at, start)
    return nodes


class _Message:
    """Turns the nodes of one message into nodes of the frame. The tree is used up: its nodes are changed."""

    def __init__(self, layers: Layers, path: str, start: int, reading: Reading, root: Node) -> None:
        self.layers = layers
        self.path = path
        self.start = start
        self.reading = reading
        self.root = root
        is_service = root.at_path("0.msg.is_service_message") if reading.wraps_content else None
        self.is_service_message = is_service and is_service.value

    def nodes(self) -> list[Node]:
        for node in self.root.children:
            self.convert(node, self.root.type)
        return self.root.children

    def convert(self, node: Node, parent_type: str) -> None:
        """Gives ``node`` and the nodes below it the path, the offsets and the meaning that they have in the frame."""
        path, kind = node.path, node.type
        is_part = kind in _PARTS or " × " in kind or (kind == "text" and parent_type == "text")
        is_blob = kind in ("blob", "vec nat8")
        node.meaning = self._meaning(node, is_part)
        node.path = self._path(path, is_part)
        node.start += self.start
        node.end += self.start
        node.fault_at = _shifted(node.fault_at, self.start)
        if is_blob and isinstance(node.value, bytes):
            node.type = f"blob({len(node.value)})"
        elif isinstance(node.value, (list, dict, tuple)):  # a value below the deepest level of nodes
            node.value = None
        if node.children and not (is_blob or kind == "text" or isinstance(node.value, Principal)):
            node.value = None  # the parts have the values
        content = node.children[1] if len(node.children) == 2 else None
        wraps = self.reading.wraps_content and path == "0.msg.content" and is_blob
        if wraps and content is not None and self.layers.enter():
            self.convert(node.children[0], kind)
            start, end = self.start + content.start, self.start + content.end
            reading = reading_of_content(self.is_service_message, self.layers.context.app_type)
            node.children[1:] = candid_nodes(self.layers, node.path, start, end, reading)
            self.layers.leave()
            return
        for child in node.children:
            self.convert(child, kind)

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

    def _meaning(self, node: Node, is_part: bool) -> str:
        first, _, rest = node.path.partition(".")
        if first in _HEAD or is_part:
            return part_meaning(node)
        if first == "1" and not rest and self.reading.wraps_content:
            return "always null; its declared type is the type of application messages"
        explain = protocol_meaning if self.reading.of_protocol else app_meaning
        return explain(rest.rpartition(".")[2], node.value, self.layers.context) or node.meaning


def _shifted(offset: int | None, by: int) -> int | None:
    return None if offset is None else offset + by


_SINCE_NS: Final = 1_000_000_000 * NS_PER_S  # 2001
_UNTIL_NS: Final = 4_102_444_800 * NS_PER_S  # 2100

_CASES: Final[Mapping[str, str]] = {
    "OpenMessage": "the session is open",
    "AckMessage": "the number of the last message that the canister received",
    "KeepAliveMessage": "the client is still connected; the number of the last message that it received",
    "CloseMessage": "the canister has closed the session",
    "WrongSequenceNumber": "the client's message did not have the next sequence number",
    "InvalidServiceMessage": "the client sent a service message that only a canister may send",
    "KeepAliveTimeout": "the client did not answer an ack in time",
    "ClosedByApplication": "the canister's application closed the session",
}
_FIELDS: Final[Mapping[str, Callable[[Any, Context], str]]] = {
    "sequence_num": sequence_meaning,
    "timestamp": time_meaning,
    "is_service_message": service_meaning,
    "client_nonce": client_nonce_meaning,
    "last_incoming_sequence_num": last_incoming_meaning,
    "gateway_principal": lambda _value, _context: "the client's gateway, from the gateway's handshake",
    "client_principal": lambda _value, _context: "the client",
    "client_key": lambda _value, _context: "the session: its client and nonce",
    "content": lambda _value, _context: "the message itself",
    "reason": lambda _value, _context: "why the canister closed the session",
}
_HEAD_MEANINGS: Final[Mapping[str, str]] = {
    "magic": "the first bytes of every Candid message",
    "types": "the types of the values",
    "args": "the number of values and the type of each",
}


def protocol_meaning(name: str, value: Any, context: Context) -> str:
    """The meaning of a value in the protocol's own messages. ``name`` is the last step of its path."""
    explain = _FIELDS.get(name)
    return _CASES.get(name, "") if explain is None else explain(value, context)


def app_meaning(name: str, value: Any, context: Context) -> str:
    """The meaning of an application's value: a number called timestamp, if it is an instant from 2001 to 2100."""
    if name == "timestamp" and isinstance(value, int) and _SINCE_NS <= value <= _UNTIL_NS:
        return f"as nanoseconds: {time_meaning(value, context)}"
    if name == "timestamp" and isinstance(value, int) and _SINCE_NS <= value * NS_PER_S <= _UNTIL_NS:
        return f"as seconds: {instant(value * NS_PER_S)}"
    return ""


def part_meaning(node: Node) -> str:
    """The meaning of a part of the encoding: a length, an opcode, a field id …"""
    last = node.path.rpartition(".")[2]
    match node.type:
        case "field id":
            is_unknown = node.meaning.startswith("_") and node.meaning.endswith("_")
            return "hash of an unknown name" if is_unknown else f"hash of the name {node.meaning}"
        case "type" if node.children:
            return f"entry {last} of the type table"
        case "type":
            return "type of the content" if last == "of" else "type"
        case "index":
            return f"case {node.value}: {node.meaning}"
        case "unread":
            return f"not read: {count_of(node.end - node.start, 'byte')}"
    return node.meaning or _HEAD_MEANINGS.get(node.path, "")
