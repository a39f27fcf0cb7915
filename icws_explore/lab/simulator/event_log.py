"""What happens in a simulation, noted as it happens in the cheapest form; `truth` makes sense of it afterwards.

Times are true time in nanoseconds since the epoch, whatever the parts' own clocks say.

A simulation in numbers, counted while it ran: decoding a hundred thousand frames again would take longer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from icws_explore.protocol.client.events import AckReceived, KeepAliveSent, MessageReceived, SendFrame
from icws_explore.protocol.messages import ClientKey

if TYPE_CHECKING:
    from .world import World


@dataclass(slots=True)
class CallTrail:
    """One relayed call on its way. ``fate`` is "accepted", "lost", or the words of who refused it; "" on the way."""

    relayed_ns: int
    arrived_ns: int | None = None
    executed_ns: int | None = None
    fate: str = ""


@dataclass(slots=True)
class Trail:
    """Append-only lists. Sessions and gateways are numbers from 0."""

    sent: list[tuple[int, int, bytes]] = field(default_factory=list)  # session, when, the client's frame
    calls: dict[bytes, CallTrail] = field(default_factory=dict)  # by request id
    lost: list[tuple[int, bytes]] = field(default_factory=list)  # when relayed, the envelope
    queued: list[tuple[int, str, ClientKey, bytes]] = field(default_factory=list)  # when, key, for whom, content
    polled: list[tuple[int, bytes]] = field(default_factory=list)  # when at the gateway, the frame for the client
    received: list[tuple[int, int, bytes]] = field(default_factory=list)  # session, when, the frame


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """Over all sessions. ``sent`` and ``received`` are application messages; ``ended`` counts sessions by how they
    ended ("open": not at all). ``skipped_polls`` were idle and only counted. Durations in seconds of virtual time.
    """

    frames: int
    sessions: int
    opened: int
    sent: int
    received: int
    acks: int
    keep_alives: int
    ended: dict[str, int]
    duration_s: float
    events: int
    skipped_polls: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def summary_of(world: World) -> SimulationSummary:
    """What has happened in ``world`` so far."""
    total: Counter[type] = Counter()
    for client in world.clients:
        total.update(client.counts)
    requests = sum(client.machine.gateway_principal is not None for client in world.clients)
    ends = Counter(_end(client.close_code, client.close_reason) for client in world.clients)
    times = [frame.t for frame in world.frames]
    return SimulationSummary(
        frames=len(world.frames),
        sessions=len(world.clients),
        opened=sum(client.opened_ns is not None for client in world.clients),
        sent=total[SendFrame] - total[KeepAliveSent] - requests,
        received=total[MessageReceived],
        acks=total[AckReceived],
        keep_alives=total[KeepAliveSent],
        ended=dict(sorted(ends.items())),
        duration_s=round(max(times) - min(times), 9) if times else 0.0,
        events=world.timeline.events,
        skipped_polls=sum(gateway.polling.skipped for gateway in world.gateways),
    )


def _end(code: int | None, reason: str) -> str:
    return "open" if code is None else f"{code} {reason}".strip()
