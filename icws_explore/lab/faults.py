"""Where a network can be made to misbehave on purpose: every hop asks here, and so do the clocks and the canister.

One vocabulary for both stages, the lab on real sockets and the simulator. What is to be passed on is a
list of `Delivery`: an empty one drops it, two double it. The base class is honest. `RelayFaults` drops,
delays, doubles or alters frames, with the seed's dice, so that one seed gives one run.

Faults whose own failure is told: over real sockets an exception from a hook would only end a connection.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from icws_explore.protocol.canister import App
from icws_explore.protocol.errors import DecodeError, LabError
from icws_explore.protocol.gateway.events import PollOutcome
from icws_explore.protocol.messages import CanisterMessage

from .log import LabLog

Direction = Literal["up", "down"]
FaultyClock = Literal["client", "canister"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """``data`` is to be passed on, ``delay_ms`` (protocol time) from now.

    On a connection order is kept, for it is TCP: what is delayed holds up what comes behind it. What is
    ``overtakable`` holds nothing up. When the gateway ends the connection, what is held up is lost. A
    relayed call is a request of its own; there the network's ``ordered`` says whether order is kept.
    """

    data: bytes
    delay_ms: float = 0.0
    overtakable: bool = False


class Stage(Protocol):
    """What is behind a fault: it can plan what happens from outside, and act on the parts.

    Sessions are numbered from 0 in the order of connecting, over all gateways.
    """

    @property
    def now_ns(self) -> int:
        """True time, ns since the epoch."""

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Do ``action()`` that many seconds after the start."""

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do ``action()`` that many seconds from now."""

    def upgrade_canister(self, app: App | None = None) -> None:
        """Replace the code by another app's or its own; the CDK's state is lost."""

    def stop_canister(self) -> None:
        """It takes no calls and no queries any more."""

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client, as if its gateway did."""

    def drop(self, session: int, code: int | None = 1006) -> None:
        """End a connection; its gateway finds out. None: with a close frame without a code; 1006: without a frame."""


class Faults:
    """Honest. Override what is to go wrong; sessions and gateways are numbered from 0, times are ns since the epoch."""

    def begin(self, stage: Stage) -> None:
        """Before anything happens: plan with ``stage.at`` what is to happen from outside, or keep it to act later.

        A lab can begin anew, with another stage; what was planned on the earlier one does not happen.
        """

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        """What a gateway makes of a frame: "up" from a client (an envelope's bytes), "down" from a canister."""
        del direction
        return [Delivery(data)]

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        """A binary frame on its way from client to gateway. Recordings have it as the client sent it."""
        del session
        return [Delivery(data)]

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        """A binary frame from gateway to client, the handshake included. Recordings have what comes of it."""
        del session
        return [Delivery(data)]

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        """A relayed call on its way from gateway to replica."""
        del session
        return [Delivery(envelope)]

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        """The answer to a poll, and by how many ms it is late. Where it is overridden, idle polls are simulated too."""
        del gateway
        return outcome, 0.0

    def clock_error_ns(self, clock: FaultyClock, number: int, now_ns: int) -> int:
        """By how much a clock is wrong at the true time ``now_ns``, beside a client's skew.

        The replica's clock is the canister's.
        """
        del clock, number, now_ns
        return 0


@dataclass(slots=True)
class RelayFaults(Faults):
    """Each of ``drop``, ``duplicate`` and ``tamper`` is a probability from 0 to 1 for every frame.

    ``delay_ms`` is protocol time and holds for every frame that is passed on. ``direction`` limits
    the faults to one way (None: both); the first ``spare`` frames of each direction pass unharmed, so
    that a session can open. Tampering changes a byte of a canister message's content.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    tamper: float = 0.0
    delay_ms: float = 0.0
    direction: Direction | None = "down"
    spare: int = 0
    seed: int | None = None
    _seen: dict[Direction, int] = field(default_factory=dict, init=False, repr=False)
    _dice: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("drop", "duplicate", "tamper"):
            if not 0 <= getattr(self, name) <= 1:
                raise LabError(f"{name} is a probability from 0 to 1, not {getattr(self, name)!r}")
        if self.delay_ms < 0:
            raise LabError(f"delay_ms cannot be negative: {self.delay_ms!r}")
        self._dice = random.Random(self.seed)

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        """What becomes of a frame."""
        seen = self._seen[direction] = self._seen.get(direction, 0) + 1
        if seen <= self.spare or self.direction not in (None, direction):
            return [Delivery(data)]
        if self._dice.random() < self.drop:
            return []
        if direction == "down" and self._dice.random() < self.tamper:
            data = tampered(data)
        copies = 2 if self._dice.random() < self.duplicate else 1
        return [Delivery(data, self.delay_ms)] * copies


def tampered(frame: bytes) -> bytes:
    """A canister message with the last byte of its content changed; anything else as it is."""
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
    """``faults``, honest wherever they raise; the first time that they do is written down in ``log`` (part "lab")."""

    def __init__(self, faults: Faults, log: LabLog) -> None:
        self._faults = faults
        self._log = log
        self._has_failed = False

    def begin(self, stage: Stage) -> None:
        """Raises what they raise: nothing has begun yet."""
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

    def clock_error_ns(self, clock: FaultyClock, number: int, now_ns: int) -> int:
        return self._guarded(lambda: self._faults.clock_error_ns(clock, number, now_ns), 0)

    def _guarded(self, ask: Callable[[], T], honest: T) -> T:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 -- somebody's own fault, which must not pass for one of the gateway's
            if not self._has_failed:
                self._has_failed = True
                self._log.write("lab", "error", f"a fault failed: {type(error).__name__}: {error}")
            return honest
