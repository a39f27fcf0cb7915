"""The doctor: from a recording alone, what is wrong with a dapp, the evidence, and what to change.

The ids are those of the catalogue of misbehaviours. Most recordings hold only what passed on the WebSocket,
and since gateway 1.0.5 the results of calls are never forwarded, so that most rules detect an absence.
Where a tap has recorded what the network answered, too, its own words decide.
"""

from __future__ import annotations

from .diagnose import Examination, diagnose, examine
from .finding import Finding, Findings, Severity
from .registry import RULES, Rule

__all__ = ["RULES", "Examination", "Finding", "Findings", "Rule", "Severity", "diagnose", "examine"]
