"""The proof of a canister message, as cards and figures show it.

A `Proof` holds the certificate, its delegation and the canister's witness, with the steps of their verification.
Each of the three contains a hash tree. `proof_tree` turns a hash tree into nodes with short texts, in which the
paths that matter are lit: those that lead to the values that the verification looks up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from icws_explore.analysis import edit
from icws_explore.analysis.annotate.tree_layer import label_text
from icws_explore.analysis.decode import decode_frame
from icws_explore.analysis.envelopes import capture_canister
from icws_explore.analysis.recording import Recording
from icws_explore.protocol import hashtree, leb128
from icws_explore.protocol.certificate import Certificate, check_certificate, decode_cached
from icws_explore.protocol.certificate.delegation import decode_ranges, ranges_text
from icws_explore.protocol.certificate.format import key_text
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, WEBSOCKET_LABEL
from icws_explore.protocol.errors import DecodeError, IcwsError
from icws_explore.protocol.hashtree import Empty, Fork, HashTree, Labeled, Leaf
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step, first_failure
from icws_explore.protocol.wording import time_text

from .formatting import count, elide, one_line
from .source import RecordingLike, capture_of, frame_index

Kind = Literal["fork", "label", "leaf", "pruned", "empty", "folded"]
Path = tuple[bytes, ...]

MAX_LIT: Final = 8  # values of a certificate that are lit if it is not known which ones matter
MAX_ROWS: Final = 40  # leaves of a tree that are drawn; the others are folded
MAX_FULL: Final = 2048  # bytes of a label or a value that are shown on demand
MAX_LABEL: Final = 22  # characters of a label on one line
_WORD: Final = range(3, 17)  # bytes of a value that is shown as text if it is ASCII: no number, no hash
_MAX_RANGES: Final = 200


@dataclass(frozen=True, slots=True)
class Proof:
    """The parts of a proof and the ``steps`` of its verification.

    ``certificate``, ``subnet`` (the certificate inside the delegation) and ``witness`` are None if they are missing
    or cannot be read. ``message`` is None for a certificate alone. ``note`` says why nothing was checked, or for
    which time the checks were made.
    """

    title: str
    certificate: Certificate | None
    subnet: Certificate | None
    witness: HashTree | None
    message: CanisterMessage | None
    canister_id: Principal | None
    root_key: bytes | None
    steps: tuple[Step, ...]
    note: str = ""

    @property
    def failure(self) -> Step | None:
        return first_failure(self.steps)

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.step == name), None)

    @property
    def certificate_paths(self) -> list[Path]:
        """The paths that matter in the certificate: time and certified_data, or else everything it shows."""
        if self.certificate is None:
            return []
        shown = [path for path, _ in hashtree.leaves(self.certificate.tree)]
        wanted = [path for path in shown if path == (b"time",) or _is_certified_data(path, self.canister_id)]
        return wanted if len(wanted) > 1 else shown[:MAX_LIT]

    @property
    def subnet_paths(self) -> list[Path]:
        """The paths that matter in the delegation: the subnet's key, its canister ranges, and the time."""
        return [] if self.subnet is None else [path for path, _ in hashtree.leaves(self.subnet.tree)][:MAX_LIT]

    @property
    def witness_paths(self) -> list[Path]:
        """The path to the hash of this message."""
        if self.message is None:
            return []
        return [(WEBSOCKET_LABEL, self.message.key.encode("utf-8", "surrogatepass"))]

    @property
    def trees(self) -> list[tuple[str, HashTree, Sequence[Path]]]:
        """Heading, hash tree and lit paths of each part, from the root key downwards."""
        found: list[tuple[str, HashTree, Sequence[Path]]] = []
        if self.subnet is not None:
            found.append(("Delegation: certified by the root key", self.subnet.tree, self.subnet_paths))
        if self.certificate is not None:
            found.append(("Certificate: the subnet's state tree", self.certificate.tree, self.certificate_paths))
        if self.witness is not None:
            found.append(("Witness: the canister's tree of messages", self.witness, self.witness_paths))
        return found


