"""Change a field, a byte or a tree node of a frame, and see which verification step catches the change.

::

    changed = edit.set(recording[5], "content.sequence_num", 7)
    edit.see(recording, 5, changed)         # frame 5 fails at body: …

The lengths around the change are adjusted, so the frame still decodes and only the proof can notice the
change. Paths are those of annotated decoding; the end of a path is enough ("sequence_num").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from icws_explore.capture import Capture, Frame
from icws_explore.protocol import candid, hashtree
from icws_explore.protocol.candid.wire import header
from icws_explore.protocol.cbor import dumps, loads
from icws_explore.protocol.errors import DecodeError, DidError, IcwsError, ValueMismatchError
from icws_explore.protocol.hashtree import HashTree, Pruned
from icws_explore.protocol.leb128 import encode_signed, encode_unsigned
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step, first_failure

from .annotate import Node, annotate_frame
from .decode import DecodedFrame, decode_frame, decode_frames
from .envelopes import capture_canister, check_frames
from .recording import Recording
from .verify import verify_frames

_BYTE_STRING: Final = 2  # CBOR's major type
_COUNTED: Final = ("blob", "text", "principal")  # Candid values whose count says how many bytes follow


def with_node(data: bytes, root: Node, node: Node, new: bytes) -> bytes:
    """Replace ``node`` with ``new`` and adjust the lengths around it, unless a length is what changed."""
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
    """Return the child of ``parent`` that holds the number of bytes after it, if there is one."""
    kind = parent.type
    if kind.startswith("bytes(") and parent.children[0].type == "head":
        return parent.children[0]
    if kind.startswith(_COUNTED):
        return next((child for child in parent.children if child.type == "count"), None)
    return None


def _length_bytes(length: Node, size: int) -> bytes:
    return cbor_head(_BYTE_STRING, size) if length.type == "head" else encode_unsigned(size)


def cbor_head(major: int, argument: int) -> bytes:
    """Return the shortest head of a CBOR item (RFC 8949, section 3)."""
    if argument < 24:
        return bytes([major << 5 | argument])
    power = next(power for power in range(4) if argument < 1 << (8 << power))
    return bytes([major << 5 | 24 + power]) + argument.to_bytes(1 << power, "big")


def tree_bytes(tree: HashTree) -> bytes:
    """Encode a hash tree as CBOR without the tag."""
    return hashtree.encode(tree, tagged=False)


def encoded_value(data: bytes, root: Node, node: Node, value: Any, app_type: candid.Type | None) -> bytes:
    """Encode ``value`` as ``node`` is encoded: as CBOR, or as Candid of the type at that place."""
    way = root.way_to(node)
    for depth in range(len(way) - 2, -1, -1):
        if any(child.type == "magic number" for child in way[depth].children):
            return _candid_value(data, way[depth:], value, app_type)
    if ":" in node.path and not node.path.endswith(":key"):
        if isinstance(value, bytes):
            return value
        raise IcwsError(f"{node.path} is not a value but a {node.type}: give bytes")
    return dumps(_plain(value))


def _plain(value: Any) -> Any:
    """Replace principals by their bytes, as CBOR writes them."""
    match value:
        case Principal():
            return value.raw
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def _candid_value(data: bytes, way: list[Node], value: Any, app_type: candid.Type | None) -> bytes:
    """Encode a Candid value. ``way`` leads from the holder of the message to the node."""
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
        raise IcwsError(
            f"{node.path} can only be changed as bytes, because its message does not decode ({error})"
        ) from error


def _part(node: Node, value: Any) -> bytes:
    """Encode a length, an opcode or another part that is a number, or take it as bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and node.type == "text":
        return value.encode()
    if not isinstance(value, int):
        raise ValueMismatchError(node.path, f"is {type(value).__name__}; a {node.type} is a number or bytes")
    if node.type in ("opcode", "type"):
        return encode_signed(value)
    if value < 0:
        raise ValueMismatchError(node.path, f"is {value}; a {node.type} is not negative")
    return encode_unsigned(value)


def _type_at(message: bytes, way: list[Node], app_type: candid.Type | None) -> candid.Type:
    """Return the wire type of the value that ``way`` leads to. Raises CandidError for a broken message."""
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
    raise IcwsError(f"{type_} has no part called {step!r}")


_TREE_NODES = ("empty", "fork", "labeled", "leaf", "pruned")


def set(  # noqa: A001 - edit.set is its name; the builtin is not needed here
    frame: Frame | DecodedFrame, path: str, value: Any, *, app_type: candid.Type | None = None
) -> Frame:
    """Return ``frame`` with another value at ``path``: Python data that fits the type at that place.

    Raises IcwsError if there is no such field, ValueMismatchError if ``value`` does not fit.
    """
    raw = _frame(frame)
    root, node = _find(raw, path, app_type)
    return replace(raw, data=with_node(raw.data, root, node, encoded_value(raw.data, root, node, value, app_type)))


def replace_bytes(frame: Frame | DecodedFrame, path: str, data: bytes, *, app_type: candid.Type | None = None) -> Frame:
    """Return ``frame`` with ``data`` as the complete encoding of the part at ``path``. Raises IcwsError."""
    raw = _frame(frame)
    root, node = _find(raw, path, app_type)
    return replace(raw, data=with_node(raw.data, root, node, data))


