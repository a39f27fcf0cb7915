"""From a capture to its findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from icws_explore.capture import Capture
from icws_explore.protocol.principal import Principal

from ..decode import DecodedFrame
from ..replay.replay import Replay, replay_sessions
from . import rules  # noqa: F401  # registers them
from .facts import CaptureFacts
from .finding import SEVERITIES, Findings
from .registry import RULES, absorb, merge


def diagnose(
    capture: Capture,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    known_root_keys: Iterable[bytes] = (),
    frames: Sequence[DecodedFrame] | None = None,
) -> Findings:
    """What is wrong, the worst first and in the order of the frames; empty for a healthy capture.

    ``root_key`` (DER) and ``canister_id`` override what the capture says; without any root key that fits no
    signature of a certificate is judged, and the rest of the proofs is. ``known_root_keys`` (DER; mainnet's
    is always among them) tell a wrong root key from a forged certificate. ``frames`` are the capture's,
    where they are decoded already. Never raises for what is in the capture.
    """
    return _findings(
        CaptureFacts(
            capture, root_key=root_key, canister_id=canister_id, known_root_keys=known_root_keys, frames=frames
        )
    )


class Examination(NamedTuple):
    """What is wrong, and what the real SDK would have done in each session (none where no proof can hold)."""

    findings: Findings
    replays: list[Replay]


def examine(capture: Capture, *, root_key: bytes | None = None, canister_id: Principal | None = None) -> Examination:
    """`diagnose` and a replay of each session, over one decoding and one verification."""
    facts = CaptureFacts(capture, root_key=root_key, canister_id=canister_id)
    findings = _findings(facts)
    if not facts.is_judged:
        return Examination(findings, [])
    key = facts.root_key
    verdicts = () if key is None else facts.verdicts.values()
    return Examination(findings, replay_sessions(capture, root_key=key, canister_id=canister_id, verdicts=verdicts))


def _findings(facts: CaptureFacts) -> Findings:
    found = absorb(finding for rule in RULES.values() for finding in rule.findings(facts))
    return Findings(sorted(merge(found), key=lambda it: (SEVERITIES.index(it.severity), it.frames, it.id)))
