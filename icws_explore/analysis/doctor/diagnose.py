"""From a recording to its findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from icws_explore.capture import Capture
from icws_explore.capture.files import collector_paused
from icws_explore.protocol.principal import Principal

from ..decode import DecodedFrame
from ..replay.replay import Replay, replay_sessions
from . import rules  # noqa: F401  # importing it registers them
from .facts import CaptureFacts
from .finding import SEVERITIES, Findings
from .registry import RULES, absorb, merge
from .unchecked import unchecked


def diagnose(
    capture: Capture,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    known_root_keys: Iterable[bytes] = (),
    frames: Sequence[DecodedFrame] | None = None,
) -> Findings:
    """What is wrong in a recording: the worst first, then in the order of the frames.

    ``root_key`` (DER) and ``canister_id`` override what the recording says. If no root key is given, recorded or
    known to fit, signatures of certificates are not checked; the rest of each proof is. ``known_root_keys`` (DER;
    mainnet's is always among them) tell a wrong root key from a forged certificate. ``frames`` are the recording's
    decoded frames, if there are any already. Never raises for the contents of the recording.
    """
    return _findings(
        CaptureFacts(
            capture, root_key=root_key, canister_id=canister_id, known_root_keys=known_root_keys, frames=frames
        )
    )


class Examination(NamedTuple):
    """The findings, and what the real SDK would have done in each session (empty for simulated cryptography)."""

    findings: Findings
    replays: list[Replay]


def examine(capture: Capture, *, root_key: bytes | None = None, canister_id: Principal | None = None) -> Examination:
    """`diagnose` and a replay of each session; everything is decoded and verified only once."""
    facts = CaptureFacts(capture, root_key=root_key, canister_id=canister_id)
    findings = _findings(facts)
    if not facts.has_real_crypto:
        return Examination(findings, [])
    key = facts.root_key
    verdicts = () if key is None else facts.verdicts.values()
    replays = replay_sessions(
        capture,
        root_key=key,
        canister_id=canister_id,
        verdicts=verdicts,
        sessions=[session.name for session in facts.sessions],
    )
    return Examination(findings, replays)


def _findings(facts: CaptureFacts) -> Findings:
    with collector_paused():
        found = absorb(finding for rule in RULES.values() for finding in rule.findings(facts))
    ordered = sorted(merge(found), key=lambda finding: (SEVERITIES.index(finding.severity), finding.frames, finding.id))
    return Findings(ordered, unchecked=unchecked(facts), left_out=facts.left_out, capture=facts.capture)
