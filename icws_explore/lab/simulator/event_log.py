"""What happens in a simulation, noted as it happens in the cheapest form; `truth` makes sense of it afterwards.

Times are true time in nanoseconds since the epoch, whatever the parts' own clocks say.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from icws_explore.protocol.messages import ClientKey


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
