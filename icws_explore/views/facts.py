"""Facts: names and values that head the views of a recording, a session or a lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from icws_explore.analysis.order import out_of_order
from icws_explore.analysis.recording import Summary
from icws_explore.capture import Capture

from .formatting import all_of, count, duration, one_line, seconds

if TYPE_CHECKING:
    from icws_explore.analysis.replay.replay import Replay
    from icws_explore.lab import Lab

NO_END: Final = "still open at the end of the recording"
_MAX_NUMBERS: Final = 8  # frames that are listed out of time order

Weight = Literal["", "good", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Fact:
    """``weight`` is "bad" for what is wrong, "note" for what a reader must not miss, "good" for a passed check."""

    name: str
    value: str
    weight: Weight = ""


def recording_facts(capture: Capture) -> list[Fact]:
    """Origin, size, clock and addresses of a recording, and notes on what could not be read."""
    info = capture.info
    sessions = len(capture.session_ids)
    many = f" in {count(sessions, 'session')}" if sessions > 1 else ""
    facts = [
        Fact("recording", f"{info.origin}, {count(len(capture), 'frame')}{many}, {seconds(capture.duration_s)} s"),
        Fact("clock", clock_text(capture), "" if info.clock.kind == "real" else "note"),
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
    return [*facts, *order_facts(capture), *(Fact("note", one_line(note), "bad") for note in capture.notes)]


def order_facts(capture: Capture, *, are_drawn: bool = True) -> list[Fact]:
    """A fact that names the frames whose times contradict their order; none where times only go forward.

    ``are_drawn`` is False for a view that counts these times, instead of leaving them out of a time axis.
    """
    misplaced = out_of_order(capture)
    if not misplaced:
        return []
    text = order_text(misplaced) if are_drawn else f"{_order(misplaced)}; what is computed from such a time is wrong"
    return [Fact("time order", text, "bad")]


def order_text(misplaced: Sequence[int]) -> str:
    """Which frames have times that contradict their order in the recording, in one sentence."""
    return f"{_order(misplaced)}; time axes leave {'it' if len(misplaced) == 1 else 'them'} out"


def _order(misplaced: Sequence[int]) -> str:
    shown = ", ".join(map(str, misplaced[:_MAX_NUMBERS])) + (", …" if len(misplaced) > _MAX_NUMBERS else "")
    has = "has a time" if len(misplaced) == 1 else "have times"
    return f"{count(len(misplaced), 'frame')} ({shown}) {has} out of order"


def clock_text(capture: Capture) -> str:
    """The clock that the frames' times are on, and how long the recording took in real time."""
    clock = capture.info.clock
    if clock.kind == "scaled":
        real = duration(capture.duration_s / clock.scale)
        return f"scaled × {clock.scale:g}: times are protocol seconds; the recording took {real} of real time"
    if clock.kind == "virtual":
        return "virtual: times are those of a simulation"
    return "real"


def lab_facts(lab: Lab) -> list[Fact]:
    """A lab as `Lab.describe` describes it."""
    notes = {"running": not lab.running, "clock": lab.clock.scale != 1}
    return [Fact(name, one_line(value), "note" if notes.get(name) else "") for name, value in lab.describe()]


def summary_facts(summary: Summary) -> list[Fact]:
    """What happened in a session, counted."""
    latency = "" if summary.open_latency_s is None else f", {duration(summary.open_latency_s)} after the request"
    malformed = f"{count(summary.malformed, 'frame')} {'does' if summary.malformed == 1 else 'do'} not decode"
    return [
        Fact("opened", f"yes{latency}" if summary.opened else "no", "" if summary.opened else "bad"),
        Fact("messages", f"{summary.sent} sent, {summary.received} received"),
        Fact("acks", f"{summary.acks} received"),
        Fact("keep-alives", f"{summary.keep_alives} sent"),
        _certificates(summary),
        *([Fact("malformed", malformed, "bad")] if summary.malformed else []),
        Fact("ended", NO_END if summary.ended is None else one_line(summary.ended)),
        Fact("duration", f"{seconds(summary.duration_s)} s"),
    ]


def _certificates(summary: Summary) -> Fact:
    total, valid = summary.certificates, summary.certificates_valid
    if not total:
        return Fact("certificates", "not checked: there is no canister message, or no root key", "note")
    if valid == total:
        return Fact("certificates", f"{all_of(total, 'canister message')} verified", "good")
    return Fact("certificates", f"only {valid} of {count(total, 'canister message')} verified", "bad")


def replay_facts(replays: Sequence[Replay]) -> list[Fact]:
    """How the real client and gateway would have continued each session, and where a party did something else."""
    from icws_explore.analysis.replay.text import Replays, replay_lines

    agree = all(replay.agrees for replay in replays)
    lines = replay_lines(replays) or [repr(Replays(replays))]
    return [Fact("replay", one_line(line), "" if agree else "note") for line in lines]
