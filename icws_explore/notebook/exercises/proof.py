"""Self-checking exercises on envelopes, hash trees and certificates."""

from __future__ import annotations

from hashlib import sha256
from math import isclose
from typing import Any

from icws_explore.analysis import edit
from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Frame
from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import CERTIFICATE_STEPS, Certificate, check_certificate, shown_ranges
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, NS_PER_S
from icws_explore.protocol.envelope import REQUEST_DOMAIN, Envelope
from icws_explore.protocol.errors import PrincipalError
from icws_explore.protocol.hashtree import HashTree
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.request_id import request_id_fields
from icws_explore.views.formatting import count
from icws_explore.views.proof import Path

from . import Check

_SEPARATORS = (
    "each hash begins with a separator: one length byte and ic-hashtree-leaf, -labeled or -fork "
    "(in bytes, b'\\x13' is one byte, but rb'\\x13' are four)"
)
_DOTS = "replace the three dots with your answer: "
_ANSWERS = {"Found": "found", "FoundSubtree": "found", "Absent": "absent", "Unknown": "unknown"}


def check_field_hash(envelope: Envelope, name: str, answer: Any) -> Check:
    """Which 32 bytes stand for the value of the field ``name`` in the request id?"""
    if answer is ...:
        return Check(None, f"{_DOTS}32 bytes")
    field = next(each for each in request_id_fields(envelope.content) if each.name == name)
    if answer == field.value_hash:
        return Check(True, f"the value of {name} enters the request id as its SHA-256, 0x{field.value_hash[:4].hex()}…")
    if answer == field.key_hash:
        return Check(False, "this is the hash of the field's name, but the value has its own hash")
    if not isinstance(answer, bytes) or len(answer) != 32:
        return Check(False, _no_hash(answer))
    return Check(
        False, "which bytes did you hash? A text is hashed as UTF-8, without quotes and without its CBOR encoding"
    )


def _no_hash(answer: Any) -> str:
    is_hex = isinstance(answer, str) and len(answer) == 64
    return f"a hash is 32 bytes: {'use .digest(), not .hexdigest()' if is_hex else 'sha256(…).digest() gives them'}"


def check_signed_bytes(envelope: Envelope, answer: Any) -> Check:
    """Which bytes does the sender sign?"""
    if answer is ...:
        return Check(None, f"{_DOTS}bytes")
    if answer == envelope.signed_bytes:
        return Check(True, "the client signs 43 bytes: a domain separator of 11 bytes and the request id of 32")
    if not isinstance(answer, bytes):
        return Check(False, "the answer is bytes; bytes.fromhex(…) makes them from hexadecimal digits")
    request_id = envelope.request_id
    slips = {
        request_id: "almost: a domain separator comes first, so that the signature cannot be used for anything else",
        REQUEST_DOMAIN: "this is the separator: the request id comes after it",
        REQUEST_DOMAIN[1:] + request_id: "one byte is missing: the separator begins with the byte 0x0a, its length",
        request_id + REQUEST_DOMAIN: "these are the right bytes, but the separator comes first",
        sha256(envelope.signed_bytes).digest(): "the key signs the bytes themselves, and not their hash",
    }
    if bytes(answer) in slips:
        return Check(False, slips[answer])
    if request_id.hex().encode() in answer:
        return Check(False, "these are the hexadecimal digits of the request id: take its 32 bytes as they are")
    if b"ic-request" in answer:
        return Check(False, "the row gives bytes in hexadecimal: its 0x0a is one byte, which Python writes b'\\x0a'")
    return Check(False, "look at the last rows of the derivation: the domain separator, then the request id")


def check_lifetime(frame: DecodedFrame, answer: Any) -> Check:
    """How many seconds after it was sent does the request in ``frame`` expire?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        return Check(False, "the answer is a number of seconds")
    expiry_ns = 0 if frame.envelope is None else frame.envelope.ingress_expiry_ns or 0
    lifetime = expiry_ns / NS_PER_S - frame.frame.t
    if abs(answer - lifetime) <= 1:
        return Check(True, f"{lifetime:.1f} s: this client asks for less than the 5 minutes that a replica allows")
    if isclose(answer, expiry_ns, rel_tol=1e-6):
        return Check(False, "one of the two times is in nanoseconds, the other in seconds: divide by 1e9 first")
    if abs(answer - lifetime * NS_PER_S) <= NS_PER_S:
        return Check(False, "your answer is in nanoseconds")
    if isclose(answer, lifetime + 30, abs_tol=1):
        return Check(False, "the half minute is for an expiry that is too far ahead; one that has passed is refused")
    if answer in {300, 330}:
        return Check(False, "that is the most that a replica allows: what did this client ask for?")
    return Check(
        False,
        "subtract the time of the frame (its frame.t, in seconds since the epoch) from envelope.ingress_expiry_ns",
    )


def check_caught(recording: Recording, number: int, changed: Frame, answer: Any) -> Check:
    """Which step fails if frame ``number`` of the recording is replaced by ``changed``?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the name of a step, as text")
    seen = edit.see(recording, number, changed)
    names = [step.step for step in seen.steps]
    if answer not in names:
        return Check(False, f"a step is one of {', '.join(dict.fromkeys(names))}")
    failure = seen.failure
    if failure is None:
        return Check(False, "no step fails: was anything changed?")
    if answer == failure.step:
        return Check(True, failure.detail)
    if names.index(answer) > names.index(failure.step):
        return Check(False, "an earlier step fails: which comparison is the first that uses the changed bytes?")
    return Check(False, "this step passes: look further down the list")


