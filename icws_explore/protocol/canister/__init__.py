"""The canister side of IC WebSocket: the CDK's behaviour, and a host that runs canisters.

`WebSocketCdk` is the CDK, `App` an application on it, `CanisterHost` the replica around one canister.
"""

from __future__ import annotations

from .app import App, AppCanister, AppContext
from .cdk import WebSocketCdk
from .config import CdkConfig, Flavour, Handlers
from .host import CANISTER_ERROR, CANISTER_REJECT, CanisterHost, Outcome, Reject, Reply, TimerRun
from .interface import candid_interface
from .system_api import CanisterCode, CanisterFactory, MethodNotFound, SystemApi, Trap

__all__ = [
    "CANISTER_ERROR",
    "CANISTER_REJECT",
    "App",
    "AppCanister",
    "AppContext",
    "CanisterCode",
    "CanisterFactory",
    "CanisterHost",
    "CdkConfig",
    "Flavour",
    "Handlers",
    "MethodNotFound",
    "Outcome",
    "Reject",
    "Reply",
    "SystemApi",
    "TimerRun",
    "Trap",
    "WebSocketCdk",
    "candid_interface",
]
