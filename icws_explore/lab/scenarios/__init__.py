"""Scenarios: each row of the catalogue of misbehaviours, made to happen."""

from __future__ import annotations

from .simulated_only import SCENARIOS, Scenario, scenario

__all__ = ["SCENARIOS", "Scenario", "scenario"]
