"""The client's state machine: ic-websocket-js 0.5.0 without its socket, its clock and its timers.

**What it models.** One session of one client, from the open WebSocket to its end: the handshake,
ws_open, the verification of every canister message, sequence numbers, acks and keep-alives, both
time-outs, and every way in which the SDK closes, with its codes, reasons and error texts. Version:
ic-websocket-js 0.5.0 with @dfinity/agent 2.4.1.

**How it is driven.** Frames and instants (ns since the epoch) go in, events come out. Each call
returns its events in the order in which they happen, and is complete when it returns::

    config = ClientConfig(canister_id, root_key)
    machine = ClientMachine(config, identity, entropy=os.urandom)
    events = machine.connected(now_ns)           # the WebSocket is open
    events = machine.receive(frame, now_ns)      # bytes, or str for a text frame
    events = machine.send(candid_bytes, now_ns)  # needs an open session
    events = machine.tick(machine.deadline_ns)   # the next time-out is due
    events = machine.close(now_ns)
    events = machine.connection_lost(1006, "", now_ns)

**Events out.** Carry out `SendFrame` and `CloseConnection` on the socket, in order. The
others are news: `Opened`, `MessageReceived`, `Verified` (with every step of the check), `Failed` and so on.

**Deadlines.** Call ``tick`` at ``deadline_ns``; None means that no timer runs. Late is allowed: every
call first fires what was due by then, each time-out at its own instant.

**The table.** Every change of state is a row of `table.TRANSITIONS`; guards and actions are methods of
`session.ClientSession`. ``taken`` are the rows of the last call.

**What it does not do.** It opens no socket, reads no clock, fetches no root key (`set_root_key`) and
does not reconnect (nor does the SDK). The SDK signs asynchronously, so that a keep-alive can overtake
a message, and it queues frames while it verifies one; here every call is complete when it returns.

**Errors.** What the peer does wrong becomes events. Exceptions are for misuse: StateError for ``send``
before the session is open, ArgumentTypeError for content that is not bytes, IdentityError for an
identity without a key.
"""

from __future__ import annotations

from .events import (
    AckReceived,
    CanisterClosed,
    ClientEvent,
    CloseConnection,
    ConnectionClosed,
    Failed,
    HandshakeReceived,
    KeepAliveSent,
    Logged,
    MessageReceived,
    Opened,
    SendFrame,
    Verified,
)
from .machine import ClientConfig, ClientMachine
from .states import ClientState

__all__ = [
    "AckReceived",
    "CanisterClosed",
    "ClientConfig",
    "ClientEvent",
    "ClientMachine",
    "ClientState",
    "CloseConnection",
    "ConnectionClosed",
    "Failed",
    "HandshakeReceived",
    "KeepAliveSent",
    "Logged",
    "MessageReceived",
    "Opened",
    "SendFrame",
    "Verified",
]
