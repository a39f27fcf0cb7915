"""What a card or a figure of one proof shows: the certificate, its delegation, the witness, the walk over them.

A hash tree as people look at it: which part is on the way to what is proved, and what each node says.

The figure and the card draw the same nodes. A node is lit where one of the looked-up paths runs
through it; of a tree with many values the parts that no path runs through are folded into one node.
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
from icws_explore.protocol.certificate.format import key_text, time_text
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, WEBSOCKET_LABEL
from icws_explore.protocol.errors import DecodeError, IcwsError
from icws_explore.protocol.hashtree import Empty, Fork, HashTree, Labeled, Leaf
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step, first_failure

from .facts import Subject, capture_of
from .rows import elide, one_line

Kind = Literal["fork", "label", "leaf", "pruned", "empty", "folded"]
Path = tuple[bytes, ...]

MAX_ROWS: Final = 40  # leaves that are drawn; the others are folded
MAX_FULL: Final = 2048  # bytes of a label or a value that are shown when all of it is asked for
WORD: Final = range(3, 17)  # bytes of a value that is shown as text where it can be: no number, no hash
MAX_LABEL: Final = 22  # characters of a label on one line


@dataclass(slots=True)
class ProofNode:
    """``text`` fits a line, ``full`` is all of it; ``digest`` is the 32-byte hash of the node."""

    kind: Kind
    text: str
    full: str
    digest: bytes
    lit: bool = False
    children: list[ProofNode] = field(default_factory=list)

    def walk(self) -> Iterator[ProofNode]:
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    @property
    def rows(self) -> int:
        """How many nodes below it, or it itself, have nothing below them."""
        return sum(not node.children for node in self.walk())


def proof_tree(tree: HashTree, paths: Sequence[Path] = (), *, max_rows: int = MAX_ROWS) -> ProofNode:
    """``tree`` with the way to each of ``paths`` lit. Bounded: beyond ``max_rows`` what is not lit is folded."""
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
            short, full = leaf_texts(path, value)
            return ProofNode("leaf", short, full, tree.digest, path in wanted)
        case Empty():
            return ProofNode("empty", "empty", "nothing is here", tree.digest)
        case _:
            return ProofNode("pruned", f"pruned {tree.digest[:4].hex()}…", f"pruned: {tree.digest.hex()}", tree.digest)


def _fold(root: ProofNode) -> None:
    """Fold what no path runs through; on the lit ways a single value beside them stays."""
    for node in root.walk():
        if node.lit:
            node.children = [child if child.lit or child.rows == 1 else _folded(child) for child in node.children]
        elif node is root:
            node.children = [_folded(child) for child in node.children]


def _folded(node: ProofNode) -> ProofNode:
    if node.rows == 1:
        return node
    text = f"{node.rows} more, not shown"
    return ProofNode("folded", text, f"{text}: no path that was asked for runs through them", node.digest)


def short_label(text: str) -> str:
    """A label on one line: of a long one both ends, which is where keys and principals differ."""
    return text if len(text) <= MAX_LABEL else f"{text[:8]}…{text[-(MAX_LABEL - 9) :]}"


def leaf_texts(path: Path, value: bytes) -> tuple[str, str]:
    """What the value at ``path`` says, short and in full. Source: interface spec, "The system state tree"."""
    bytes_in_full = f"0x{value[:MAX_FULL].hex()}" + ("" if len(value) <= MAX_FULL else f"… ({len(value)} bytes)")
    short = elide(value, 6)
    last = path[-1] if path else b""
    try:
        if last == b"time":
            time = time_text(leb128.decode(value))
            return time, f"{time} ({bytes_in_full})"
        if last == b"public_key":
            return f"key {key_text(value)}", bytes_in_full
        if last == b"canister_ranges" or path[:1] == (b"canister_ranges",):
            ranges = decode_ranges(value)
            return f"{len(ranges)} canister range{'' if len(ranges) == 1 else 's'}", ranges_text(ranges[:200])
    except DecodeError as error:
        return f"{short}, unreadable", f"{bytes_in_full}: {one_line(str(error))}"
    if last in (b"status", b"reject_message", b"error_code"):
        text = one_line(value[:MAX_FULL].decode("utf-8", "replace"))
        return short_label(text), text
    if len(value) in WORD and value.isascii() and (word := value.decode("ascii")).isprintable():
        return f"'{word}'", f"'{word}' ({bytes_in_full})"
    return short, bytes_in_full


MAX_LIT = 8  # values of a certificate that are lit where it is not known which one matters


@dataclass(frozen=True, slots=True)
class Proof:
    """``certificate``, ``subnet`` (the delegation's certificate) and ``witness`` are None where there is none or it
    cannot be read. ``message`` is None for a certificate alone. ``note`` says why nothing was judged, if so.
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
        """The paths that matter in the certificate: time and certified_data, else whatever it shows."""
        if self.certificate is None:
            return []
        shown = [path for path, _ in hashtree.leaves(self.certificate.tree)]
        wanted = [path for path in shown if path == (b"time",) or _is_certified_data(path, self.canister_id)]
        return wanted if len(wanted) > 1 else shown[:MAX_LIT]

    @property
    def subnet_paths(self) -> list[Path]:
        """The subnet's key and canister ranges, and the time, in the delegation."""
        return [] if self.subnet is None else [path for path, _ in hashtree.leaves(self.subnet.tree)][:MAX_LIT]

    @property
    def witness_paths(self) -> list[Path]:
        if self.message is None:
            return []
        return [(WEBSOCKET_LABEL, self.message.key.encode("utf-8", "surrogatepass"))]


def _is_certified_data(path: Path, canister_id: Principal | None) -> bool:
    if len(path) != 3 or path[0] != b"canister" or path[2] != b"certified_data":
        return False
    return canister_id is None or path[1] == canister_id.raw


def proof_of_frame(subject: Subject, number: int, *, root_key: bytes | None = None) -> Proof:
    """The proof that frame ``number`` (negative: from the end) carries, judged at the time of its receipt.

    Raises IndexError, and IcwsError for a frame that carries no certificate.
    """
    capture = capture_of(subject)
    index = number if number >= 0 else len(capture) + number
    if not 0 <= index < len(capture):
        raise IndexError(f"there is no frame {number}: the capture holds {len(capture)}")
    decoded = decode_frame(capture[index], number=index)
    message = decoded.canister_message
    if message is None:
        raise IcwsError(f"frame {index} is of kind {decoded.kind}: only messages of the canister carry a certificate")
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
    """A certificate alone, judged under ``root_key`` (DER) at ``now_ns`` (None: at the time it names itself)."""
    certificate = _certificate(cert)
    own_time = 0 if certificate is None else certificate.time_ns or 0
    judged_at = own_time if now_ns is None else now_ns
    _, steps = check_certificate(cert, canister_id=canister_id, root_key=root_key, now_ns=judged_at)
    note = "" if now_ns is not None else "judged at the certificate's own time"
    return Proof(
        "certificate", certificate, _subnet(certificate), None, None, canister_id, root_key, tuple(steps), note
    )


def proof_for(
    subject: Subject | bytes,
    number: int | None = None,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    now_ns: int | None = None,
) -> Proof:
    """Of a recording the proof of frame ``number``; of bytes that of the certificate they are, mainnet's by default."""
    if isinstance(subject, bytes):
        key = MAINNET_ROOT_KEY if root_key is None else root_key
        return proof_of_certificate(subject, canister_id=canister_id, root_key=key, now_ns=now_ns)
    if number is None:
        raise TypeError("say which frame of the recording: its number")
    if canister_id is not None or now_ns is not None:
        raise TypeError("canister_id and now_ns are for a certificate's bytes: a recording says both itself")
    return proof_of_frame(subject, number, root_key=root_key)


def panels_of(proof: Proof) -> list[tuple[str, HashTree, Sequence[Path]]]:
    """The trees of a proof, from the root key's word down, as the tree figure takes them."""
    found: list[tuple[str, HashTree, Sequence[Path]]] = []
    if proof.subnet is not None:
        found.append(("delegation: a certificate of the root key", proof.subnet.tree, proof.subnet_paths))
    if proof.certificate is not None:
        found.append(("certificate: the subnet's state tree", proof.certificate.tree, proof.certificate_paths))
    if proof.witness is not None:
        found.append(("witness: the canister's tree of messages", proof.witness, proof.witness_paths))
    return found


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
