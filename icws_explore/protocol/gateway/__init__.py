"""The gateway's state machine: ic-websocket-gateway 1.4.6 without its sockets, its agent and its clock.

**What it models.** One gateway with any number of sessions and canisters, and one poller for each
canister that has clients: the handshake, the relaying of envelopes to the replica and of polled
messages to clients, when it polls and how it follows nonces, which errors it survives, and how every
session ends. Version: ic-websocket-gateway 1.4.6.

**How it is driven.** Frames, outcomes of calls and instants (ns since the epoch) go in, events come
out, in the order in which they happen::

    machine = GatewayMachine(principal)
    events = machine.session_opened("client 1")          # a WebSocket connected
    events = machine.frame_received("client 1", "binary", data, now_ns)
    events = machine.poll_result(canister_id, Replied(arg), now_ns, ticket)
    events = machine.call_result(call, None, now_ns)     # a call has ended
    events = machine.tick(machine.deadline_ns)           # a poll is due or late
    events = machine.session_closed("client 1", now_ns)  # the connection broke

**Events out.** Carry out `SendToClient`, `DropClient`, `RelayCall`, `Poll` and `CallClose`;
`Log` is a line of the gateway's log. Report the outcome of a Poll with its ticket.

**Deadlines.** Call ``tick`` at ``deadline_ns``; None means that nothing is polled. Late is allowed.

**The tables.** Sessions follow `table.SESSION_TRANSITIONS`, pollers `poller.POLLER_TRANSITIONS`.

**What it does not do.** It answers no WebSocket pings (that is the socket's part). It does not fix the
order in which relayed calls arrive: the real gateway relays each from a task of its own. It has no
bounded channel between poller and sessions; in the real one a slow client can block all others
(SLOW_CLIENT_STALL in the list of misbehaviours).

**Errors.** What clients and canisters do wrong becomes events. StateError is for misuse: a session id
that is in use, a poller that does not run. ArgumentValueError is for a wrong configuration.
"""

from __future__ import annotations

from .events import (
    AgentFailed,
    CallClose,
    DropClient,
    GatewayEvent,
    Log,
    Poll,
    PollOutcome,
    Rejected,
    RelayCall,
    Replied,
    SendToClient,
)
from .machine import GatewayConfig, GatewayMachine

__all__ = [
    "AgentFailed",
    "CallClose",
    "DropClient",
    "GatewayConfig",
    "GatewayEvent",
    "GatewayMachine",
    "Log",
    "Poll",
    "PollOutcome",
    "Rejected",
    "RelayCall",
    "Replied",
    "SendToClient",
]
