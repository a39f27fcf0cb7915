"""What a report says, gathered once: the HTML page and the Markdown text are two ways of writing it down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from icws_explore.analysis.decode import DecodedFrame, decode_frames
from icws_explore.analysis.doctor import Finding, Findings, diagnose
from icws_explore.analysis.envelopes import EnvelopeVerdict, capture_canister, check_frames
from icws_explore.analysis.network_calls import NetworkCall, network_calls
from icws_explore.analysis.pseudonyms import Pseudonyms
from icws_explore.analysis.public_words import public_key, public_method, without_credentials
from icws_explore.analysis.redact import (
    private_texts,
    public_call,
    public_capture,
    public_line,
    public_steps,
    without_bytes,
    without_words,
)
from icws_explore.analysis.scrub import Scrubber
from icws_explore.analysis.table import Summary, summarise
from icws_explore.analysis.timing import Timing
from icws_explore.analysis.verify import MessageVerdict, verify_frames
from icws_explore.capture import Capture
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

from .facts import Fact
from .report_environment import made_with, recorded_facts
from .report_limits import LimitRow, limit_rows, pace_facts
from .rows import one_line
from .subject import Subject, capture_of

MAX_SESSIONS: Final = 3  # whose sequence and figures are shown: those that a finding is about, else the first ones

# "redacted" is without payloads and other private words, "anonymous" without principals as well.
Privacy = Literal["shown", "redacted", "anonymous"]
Answer = tuple[str, str]  # one line, and its weight: good, note, bad


@dataclass(frozen=True, slots=True)
class SessionContents:
    """One session: its frames, its numbers, and which findings are about it."""

    name: str | None
    frames: Sequence[DecodedFrame]
    summary: Summary
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """``capture`` is what the figures are drawn from. ``unverified`` says why nothing was verified; "" if it was."""

    title: str
    answer: Answer
    capture: Capture
    frames: Sequence[DecodedFrame]
    sessions: Sequence[SessionContents]
    summary: Summary
    findings: Findings
    verdicts: Sequence[MessageVerdict]
    requests: Sequence[EnvelopeVerdict]
    calls: Sequence[NetworkCall]
    timing: Timing
    unverified: str
    limits: Sequence[LimitRow]
    pace: Sequence[Fact]
    recorded: Sequence[Fact]
    made_with: Sequence[Fact]
    privacy: Privacy = "shown"
    names: Pseudonyms | None = None

    def published(self, text: str) -> str:
        """A finished page or text as it may leave: with principals under other names, where that is asked."""
        return text if self.names is None else self.names.apply(text)

    @property
    def withheld(self) -> str:
        """What the reader does not see, in a line; "" where nothing is withheld."""
        if self.privacy == "shown":
            return ""
        names = "; principals are under other names" if self.privacy == "anonymous" else ""
        return (
            "application messages are shown by type and size, bytes by their number; hashes, words that are not the "
            f"protocol's own, and parts of URLs are left out{names}. All was judged before."
        )

    @property
    def start(self) -> float:
        """The first frame's time, in seconds since the epoch."""
        return self.frames[0].frame.t if self.frames else 0.0

    @property
    def evidence(self) -> list[int]:
        """The frames that findings name, those of the worst finding first."""
        return list(dict.fromkeys(number for finding in self.findings for number in finding.frames))

    @property
    def in_detail(self) -> list[SessionContents]:
        """The sessions to show in full."""
        return sorted(self.sessions, key=lambda session: not session.findings)[:MAX_SESSIONS]

    @property
    def checks(self) -> list[Fact]:
        """Verification in numbers: how many proofs and requests hold, and which steps fail how often."""
        if self.unverified:
            return [Fact("canister messages", self.unverified, "note"), *_checked("client's requests", self.requests)]
        return [*_checked("canister messages", self.verdicts), *_checked("client's requests", self.requests)]


