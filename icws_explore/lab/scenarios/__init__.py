"""Scenarios: each problem of the doctor's catalogue that a recording can show, reproduced on purpose."""

from __future__ import annotations

from . import (  # noqa: F401  # importing a module registers its scenarios
    acks,
    canisters,
    connections,
    contents,
    custom_clients,
    gateways,
    network_side,
    opening,
)
from .plan import ClientPlan, Plan
from .registry import SCENARIOS, Scenario, scenario

__all__ = ["SCENARIOS", "ClientPlan", "Plan", "Scenario", "scenario"]
