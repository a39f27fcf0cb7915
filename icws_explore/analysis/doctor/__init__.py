"""The doctor: from a recording alone, what is wrong with a dapp, the evidence, and what to change.

The ids are those of the catalogue of misbehaviours. Rules see only what passed on the WebSocket: since
gateway 1.0.5 the results of calls are never forwarded, so that most of them detect an absence.
"""

from __future__ import annotations

from .diagnose import Examination, diagnose, examine
from .finding import Finding, Findings, Severity
from .registry import RULES, Rule

__all__ = ["RULES", "Examination", "Finding", "Findings", "Rule", "Severity", "diagnose", "examine"]
