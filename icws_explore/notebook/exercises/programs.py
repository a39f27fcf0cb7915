"""Exercises in which the learner writes a function or a proof. Each is checked by what it does.

A check calls the function with inputs that the notebook does not show. An exception of the function is raised.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any, Final

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.filter import compile_filter
from icws_explore.analysis.recording import Recording
from icws_explore.lab.simulator import simulate
from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import Certificate
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import DecodeError, IcwsError
from icws_explore.protocol.hashtree import HashTree
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.request_id import request_id, request_id_fields
from icws_explore.protocol.steps import first_failure
from icws_explore.views.proof import Path

from . import Check

WRITE: Final = "replace the three dots with your answer: write "
_THE_PACKAGES: Final = "this is the package's function: write your own, and compare it with this one"
_SEED: Final = 16


def check_filter(answer: Any) -> Check:
    """Does the filter (text) keep exactly what both applications said: the frames of the kinds message and app?"""
    if answer is ...:
        return Check(None, f"{WRITE}a filter, as text")
    if not isinstance(answer, str):
        return Check(False, "a filter is text, such as \"direction == 'in'\"")
    try:
        keeps = compile_filter(answer)
    except IcwsError as error:
        return Check(False, str(error))
    recording = _conversation()
    start = recording[0].frame.t
    for decoded in recording:
        wanted, kept = decoded.kind in {"message", "app"}, keeps(decoded, start)
        if kept != wanted:
            what = "keeps" if kept else "drops"
            return Check(False, f"in another session it {what} a frame of the kind {decoded.kind}")
    return Check(True, f"it works in another session, too: it keeps {_kept(recording)} of {len(recording)} frames")


def check_request_id_function(answer: Any) -> Check:
    """Does ``answer(content)`` compute the request id of a map from names to text or bytes?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function of a dictionary that returns 32 bytes")
    if not callable(answer):
        return Check(False, "the answer is a function of a dictionary")
    if answer is request_id:
        return Check(False, _THE_PACKAGES)
    for content in _contents():
        got = answer(dict(content))
        if got == request_id(content):
            continue
        if not isinstance(got, bytes) or len(got) != sha256().digest_size:
            return Check(False, f"a request id is 32 bytes, and your function returned {got!r:.60}")
        unsorted = b"".join(sha256(name.encode()).digest() + _value(value) for name, value in content.items())
        by_name = b"".join(sha256(name.encode()).digest() + _value(content[name]) for name in sorted(content))
        if got == sha256(by_name).digest():
            return Check(False, "you sorted the names: sort the pairs of hashes, as bytes")
        if got == sha256(unsorted).digest():
            return Check(False, "your result depends on the order of the fields: sort the pairs of hashes as bytes")
        if got == sha256(b"".join(sorted(_value(value) for value in content.values()))).digest():
            return Check(False, "the names of the fields are missing")
        return Check(False, f"wrong for {list(content)}: print the pairs, and compare them with the table of the card")
    return Check(True, "it is right for twenty contents, in any order of their fields")


