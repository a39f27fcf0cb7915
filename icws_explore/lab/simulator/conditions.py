"""`NetworkConditions`: the simulated network's latencies, losses and ordering, and the model that draws from them.

Client and gateway are connected by a WebSocket, hence by TCP: no frame is lost and none overtakes another. A lost
packet shows as a delay (``retransmit_ms``, doubled at every further loss of the same packet), which also delays
what was sent after it.

Between gateway and replica each call and each poll is an HTTP request of its own. A lost call never arrives (the
gateway only logs this), a lost poll fails (the gateway polls again), and calls can overtake each other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from icws_explore.protocol.constants import NS_PER_MS, POLL_INTERVAL_MS
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.type_checks import checked_fields

from .delays import Delay, DelayLike, delay

MAX_RETRANSMITS: Final = 8  # TCP gives up a connection after about as many; here the delay stops growing


@checked_fields()
@dataclass(frozen=True, slots=True)
class NetworkConditions:
    """The conditions of a simulated network.

    ::

        icws.simulate("chat", conditions=icws.NetworkConditions(client_latency_ms=(10, 200), loss=0.01))

    A latency is one way, in milliseconds: a number, a pair (low, high) or a `Delay` such as ``LogNormal(40)``.

    - ``client_latency_ms``: between client and gateway.
    - ``replica_latency_ms``: between gateway and replica.
    - ``update_latency_ms``: from a call's arrival at the replica to its execution. Mainnet needs one to two
      seconds, a local replica some hundred milliseconds.
    - ``poll_interval_ms``: milliseconds between two polls of a gateway, at least 1.
    - ``loss``: the probability, from 0 to 1, that a packet on the WebSocket, a relayed call or a poll is lost.
      ``packet_loss``, ``call_loss`` and ``poll_loss`` replace it for one of the three.
    - ``retransmit_ms``: milliseconds until TCP sends a lost packet again.
    - ``ordered``: whether a session's calls are executed in the order in which the gateway relayed them, as in
      the lab. With False each call travels by itself, as with the real gateway, so varying latencies can
      change the order.

    Raises ArgumentTypeError for a wrong type, and ArgumentValueError for a probability outside 0 to 1 or a negative
    time.
    """

    client_latency_ms: DelayLike = 20.0
    replica_latency_ms: DelayLike = 5.0
    update_latency_ms: DelayLike = 50.0
    poll_interval_ms: int = POLL_INTERVAL_MS
    loss: float = 0.0
    packet_loss: float | None = None
    call_loss: float | None = None
    poll_loss: float | None = None
    retransmit_ms: float = 200.0
    ordered: bool = True

    def __post_init__(self) -> None:
        for name in ("client_latency_ms", "replica_latency_ms", "update_latency_ms"):
            object.__setattr__(self, name, delay(getattr(self, name)))
        for name in ("loss", "packet_loss", "call_loss", "poll_loss"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ArgumentValueError(f"{name} must be a probability from 0 to 1, not {value!r}")
        if self.poll_interval_ms < 1:
            raise ArgumentValueError(f"poll_interval_ms must be at least 1, not {self.poll_interval_ms}")
        if self.retransmit_ms < 0:
            raise ArgumentValueError(f"retransmit_ms must not be negative, but is {self.retransmit_ms!r}")

    @property
    def losses(self) -> tuple[float, float, float]:
        """The probabilities that a packet, a call and a poll are lost."""
        packet, call, poll = (
            self.loss if value is None else value for value in (self.packet_loss, self.call_loss, self.poll_loss)
        )
        return packet, call, poll

    def delay_of(self, name: str) -> Delay:
        """Return the distribution of the latency with that field name."""
        return delay(getattr(self, name))


class LatencyModel:
    """Draws how long each crossing of the network takes.

    Every caller passes a random generator of its own, so one part's draws do not change another's.
    """

    def __init__(self, conditions: NetworkConditions) -> None:
        self._client = conditions.delay_of("client_latency_ms")
        self._replica = conditions.delay_of("replica_latency_ms")
        self._update = conditions.delay_of("update_latency_ms")
        self._packet_loss, self._call_loss, self._poll_loss = conditions.losses
        self._retransmit_ns = round(conditions.retransmit_ms * NS_PER_MS)

    def packet_ns(self, rng: random.Random) -> int:
        """Nanoseconds one way between client and gateway, with retransmissions."""
        elapsed_ns = self._client.draw_ns(rng)
        if self._packet_loss:
            for attempt in range(MAX_RETRANSMITS):
                if rng.random() >= self._packet_loss:
                    break
                elapsed_ns += self._retransmit_ns << attempt
        return elapsed_ns

    def call_ns(self, rng: random.Random) -> int | None:
        """Nanoseconds of a call from the gateway to the replica; None: the call is lost."""
        elapsed_ns = self._replica.draw_ns(rng)
        return None if self._call_loss and rng.random() < self._call_loss else elapsed_ns

    def update_ns(self, rng: random.Random) -> int:
        """Nanoseconds from a call's arrival at the replica to its execution."""
        return self._update.draw_ns(rng)

    def poll_ns(self, rng: random.Random) -> tuple[int, int, bool]:
        """Nanoseconds of a poll to the replica and back, and whether it fails."""
        request_ns, response_ns = self._replica.draw_ns(rng), self._replica.draw_ns(rng)
        return request_ns, response_ns, bool(self._poll_loss) and rng.random() < self._poll_loss

    @property
    def fixed_poll_ns(self) -> int | None:
        """Nanoseconds of a poll's round trip if it is constant and no poll fails; else None."""
        fixed_ms = self._replica.fixed_ms
        if fixed_ms is None or self._poll_loss:
            return None
        return 2 * round(fixed_ms * NS_PER_MS)
