"""Faults: the hooks through which a lab or a simulation is made to misbehave on purpose.

A subclass of `Faults` overrides the hooks that it needs; the base class changes nothing. The lab (over real sockets)
and the simulator call the same hooks, so one class works on both stages. A hook for a frame, a call or an envelope
returns a list of `Delivery`: an empty list drops it, two deliveries duplicate it. Through `begin` a fault gets a
`Stage`, with which it plans actions from outside: upgrade the canister, stop it, send a frame, end a connection.

`RelayFaults` drops, delays, duplicates or alters frames at random; one seed always gives one sequence.
`GuardedFaults` logs an exception from a hook, which over real sockets would only end a connection.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeVar

from icws_explore.live.path import Delivery as Delivery  # noqa: PLC0414  # the vocabulary of faults
from icws_explore.protocol.canister import App
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import ArgumentValueError, DecodeError
from icws_explore.protocol.gateway.events import PollOutcome
from icws_explore.protocol.messages import CanisterMessage

from .log import LabLog

Direction = Literal["up", "down"]
FaultyClock = Literal["client", "gateway", "canister"]
HttpRequest = Literal["upgrade", "call", "query"]  # of a client at its gateway; of anybody at the network
Refusal = tuple[int, str]  # an HTTP status and a text


class Stage(Protocol):
    """What a fault can do to the lab or the simulation from outside.

    Sessions are numbered from 0 in the order in which they connect, over all gateways. Seconds are protocol time.
    """

    @property
    def now_ns(self) -> int:
        """The correct time, ns since the epoch."""

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action`` that many seconds after the start."""

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action`` that many seconds from now."""

    def upgrade_canister(self, app: App | None = None) -> None:
        """Upgrade the canister, to ``app`` if given. The CDK's state is lost."""

    def stop_canister(self) -> None:
        """Stop the canister: it accepts no calls and no queries any more."""

    def freeze_canister(self) -> None:
        """Use the canister's cycles up: it executes nothing any more."""

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client as if its gateway had sent it."""

    def drop(self, session: int, code: int | None = CloseCode.ABNORMAL_CLOSURE) -> None:
        """End a connection; its gateway notices.

        ``code`` None: with a close frame without a code. 1006: without a close frame. Other codes are sent.
        """


class Faults:
    """The hooks. This base class changes nothing; override the hooks that should.

    Sessions and gateways are numbered from 0. Times are nanoseconds since the epoch. ``beyond_path`` says what happens
    that nobody between client and gateway can do, where the hooks do not show it.
    """

    beyond_path: ClassVar[str] = ""

    def begin(self, stage: Stage) -> None:
        """Called at the start. Plan actions with ``stage.at``, or keep ``stage`` to act later.

        `Lab.begin` calls it again, with a new stage. Then the actions planned on the old one do not happen.
        """

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        """Return what a gateway makes of a frame: "up" from a client (an envelope), "down" from a canister."""
        del direction
        return [Delivery(data)]

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        """Return what becomes of a binary frame from client to gateway. Recordings show the frame before the fault."""
        del session
        return [Delivery(data)]

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        """Return what becomes of a binary frame from gateway to client, also of the handshake.

        Recordings show the frame after the fault.
        """
        del session
        return [Delivery(data)]

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        """Return what becomes of a relayed call from gateway to replica."""
        del session
        return [Delivery(envelope)]

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        """Return the answer to a poll, and its delay in ms. If this is overridden, no idle polls are skipped."""
        del gateway
        return outcome, 0.0

    def refusal(self, request: HttpRequest) -> Refusal | None:
        """Return the HTTP status and the text with which a proxy refuses a request; None: it passes.

        "upgrade" is a client's request for a WebSocket, at a proxy in front of the gateway. "call" and "query" are
        requests to the network, at its boundary node. If this is overridden, no idle polls are skipped.
        """
        del request
        return None

    def clock_error_ns(self, clock: FaultyClock, number: int, now_ns: int) -> int:
        """Return the error of a clock in ns when the correct time is ``now_ns``. A client's skew comes on top.

        ``number`` is the client's or the gateway's. A gateway's clock sets the ingress_expiry of its own requests. The
        canister's clock is the replica's. If this is overridden, no idle polls are skipped.
        """
        del clock, number, now_ns
        return 0


def concern_polls(faults: Faults) -> bool:
    """Whether these faults can change what becomes of a poll that finds nothing."""
    hooks = ("poll_answer", "refusal", "clock_error_ns")
    return any(getattr(type(faults), hook) is not getattr(Faults, hook) for hook in hooks)


@dataclass(slots=True)
class RelayFaults(Faults):
    """Random faults at the gateway. ``drop``, ``duplicate`` and ``tamper`` are probabilities (0 to 1) for each frame.

    ``delay_ms`` is protocol time and applies to every frame. ``direction`` limits the faults to one direction (None:
    both). The first ``spare`` frames of each direction pass unchanged, so that a session can open. To tamper is to
    change a byte of a canister message's content. Raises ArgumentValueError for values outside these ranges.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    tamper: float = 0.0
    delay_ms: float = 0.0
    direction: Direction | None = "down"
    spare: int = 0
    seed: int | None = None
    _seen: dict[Direction, int] = field(default_factory=dict, init=False, repr=False)
    _rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("drop", "duplicate", "tamper"):
            if not 0 <= getattr(self, name) <= 1:
                raise ArgumentValueError(f"{name} must be a probability from 0 to 1, not {getattr(self, name)!r}")
        if self.delay_ms < 0:
            raise ArgumentValueError(f"delay_ms must not be negative, not {self.delay_ms!r}")
        self._rng = random.Random(self.seed)

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        """Return what becomes of a frame."""
        seen = self._seen[direction] = self._seen.get(direction, 0) + 1
        if seen <= self.spare or self.direction not in (None, direction):
            return [Delivery(data)]
        if self._rng.random() < self.drop:
            return []
        if direction == "down" and self._rng.random() < self.tamper:
            data = tampered(data)
        copies = 2 if self._rng.random() < self.duplicate else 1
        return [Delivery(data, self.delay_ms)] * copies


