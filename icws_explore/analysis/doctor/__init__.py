"""The doctor: what is wrong with a dapp, by a recording alone, with the evidence and what to change.

The ids of findings are those of the catalogue of misbehaviours. Most recordings hold only the WebSocket, and
since gateway 1.0.5 the results of calls are never forwarded, so most rules detect that something is missing.
If a tap has recorded what the network answered, its own words decide.
"""

from __future__ import annotations

from .diagnose import Examination, diagnose, examine
from .finding import Finding, Findings, LeftOut, Severity, Unchecked
from .registry import RULES, Rule

__all__ = [
    "RULES",
    "Examination",
    "Finding",
    "Findings",
    "LeftOut",
    "Rule",
    "Severity",
    "Unchecked",
    "diagnose",
    "examine",
]
