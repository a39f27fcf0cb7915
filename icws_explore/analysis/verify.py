"""Verifies every canister message of a capture, at the time at which it was received.

The steps are those of the live client (protocol/verify.py). An old recording stays valid, because a
certificate is judged at the time of its receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from icws_explore.capture import Capture
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import FIRST_SEQUENCE_NUM, MAX_CERTIFICATE_AGE_S
from icws_explore.protocol.errors import IcwsError, PrincipalError
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step, first_failure
from icws_explore.protocol.verify import CertificateCheck, check_message

from .decode import DecodedFrame, shared_frames
from .envelopes import capture_canister

# A capture may begin in mid-session or lack the ws_open. These two steps then cannot be judged, which alone
# does not make a message bad.
_MAY_BE_UNJUDGED = frozenset({"sequence", "client_key"})


@dataclass(frozen=True, slots=True)
class MessageVerdict:
    """The steps of verifying one canister message. ``frame`` is its number in the capture, from 0."""

    frame: int
    key: str
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether every step holds; sequence and client_key may be unjudged if facts are missing."""
        return all(step.ok or (step.ok is None and step.step in _MAY_BE_UNJUDGED) for step in self.steps)

    @property
    def failure(self) -> Step | None:
        return first_failure(self.steps)


class Verdicts(list[MessageVerdict]):
    """A list of verdicts; its own type, so that a notebook can draw it."""


@dataclass(slots=True)
class _SessionFacts:
    """What is known of a session from its frames so far."""

    client_key: ClientKey | None = None
    canister_id: Principal | None = None
    expected: int | None = None


def verify_capture(
    capture: Capture, *, root_key: bytes | None = None, canister_id: Principal | None = None
) -> Iterator[MessageVerdict]:
    """Verify each canister message of ``capture``, in the order of the frames.

    ``root_key`` (DER) and ``canister_id`` override those of the capture. Raises IcwsError if no root key is
    known or if the capture was simulated without real cryptography.
    """
    key = capture.info.root_key if root_key is None else root_key
    if key is None and capture.info.crypto == "real":
        raise IcwsError("the recording has no root key: give it with --root-key or --network")
    yield from verify_frames(shared_frames(capture), capture, root_key=key or b"", canister_id=canister_id)


def verify_frames(
    frames: Iterable[DecodedFrame],
    capture: Capture,
    *,
    root_key: bytes,
    canister_id: Principal | None = None,
    check_certificate: CertificateCheck = check_certificate,
) -> Iterator[MessageVerdict]:
    """Like `verify_capture`, for frames that are already decoded. See `check_message` for ``check_certificate``."""
    if capture.info.crypto != "real":
        raise IcwsError(
            f"there is nothing to verify: the recording was simulated with {capture.info.crypto} cryptography, which "
            "has no signatures; simulate with real cryptography"
        )
    configured = canister_id or capture_canister(capture)
    sessions: dict[str | None, _SessionFacts] = {}
    for decoded in frames:
        facts = sessions.setdefault(decoded.frame.session, _SessionFacts(canister_id=configured))
        _learn(facts, decoded)
        if decoded.canister_message is None:
            continue
        expected = FIRST_SEQUENCE_NUM if facts.expected is None and facts.client_key else facts.expected
        steps = check_message(
            decoded.canister_message,
            canister_id=facts.canister_id,
            root_key=root_key,
            now_ns=decoded.frame.t_ns,
            max_age_s=MAX_CERTIFICATE_AGE_S,
            client_key=facts.client_key,
            expected_sequence_num=expected,
            check_certificate=check_certificate,
        )
        if decoded.sequence_num is not None:
            facts.expected = decoded.sequence_num + 1  # continue from here, so that one gap is one failure
        yield MessageVerdict(decoded.number, decoded.canister_message.key, tuple(steps))


def _learn(facts: _SessionFacts, decoded: DecodedFrame) -> None:
    """Take the client key and, unless configured, the canister from the session's ws_open."""
    if decoded.envelope is None or facts.client_key is not None:
        return
    content = decoded.envelope.content
    try:
        if decoded.open_args is not None:
            facts.client_key = ClientKey(Principal.of(content["sender"]), decoded.open_args.client_nonce)
        facts.canister_id = facts.canister_id or Principal.of(content["canister_id"])
    except (KeyError, PrincipalError):
        return  # check_envelopes reports it
