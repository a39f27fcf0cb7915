"""Gathers the contents of a report: decodes, verifies and diagnoses a recording, and only then redacts it.

Redaction keeps the findings, and removes payloads and other texts that may be private.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from icws_explore.analysis.decode import shared_frames
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
from icws_explore.analysis.redaction.words import Scrubber, public_key, public_method
from icws_explore.analysis.replay.replay import Replay, replay_sessions
from icws_explore.analysis.replay.text import replay_lines
from icws_explore.analysis.timing.timing import Timing
from icws_explore.analysis.verify import MessageVerdict, verify_frames
from icws_explore.capture import Capture
from icws_explore.capture.files import collector_paused
from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

from ..formatting import all_of, count, one_line
from ..limits import limit_rows, pace_facts
from ..source import RecordingLike, capture_of
from .contents import Answer, Contents, Privacy, session_contents
from .environment import made_with, recorded_facts


@collector_paused()
def gather(
    recording: RecordingLike,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
    privacy: Privacy = "shown",
) -> Contents:
    """Decode, verify and diagnose a recording. ``root_key`` (DER) and ``canister_id`` override the recording's.

    If neither names a root key, a key that the doctor knows is used if the first messages are certified under it.
    ``privacy`` "redacted" leaves out what ``analysis.redaction`` lists, after everything was checked; "anonymous" also
    replaces principals by other names.
    """
    given = capture_of(recording)  # a live session continues to append to it
    capture = Capture(given.info, list(given.frames), list(given.notes), given.page_calls)
    capture = public_capture(capture) if privacy != "shown" else _without_credentials(capture)
    decoded = list(shared_frames(capture))
    facts = CaptureFacts(capture, root_key=root_key, frames=decoded)
    key = facts.root_key  # the same one as the doctor uses
    calls = network_calls(capture) if capture.http else []
    every = decoded if privacy == "shown" else [without_words(each) for each in decoded]
    others = {socket.session for socket in facts.left_out}  # of other protocols: not in the report
    frames = [each for each in every if each.frame.is_http or each.frame.session not in others]
    is_real = capture.info.crypto == "real"
    unverified = _why_unverified(capture, key)
    verdicts: list[MessageVerdict] = []
    if key is not None and not unverified:
        verdicts = list(verify_frames(frames, capture, root_key=key, canister_id=canister_id))
    requests: list[EnvelopeVerdict] = []
    replays: list[Replay] = []
    if is_real:
        canister = canister_id or capture_canister(capture)
        requests = list(check_frames(frames, root_key=key, canister_id=canister))
        sessions = [session.name for session in facts.sessions]
        replays = replay_sessions(capture, root_key=key, canister_id=canister_id, verdicts=verdicts, sessions=sessions)
    findings = diagnose(capture, root_key=key, canister_id=canister_id, frames=every)
    if others:
        capture = Capture(capture.info, [each.frame for each in frames], capture.notes)
    summary = summarise(frames, verdicts)
    timing = Timing(capture, frames=frames)
    contents = Contents(
        title=one_line(title or f"IC WebSocket session, {capture.info.canister_id or 'unknown canister'}"),
        answer=_answer(summary, findings, unverified),
        capture=capture,
        frames=frames,
        sessions=session_contents(frames, findings),
        summary=summary,
        findings=findings,
        verdicts=verdicts,
        requests=requests,
        calls=calls,
        timing=timing,
        unverified=unverified,
        replay=replay_lines(replays),
        replay_agrees=all(replay.agrees for replay in replays),
        limits=limit_rows(timing),
        pace=pace_facts(timing),
        recorded=recorded_facts(capture, key),
        made_with=made_with(),
        privacy=privacy,
    )
    return contents if privacy == "shown" else redacted(contents, private_texts(decoded, calls))


def _without_credentials(capture: Capture) -> Capture:
    """The notes without credentials: the notes of a foreign file may quote URLs."""
    capture.notes[:] = map(without_credentials, capture.notes)
    return capture


def _why_unverified(capture: Capture, root_key: bytes | None) -> str:
    if capture.info.crypto != "real":
        return f"not checked: the simulation used {capture.info.crypto} cryptography, so its signatures are not real"
    if root_key is None:
        return "not checked: no root key is in the recording, none was given, and no known root key fits"
    return ""


def _answer(summary: Summary, findings: Findings, unverified: str) -> Answer:
    """The whole report in one line."""
    errors = list(dict.fromkeys(finding.id for finding in findings if finding.severity == "error"))
    warnings = list(dict.fromkeys(finding.id for finding in findings if finding.severity == "warning"))
    if errors:
        return f"✗ {', '.join(errors)}", "bad"
    bad = summary.certificates - summary.certificates_valid
    if summary.malformed or bad:
        do = "does" if summary.malformed == 1 else "do"
        wrong = [f"{count(summary.malformed, 'frame')} {do} not decode"] if summary.malformed else []
        wrong += [f"{bad} of {count(summary.certificates, 'canister message')} failed verification"] if bad else []
        return f"✗ {', '.join(wrong)}; the doctor has no rule for the cause", "bad"
    if warnings:
        return f"! {', '.join(warnings)}", "note"
    if unverified:
        return f"– {unverified}", "note"
    if not summary.certificates:
        return "– the canister sent no message that could be verified", "note"
    verified = f"{all_of(summary.certificates, 'canister message')} verified"
    if findings.unchecked:
        missing = f"{count(len(findings.unchecked), 'check')} could not be made"
        return f"– nothing wrong was found (every frame decodes, and {verified}), but {missing}", "note"
    return f"✓ nothing is wrong: every frame decodes, and {verified}", "good"


def redacted(contents: Contents, private: Iterable[str]) -> Contents:
    """The contents without payloads and private words. ``private`` are texts that a finding may quote."""
    lines = Scrubber([*(finding.explanation for finding in contents.findings), *contents.replay])
    for text in private if contents.findings or contents.replay else ():
        lines.feed(text)
    names = Pseudonyms.of(contents.frames, contents.capture.info.canister_id)
    name = names.apply if contents.privacy == "anonymous" else str  # before a view shortens a principal
    frames = [without_bytes(replace(each, summary=name(each.summary))) for each in contents.frames]
    canister = contents.capture.info.canister_id
    info = replace(contents.capture.info, canister_id=canister and name(canister))
    kept = [name(public_line(lines.line(number))) for number in range(len(lines))]
    findings = [replace(finding, explanation=line) for finding, line in zip(contents.findings, kept, strict=False)]
    return replace(
        contents,
        capture=Capture(info, [each.frame for each in frames], contents.capture.notes),
        frames=frames,
        sessions=session_contents(frames, findings),
        findings=Findings(
            findings,
            unchecked=[replace(each, why=name(public_line(each.why))) for each in contents.findings.unchecked],
            left_out=contents.findings.left_out,
        ),
        replay=kept[len(findings) :],
        verdicts=[
            replace(verdict, key=name(public_key(verdict.key)), steps=_steps(verdict, name))
            for verdict in contents.verdicts
        ],
        requests=[
            replace(verdict, method=public_method(verdict.method), steps=_steps(verdict, name))
            for verdict in contents.requests
        ],
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
