"""How a session of the real SDK ended, and what the doctor says of such ends."""

from __future__ import annotations

import re

from icws_explore.analysis.doctor import Finding
from icws_explore.capture import Frame

from .sdk_faults import Played, Told


def ended(told: Told) -> tuple[int, str] | None:
    """The SDK's own close where it made one, else what its onclose got."""
    return told.closing or told.onclose


def foretold(finding: Finding) -> list[tuple[int, str]]:
    """The ends that a finding speaks of: close(4000, "why"), or onclose with a code."""
    closes = re.findall(r'close\((\d+), "([^"]+)"\)', finding.sdk_behaviour)
    codes = re.findall(r"onclose (?:with|gets) (?:code )?(\d+)", finding.sdk_behaviour)
    return [(int(code), reason) for code, reason in closes] + [(int(code), "") for code in codes]


def on_the_wire(run: Played, client: int) -> list[tuple[str, int, str]]:
    """The closes that the tap has recorded of a session: direction, code (1005: none) and reason."""
    session = run.session(client)
    closes = [frame for frame in run.capture.frames if frame.session == session and frame.op == "close"]
    return [said(frame) for frame in closes]


def said(frame: Frame) -> tuple[str, int, str]:
    return frame.direction, frame.code or 1005, frame.reason or ""
