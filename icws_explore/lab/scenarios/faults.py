"""Faults that scenarios use: misbehaving gateways and proxies, and what operators do to a canister.

Each class overrides hooks of `lab.faults.Faults` and works in the simulator and over real sockets. Sessions
are numbered from 0 in the order of connecting.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from icws_explore.live.path import Delivery
from icws_explore.protocol.canister import App
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage, Handshake
from icws_explore.protocol.service_messages import AckMessage, decode_service
from icws_explore.protocol.steps import first_failure

from ..faults import Faults, FaultyClock, HttpRequest, Refusal, Stage

USUAL_IDLE_S: Final = 60.0  # nginx (proxy_read_timeout) and most load balancers
REFUSAL_S: Final = 0.2  # from a request to the replica's refusal
MISDELIVERED: Final = 4  # the sequence number of the message that GivesAway sends to the wrong client


class Muted(Faults):
    """The gateway sends nothing, not even its handshake."""

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session, data
        return []


class Downward(Faults):
    """The gateway changes, drops, duplicates or delays canister messages on their way to the client.

    ``change(number, data)`` returns the frames to send in place of a session's canister message; ``number``
    counts each session's messages from 1. ``late_ms(number)`` is their delay in milliseconds. The handshake
    passes unchanged.
    """

    def __init__(
        self, change: Callable[[int, bytes], list[bytes]], *, late_ms: Callable[[int], float] = lambda _number: 0.0
    ) -> None:
        self._change = change
        self._late_ms = late_ms
        self._counts: Counter[int] = Counter()

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        try:
            CanisterMessage.decode(data)
        except DecodeError:
            return [Delivery(data)]  # the handshake
        self._counts[session] += 1
        number = self._counts[session]
        return [Delivery(frame, self._late_ms(number)) for frame in self._change(number, data)]


class GivesAway(Faults):
    """The gateway confuses two clients: session 0 gets session 1's message ``number`` in place of its own.

    Each session's messages are counted from 1. Session 0's messages from that number on wait until session 1's
    message exists.
    """

    def __init__(self, number: int = MISDELIVERED) -> None:
        self._number = number
        self._stage: Stage | None = None
        self._counts: Counter[int] = Counter()
        self._foreign: bytes | None = None
        self._waiting: list[bytes] = []  # session 0's own message of that number, and those after it

    def begin(self, stage: Stage) -> None:
        self._stage = stage

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        try:
            CanisterMessage.decode(data)
        except DecodeError:
            return [Delivery(data)]  # the handshake
        self._counts[session] += 1
        number = self._counts[session]
        if session == 0 and number >= self._number:
            return self._for_session_0(number, data)
        if session == 1 and number == self._number:
            self._release(data)
        return [Delivery(data)]

    def _for_session_0(self, number: int, data: bytes) -> list[Delivery]:
        if self._foreign is None:
            self._waiting.append(data)
            return []
        return [Delivery(self._foreign if number == self._number else data)]

    def _release(self, foreign: bytes) -> None:
        assert self._stage is not None
        self._foreign = foreign
        for data in [foreign, *self._waiting[1:]] if self._waiting else []:
            self._stage.send(0, data)
        self._waiting.clear()


class Gateway105(Faults):
    """Gateway 1.0.5 and earlier: it sends no handshake and drops a client whose request the replica refuses.

    Source: client_connection_handler.rs of 1.0.5, where an error of update_signed ends the handler's loop.
    """

    def __init__(self) -> None:
        self._stage: Stage | None = None

    def begin(self, stage: Stage) -> None:
        self._stage = stage

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session
        try:
            Handshake.decode(data)
        except DecodeError:
            return [Delivery(data)]
        return []

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        stage = self._stage
        assert stage is not None
        steps = check_envelope(Envelope.decode_frame(data), now_ns=stage.now_ns)
        if first_failure(steps) is None:
            return [Delivery(data)]
        stage.after(REFUSAL_S, lambda: stage.drop(session, CloseCode.ABNORMAL_CLOSURE))
        return []


class LosesCalls(Faults):
    """Every relayed call is lost between the gateway and the network."""

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        del session, envelope
        return []


class Jitter(Faults):
    """Every relayed call takes ``low_ms`` to ``high_ms`` milliseconds longer.

    Where the network does not keep the order of calls, calls overtake each other.
    """

    def __init__(self, low_ms: float, high_ms: float, *, seed: int = 1) -> None:
        self._low_ms, self._high_ms = low_ms, high_ms
        self._rng = random.Random(seed)

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        del session
        return [Delivery(envelope, self._rng.uniform(self._low_ms, self._high_ms))]


class Stall(Faults):
    """The gateway sends nothing to any client from ``from_s`` to ``to_s`` (seconds after the start).

    At ``to_s`` it sends everything that it held back.
    """

    def __init__(self, from_s: float, to_s: float) -> None:
        self._from_s, self._to_s = from_s, to_s
        self._stage: Stage | None = None
        self._until_ns = 0

    def begin(self, stage: Stage) -> None:
        self._stage, self._until_ns = stage, 0
        stage.at(self._from_s, self._start)

    def _start(self) -> None:
        assert self._stage is not None
        self._until_ns = self._stage.now_ns + round((self._to_s - self._from_s) * NS_PER_S)

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session
        assert self._stage is not None
        return [Delivery(data, max(0.0, (self._until_ns - self._stage.now_ns) / NS_PER_MS))]


class IdleProxy(Faults):
    """A proxy in front of the gateway cuts a connection that carried no frame for ``idle_s`` seconds."""

    def __init__(self, idle_s: float = USUAL_IDLE_S) -> None:
        self._idle_s = idle_s
        self._frames: Counter[int] = Counter()  # by session
        self._stage: Stage | None = None

    def begin(self, stage: Stage) -> None:
        self._stage = stage

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        self._restart_timer(session)
        return [Delivery(data)]

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        self._restart_timer(session)
        return [Delivery(data)]

    def _restart_timer(self, session: int) -> None:
        assert self._stage is not None
        self._frames[session] += 1
        frames = self._frames[session]
        self._stage.after(self._idle_s, lambda: self._cut_if_idle(session, frames))

    def _cut_if_idle(self, session: int, frames: int) -> None:
        if self._stage is not None and self._frames[session] == frames:
            self._stage.drop(session, CloseCode.ABNORMAL_CLOSURE)


class Stopped(Faults):
    """The canister is stopped ``at_s`` seconds after the start."""

    beyond_path = "the canister is stopped"

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s

    def begin(self, stage: Stage) -> None:
        stage.at(self._at_s, stage.stop_canister)


class Frozen(Faults):
    """The canister runs out of cycles ``at_s`` seconds after the start."""

    beyond_path = "the canister runs out of cycles"

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s

    def begin(self, stage: Stage) -> None:
        stage.at(self._at_s, stage.freeze_canister)


class Refuses(Faults):
    """A proxy or a boundary node refuses every ``request`` with an HTTP ``status`` and ``text``."""

    def __init__(self, request: HttpRequest, status: int, text: str) -> None:
        self._request = request
        self._refusal = status, text

    def refusal(self, request: HttpRequest) -> Refusal | None:
        return self._refusal if request == self._request else None


class WrongGatewayClock(Faults):
    """The clocks of all gateways are ``ahead_s`` seconds ahead; negative: behind."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_ns = round(ahead_s * NS_PER_S)

    def clock_error_ns(self, clock: FaultyClock, number: int, now_ns: int) -> int:
        del number, now_ns
        return self._ahead_ns if clock == "gateway" else 0


