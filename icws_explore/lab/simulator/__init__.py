"""The discrete-event simulator: the machines of the live parts on a simulated network, under a virtual clock."""

from __future__ import annotations

from .conditions import Network
from .delays import Constant, Delay, Exponential, LogNormal, Sampled, Uniform
from .scripts import Chat, Echo, Pong, Script
from .simulation import Simulation, simulate
from .truth import MessageTruth, SessionTruth, Truth

__all__ = [
    "Chat",
    "Constant",
    "Delay",
    "Echo",
    "Exponential",
    "LogNormal",
    "MessageTruth",
    "Network",
    "Pong",
    "Sampled",
    "Script",
    "SessionTruth",
    "Simulation",
    "Truth",
    "Uniform",
    "simulate",
]
