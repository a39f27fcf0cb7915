"""The lab: a small Internet Computer with IC WebSocket gateways on loopback, with faults on request."""

from __future__ import annotations

from .canister import CanisterView, ClientView, LabCanister
from .faults import Faults, RelayFaults
from .gateway.gateway import GatewayServer
from .lab import Lab
from .log import LabEvent
from .process import ProcessLab

__all__ = [
    "CanisterView",
    "ClientView",
    "Faults",
    "GatewayServer",
    "Lab",
    "LabCanister",
    "LabEvent",
    "ProcessLab",
    "RelayFaults",
]
