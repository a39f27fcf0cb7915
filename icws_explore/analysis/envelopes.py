"""Checks a client's requests as a replica checks them, and derives request ids step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from icws_explore.capture import Capture
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.request_id import request_id_fields
from icws_explore.protocol.steps import Step, first_failure, passed

from .decode import DecodedFrame, decode_frames, shared_frames

_IMPORTED: Final = ("har", "pcap", "mitmproxy")


@dataclass(frozen=True, slots=True)
class EnvelopeVerdict:
    """The steps of checking one request. ``frame`` is its number in the capture, ``method`` the called method."""

    frame: int
    method: str | None
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether a replica accepts the request: every step holds."""
        return passed(self.steps)

    @property
    def failure(self) -> Step | None:
        return first_failure(self.steps)


class EnvelopeVerdicts(list[EnvelopeVerdict]):
    """A list of verdicts; its own type, so that a notebook can draw it."""


def check_envelopes(
    capture: Capture, *, root_key: bytes | None = None, canister_id: Principal | None = None
) -> Iterator[EnvelopeVerdict]:
    """Check each binary frame that the client sent, at the frame's time.

    ``root_key`` (DER) is needed for canister signatures, which Internet Identity makes. ``canister_id`` is
    the intended canister. Both default to those of the capture. Raises IcwsError if the capture was
    simulated without real cryptography.
    """
    if capture.info.crypto != "real":
        raise IcwsError(
            f"there is nothing to check: the recording was simulated with {capture.info.crypto} cryptography"
        )
    key = capture.info.root_key if root_key is None else root_key
    meant = canister_id or capture_canister(capture)
    yield from check_frames(decode_frames(capture), root_key=key, canister_id=meant)


def check_frames(
    frames: Iterable[DecodedFrame], *, root_key: bytes | None, canister_id: Principal | None
) -> Iterator[EnvelopeVerdict]:
    """Like `check_envelopes`, for frames that are already decoded."""
    for decoded in frames:
        if decoded.frame.direction != "out" or decoded.frame.op != "binary":
            continue
        if decoded.envelope is None:
            reason = decoded.summary or "no envelope"
            yield EnvelopeVerdict(decoded.number, None, (Step("parse", False, reason),))
            continue
        steps = check_envelope(
            decoded.envelope,
            now_ns=decoded.frame.t_ns,
            canister_id=canister_id,
            root_key=root_key,
        )
        yield EnvelopeVerdict(decoded.number, decoded.envelope.method_name, tuple(steps))


def capture_canister(capture: Capture) -> Principal | None:
    """Return the canister of the capture, or None if it names none.

    An import names the canister of its first request. If its sessions use several canisters, the result is
    None, and each session counts with its own.
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
    """One field of a request with the two hashes (32 bytes each) that go into the request id."""

    name: str
    value: Any
    name_hash: bytes
    value_hash: bytes


@dataclass(frozen=True, slots=True)
class Derivation:
    """The derivation of a request id. ``fields`` are in the order in which their hashes are joined.

    ``joined`` is the concatenation of those hashes, ``request_id`` its SHA-256, and ``signed_bytes`` what the
    sender signs: a domain separator and the request id.
    """

    fields: tuple[HashedField, ...]
    joined: bytes
    request_id: bytes
    signed_bytes: bytes


def derivation(envelope: Envelope) -> Derivation:
    """Derive the request id of ``envelope``. Raises ValueMismatchError for content that a request cannot have."""
    content = envelope.content
    hashes = request_id_fields(content)
    fields = tuple(HashedField(each.name, content[each.name], each.key_hash, each.value_hash) for each in hashes)
    joined = b"".join(each.name_hash + each.value_hash for each in fields)
    return Derivation(fields, joined, envelope.request_id, envelope.signed_bytes)
