"""`EventLog`: what happens in a simulation, noted as cheaply as possible; `truth` evaluates it afterwards.

Times are true time in nanoseconds since the epoch, whatever the parts' own clocks show.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from icws_explore.protocol.messages import ClientKey


@dataclass(slots=True)
class CallRecord:
    """One relayed call. ``fate`` is "accepted" or the error text of a refusal, and "" until it is executed."""

    relayed_ns: int
    arrived_ns: int | None = None
    executed_ns: int | None = None
    fate: str = ""


@dataclass(slots=True)
class EventLog:
    """Append-only lists. Sessions are numbered from 0."""

    sent: list[tuple[int, int, bytes]] = field(default_factory=list)  # session, time, the client's frame
    calls: dict[bytes, CallRecord] = field(default_factory=dict)  # by request id
    lost: list[tuple[int, bytes]] = field(default_factory=list)  # time relayed, the envelope
    queued: list[tuple[int, str, ClientKey, bytes]] = field(default_factory=list)  # time, key, recipient, content
    polled: list[tuple[int, bytes]] = field(default_factory=list)  # time at the gateway, the frame for the client
    received: list[tuple[int, int, bytes]] = field(default_factory=list)  # session, time, the frame