def flip(frame: Frame | DecodedFrame, offset: int, bit: int = 0) -> Frame:
    """Return ``frame`` with one bit (0 is the lowest) of the byte at ``offset`` flipped. Raises IcwsError."""
    raw = _frame(frame)
    if not -len(raw.data) <= offset < len(raw.data) or not 0 <= bit < 8:
        raise IcwsError(f"there is no bit {bit} of byte {offset}: the frame has {len(raw.data)} bytes")
    changed = bytearray(raw.data)
    changed[offset] ^= 1 << bit
    return replace(raw, data=bytes(changed))


def prune(frame: Frame | DecodedFrame, path: str) -> Frame:
    """Return ``frame`` with the hash-tree node at ``path`` pruned to its hash. The root hash does not change."""
    tree = tree_at(frame, path)
    return replace_tree(frame, path, Pruned(hashtree.root_hash(tree)))


def replace_tree(frame: Frame | DecodedFrame, path: str, tree: HashTree) -> Frame:
    """Return ``frame`` with ``tree`` instead of the hash-tree node at ``path``. Raises IcwsError."""
    raw = _frame(frame)
    root, node = _find_tree(raw, path)
    return replace(raw, data=with_node(raw.data, root, node, tree_bytes(tree)))


def tree_at(frame: Frame | DecodedFrame, path: str) -> HashTree:
    """Return the hash tree at ``path``: "tree" is the witness, "cert.tree" the certificate's. Raises IcwsError."""
    raw = _frame(frame)
    _, node = _find_tree(raw, path)
    return hashtree.from_cbor(loads(raw.data[node.start : node.end], what=f"the hash tree at {path}"))


@dataclass(frozen=True, slots=True)
class Seen:
    """The result for a changed frame: how it decodes and which steps hold. ``number`` is the frame number."""

    number: int
    decoded: DecodedFrame
    steps: tuple[Step, ...]

    @property
    def failure(self) -> Step | None:
        """The step that catches the change, or None."""
        return first_failure(self.steps)

    @property
    def ok(self) -> bool:
        """Whether no step fails."""
        return self.failure is None

    def __str__(self) -> str:
        failure = self.failure
        if failure is None:
            return f"frame {self.number} is accepted: no step fails"
        return f"frame {self.number} fails at {failure.step}: {failure.detail}"


def see(recording: Recording, number: int, changed: Frame | DecodedFrame, *, root_key: bytes | None = None) -> Seen:
    """Verify ``changed`` instead of frame ``number``: a canister message or a client's request.

    The frames before it are as recorded. Raises IndexError for a number outside the recording, IcwsError if
    no root key is known.
    """
    capture = recording.raw
    before = capture.frames[number]
    number %= len(capture)
    frame = replace(_frame(changed), session=before.session)
    context = Capture(capture.info, [*_needed_before(capture, number), frame])
    *_, last = decode_frames(context)
    decoded = replace(last, number=number)
    key = capture.info.root_key if root_key is None else root_key
    if frame.op != "binary" and frame.op == before.op:
        return Seen(number, decoded, ())  # a control frame proves nothing
    if frame.direction == "out":
        verdicts = list(check_frames([decoded], root_key=key, canister_id=capture_canister(capture)))
        return Seen(number, decoded, verdicts[-1].steps if verdicts else (_unreadable(decoded),))
    if decoded.canister_message is None:
        return Seen(number, decoded, () if decoded.kind == "handshake" else (_unreadable(decoded),))
    if key is None:
        raise IcwsError("the recording has no root key: give root_key=")
    *_, verdict = verify_frames(decode_frames(context), context, root_key=key)
    return Seen(number, decoded, verdict.steps)


def _unreadable(decoded: DecodedFrame) -> Step:
    return Step("parse", False, decoded.summary or "the frame cannot be read")


def _needed_before(capture: Capture, number: int) -> list[Frame]:
    """Return the frames that verification compares with: the ws_open and the last canister message before."""
    session = capture.frames[number].session
    opened: Frame | None = None
    latest: Frame | None = None
    for index in range(number - 1, -1, -1):
        frame = capture.frames[index]
        if frame.session != session or frame.op != "binary":
            continue
        if frame.direction == "out":
            opened = frame if decode_frame(frame).open_args is not None else opened
        elif latest is None and decode_frame(frame).sequence_num is not None:
            latest = frame
    return [frame for frame in (opened, latest) if frame is not None]


def _frame(frame: Frame | DecodedFrame) -> Frame:
    return frame.frame if isinstance(frame, DecodedFrame) else frame


def _find(frame: Frame, path: str, app_type: candid.Type | None) -> tuple[Node, Node]:
    root = annotate_frame(frame, app_type=app_type)
    node = root.find(path) or root.find(_hashed(path))
    if node is None:
        some = ", ".join(sorted({each.path for each in root.walk() if each.path and ":" not in each.path})[:40])
        raise IcwsError(f"the frame has no field {path!r}; its fields are {some or 'none'}")
    return root, node


def _hashed(path: str) -> str:
    """Return the path with its last name as a Candid hash, as unknown names are written."""
    above, dot, last = path.rpartition(".")
    return f"{above}{dot}_{candid.label_hash(last)}_"


def _find_tree(frame: Frame, path: str) -> tuple[Node, Node]:
    """Find a hash-tree node. The path of a byte string or a tag around a tree means the tree."""
    root, first = _find(frame, path, None)
    for node in first.walk():
        if node.path == first.path and node.type in _TREE_NODES and node.children:
            return root, node
    raise IcwsError(f"there is no hash tree at {path!r}, only {first.type}")
