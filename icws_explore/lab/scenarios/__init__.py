"""Scenarios: each row of the catalogue of misbehaviours, made to happen."""

from __future__ import annotations

from . import (  # noqa: F401  # each registers its own     acks,     contents,     ends,     faulty_canisters,     lying_gateways,     opening,     order,     settings,     together,
    acks,
    contents,
    opening,
    order,
    settings,
    together,
)
from . import (
    canisters as faulty_canisters,
)
from . import (
    gateways as lying_gateways,
)
from . import (
    sessions as ends,
)
from .plan import ClientPlan, Plan
from .registry import SCENARIOS, Scenario, scenario

__all__ = ["SCENARIOS", "ClientPlan", "Plan", "Scenario", "scenario"]