def check_rewritten(recording: Recording, answer: Any) -> Check:
    """Does ``answer(data)`` encode each of the client's frames in other bytes, with the same valid signature?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function of a frame's bytes that returns other bytes")
    if not callable(answer):
        return Check(False, "the answer is a function of the bytes of a frame")
    frames = [decoded for decoded in recording if decoded.envelope is not None]
    for decoded in frames:
        data = decoded.frame.data
        got = answer(data)
        if not isinstance(got, bytes):
            return Check(False, f"your function must return bytes, not {type(got).__name__}")
        if got == data:
            return Check(False, "these are the same bytes: what may be written in another order, or left out?")
        try:
            envelope = Envelope.decode_frame(got)
        except DecodeError as error:
            return Check(False, f"the gateway cannot read it any more: {error}")
        now_ns = decoded.frame.t_ns
        failure = first_failure(check_envelope(envelope, now_ns=now_ns))
        if failure is not None:
            return Check(False, f"the step {failure.step} fails: {failure.detail}")
        if decoded.envelope is not None and envelope.request_id != decoded.envelope.request_id:
            return Check(False, "this is another request: its id differs")
    return Check(True, f"{len(frames)} frames in other bytes, and every signature is still valid")


def check_root_hash_function(answer: Any) -> Check:
    """Does ``answer(tree)`` compute the root hash of any hash tree?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function of a hash tree that returns 32 bytes")
    if not callable(answer):
        return Check(False, "the answer is a function of a hash tree")
    if answer is hashtree.root_hash:
        return Check(False, _THE_PACKAGES)
    cases = [(what, tree, hashtree.root_hash(tree)) for what, tree in _trees()]
    for what, tree, right in cases:
        _forget_hashes(tree)
        got = answer(tree)
        if got != right:
            given = "" if isinstance(got, bytes) and len(got) == sha256().digest_size else f" (you gave {got!r:.40})"
            return Check(False, f"wrong for {what}{given}")
    return Check(True, "right for a leaf, an empty tree, labels, forks, pruned parts, and twenty trees at random")


def check_absence(tree: HashTree, path: Path, answer: Any) -> Check:
    """Does the tree ``answer`` prove that ``tree`` has nothing at ``path``, and show no value?"""
    if answer is ...:
        return Check(None, f"{WRITE}a hash tree")
    if not isinstance(answer, (hashtree.Empty, hashtree.Fork, hashtree.Labeled, hashtree.Leaf, hashtree.Pruned)):
        return Check(False, "a witness is a hash tree: hashtree.Fork(…), Labeled(…), Pruned(…)")
    if hashtree.root_hash(answer) != hashtree.root_hash(tree):
        return Check(False, "its root hash differs: a pruned part must have the hash of what it replaces (its digest)")
    if not isinstance(hashtree.lookup(answer, path), hashtree.Absent):
        return Check(False, "the label could be in a pruned part: which two labels must be visible?")
    if any(hashtree.leaves(answer)):
        return Check(False, "it proves the absence, but it also shows a value: prune what is below the labels")
    return Check(True, f"{len(hashtree.encode(answer))} bytes prove that nothing is there, and show no value")


def check_may_sign(answer: Any) -> Check:
    """Does ``answer(ranges, canister)`` say whether a subnet with these ranges may sign for the canister?

    Ranges are pairs of bytes, the first and the last canister of a range.
    """
    if answer is ...:
        return Check(None, f"{WRITE}a function of ranges and a canister that returns True or False")
    if not callable(answer):
        return Check(False, "the answer is a function of a list of pairs and of bytes")
    low, middle, high = (number.to_bytes(10, "big") for number in (16, 40, 64))
    beyond = (65).to_bytes(10, "big")
    cases = [
        ("the first canister of a range", [(low, high)], low, True),
        ("the last canister of a range", [(low, high)], high, True),
        ("a canister inside of a range", [(low, high)], middle, True),
        ("the canister after the last one", [(low, high)], beyond, False),
        ("a canister in the second of two ranges", [(low, low), (middle, high)], high, True),
        ("a canister between two ranges", [(low, low), (high, beyond)], middle, False),
        ("a subnet without ranges", [], middle, False),
    ]
    for what, ranges, canister, right in cases:
        got = answer(list(ranges), canister)
        if not isinstance(got, bool):
            return Check(False, f"your function must return True or False, and for {what} it returned {got!r:.40}")
        if got is not right:
            return Check(False, f"wrong for {what}: {'it may' if right else 'it may not'} sign")
    return Check(True, f"right for {len(cases)} cases, the ends of a range included")


