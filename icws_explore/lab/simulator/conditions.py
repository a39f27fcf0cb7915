"""The network between the parts: how long each hop takes, what gets lost, what keeps its order.

The hops: client ⇄ gateway is a WebSocket, hence TCP: nothing gets lost or overtakes on it. A lost
packet shows as a delay (``retransmit_ms``, doubled at every further loss), which holds up what was
sent behind it. Gateway → replica is HTTP, a request of its own for each call and poll: there a loss
is a relayed call that never arrives (the gateway only logs it) or a poll that fails (the gateway
polls again), and calls can overtake each other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from icws_explore.protocol.constants import NS_PER_MS, POLL_INTERVAL_MS
from icws_explore.protocol.errors import LabError

from .delays import Delay, DelayLike, delay

MAX_RETRANSMITS: Final = 8  # TCP gives a connection up at about then; the delay stays there


@dataclass(frozen=True, slots=True)
class Network:
    """Delays are milliseconds one way, or a distribution (see delays): a number, a pair (low, high), a Delay.

    ``client_latency_ms``: client ⇄ gateway. ``replica_latency_ms``: gateway ⇄ replica.
    ``update_latency_ms``: from a call's arrival at the replica to its execution (mainnet takes one to
    two seconds, a local replica some hundred milliseconds). ``poll_interval_ms``: the gateway's.
    ``loss``: probability from 0 to 1, of a packet on the WebSocket, a relayed call, and a poll alike;
    ``packet_loss``, ``call_loss`` and ``poll_loss`` set one of them apart. ``ordered``: a session's calls
    are executed in the order in which the gateway relayed them, as in the lab; False: as the real
    gateway, which relays each from a task of its own, so that varying latencies swap them.
    Raises LabError.
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
                raise LabError(f"{name} is a probability from 0 to 1, not {value!r}")
        if self.poll_interval_ms < 1:
            raise LabError(f"poll_interval_ms is {self.poll_interval_ms}; it must be at least 1")
        if self.retransmit_ms < 0:
            raise LabError(f"retransmit_ms cannot be negative: {self.retransmit_ms!r}")

    @property
    def losses(self) -> tuple[float, float, float]:
        """The probabilities of losing a packet, a call and a poll."""
        one, two, three = (self.loss if p is None else p for p in (self.packet_loss, self.call_loss, self.poll_loss))
        return one, two, three

    def delay_of(self, name: str) -> Delay:
        """The distribution of one of the three delays."""
        return delay(getattr(self, name))


class Legs:
    """Draws what each crossing of a hop takes. Every user has dice of its own, so that nobody disturbs another's."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._client = network.delay_of("client_latency_ms")
        self._replica = network.delay_of("replica_latency_ms")
        self._update = network.delay_of("update_latency_ms")
        self._packet_loss, self._call_loss, self._poll_loss = network.losses
        self._retransmit_ns = round(network.retransmit_ms * NS_PER_MS)

    def client_ns(self, dice: random.Random) -> int:
        """One way between client and gateway, retransmissions included."""
        taken_ns = self._client.draw_ns(dice)
        if self._packet_loss:
            for attempt in range(MAX_RETRANSMITS):
                if dice.random() >= self._packet_loss:
                    break
                taken_ns += self._retransmit_ns << attempt
        return taken_ns

    def call_ns(self, dice: random.Random) -> int | None:
        """From the gateway to the replica; None: lost."""
        taken_ns = self._replica.draw_ns(dice)
        return None if self._call_loss and dice.random() < self._call_loss else taken_ns

    def update_ns(self, dice: random.Random) -> int:
        """From arrival to execution."""
        return self._update.draw_ns(dice)

    def poll_ns(self, dice: random.Random) -> tuple[int, int, bool]:
        """To the replica, back to the gateway, and whether the poll fails."""
        there_ns, back_ns = self._replica.draw_ns(dice), self._replica.draw_ns(dice)
        return there_ns, back_ns, bool(self._poll_loss) and dice.random() < self._poll_loss

    @property
    def fixed_poll_ns(self) -> tuple[int, int] | None:
        """There and back, if that is always the same and no poll fails; else None."""
        fixed_ms = self._replica.fixed_ms
        if fixed_ms is None or self._poll_loss:
            return None
        fixed_ns = round(fixed_ms * NS_PER_MS)
        return fixed_ns, fixed_ns
