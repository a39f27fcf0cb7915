"""Diagnosing what a test wrote."""

from __future__ import annotations

from icws_explore.analysis.doctor import Finding, diagnose
from icws_explore.capture import Capture
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript


def ids(it: Capture | SessionScript) -> tuple[str, ...]:
    return diagnose(it.capture if isinstance(it, SessionScript) else it).ids


def the_one(it: Capture | SessionScript | str) -> Finding:
    """The only finding; of a scenario, the one that it is named by."""
    if isinstance(it, str):
        return next(each for each in diagnose(SCENARIOS[it]()) if each.id == it)
    (finding,) = diagnose(it.capture if isinstance(it, SessionScript) else it)
    return finding


def loud(capture: Capture) -> tuple[str, ...]:
    """The ids of what is wrong, each once; what is only told does not count."""
    return tuple(dict.fromkeys(it.id for it in diagnose(capture) if it.severity != "info"))
