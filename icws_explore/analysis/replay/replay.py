"""A recorded session once more through the state machines of the real client and the real gateway.

``replay(capture)`` says where either first did something else than ic-websocket-js 0.5.0 or gateway
1.4.6 would have done, and with which code and reason the real SDK would have closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from icws_explore.capture import Capture, Frame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import ACK_INTERVAL_MS
from icws_explore.protocol.errors import IcwsError, IdentityError, PrincipalError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step
from icws_explore.protocol.verify import MESSAGE_STEPS, check_message

from ..decode import DecodedFrame, application_type, shared_frames
from ..verify import MessageVerdict
from .client import ClientReplay
from .divergence import Divergence, PredictedClose, ReplayStep
from .gateway import GatewayReplay

_ACK_TIMEOUT: Final = "Ack message timeout"
_NEVER_MS: Final = 10**12  # 30 years
_OTHER_INTERVAL: Final = (
    "the client's ack interval is not known, and it is not the SDK's default: its ack time-out was not judged"
)

__all__ = ["Divergence", "PredictedClose", "Replay", "ReplayStep", "replay", "replay_sessions"]


@dataclass(frozen=True, slots=True)
class Replay:
    """One session, replayed. ``client`` and ``gateway`` are each one's first divergence, or None.

    ``predicted_close`` is how the real SDK would have ended the session by what it received, None
    where it would have gone on; ``recorded_close`` is the close in the capture. ``notes`` says what
    could not be judged.
    """

    session: str | None
    steps: tuple[ReplayStep, ...] = field(repr=False)  # pages, with all bytes
    client: Divergence | None
    gateway: Divergence | None
    predicted_close: PredictedClose | None
    recorded_close: Frame | None
    notes: tuple[str, ...] = ()

    @property
    def divergence(self) -> Divergence | None:
        """The first of the two."""
        found = [divergence for divergence in (self.client, self.gateway) if divergence is not None]
        return min(found, key=lambda divergence: divergence.frame, default=None)

    @property
    def agrees(self) -> bool:
        """Both did what the real ones would have done, as far as can be seen."""
        return self.divergence is None


class StandIn(Identity):
    """Has the recorded client's principal and no key: its signatures are empty."""

    __slots__ = ("_principal",)

    def __init__(self, principal: Principal) -> None:
        self._principal = principal

    @property
    def principal(self) -> Principal:
        return self._principal

    @property
    def public_key_der(self) -> bytes:
        return b""

    def sign(self, message: bytes) -> bytes:
        del message
        return b""


def replay(
    capture: Capture,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    ack_interval_ms: int | None = None,
) -> Replay:
    """Replay a capture of one session. Facts that are given override the capture's.

    Without any root key the proofs count as good, and a note says so. Raises IcwsError for a capture
    of several sessions: `replay_sessions` takes those.
    """
    ids = capture.session_ids
    if len(ids) > 1:
        raise IcwsError(f"the capture holds {len(ids)} sessions: replay_sessions gives a replay of each")
    (replayed,) = replay_sessions(capture, root_key=root_key, canister_id=canister_id, ack_interval_ms=ack_interval_ms)
    return replayed


def replay_sessions(
    capture: Capture,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    ack_interval_ms: int | None = None,
    verdicts: Iterable[MessageVerdict] = (),
    sessions: Iterable[str | None] | None = None,
) -> list[Replay]:
    """A replay of each session, in the order of their first frames. Frame numbers are the capture's.

    ``verdicts`` are those of the capture's messages under the same root key and canister, where there are any
    already: proofs are then not walked again. ``sessions`` are the ones to replay; None means all.
    """
    chosen = capture.session_ids if sessions is None else list(sessions)
    decoded: dict[str | None, list[DecodedFrame]] = {name: [] for name in chosen}
    for frame in shared_frames(capture):
        if not frame.frame.is_http and frame.frame.session in decoded:
            decoded[frame.frame.session].append(frame)
    steps = {verdict.frame: verdict.steps for verdict in verdicts}
    return [
        _replay(capture, name, frames, _Given(root_key, canister_id, ack_interval_ms, steps))
        for name, frames in decoded.items()
    ]


class _Given(NamedTuple):
    """What overrides the capture, and the walks over its messages that were made already, by frame number."""

    root_key: bytes | None
    canister_id: Principal | None
    interval_ms: int | None
    steps: Mapping[int, tuple[Step, ...]]