class Upgrade(Faults):
    """The canister is upgraded ``at_s`` seconds after the start, to ``app`` (None: to its own code)."""

    beyond_path = "the canister is upgraded"

    def __init__(self, at_s: float, app: App | None = None) -> None:
        self._at_s = at_s
        self._app = app

    def begin(self, stage: Stage) -> None:
        stage.at(self._at_s, lambda: stage.upgrade_canister(self._app))


def is_ack(data: bytes) -> bool:
    """Return whether this frame is a canister message with an AckMessage."""
    try:
        message = CanisterMessage.decode(data).message
        return message.is_service_message and isinstance(decode_service(message.content), AckMessage)
    except DecodeError:
        return False


class DropsAt(Faults):
    """The connections of ``sessions`` end ``at_s`` seconds after the start, with ``code`` (1006: without a close)."""

    def __init__(self, at_s: float, *, sessions: Iterable[int], code: int | None = CloseCode.ABNORMAL_CLOSURE) -> None:
        self._at_s = at_s
        self._sessions = tuple(sessions)
        self._code = code

    def begin(self, stage: Stage) -> None:
        def drop() -> None:
            for session in self._sessions:
                stage.drop(session, self._code)

        stage.at(self._at_s, drop)


class DropsAfter(Faults):
    """Every connection is lost (1006) ``life_s`` seconds after its handshake."""

    def __init__(self, life_s: float) -> None:
        self._life_s = life_s
        self._stage: Stage | None = None
        self._seen: set[int] = set()

    def begin(self, stage: Stage) -> None:
        self._stage, self._seen = stage, set()

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        stage = self._stage
        assert stage is not None
        if session not in self._seen:
            self._seen.add(session)
            stage.after(self._life_s, lambda: stage.drop(session, CloseCode.ABNORMAL_CLOSURE))
        return [Delivery(data)]
