"""The discrete-event simulator: the protocol's state machines on a simulated network, under a virtual clock."""

from __future__ import annotations

from .conditions import NetworkConditions
from .delays import Constant, Delay, Exponential, LogNormal, Sampled, Uniform
from .population import Population
from .scripts import Chat, Echo, Pong, Script, ScriptedClient, Talker
from .simulation import CanisterSettings, Simulation, simulate
from .truth import MessageTruth, SessionTruth, Truth

__all__ = [
    "CanisterSettings",
    "Chat",
    "Constant",
    "Delay",
    "Echo",
    "Exponential",
    "LogNormal",
    "MessageTruth",
    "NetworkConditions",
    "Pong",
    "Population",
    "Sampled",
    "Script",
    "ScriptedClient",
    "SessionTruth",
    "Simulation",
    "Talker",
    "Truth",
    "Uniform",
    "simulate",
]