def _replay(capture: Capture, session: str | None, decoded: list[DecodedFrame], given: _Given) -> Replay:
    app_type = application_type(capture)
    facts = _Facts.of(capture, decoded)
    key = given.root_key or capture.info.root_key
    notes = [] if key is not None else ["no root key is known: proofs were taken as good (--root-key or --network)"]
    if not facts.from_start:
        notes.append("the recording begins in mid-session: there is nothing to replay")
        return Replay(session, (), None, None, None, None, tuple(notes))
    gateway = GatewayReplay()
    for frame in decoded:
        gateway.feed(frame)
    known_ms = given.interval_ms or capture.info.ack_interval_ms
    config = ClientConfig(
        given.canister_id or facts.canister_id or Principal.MANAGEMENT,
        key,
        known_ms or ACK_INTERVAL_MS,
        application_type=app_type,
    )
    meant = given.canister_id or _principal(capture.info.canister_id)
    steps = given.steps if meant in (None, config.canister_id) else {}  # else they are about another canister
    try:
        client = _client(config, facts, decoded, steps)
        if known_ms is None and _is_about_acks(client):
            notes.append(_OTHER_INTERVAL)
            client = _client(replace(config, ack_interval_ms=_NEVER_MS), facts, decoded, steps)
            if _is_about_acks(client):
                client.divergence = None
    except IdentityError:
        refused = Divergence("client", facts.first_envelope, "unasked", "sender", "refuses to run", "was anonymous")
        return Replay(session, (), refused, gateway.divergence, None, None, tuple(notes))
    return Replay(
        session,
        tuple(client.steps),
        client.divergence,
        gateway.divergence,
        client.predicted,
        client.recorded_close,
        tuple(notes),
    )


def _client(
    config: ClientConfig, facts: _Facts, decoded: list[DecodedFrame], steps: Mapping[int, tuple[Step, ...]]
) -> ClientReplay:
    """Raises IdentityError for a client that the SDK would not have made."""
    at_frame = 0

    def known(message: CanisterMessage, now_ns: int, expected_sequence_num: int) -> Sequence[Step]:
        """The walk that was made over that very frame, else one."""
        return steps.get(at_frame) or check_message(
            message,
            canister_id=config.canister_id,
            root_key=config.root_key or b"",
            now_ns=now_ns,
            client_key=machine.client_key,
            expected_sequence_num=expected_sequence_num,
        )

    machine = ClientMachine(
        config,
        StandIn(facts.sender),
        entropy=bytes,
        client_nonce=facts.client_nonce,
        verify=known if config.root_key is not None else _believe,
    )
    client = ClientReplay(machine, clock_scale=facts.clock_scale)
    for frame in decoded:
        at_frame = frame.number
        client.feed(frame)
    return client


def _is_about_acks(client: ClientReplay) -> bool:
    """One of the two, the recorded client and the real one with the default interval, gave up waiting for an ack."""
    if client.divergence is None or client.divergence.kind != "close":
        return False
    ends = (client.predicted, client.recorded_close)
    return any(end is not None and end.reason == _ACK_TIMEOUT for end in ends)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the frames themselves say of the session, and the clock that timed them."""

    canister_id: Principal | None
    sender: Principal
    client_nonce: int
    first_envelope: int
    from_start: bool
    clock_scale: float  # protocol seconds for each real one

    @classmethod
    def of(cls, capture: Capture, decoded: list[DecodedFrame]) -> _Facts:
        asked = next((d for d in decoded if d.envelope is not None), None)
        envelope = None if asked is None else asked.envelope
        opened = next((d.open_args for d in decoded if d.open_args is not None), None)
        configured = _principal(capture.info.canister_id)
        sender = (None if envelope is None else envelope.sender) or _principal(capture.info.client_principal)
        first_in = next((d for d in decoded if d.frame.direction == "in" and d.frame.op == "binary"), None)
        return cls(
            (None if envelope is None else envelope.canister_id) or configured,  # what the client itself was told
            sender or Principal.self_authenticating(b"nobody"),
            0 if opened is None else opened.client_nonce,
            0 if asked is None else asked.number,
            opened is not None or first_in is None or first_in.canister_message is None,
            clock.scale if (clock := capture.info.clock).kind == "scaled" else 1.0,
        )


def _principal(text: str | None) -> Principal | None:
    try:
        return Principal.from_text(text) if text else None
    except PrincipalError:
        return None


def _believe(frame: CanisterMessage, now_ns: int, expected_sequence_num: int) -> list[Step]:
    """A verifier for when there is no root key to judge by."""
    del frame, now_ns, expected_sequence_num
    return [Step(step, True, "not judged: no root key is known") for step in MESSAGE_STEPS]
