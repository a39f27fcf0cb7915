"""Diagnosing what a test wrote."""

from __future__ import annotations

from icws_explore.analysis.doctor import Finding, diagnose
from icws_explore.capture import Capture
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript


def ids(source: Capture | SessionScript) -> tuple[str, ...]:
    return diagnose(source.capture if isinstance(source, SessionScript) else source).ids


def the_one(source: Capture | SessionScript | str) -> Finding:
    """The only finding; of a scenario, the one that it is named by."""
    if isinstance(source, str):
        return next(each for each in diagnose(SCENARIOS[source]()) if each.id == source)
    (finding,) = diagnose(source.capture if isinstance(source, SessionScript) else source)
    return finding


def loud(capture: Capture) -> tuple[str, ...]:
    """The ids of what is wrong, each once; what is only told does not count."""
    return tuple(dict.fromkeys(finding.id for finding in diagnose(capture) if finding.severity != "info"))
