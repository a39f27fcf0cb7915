"""Self-checking exercises on envelopes, hash trees and certificates: whether, and if not, where to look."""

from __future__ import annotations

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
from icws_explore.views.proof import Path

from . import Check

_DOTS = "put your answer in the place of the three dots: "
_ANSWERS = {"Found": "found", "FoundSubtree": "found", "Absent": "absent", "Unknown": "unknown"}


def check_field_hash(envelope: Envelope, name: str, answer: Any) -> Check:
    """Which 32 bytes stand for the value of the field ``name`` in the request id?"""
    if answer is ...:
        return Check(None, f"{_DOTS}32 bytes")
    field = next(each for each in request_id_fields(envelope.content) if each.name == name)
    if answer == field.value_hash:
        return Check(True, f"the value of {name} enters the request id as its SHA-256, 0x{field.value_hash[:4].hex()}…")
    if answer == field.key_hash:
        return Check(False, "that is the hash of the field's name; the value has one of its own")
    if not isinstance(answer, bytes) or len(answer) != 32:
        return Check(False, "a hash is 32 bytes: use .digest(), not .hexdigest()")
    return Check(False, "which bytes did you hash? Text is hashed as UTF-8, without quotes and without CBOR around it")


def check_signed_bytes(envelope: Envelope, answer: Any) -> Check:
    """Which bytes does the sender sign?"""
    if answer is ...:
        return Check(None, f"{_DOTS}bytes")
    if answer == envelope.signed_bytes:
        return Check(True, "43 bytes are signed: a domain separator of 11 and the request id of 32")
    if answer == envelope.request_id:
        return Check(False, "nearly: a domain separator comes first, so that the signature is good for nothing else")
    if answer == REQUEST_DOMAIN[1:] + envelope.request_id:
        return Check(False, "one byte is missing: the separator begins with its own length, 0x0a")
    return Check(False, "the domain separator, then the request id; look at the last rows of the derivation")


def check_lifetime(frame: DecodedFrame, answer: Any) -> Check:
    """How many seconds after it was sent does the request in ``frame`` expire?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        return Check(False, "the answer is a number of seconds")
    expiry_ns = 0 if frame.envelope is None else frame.envelope.ingress_expiry_ns or 0
    lifetime = expiry_ns / NS_PER_S - frame.frame.t
    if abs(answer - lifetime) <= 1:
        return Check(True, f"{lifetime:.1f} s: the agent asks for less than the 5 minutes that a replica grants")
    if abs(answer - lifetime * NS_PER_S) <= NS_PER_S:
        return Check(False, "those are nanoseconds")
    return Check(False, "ingress_expiry minus the time of the frame (frame.frame.t, in seconds since the epoch)")


def check_caught(recording: Recording, number: int, changed: Frame, answer: Any) -> Check:
    """Which step catches that frame ``number`` of the recording was replaced by ``changed``?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the name of a step, as text")
    seen = edit.see(recording, number, changed)
    names = [step.step for step in seen.steps]
    if answer not in names:
        return Check(False, f"a step is one of {', '.join(dict.fromkeys(names))}")
    failure = seen.failure
    if failure is None:
        return Check(False, "nothing catches this change: was anything changed?")
    if answer == failure.step:
        return Check(True, failure.detail)
    if names.index(answer) > names.index(failure.step):
        return Check(False, "it is caught earlier: which comparison is the first that the changed bytes enter?")
    return Check(False, "that step does not see the change: go further down the walk")


def check_root_hash(tree: HashTree, answer: Any) -> Check:
    """What is the root hash of ``tree``?"""
    if answer is ...:
        return Check(None, f"{_DOTS}32 bytes")
    if answer == hashtree.root_hash(tree):
        return Check(True, "the whole tree in 32 bytes: whoever knows them can check any part of it")
    if not isinstance(answer, bytes) or len(answer) != 32:
        return Check(False, "a hash is 32 bytes: use .digest(), not .hexdigest()")
    return Check(False, "each hash begins with a separator: one length byte and ic-hashtree-leaf, -labeled or -fork")


def check_lookup(tree: HashTree, path: Path, answer: Any) -> Check:
    """Does ``tree`` say that ``path`` is "found", "absent" or "unknown"?"""
    if answer is ...:
        return Check(None, f'{_DOTS}"found", "absent" or "unknown"')
    if answer not in _ANSWERS.values():
        return Check(False, 'a look-up answers "found", "absent" or "unknown"')
    right = _ANSWERS[type(hashtree.lookup(tree, path)).__name__]
    why = {
        "found": "the path leads to what was certified",
        "absent": "the neighbours of the label touch each other, so nothing can stand between them: a proof of absence",
        "unknown": "the label may be in the pruned part: the tree proves neither that it is there nor that it is not",
    }
    if answer == right:
        return Check(True, why[right])
    return Check(False, "labels are in ascending order: where would this one stand, and what is there?")


def check_witness(tree: HashTree, path: Path, answer: Any) -> Check:
    """A witness of ``path``: with the root hash of ``tree``, and no value in it but that at ``path``."""
    if answer is ...:
        return Check(None, f"{_DOTS}a hash tree")
    if not isinstance(answer, HashTree):
        return Check(False, "a witness is a hash tree")
    if hashtree.root_hash(answer) != hashtree.root_hash(tree):
        return Check(False, "its root hash is another one, so it proves nothing about the tree")
    shown = [found for found, _ in hashtree.leaves(answer)]
    if path not in shown:
        return Check(False, "the root hash is right, but the value at the path is not shown")
    if len(shown) > 1:
        return Check(False, f"it shows {len(shown)} values; everything but the one at the path can be pruned")
    size = len(hashtree.encode(answer)), len(hashtree.encode(tree))
    return Check(True, f"{size[0]} bytes prove what the whole tree says in {size[1]}")


def check_certificate_step(cert: bytes, now_ns: int, answer: Any) -> Check:
    """At which step does mainnet's certificate ``cert`` fail at ``now_ns`` (ns since the epoch)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the name of a step, as text")
    if answer not in CERTIFICATE_STEPS:
        return Check(False, f"a step is one of {', '.join(CERTIFICATE_STEPS)}")
    _, steps = check_certificate(cert, canister_id=None, root_key=MAINNET_ROOT_KEY, now_ns=now_ns)
    failure = next((step for step in steps if step.ok is False), None)
    if failure is not None and failure.step == answer:
        return Check(True, failure.detail)
    return Check(
        False, "do the bytes change while they lie in a file? What does, compared with the day they were made?"
    )


def check_covered_canister(cert: bytes, answer: Any) -> Check:
    """A canister (as text) that the subnet behind ``cert`` may sign for."""
    if answer is ...:
        return Check(None, f"{_DOTS}the text of a canister's principal")
    try:
        canister_id = Principal.from_text(answer) if isinstance(answer, str) else answer
    except PrincipalError as error:
        return Check(False, f"that is no principal: {error}")
    delegation = Certificate.decode(cert).delegation
    if delegation is None or not isinstance(canister_id, Principal):
        return Check(False, "the answer is the text of a canister's principal, such as aaaaa-aa")
    shown = shown_ranges(Certificate.decode(delegation.certificate).tree, delegation.subnet_id, canister_id)
    held = shown.holding(canister_id)
    if held is None:
        return Check(False, "the subnet may not sign for that one: its ranges are among the facts of the card")
    return Check(True, f"it lies between {held[0]} and {held[1]}, both of which belong to the range")