def tampered(frame: bytes) -> bytes:
    """Return a canister message with the last byte of its content changed, and any other frame unchanged."""
    try:
        message = CanisterMessage.decode(frame)
    except DecodeError:
        return frame
    if not message.content:
        return frame
    content = message.content[:-1] + bytes([message.content[-1] ^ 1])
    return CanisterMessage(message.key, content, message.cert, message.tree).encode()


T = TypeVar("T")


class GuardedFaults(Faults):
    """Calls the hooks of ``faults``. A hook that raises changes nothing, and the first exception is logged."""

    def __init__(self, faults: Faults, log: LabLog) -> None:
        self._faults = faults
        self._log = log
        self._has_failed = False

    def begin(self, stage: Stage) -> None:
        """Call ``begin`` of the faults. Its exceptions pass, because the lab can still refuse to start."""
        self._faults.begin(stage)

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        return self._guarded(lambda: self._faults.relay(direction, data), [Delivery(data)])

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        return self._guarded(lambda: self._faults.client_frame(session, data), [Delivery(data)])

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        return self._guarded(lambda: self._faults.gateway_frame(session, data), [Delivery(data)])

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        return self._guarded(lambda: self._faults.call(session, envelope), [Delivery(envelope)])

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        return self._guarded(lambda: self._faults.poll_answer(gateway, outcome), (outcome, 0.0))

    def refusal(self, request: HttpRequest) -> Refusal | None:
        return self._guarded(lambda: self._faults.refusal(request), None)

    def clock_error_ns(self, clock: FaultyClock, number: int, now_ns: int) -> int:
        return self._guarded(lambda: self._faults.clock_error_ns(clock, number, now_ns), 0)

    def _guarded(self, hook: Callable[[], T], unchanged: T) -> T:
        try:
            return hook()
        except Exception as error:  # noqa: BLE001 -- a user's code; its error must not look like one of the gateway
            if not self._has_failed:
                self._has_failed = True
                self._log.write("lab", "error", f"a fault failed: {type(error).__name__}: {error}")
            return unchanged
