"""Whether a canister message is authentic: the checks of ic-websocket-js, as a list of steps.

The steps, in this order: parse, delegation, signature, time (of the certificate), certified_data,
lookup, body (of the witness and the content), sequence (which the SDK checks elsewhere) and client_key
(which the SDK never checks). Source: ic-websocket-js 0.5.0 utils.ts (isMessageBodyValid) and
ic-websocket.ts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final, Protocol

from . import hashtree
from .certificate import CERTIFICATE_STEPS, Certificate, check_certificate, decode_cached, unchecked
from .constants import MAX_CERTIFICATE_AGE_S, WEBSOCKET_LABEL
from .errors import DecodeError, count_of
from .hashtree import Absent, Found, FoundSubtree, HashTree, Labeled, LookupResult
from .messages import CanisterMessage, ClientKey, WebsocketMessage
from .principal import Principal
from .steps import Step
from .wording import hash_text

PROOF_STEPS: Final = (*CERTIFICATE_STEPS, "certified_data", "lookup", "body")
MESSAGE_STEPS: Final = (*PROOF_STEPS, "sequence", "client_key")

_CACHED: Final = 16  # witnesses; one serves every message of a poll
_CACHED_SIZE: Final = 64 * 1024  # bytes


class CertificateCheck(Protocol):
    """`certificate.check_certificate` or a stand-in for it."""

    def __call__(
        self, cert: bytes, *, canister_id: Principal | None, root_key: bytes, now_ns: int, max_age_s: float
    ) -> tuple[Certificate | None, list[Step]]: ...


def check_message(
    msg: CanisterMessage,
    *,
    canister_id: Principal | None,
    root_key: bytes,
    now_ns: int,
    max_age_s: float = MAX_CERTIFICATE_AGE_S,
    client_key: ClientKey | None = None,
    expected_sequence_num: int | None = None,
    check_certificate: CertificateCheck = check_certificate,
) -> list[Step]:
    """Check ``msg``; returns the nine steps of MESSAGE_STEPS, in that order.

    ``root_key`` is DER. The certificate's age is judged at ``now_ns`` against ``max_age_s`` (seconds).
    After the first step that fails, the others are not checked and have ok None. A step is not checked
    either if the fact to compare with is not given (``canister_id``, ``expected_sequence_num``,
    ``client_key``); the steps after it are checked. ``check_certificate`` replaces the check of the
    certificate, for simulations. Never raises for the content of the message.
    """
    parse, witness = _parse(msg)
    if witness is None:
        return _padded([parse])
    certificate, steps = check_certificate(
        msg.cert, canister_id=canister_id, root_key=root_key, now_ns=now_ns, max_age_s=max_age_s
    )
    if steps[0].ok:
        steps[0] = parse  # it covers the certificate and the witness
    if certificate is None or any(step.ok is False for step in steps):
        return _padded([step for step in steps if step.ok is not None])
    for step in _message_steps(msg, certificate, witness, canister_id, expected_sequence_num, client_key):
        steps.append(step)
        if step.ok is False:
            break
    return _padded(steps)


def authentic(steps: Iterable[Step]) -> bool:
    """Whether the canister made the message, and every fact that was given agrees with it."""
    return all(step.ok or (step.ok is None and step.step not in PROOF_STEPS) for step in steps)


def _padded(steps: list[Step]) -> list[Step]:
    return [*steps, *unchecked(MESSAGE_STEPS[len(steps) :], steps[-1].step)]


@dataclass(frozen=True, slots=True)
class _Witness:
    """``disorder`` is the path under which the labels are not in order; None if they are in order."""

    tree: HashTree
    disorder: tuple[bytes, ...] | None

    @classmethod
    def decode(cls, data: bytes) -> _Witness:
        tree = hashtree.decode(data)
        return cls(tree, hashtree.disorder(tree))


def _parse(msg: CanisterMessage) -> tuple[Step, _Witness | None]:
    try:
        certificate = decode_cached(msg.cert)
    except DecodeError as error:
        return Step("parse", False, f"the certificate cannot be read: {error}"), None
    try:
        witness = (_decoded if len(msg.tree) <= _CACHED_SIZE else _Witness.decode)(bytes(msg.tree))
    except DecodeError as error:
        return Step("parse", False, f"the witness cannot be read: {error}"), None
    delegated = "" if certificate.delegation is None else " with a delegation"
    sizes = count_of(len(msg.cert), "byte"), count_of(len(msg.tree), "byte")
    detail = f"a certificate{delegated} ({sizes[0]}) and a witness ({sizes[1]}) were read"
    return Step("parse", True, detail), witness


@lru_cache(maxsize=_CACHED)
def _decoded(data: bytes) -> _Witness:
    return _Witness.decode(data)


def _message_steps(
    msg: CanisterMessage,
    certificate: Certificate,
    witness: _Witness,
    canister_id: Principal | None,
    expected_sequence_num: int | None,
    client_key: ClientKey | None,
) -> Iterator[Step]:
    """The steps after the certificate's. The caller stops at the first that fails."""
    yield _certified_data_step(certificate, witness.tree, canister_id)
    leaf, step = _lookup_step(witness, msg.key)
    yield step
    yield _body_step(msg.content, leaf)
    try:
        content: WebsocketMessage | DecodeError = msg.message
    except DecodeError as error:
        content = error
    yield _sequence_step(content, expected_sequence_num)
    yield _client_key_step(content, client_key)


