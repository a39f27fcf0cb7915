"""How recordings, sessions, frames and verdicts show themselves in IPython.

The rooms below know nothing of views, so IPython is told by name which function draws which class.
Nothing is imported until something is shown; outside IPython nothing happens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from icws_explore.analysis.decode import DecodedFrame
    from icws_explore.analysis.doctor import Finding
    from icws_explore.analysis.edit import Seen
    from icws_explore.analysis.recording import Summary
    from icws_explore.lab import Lab
    from icws_explore.live.session import Session

    from .facts import Subject
    from .html import View
    from .steps import Verdict

# Where a class lives, its name, and which of the functions below draws it.
_DRAWN: Final = (
    ("icws_explore.capture.capture", "Capture", "draw_capture"),
    ("icws_explore.analysis.recording", "Recording", "draw_capture"),
    ("icws_explore.live.session", "Session", "draw_session"),
    ("icws_explore.analysis.decode", "DecodedFrame", "draw_frame"),
    ("icws_explore.analysis.verify", "MessageVerdict", "draw_verdict"),
    ("icws_explore.analysis.verify", "Verdicts", "draw_verdicts"),
    ("icws_explore.analysis.envelopes", "EnvelopeVerdict", "draw_verdict"),
    ("icws_explore.analysis.envelopes", "EnvelopeVerdicts", "draw_verdicts"),
    ("icws_explore.analysis.edit", "Seen", "draw_seen"),
    ("icws_explore.analysis.recording", "Summary", "draw_summary"),
    ("icws_explore.analysis.doctor.finding", "Findings", "draw_findings"),
    ("icws_explore.lab.lab", "Lab", "draw_lab"),
)


def install() -> bool:
    """Register the views with the running IPython. True where there is one; more often than once is harmless."""
    shell = _shell()
    if shell is None:
        return False
    formatters = shell.display_formatter.formatters
    for module, name, drawing in _DRAWN:
        formatters["text/html"].for_type_by_name(module, name, _html_of(drawing))
        formatters["text/plain"].for_type_by_name(module, name, _text_of(drawing))
    return True


def _shell() -> Any:
    """IPython's shell, without importing IPython where nobody has."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _html_of(drawing: str) -> Callable[[Any], str]:
    return lambda subject: _draw(drawing, subject).html


def _text_of(drawing: str) -> Callable[[Any, Any, bool], None]:
    return lambda subject, printer, _cycle: printer.text(_draw(drawing, subject).text)


def _draw(drawing: str, subject: Any) -> View:
    function: Callable[[Any], View] = globals()[drawing]
    return function(subject)


def draw_capture(subject: Subject) -> View:
    from .html import capture_view

    return capture_view(subject)


def draw_session(session: Session) -> View:
    """The session's capture so far, under the state it is in."""
    from .facts import Fact
    from .html import capture_view

    ended = "" if session.close_code is None else f", closed {session.close_code} {session.close_reason}".rstrip()
    return capture_view(session.recording, before=[Fact("session", f"{session.state}{ended}")])


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
    """What became of a changed frame: the walk over it; in a line where there is nothing to walk over."""
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
    from .html import summary_view

    return summary_view(summary)


def draw_findings(findings: Sequence[Finding]) -> View:
    from .findings import findings_view

    return findings_view(findings)


def draw_lab(lab: Lab) -> View:
    """What runs where, and how fast its clock goes."""
    from .facts import Fact, lab_facts
    from .html import facts_view

    return facts_view(lab_facts(lab) if lab.running else [Fact("lab", "not running: call start()", "note")])