def _is_certified_data(path: Path, canister_id: Principal | None) -> bool:
    if len(path) != 3 or path[0] != b"canister" or path[2] != b"certified_data":
        return False
    return canister_id is None or path[1] == canister_id.raw


def proof_for(
    recording: RecordingLike | bytes,
    number: int | None = None,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    now_ns: int | None = None,
) -> Proof:
    """The proof in frame ``number`` of a recording, or the proof that the bytes of a certificate are.

    `proof_of_frame` and `proof_of_certificate` describe the arguments. Raises TypeError if they are mixed.
    """
    if isinstance(recording, bytes):
        key = MAINNET_ROOT_KEY if root_key is None else root_key
        return proof_of_certificate(recording, canister_id=canister_id, root_key=key, now_ns=now_ns)
    if number is None:
        raise TypeError("number is missing: name a frame of the recording")
    if canister_id is not None or now_ns is not None:
        raise TypeError("canister_id and now_ns go with the bytes of a certificate: a recording has its own")
    return proof_of_frame(recording, number, root_key=root_key)


def proof_of_frame(recording: RecordingLike, number: int, *, root_key: bytes | None = None) -> Proof:
    """The proof in frame ``number`` (negative: from the end), verified as of the time of its receipt.

    ``root_key`` (DER) overrides the recording's. Raises IndexError, and IcwsError for a frame without a certificate.
    """
    capture = capture_of(recording)
    index = frame_index(capture, number)
    decoded = decode_frame(capture[index], number=index)
    message = decoded.canister_message
    if message is None:
        raise IcwsError(f"frame {index} is of kind {decoded.kind}; only messages of the canister have a certificate")
    key = capture.info.root_key if root_key is None else root_key
    steps: tuple[Step, ...] = ()
    note = ""
    try:
        steps = edit.see(Recording(capture), index, decoded, root_key=key).steps
    except IcwsError as error:
        note = one_line(str(error))
    certificate = _certificate(message.cert)
    return Proof(
        f"frame {index}, {decoded.kind}", certificate, _subnet(certificate), _witness(message.tree), message,
        capture_canister(capture), key, steps, note,
    )  # fmt: skip


def proof_of_certificate(
    cert: bytes, *, canister_id: Principal | None = None, root_key: bytes = MAINNET_ROOT_KEY, now_ns: int | None = None
) -> Proof:
    """A certificate alone, verified under ``root_key`` (DER) as of ``now_ns`` (None: the time that it states)."""
    certificate = _certificate(cert)
    own_time = 0 if certificate is None else certificate.time_ns or 0
    checked_at = own_time if now_ns is None else now_ns
    _, steps = check_certificate(cert, canister_id=canister_id, root_key=root_key, now_ns=checked_at)
    note = "" if now_ns is not None else "checked as of the certificate's own time"
    return Proof(
        "certificate", certificate, _subnet(certificate), None, None, canister_id, root_key, tuple(steps), note
    )


def _certificate(cert: bytes) -> Certificate | None:
    try:
        return decode_cached(cert)
    except DecodeError:
        return None  # the step "parse" says why


def _subnet(certificate: Certificate | None) -> Certificate | None:
    if certificate is None or certificate.delegation is None:
        return None
    return _certificate(certificate.delegation.certificate)


def _witness(tree: bytes) -> HashTree | None:
    try:
        return hashtree.decode(tree)
    except DecodeError:
        return None  # the step "parse" says why