def _certified_data_step(certificate: Certificate, tree: HashTree, canister_id: Principal | None) -> Step:
    name = "certified_data"
    root_hash = hashtree.root_hash(tree)
    if canister_id is None:
        return Step(name, None, "not checked: no canister was given to compare with", None, root_hash)
    result = certificate.canister_data(canister_id)
    if not isinstance(result, Found):
        detail = f"the certificate shows no certified data of canister {canister_id}; {_shown(certificate)}"
        return Step(name, False, detail, f"canister/{canister_id}/certified_data", _answer(result))
    if result.value == root_hash:
        detail = f"canister {canister_id} set {hash_text(root_hash)}, the witness's root hash, as its certified data"
        return Step(name, True, detail, result.value, root_hash)
    detail = (
        f"canister {canister_id} set {hash_text(result.value) or 'nothing'} as its certified data, but the witness's "
        f"root hash is {hash_text(root_hash)}: the two do not belong together, or other code in the canister sets its "
        "certified data too"
    )
    return Step(name, False, detail, result.value, root_hash)


def _shown(certificate: Certificate) -> str:
    """The canisters whose certified data the certificate shows instead."""
    canisters = hashtree.lookup(certificate.tree, (b"canister",))
    if not isinstance(canisters, FoundSubtree):
        return "it shows none of any canister"
    shown = [
        str(Principal(item.label))
        for item in hashtree.forest_of(canisters.tree).items
        if isinstance(item, Labeled)
        and len(item.label) <= 29
        and isinstance(hashtree.lookup(item.tree, (b"certified_data",)), Found)
    ]
    return f"it shows that of {', '.join(shown[:3])}" if shown else "it shows none of any canister"


def _lookup_step(witness: _Witness, key: str) -> tuple[bytes, Step]:
    """The leaf of the message and the step that found it."""
    wanted = f"websocket/{key}"
    if witness.disorder is not None:
        detail = "the labels of the witness are not in ascending order, so a lookup in it proves nothing"
        return b"", Step("lookup", False, detail, wanted, "not well-formed")
    tree = witness.tree
    result = hashtree.lookup(tree, (WEBSOCKET_LABEL, key.encode("utf-8", "surrogatepass")))
    if isinstance(result, Found):
        return result.value, Step(
            "lookup", True, f"the witness shows what the canister certified at {wanted}", wanted, wanted
        )
    fallback = hashtree.lookup_value(tree, (WEBSOCKET_LABEL,))
    if fallback is not None:
        detail = "the witness has one leaf at websocket itself, for any key; the SDK accepts this too"
        return fallback, Step("lookup", True, detail, wanted, "websocket")
    why = {
        "absent": "the witness proves that the canister has no message with this key",
        "unknown": "the part of the witness that could contain this key was pruned",
    }
    answer = _answer(result)
    return b"", Step(
        "lookup", False, f"{why.get(answer, 'there are labels, not a hash, at this key')} ({key})", wanted, answer
    )


def _answer(result: LookupResult) -> str:
    if isinstance(result, FoundSubtree):
        return "a subtree"
    return "absent" if isinstance(result, Absent) else "unknown"


def _body_step(content: bytes, leaf: bytes) -> Step:
    digest = sha256(content).digest()
    size = count_of(len(content), "byte")
    if digest == leaf:
        detail = f"the SHA-256 of the content ({size}) is {hash_text(leaf)}, as the canister certified"
        return Step("body", True, detail, leaf, digest)
    certified = f"the canister certified {hash_text(leaf)}"
    if len(leaf) != len(digest):
        certified = f"the leaf holds {count_of(len(leaf), 'byte')}, which is not a SHA-256"
    detail = f"this content ({size}) was not certified: its SHA-256 is {hash_text(digest)}, {certified}"
    return Step("body", False, detail, leaf, digest)


def _sequence_step(content: WebsocketMessage | DecodeError, expected: int | None) -> Step:
    name = "sequence"
    if isinstance(content, DecodeError):
        ok = None if expected is None else False
        return Step(name, ok, f"the content has no sequence number: {content}")
    number = content.sequence_num
    if expected is None:
        return Step(name, None, f"message {number}; not checked: no expected number was given", None, str(number))
    gap = number - expected
    if gap == 0:
        return Step(name, True, f"message {number} is the next one", str(expected), str(number))
    why = f"{count_of(gap, 'message')} missing" if gap > 0 else "it was repeated, or later ones overtook it"
    detail = f"message {number} came instead of {expected}: {why}"
    return Step(name, False, detail, str(expected), str(number))


def _client_key_step(content: WebsocketMessage | DecodeError, client_key: ClientKey | None) -> Step:
    name = "client_key"
    if isinstance(content, DecodeError):
        ok = None if client_key is None else False
        return Step(name, ok, f"the content has no client key: {content}")
    actual = str(content.client_key)
    if client_key is None:
        return Step(name, None, "not checked: no client key was given", None, actual)
    if content.client_key == client_key:
        return Step(name, True, f"the message is for this client, {actual}", str(client_key), actual)
    detail = f"the message is for another client, {actual}; the SDK would accept it"
    return Step(name, False, detail, str(client_key), actual)
