"""Scenarios: each row of the catalogue of misbehaviours, made to happen."""

from __future__ import annotations

from . import canisters, contents, gateways, opening, order, sessions  # noqa: F401  # each registers its own
from .plan import ClientPlan, Plan
from .registry import SCENARIOS, Scenario, scenario

__all__ = ["SCENARIOS", "ClientPlan", "Plan", "Scenario", "scenario"]