def check_last_steps(answer: Any) -> Check:
    """Does ``answer(certified_data, tree, key, content)`` name the first of the last three proof steps that fails?

    ``tree`` is a hash tree and ``key`` text. The result is None if certified_data, lookup and body pass.
    """
    if answer is ...:
        return Check(None, f"{WRITE}a function that returns the name of a step, or None")
    if not callable(answer):
        return Check(False, "the answer is a function of certified_data, tree, key and content")
    for what, given, right in _proofs():
        got = answer(*given)
        if got != right:
            return Check(False, f"for {what} the answer is {right!r}, and your function returned {got!r:.40}")
    return Check(True, "it accepts genuine messages, and names the step for each forgery")


@cache
def _conversation() -> Recording:
    return simulate("echo", duration="12m", seed=_SEED, crypto="stand-in")


def _kept(recording: Recording) -> int:
    return sum(decoded.kind in {"message", "app"} for decoded in recording)


def _value(value: str | bytes) -> bytes:
    return sha256(value.encode() if isinstance(value, str) else value).digest()


def _contents() -> Iterator[dict[str, str | bytes]]:
    rng = random.Random(_SEED)
    names = ["request_type", "canister_id", "method_name", "arg", "sender", "nonce"]
    for size in range(20):
        fields: dict[str, str | bytes] = {name: rng.randbytes(size) for name in names}
        fields |= {"request_type": "call", "method_name": rng.choice(["ws_open", "ws_message"])}
        order = rng.sample(names, len(names))
        content = {name: fields[name] for name in order}
        assert len(request_id_fields(content)) == len(names)
        yield content


def _forget_hashes(tree: HashTree) -> None:
    """Erase what the nodes know of their hashes: the learner computes them. Pruned nodes keep theirs."""
    for _, node, _ in hashtree.walk(tree):
        if not isinstance(node, hashtree.Pruned):
            object.__setattr__(node, "digest", b"")


def _trees() -> Iterator[tuple[str, HashTree]]:
    leaf = hashtree.Leaf(b"a value")
    yield "a leaf", leaf
    yield "an empty tree", hashtree.Empty()
    yield "a pruned part", hashtree.Pruned(bytes(range(32)))
    yield "a label", hashtree.Labeled(b"name", leaf)
    yield "a fork", hashtree.Fork(leaf, hashtree.Leaf(b"another value"))
    rng = random.Random(_SEED)
    for _ in range(20):
        names = sorted({rng.randbytes(rng.randrange(1, 4)) for _ in range(rng.randrange(1, 9))})
        tree = hashtree.build({name: rng.randbytes(3) for name in names})
        yield "a tree of several labels", tree
        yield "a tree with pruned parts", hashtree.prune(tree, [(rng.choice(names),)])


@cache
def _recording() -> Recording:
    return simulate("pingpong", duration="2m", seed=_SEED)


def _proofs() -> Iterator[tuple[str, tuple[bytes, HashTree, str, bytes], str | None]]:
    genuine, other, *_ = (_parts(decoded) for decoded in _recording() if decoded.kind == "app")
    certified, tree, key, content = genuine
    yield "a genuine message", genuine, None
    yield "another genuine message", other, None
    yield "a witness of another message", (certified, other[1], other[2], other[3]), "certified_data"
    yield "a certificate of another state", (other[0], tree, key, content), "certified_data"
    pruned = hashtree.Pruned(hashtree.root_hash(tree))
    yield "a witness whose leaf is pruned", (certified, pruned, key, content), "lookup"
    yield "a key that the witness does not have", (certified, tree, key + "1", content), "lookup"
    yield "a changed content", (certified, tree, key, content[:-1] + bytes([content[-1] ^ 1])), "body"
    yield "an empty content", (certified, tree, key, b""), "body"
    yield "all of it changed", (bytes(32), pruned, "", b""), "certified_data"


def _parts(decoded: DecodedFrame) -> tuple[bytes, HashTree, str, bytes]:
    message, canister_id = decoded.canister_message, _recording().info.canister_id
    assert message is not None
    assert canister_id is not None
    found = Certificate.decode(message.cert).canister_data(Principal.from_text(canister_id))
    assert isinstance(found, hashtree.Found)
    return found.value, hashtree.decode(message.tree), message.key, message.content