@dataclass(slots=True)
class ProofNode:
    """A node of a hash tree. ``text`` fits on a line, ``full`` is all of it, ``digest`` is its hash (32 bytes).

    A node is ``lit`` if one of the paths that matter leads through it. A "folded" node stands for several.
    """

    kind: Kind
    text: str
    full: str
    digest: bytes
    lit: bool = False
    children: list[ProofNode] = field(default_factory=list)

    def walk(self) -> Iterator[ProofNode]:
        """This node and all below it, from top to bottom."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    @property
    def rows(self) -> int:
        """How many nodes at or below this one have no children; a figure draws a row for each."""
        return sum(not node.children for node in self.walk())


def proof_tree(tree: HashTree, paths: Sequence[Path] = (), *, max_rows: int = MAX_ROWS) -> ProofNode:
    """``tree`` with the way to each of ``paths`` lit. If it has more than ``max_rows``, its other parts are folded."""
    root = _node(tree, (), frozenset(paths))
    if root.rows > max_rows:
        _fold(root)
    return root


def _node(tree: HashTree, path: Path, wanted: frozenset[Path]) -> ProofNode:
    match tree:
        case Fork(left, right):
            below = [_node(left, path, wanted), _node(right, path, wanted)]
            return ProofNode("fork", "", "", tree.digest, any(child.lit for child in below), below)
        case Labeled(label, inner):
            here = (*path, label)
            child = _node(inner, here, wanted)
            full = one_line(label_text(label[:MAX_FULL], path)) + ("…" if len(label) > MAX_FULL else "")
            lit = child.lit or here in wanted
            return ProofNode("label", short_label(full), full, tree.digest, lit, [child])
        case Leaf(value):
            short, full = _leaf_texts(path, value)
            return ProofNode("leaf", short, full, tree.digest, path in wanted)
        case Empty():
            return ProofNode("empty", "empty", "an empty tree", tree.digest)
        case _:
            return ProofNode("pruned", f"pruned {tree.digest[:4].hex()}…", f"pruned: {tree.digest.hex()}", tree.digest)


def _fold(root: ProofNode) -> None:
    """Fold what no path leads through; a single leaf next to a lit path stays."""
    for node in root.walk():
        if node.lit:
            node.children = [child if child.lit or child.rows == 1 else _folded(child) for child in node.children]
        elif node is root:
            node.children = [_folded(child) for child in node.children]


def _folded(node: ProofNode) -> ProofNode:
    if node.rows == 1:
        return node
    text = f"{node.rows} leaves, not shown"
    return ProofNode("folded", text, f"{text}: no path that matters leads to them", node.digest)


def short_label(text: str) -> str:
    """A label on one line. The middle is left out, because message keys differ in their last characters."""
    return text if len(text) <= MAX_LABEL else f"{text[:8]}…{text[-(MAX_LABEL - 9) :]}"


def _leaf_texts(path: Path, value: bytes) -> tuple[str, str]:
    """The value at ``path``, short and in full. Source: interface specification, "The system state tree"."""
    bytes_in_full = f"0x{value[:MAX_FULL].hex()}" + ("" if len(value) <= MAX_FULL else f"… ({len(value)} bytes)")
    short = elide(value, 6)
    last = path[-1] if path else b""
    try:
        if last == b"time":
            time = time_text(leb128.decode_unsigned(value))
            return time, f"{time} ({bytes_in_full})"
        if last == b"public_key":
            return f"key {key_text(value)}", bytes_in_full
        if last == b"canister_ranges" or path[:1] == (b"canister_ranges",):
            ranges = decode_ranges(value)
            return count(len(ranges), "canister range"), ranges_text(ranges[:_MAX_RANGES])
    except DecodeError as error:
        return f"{short}, unreadable", f"{bytes_in_full}: {one_line(str(error))}"
    if last in (b"status", b"reject_message", b"error_code"):
        text = one_line(value[:MAX_FULL].decode("utf-8", "replace"))
        return short_label(text), text
    if len(value) in _WORD and value.isascii() and (word := value.decode("ascii")).isprintable():
        return f"'{word}'", f"'{word}' ({bytes_in_full})"
    return short, bytes_in_full


def tree_text(root: ProofNode, *, digests: bool = False) -> str:
    """The nodes of a tree on indented lines. Lit nodes are marked ›, a fork is ┬; ``digests`` adds their hashes."""
    lines: list[str] = []
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        digest = f"   # {node.digest[:4].hex()}…" if digests and node.kind != "pruned" else ""
        lines.append(f"{'›' if node.lit else ' '} {'  ' * depth}{node.text or '┬'}{digest}")
        stack.extend((child, depth + 1) for child in reversed(node.children))
    return "\n".join(lines)
