"""The client's requests, checked as a replica checks them when they were sent, and how a request id comes about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from icws_explore.capture import Capture
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.request_id import request_id_fields
from icws_explore.protocol.steps import Step, first_failure, passed

from .decode import DecodedFrame, decode_frames, shared_frames

_IMPORTED: Final = ("har", "pcap")


@dataclass(frozen=True, slots=True)
class EnvelopeVerdict:
    """The walk over one request. ``frame`` is its number in the capture, ``method`` what it calls, if readable."""

    frame: int
    method: str | None
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """A replica takes it: every step holds."""
        return passed(self.steps)

    @property
    def failure(self) -> Step | None:
        return first_failure(self.steps)


class EnvelopeVerdicts(list[EnvelopeVerdict]):
    """A list of verdicts; of a type of its own, so that a notebook can draw it."""


def check_envelopes(
    capture: Capture, *, root_key: bytes | None = None, canister_id: Principal | None = None
) -> Iterator[EnvelopeVerdict]:
    """Each binary frame that the client sent. A frame's time stands for the replica's.

    ``root_key`` (DER) judges canister signatures, as Internet Identity makes them; it and
    ``canister_id``, the one that was meant, are the capture's own unless given. Raises IcwsError for
    a capture whose signatures were never meant to hold.
    """
    if capture.info.crypto != "real":
        raise IcwsError(f"there is nothing to check: the capture was simulated with {capture.info.crypto} cryptography")
    key = capture.info.root_key if root_key is None else root_key
    meant = canister_id or capture_canister(capture)
    yield from check_frames(decode_frames(capture), root_key=key, canister_id=meant)


def check_frames(
    frames: Iterable[DecodedFrame], *, root_key: bytes | None, canister_id: Principal | None
) -> Iterator[EnvelopeVerdict]:
    """As `check_envelopes`, over frames that are decoded already."""
    for decoded in frames:
        if decoded.frame.direction != "out" or decoded.frame.op != "binary":
            continue
        if decoded.envelope is None:
            reason = decoded.summary or "no envelope"
            yield EnvelopeVerdict(decoded.number, None, (Step("parse", False, reason),))
            continue
        steps = check_envelope(
            decoded.envelope,
            now_ns=round(decoded.frame.t * NS_PER_S),
            canister_id=canister_id,
            root_key=root_key,
        )
        yield EnvelopeVerdict(decoded.number, decoded.envelope.method_name, tuple(steps))


def capture_canister(capture: Capture) -> Principal | None:
    """The canister that the capture names, where it names one that can be.

    An import names that of its first request. None where its sessions are with several: each with its own then.
    """
    try:
        named = Principal.from_text(capture.info.canister_id) if capture.info.canister_id else None
    except IcwsError:
        return None
    if named is None or capture.info.origin not in _IMPORTED:
        return named
    asked: dict[str | None, Principal] = {}
    for decoded in shared_frames(capture):
        if decoded.envelope is not None and decoded.envelope.canister_id is not None:
            asked.setdefault(decoded.frame.session, decoded.envelope.canister_id)
    canisters = set(asked.values())
    return None if len(canisters) > 1 and named in canisters else named


@dataclass(frozen=True, slots=True)
class HashedField:
    """One field of a request on its way into the id: hash(name) ‖ hash(value), each 32 bytes."""

    name: str
    value: Any
    name_hash: bytes
    value_hash: bytes


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a request id comes about: the ``fields`` in the order in which their hashes are joined.

    ``joined`` are those hashes one behind the other, ``request_id`` is their SHA-256, and
    ``signed_bytes`` is what the sender signs: a domain separator and the id.
    """

    fields: tuple[HashedField, ...]
    joined: bytes
    request_id: bytes
    signed_bytes: bytes


def derivation(envelope: Envelope) -> Derivation:
    """The request id of ``envelope``, step by step. Raises ValueMismatchError for content that no request holds."""
    content = envelope.content
    hashes = request_id_fields(content)
    fields = tuple(HashedField(each.name, content[each.name], each.key_hash, each.value_hash) for each in hashes)
    joined = b"".join(each.name_hash + each.value_hash for each in fields)
    return Derivation(fields, joined, envelope.request_id, envelope.signed_bytes)
