"""What was configured and what happened, each in a line: the head of every view of a capture.

What a view takes: a stored capture, or a recording around one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from icws_explore.analysis.recording import Recording, Summary
from icws_explore.capture import Capture

from .rows import one_line, seconds

if TYPE_CHECKING:
    from icws_explore.lab import Lab


Subject: TypeAlias = Capture | Recording


def capture_of(subject: Subject) -> Capture:
    """The stored capture, to which a live session may still be appending."""
    return subject.raw if isinstance(subject, Recording) else subject


NO_END: Final = "open, as far as recorded"  # a HAR does not say


@dataclass(frozen=True, slots=True)
class Fact:
    """``weight`` is "bad" for what is wrong, "note" for what a reader must not miss, else ""."""

    name: str
    value: str
    weight: str = ""


def capture_facts(capture: Capture) -> list[Fact]:
    """Where a capture comes from, under which clock, and what of it could not be read."""
    info = capture.info
    sessions = len(capture.session_ids)
    many = f" in {sessions} sessions" if sessions > 1 else ""
    facts = [
        Fact("capture", f"{info.origin}, {len(capture)} frames{many}, {seconds(capture.duration_s)} s"),
        Fact("clock", clock_note(capture), "" if info.clock.kind == "real" else "note"),
    ]
    for name, value in (
        ("gateway", info.gateway_url),
        ("network", info.network_url),
        ("canister", info.canister_id),
        ("client", info.client_principal),
        ("started", info.started_at),
    ):
        if value is not None:
            facts.append(Fact(name, one_line(value)))
    return facts + [Fact("note", one_line(note), "bad") for note in capture.notes]


def clock_note(capture: Capture) -> str:
    """What one second of the capture's times was on the wall."""
    clock = capture.info.clock
    if clock.kind == "scaled":
        real = capture.duration_s / clock.scale
        return f"scaled × {clock.scale:g}: times are protocol seconds; this took {seconds(real)} s on the wall"
    if clock.kind == "virtual":
        return "virtual: times are those of a simulation"
    return "real"


def lab_facts(lab: Lab) -> list[Fact]:
    """A running lab: its addresses, its times, and how fast its clock goes."""
    scale = lab.clock.scale
    clock = "real" if scale == 1 else f"scaled × {scale:g}: {60 / scale:g} s on the wall are a minute of the protocol"
    return [
        Fact("lab", "running"),
        Fact("clock", clock, "" if scale == 1 else "note"),
        Fact("gateway", lab.gateway_url),
        Fact("network", lab.network_url),
        Fact("canister", str(lab.canister_id)),
        Fact("acks", f"every {lab.ack_interval_ms / 1000:g} s"),
        Fact("keep-alives", f"within {lab.keep_alive_timeout_ms / 1000:g} s"),
    ]


def summary_facts(summary: Summary) -> list[Fact]:
    """A session in numbers."""
    latency = "" if summary.open_latency_s is None else f", {seconds(summary.open_latency_s)} s after it asked"
    malformed = Fact("malformed", f"{summary.malformed} frames do not decode", "bad")
    return [
        Fact("opened", f"yes{latency}" if summary.opened else "no", "" if summary.opened else "bad"),
        Fact("messages", f"{summary.sent} sent, {summary.received} received"),
        Fact("acks", f"{summary.acks} received"),
        Fact("keep-alives", f"{summary.keep_alives} sent"),
        _certificates(summary),
        *([malformed] if summary.malformed else []),
        Fact("ended", NO_END if summary.ended is None else one_line(summary.ended)),
        Fact("duration", f"{seconds(summary.duration_s)} s"),
    ]


def _certificates(summary: Summary) -> Fact:
    total, valid = summary.certificates, summary.certificates_valid
    if not total:
        return Fact("certificates", "none judged: no message, or no root key")
    if valid == total:
        return Fact("certificates", f"all {total} canister messages verify")
    return Fact("certificates", f"only {valid} of {total} canister messages verify", "bad")
