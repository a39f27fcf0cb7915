"""A report without what is private: what was judged stays, what it was judged from goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from icws_explore.analysis.doctor import Findings
from icws_explore.analysis.envelopes import EnvelopeVerdict
from icws_explore.analysis.redaction.pseudonyms import Pseudonyms
from icws_explore.analysis.redaction.redact import public_call, public_line, public_steps, without_bytes
from icws_explore.analysis.redaction.scrub import Scrubber
from icws_explore.analysis.redaction.words import public_key, public_method
from icws_explore.analysis.verify import MessageVerdict
from icws_explore.capture import Capture
from icws_explore.protocol.steps import Step

from .contents import Contents, session_contents


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
