"""The canister's side of IC WebSocket: a model of the CDK, applications on it, and a host that runs canisters.

**What it models.** `WebSocketCdk` is the CDK 0.4.1 for Rust, with the differences of the Motoko CDK 0.4.1
as a switch (`CdkConfig.flavour`): replies and traps, the order and the bytes of messages, certified data
and witnesses, both timers. `App` is an application on the CDK. `CanisterHost` is the part of a replica that
runs one canister: calls, timers, rollback, certified data.

**How it is driven.** Calls and instants (ns since the epoch) go in, outcomes come out. ``certify`` turns the
certified data into the bytes of a certificate::

    host = CanisterHost(canister_id, certify=certificate_of_data)
    host.install(app.factory(), now_ns=now_ns)
    outcome = host.update("ws_open", arg, caller=client, now_ns=now_ns)
    outcome = host.query("ws_get_messages", arg, caller=gateway, now_ns=now_ns)
    runs = host.advance(host.next_timer_ns)  # the next timer is due

**Outcomes.** A `Reply` has the Candid of the reply, a `Reject` the reject code and the texts of the replica.
`advance` lists the timers that went off. Arguments and replies: `protocol.arguments`.

**Deadlines.** Call ``advance`` at ``next_timer_ns``; None means that no timer is set. Late is allowed: every
call first runs the timers that are due.

**What it does not do.** It signs nothing, has no consensus and no ingress, and does not count cycles or
instructions. `docs/canister_side.py` describes a client's life as a table; the CDK does not run by it.

**Errors.** Whatever goes wrong inside a canister becomes a Reject. ArgumentValueError is for a
configuration that no CDK accepts.
"""

from __future__ import annotations

from .app import App, AppCanister, AppContext, AppMethod
from .cdk import WebSocketCdk
from .config import CdkConfig, Flavour, Handlers
from .host import CanisterHost, TimerRun, canister_not_found
from .interface import candid_interface
from .system_api import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    DESTINATION_INVALID,
    SYSTEM_TRANSIENT,
    CallRejected,
    CanisterCode,
    CanisterFactory,
    Inspecting,
    MethodNotFound,
    Outcome,
    Reject,
    Reply,
    SystemApi,
    Trap,
    Upgradable,
)

__all__ = [
    "CANISTER_ERROR",
    "CANISTER_REJECT",
    "DESTINATION_INVALID",
    "SYSTEM_TRANSIENT",
    "App",
    "AppCanister",
    "AppContext",
    "AppMethod",
    "CallRejected",
    "CanisterCode",
    "CanisterFactory",
    "CanisterHost",
    "CdkConfig",
    "Flavour",
    "Handlers",
    "Inspecting",
    "MethodNotFound",
    "Outcome",
    "Reject",
    "Reply",
    "SystemApi",
    "TimerRun",
    "Trap",
    "Upgradable",
    "WebSocketCdk",
    "candid_interface",
    "canister_not_found",
]
