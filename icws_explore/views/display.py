"""How the objects of the rooms below show themselves in IPython.

Those rooms know nothing of views. IPython is told by name which function draws which class, so nothing is
imported until something is shown, and outside IPython nothing happens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

    from icws_explore.analysis.compare import Comparison
    from icws_explore.analysis.decode import DecodedFrame
    from icws_explore.analysis.doctor import Finding
    from icws_explore.analysis.edit import Seen
    from icws_explore.analysis.recording import Summary
    from icws_explore.analysis.replay.replay import Replay
    from icws_explore.analysis.timing.timing import Timing
    from icws_explore.lab import Lab
    from icws_explore.live.session import Session
    from icws_explore.live.tap import Tap

    from .html import View
    from .source import RecordingLike
    from .steps import Verdict

# The module of a class, its name, and the function below that draws it.
_DRAWN: Final = (
    ("icws_explore.capture.capture", "Capture", "draw_recording"),
    ("icws_explore.analysis.recording", "Recording", "draw_recording"),
    ("icws_explore.live.session", "Session", "draw_session"),
    ("icws_explore.live.tap", "Tap", "draw_tap"),
    ("icws_explore.analysis.decode", "DecodedFrame", "draw_frame"),
    ("icws_explore.analysis.verify", "MessageVerdict", "draw_verdict"),
    ("icws_explore.analysis.verify", "Verdicts", "draw_verdicts"),
    ("icws_explore.analysis.envelopes", "EnvelopeVerdict", "draw_verdict"),
    ("icws_explore.analysis.envelopes", "EnvelopeVerdicts", "draw_verdicts"),
    ("icws_explore.analysis.edit", "Seen", "draw_seen"),
    ("icws_explore.analysis.recording", "Summary", "draw_summary"),
    ("icws_explore.analysis.table", "Table", "draw_table"),
    ("icws_explore.analysis.timing.timing", "Timing", "draw_timing"),
    ("icws_explore.analysis.replay.replay", "Replay", "draw_replay"),
    ("icws_explore.analysis.replay.text", "Replays", "draw_replays"),
    ("icws_explore.analysis.doctor.finding", "Finding", "draw_finding"),
    ("icws_explore.analysis.doctor.finding", "Findings", "draw_findings"),
    ("icws_explore.analysis.compare.comparison", "Comparison", "draw_comparison"),
    ("icws_explore.lab.lab", "Lab", "draw_lab"),
)


def install() -> bool:
    """Register the views with the running IPython. True if there is one. It may be called again."""
    shell = _shell()
    if shell is None:
        return False
    formatters = shell.display_formatter.formatters
    for module, name, drawing in _DRAWN:
        formatters["text/html"].for_type_by_name(module, name, _html_of(drawing))
        formatters["text/plain"].for_type_by_name(module, name, _text_of(drawing))
    return True


def _shell() -> Any:
    """IPython's shell. IPython is not imported for this."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _html_of(drawing: str) -> Callable[[Any], str]:
    return lambda subject: _draw(drawing, subject).html


def _text_of(drawing: str) -> Callable[[Any, Any, bool], None]:
    return lambda subject, printer, _cycle: printer.text(_draw(drawing, subject).text)


def _draw(drawing: str, subject: Any) -> View:
    function: Callable[[Any], View] = globals()[drawing]
    return function(subject)


def draw_recording(recording: RecordingLike) -> View:
    from .html import recording_view

    return recording_view(recording)


def draw_session(session: Session) -> View:
    """The state of a session and what it has recorded so far."""
    from .facts import Fact
    from .html import recording_view

    ended = "" if session.close_code is None else f" with {session.close_code} {session.close_reason}".rstrip()
    return recording_view(session.recording, before=[Fact("session", f"{session.state}{ended}")])


def draw_tap(tap: Tap) -> View:
    """The addresses of a tap and what it has recorded so far."""
    from icws_explore.protocol.errors import ConnectError

    from .facts import Fact
    from .html import recording_view

    try:
        facts = [Fact("tap", f"listens at {tap.url}, {tap.open_connections} open")]
        if tap.network_url is not None:
            facts.append(Fact("network tap", f"listens at {tap.network_url}"))
    except ConnectError:
        facts = [Fact("tap", "stopped")]
    return recording_view(tap.recording, before=facts)


def draw_frame(decoded: DecodedFrame) -> View:
    from .html import frame_view

    return frame_view(decoded)


def draw_verdict(verdict: Verdict) -> View:
    from .html import verdicts_view

    return verdicts_view([verdict])


def draw_verdicts(verdicts: Sequence[Verdict]) -> View:
    from .html import verdicts_view

    return verdicts_view(verdicts)


def draw_seen(seen: Seen) -> View:
    """What became of an edited frame: the steps of its verification, or one line if it has none."""
    from icws_explore.analysis.envelopes import EnvelopeVerdict
    from icws_explore.analysis.verify import MessageVerdict

    from .html import note_view, verdicts_view

    if not seen.steps:
        return note_view(str(seen), "note")
    message, envelope = seen.decoded.canister_message, seen.decoded.envelope
    if message is not None:
        return verdicts_view([MessageVerdict(seen.number, message.key, seen.steps)])
    method = None if envelope is None else envelope.method_name
    return verdicts_view([EnvelopeVerdict(seen.number, method, seen.steps)])


def draw_summary(summary: Summary) -> View:
    from .facts import summary_facts
    from .html import facts_view

    return facts_view(summary_facts(summary))


def draw_table(table: pd.DataFrame) -> View:
    from .tables import table_view

    return table_view(table)


def draw_timing(timing: Timing) -> View:
    """Every time-out against its limit, then the ack interval, the clocks and the latencies."""
    from .limits import timing_view

    return timing_view(timing)


def draw_replay(replay: Replay) -> View:
    return draw_replays([replay])


def draw_replays(replays: Sequence[Replay]) -> View:
    """How the real client and gateway would have continued each session."""
    from .facts import replay_facts
    from .html import facts_view

    return facts_view(replay_facts(replays))


def draw_finding(finding: Finding) -> View:
    from .findings import findings_view

    return findings_view([finding])


def draw_findings(findings: Sequence[Finding]) -> View:
    from .findings import findings_view

    return findings_view(findings)


def draw_comparison(comparison: Comparison) -> View:
    """Two recordings side by side, the first difference marked."""
    from .cards.comparison import comparison_view

    return comparison_view(comparison)


def draw_lab(lab: Lab) -> View:
    """The parts of a lab with their addresses, its clock and its time-outs."""
    from .facts import lab_facts
    from .html import facts_view

    return facts_view(lab_facts(lab))