def gather(
    subject: Subject,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
    privacy: Privacy = "shown",
) -> Contents:
    """Read, verify and diagnose a capture. ``root_key`` (DER) and ``canister_id`` override the capture's.

    ``privacy`` "redacted" withholds what `analysis.redact` says, after all is judged; "anonymous" gives
    principals other names besides.
    """
    given = capture_of(subject)
    capture = Capture(given.info, list(given.frames), list(given.notes))  # a live session goes on appending
    capture = public_capture(capture) if privacy != "shown" else _without_credentials(capture)
    key = capture.info.root_key if root_key is None else root_key
    decoded = list(decode_frames(capture))
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
        sessions=_sessions(frames, findings),
        summary=summary,
        findings=findings,
        verdicts=verdicts,
        requests=_requests(capture, frames, key, canister_id),
        calls=calls,
        timing=timing,
        unverified=unverified,
        limits=limit_rows(timing),
        pace=pace_facts(timing),
        recorded=recorded_facts(capture, key),
        made_with=made_with(),
        privacy=privacy,
    )
    return contents if privacy == "shown" else _redacted(contents, list(private_texts(decoded, calls)))


def _redacted(contents: Contents, private: Sequence[str]) -> Contents:
    """All is judged: now nothing private is needed any more."""
    explained = Scrubber([public_line(finding.explanation) for finding in contents.findings])
    for text in private:
        explained.feed(text)
    names = Pseudonyms.of(contents.frames, contents.capture.info.canister_id)
    name = names.apply if contents.privacy == "anonymous" else str  # before a view cuts a principal in two
    frames = [without_bytes(replace(each, summary=name(each.summary))) for each in contents.frames]
    canister = contents.capture.info.canister_id
    info = replace(contents.capture.info, canister_id=canister and name(canister))
    findings = [replace(it, explanation=name(explained.line(number))) for number, it in enumerate(contents.findings)]
    return replace(
        contents,
        capture=Capture(info, [each.frame for each in frames], contents.capture.notes),
        frames=frames,
        sessions=_sessions(frames, findings),
        findings=Findings(findings),
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


def _without_credentials(capture: Capture) -> Capture:
    info = capture.info
    gateway, network = without_credentials(info.gateway_url), without_credentials(info.network_url)
    capture.info = replace(info, gateway_url=gateway, network_url=network)
    return capture


def _why_unverified(capture: Capture, root_key: bytes | None) -> str:
    if capture.info.crypto != "real":
        return f"nothing was verified: simulated with {capture.info.crypto} cryptography, so that no signature is one"
    if root_key is None:
        return "nothing was verified: the capture names no root key, and none was given"
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


def _sessions(frames: Sequence[DecodedFrame], findings: Sequence[Finding]) -> list[SessionContents]:
    by_name: dict[str | None, list[DecodedFrame]] = {}
    for decoded in frames:
        if not decoded.frame.is_http:
            by_name.setdefault(decoded.frame.session, []).append(decoded)
    named: dict[str | None, list[str]] = {}
    for finding in findings:
        for session in finding.sessions:
            named.setdefault(session, []).append(finding.id)
    return [SessionContents(name, mine, summarise(mine), tuple(named.get(name, ()))) for name, mine in by_name.items()]


def _checked(what: str, verdicts: Sequence[MessageVerdict] | Sequence[EnvelopeVerdict]) -> list[Fact]:
    if not verdicts:
        return []
    valid = sum(verdict.ok for verdict in verdicts)
    failing = Counter(verdict.failure.step for verdict in verdicts if verdict.failure is not None)
    unjudged = len(verdicts) - valid - failing.total()
    parts = [f"{valid} of {len(verdicts)} hold"]
    parts += [f"{count} fail at {step}" for step, count in failing.most_common()]
    parts += [f"{unjudged} not judged"] if unjudged else []
    return [Fact(what, ", ".join(parts), "bad" if failing else "note" if unjudged else "")]