def check_root_hash(tree: HashTree, answer: Any) -> Check:
    """What is the root hash of ``tree``?"""
    if answer is ...:
        return Check(None, f"{_DOTS}32 bytes")
    if answer == hashtree.root_hash(tree):
        return Check(True, "with these 32 bytes, any part of the tree can be checked")
    if not isinstance(answer, bytes) or len(answer) != 32:
        return Check(False, _no_hash(answer))
    if isinstance(tree, hashtree.Labeled) and isinstance(tree.tree, hashtree.Leaf):
        return Check(False, _wrong_root(tree.label, tree.tree.value, answer))
    return Check(False, _SEPARATORS)


def _wrong_root(label: bytes, value: bytes, answer: bytes) -> str:
    """What is wrong with the root hash ``answer`` of a label with a leaf below it."""

    def hashed(*parts: bytes) -> bytes:
        return sha256(b"".join(parts)).digest()

    leaf, labeled = b"\x10ic-hashtree-leaf", b"\x13ic-hashtree-labeled"
    right = hashed(leaf, value)
    slips = {
        right: "this is the leaf's hash: the label above it has a hash of its own",
        hashed(labeled, label, hashed(value)): "the label's separator is there, the leaf's is missing",
        hashed(labeled, label, value): "below the label is the leaf's hash, not its value",
        hashed(label, right): "the leaf's separator is there, the label's is missing",
        hashed(labeled, hashed(label), right): "the label is joined as it is: only in a request id are names hashed",
        hashed(labeled, label, right.hex().encode()): "join the leaf's hash as 32 bytes: .digest(), not .hexdigest()",
        hashed(labeled, right): "the label itself is missing: it stands between the separator and the leaf's hash",
        hashed(label, hashed(value)): "both separators are missing: the leaf has one, and the label has one",
    }
    return slips.get(answer, _SEPARATORS)


def check_lookup(tree: HashTree, path: Path, answer: Any) -> Check:
    """Does a look-up of ``path`` in ``tree`` give "found", "absent" or "unknown"?"""
    if answer is ...:
        return Check(None, f'{_DOTS}"found", "absent" or "unknown"')
    if answer not in _ANSWERS.values():
        return Check(False, 'a look-up answers "found", "absent" or "unknown"')
    right = _ANSWERS[type(hashtree.lookup(tree, path)).__name__]
    why = {
        "found": "the tree contains the path and its value",
        "absent": "the labels before and after it are neighbours, so the tree proves that this label is absent",
        "unknown": "the label may be in the pruned part, so the tree proves nothing about it",
    }
    if answer == right:
        return Check(True, why[right])
    return Check(
        False, "labels are in ascending order: at which place would this label be, and what does the tree have there?"
    )


def check_witness(tree: HashTree, path: Path, answer: Any) -> Check:
    """Which tree is a witness of ``path``: a tree with the root hash of ``tree`` that shows only the value there?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a hash tree")
    if not isinstance(answer, HashTree):
        return Check(False, "a witness is a hash tree")
    if hashtree.root_hash(answer) != hashtree.root_hash(tree):
        return Check(False, "its root hash differs, so it proves nothing about the tree")
    shown = [found for found, _ in hashtree.leaves(answer)]
    if path not in shown:
        return Check(False, "the root hash is right, but the witness does not show the value at the path")
    if len(shown) > 1:
        return Check(False, f"it shows {len(shown)} values: prune all but the value at the path")
    hidden = sum(isinstance(node, hashtree.Pruned) for _, node, _ in hashtree.walk(answer))
    return Check(True, f"it shows one value, and {count(hidden, 'pruned part')} stand for the rest")


def check_certificate_step(cert: bytes, now_ns: int, answer: Any) -> Check:
    """At which step does mainnet's certificate ``cert`` fail if it is verified at ``now_ns`` (ns since the epoch)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the name of a step, as text")
    if answer not in CERTIFICATE_STEPS:
        return Check(False, f"a step is one of {', '.join(CERTIFICATE_STEPS)}")
    _, steps = check_certificate(cert, canister_id=None, root_key=MAINNET_ROOT_KEY, now_ns=now_ns)
    failure = next((step for step in steps if step.ok is False), None)
    if failure is not None and failure.step == answer:
        return Check(True, failure.detail)
    return Check(False, "the bytes in a file do not change: what has changed since the day the certificate was made?")


def check_covered_canister(cert: bytes, answer: Any) -> Check:
    """Which canister (as text) is one that the subnet behind ``cert`` may sign for?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the text of a canister's principal")
    try:
        canister_id = Principal.from_text(answer) if isinstance(answer, str) else answer
    except PrincipalError as error:
        return Check(False, f"this is not a principal: {error}")
    delegation = Certificate.decode(cert).delegation
    if delegation is None or not isinstance(canister_id, Principal):
        return Check(False, "the answer is the text of a canister's principal, such as aaaaa-aa")
    shown = shown_ranges(Certificate.decode(delegation.certificate).tree, delegation.subnet_id, canister_id)
    held = shown.holding(canister_id)
    if held is None:
        return Check(False, "the subnet may not sign for this canister: the card shows the ranges of the subnet")
    if canister_id in held:
        return Check(False, "that is an end of a range, which the card shows: choose one between the ends")
    if len(canister_id.raw) != len(held[0].raw):
        return Check(False, "it is in the range, but its length is not that of a canister's principal")
    return Check(True, f"it is in the range from {held[0]} to {held[1]}")
