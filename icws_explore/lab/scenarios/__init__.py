"""Scenarios: each problem of the doctor's catalogue that a recording can show, reproduced on purpose."""

from __future__ import annotations

from . import acks, canisters, contents, gateways, opening  # noqa: F401  # importing a module registers its scenarios
from .plan import ClientPlan, Plan
from .registry import SCENARIOS, Scenario, scenario

__all__ = ["SCENARIOS", "ClientPlan", "Plan", "Scenario", "scenario"]
