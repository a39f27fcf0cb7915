"""From a capture to what a report says of it: read once, verified, diagnosed, and only then redacted.

A report without what is private: what was judged stays, what it was judged from goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.doctor import Findings, diagnose
from icws_explore.analysis.doctor.facts import CaptureFacts
from icws_explore.analysis.envelopes import EnvelopeVerdict, capture_canister, check_frames
from icws_explore.analysis.network_calls import network_calls
from icws_explore.analysis.recording import Summary, summarise
from icws_explore.analysis.redaction.pseudonyms import Pseudonyms
from icws_explore.analysis.redaction.redact import (
    private_texts,
    public_call,
    public_capture,
    public_line,
    public_steps,
    without_bytes,
    without_words,
)
from icws_explore.analysis.redaction.words import Scrubber, public_key, public_method, without_credentials
from icws_explore.analysis.replay.replay import replay_sessions
from icws_explore.analysis.replay.text import replay_lines
from icws_explore.analysis.timing.timing import Timing
from icws_explore.analysis.verify import MessageVerdict, verify_frames
from icws_explore.capture import Capture
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

from ..facts import Subject, capture_of
from ..rows import one_line
from .contents import Answer, Contents, Privacy, session_contents
from .environment import made_with, recorded_facts
from .limits import limit_rows, pace_facts


def gather(
    subject: Subject,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
    privacy: Privacy = "shown",
) -> Contents:
    """Read, verify and diagnose a capture. ``root_key`` (DER) and ``canister_id`` override the capture's.

    Where neither names a root key, one that the doctor knows is taken if the first messages are certified under it.
    ``privacy`` "redacted" withholds what `analysis.redaction` says, after all is judged; "anonymous" gives
    principals other names besides.
    """
    given = capture_of(subject)
    capture = Capture(given.info, list(given.frames), list(given.notes))  # a live session goes on appending
    capture = public_capture(capture) if privacy != "shown" else _without_credentials(capture)
    decoded = list(shared_frames(capture))
    key = CaptureFacts(capture, root_key=root_key, frames=decoded).root_key  # as the doctor has it
    calls = network_calls(capture) if capture.http else []
    frames = decoded if privacy == "shown" else [without_words(each) for each in decoded]
    unverified = _why_unverified(capture, key)
    verdicts: list[MessageVerdict] = []
    if key is not None and not unverified:
        verdicts = list(verify_frames(frames, capture, root_key=key, canister_id=canister_id))
    findings = diagnose(capture, root_key=key, canister_id=canister_id, frames=frames)
    summary = summarise(frames, verdicts)
    timing = Timing(capture, frames=frames)
    contents = Contents(
        title=one_line(title or f"IC WebSocket session, {capture.info.canister_id or 'canister not known'}"),
        answer=_answer(summary, findings, unverified),
        capture=capture,
        frames=frames,
        sessions=session_contents(frames, findings),
        summary=summary,
        findings=findings,
        verdicts=verdicts,
        requests=_requests(capture, frames, key, canister_id),
        calls=calls,
        timing=timing,
        unverified=unverified,
        replay=_replay(capture, key, canister_id, verdicts),
        limits=limit_rows(timing),
        pace=pace_facts(timing),
        recorded=recorded_facts(capture, key),
        made_with=made_with(),
        privacy=privacy,
    )
    return contents if privacy == "shown" else redacted(contents, private_texts(decoded, calls))


def _without_credentials(capture: Capture) -> Capture:
    info = capture.info
    gateway, network = (url and without_credentials(url) for url in (info.gateway_url, info.network_url))
    capture.info = replace(info, gateway_url=gateway, network_url=network)
    capture.notes[:] = map(without_credentials, capture.notes)
    return capture


def _replay(
    capture: Capture, key: bytes | None, canister_id: Principal | None, verdicts: Sequence[MessageVerdict]
) -> list[str]:
    """What the real client and gateway would have done; nothing where no proof was ever meant to hold."""
    if capture.info.crypto != "real":
        return []
    return replay_lines(replay_sessions(capture, root_key=key, canister_id=canister_id, verdicts=verdicts))


def _why_unverified(capture: Capture, root_key: bytes | None) -> str:
    if capture.info.crypto != "real":
        return f"nothing was verified: simulated with {capture.info.crypto} cryptography, so that no signature is one"
    if root_key is None:
        return "nothing was verified: the capture names no root key, none was given, and none that is known fits"
    return ""


def _requests(
    capture: Capture, frames: Sequence[DecodedFrame], key: bytes | None, canister_id: Principal | None
) -> list[EnvelopeVerdict]:
    if capture.info.crypto != "real":
        return []
    return list(check_frames(frames, root_key=key, canister_id=canister_id or capture_canister(capture)))


def _answer(summary: Summary, findings: Findings, unverified: str) -> Answer:
    """The report in a line."""
    errors = list(dict.fromkeys(finding.id for finding in findings if finding.severity == "error"))
    warnings = list(dict.fromkeys(finding.id for finding in findings if finding.severity == "warning"))
    if errors:
        return f"✗ {', '.join(errors)}", "bad"
    bad = summary.certificates - summary.certificates_valid
    if summary.malformed or bad:
        wrong = [f"{summary.malformed} frames do not decode"] if summary.malformed else []
        wrong += [f"{bad} of {summary.certificates} canister messages do not verify"] if bad else []
        return f"✗ {', '.join(wrong)}; no rule of the doctor names a cause", "bad"
    if warnings:
        return f"! {', '.join(warnings)}", "note"
    if unverified:
        return f"– {unverified}", "note"
    if not summary.certificates:
        return "– the canister sent nothing that could be verified", "note"
    return f"✓ nothing is wrong: every frame decodes, and all {summary.certificates} canister messages verify", "good"


def redacted(contents: Contents, private: Iterable[str]) -> Contents:
    """All is judged, so that nothing private is needed any more. ``private`` are texts that a finding may quote."""
    lines = Scrubber([*(finding.explanation for finding in contents.findings), *contents.replay])
    for text in private if contents.findings or contents.replay else ():
        lines.feed(text)
    names = Pseudonyms.of(contents.frames, contents.capture.info.canister_id)
    name = names.apply if contents.privacy == "anonymous" else str  # before a view cuts a principal in two
    frames = [without_bytes(replace(each, summary=name(each.summary))) for each in contents.frames]
    canister = contents.capture.info.canister_id
    info = replace(contents.capture.info, canister_id=canister and name(canister))
    spared = [name(public_line(lines.line(number))) for number in range(len(lines))]
    findings = [replace(it, explanation=line) for it, line in zip(contents.findings, spared, strict=False)]
    return replace(
        contents,
        capture=Capture(info, [each.frame for each in frames], contents.capture.notes),
        frames=frames,
        sessions=session_contents(frames, findings),
        findings=Findings(findings),
        replay=spared[len(findings) :],
        verdicts=[replace(it, key=name(public_key(it.key)), steps=_steps(it, name)) for it in contents.verdicts],
        requests=[replace(it, method=public_method(it.method), steps=_steps(it, name)) for it in contents.requests],
        calls=[replace(call, text=name(call.text)) for call in map(public_call, contents.calls)],
        names=names if contents.privacy == "anonymous" else None,
    )


def _steps(verdict: MessageVerdict | EnvelopeVerdict, name: Callable[[str], str]) -> tuple[Step, ...]:
    return tuple(
        replace(step, detail=name(step.detail), expected=_named(step.expected, name), actual=_named(step.actual, name))
        for step in public_steps(verdict.steps)
    )


def _named(side: bytes | str | None, name: Callable[[str], str]) -> str | None:
    return name(side) if isinstance(side, str) else None
