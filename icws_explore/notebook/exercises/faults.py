"""Self-checking exercises on who notices a fault, and how. As in `exercises`, a check says whether, and where to look.

A check computes its answer from the recording, or runs the learner's own gateway in the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, Frame
from icws_explore.lab.scenarios import scenario
from icws_explore.lab.scenarios.faults import Downward
from icws_explore.lab.simulator import Simulation, simulate
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.verify import MESSAGE_STEPS
from icws_explore.views.source import RecordingLike, capture_of

from . import Check

_TOLD: Final = {
    "client": f"it closes with {CloseCode.CLOSED_BY_SDK} of its own accord",
    "canister": "its CloseMessage comes first, and the client's close only follows",
    "nobody": "no side ends it for an error",
}
PARTIES: Final = tuple(_TOLD)

_DOTS = "put your answer in the place of the three dots: "
_ACK_TIMEOUT: Final = "Ack message timeout"


def case() -> Simulation:
    """A session whose end the learner has not seen, for `check_named`."""
    return scenario("ACK_INTERVAL_MISMATCH").run(7)


def check_caught_at(recording: RecordingLike, answer: Any) -> Check:
    """At which step does the walk over the first message that fails come to its end?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the name of a step, as text")
    if answer not in MESSAGE_STEPS:
        return Check(False, f"a step is one of {', '.join(MESSAGE_STEPS)}")
    failure = next((v.failure for v in verify_capture(capture_of(recording)) if v.failure is not None), None)
    if failure is None:
        return Check(False, "in this recording every message passes every step")
    if answer == failure.step:
        return Check(True, failure.detail)
    if MESSAGE_STEPS.index(answer) < MESSAGE_STEPS.index(failure.step):
        return Check(False, "what that step compares was not touched: go further down the list")
    return Check(False, "the walk does not get that far: what does an earlier step compare?")


def check_noticed_by(recording: RecordingLike, answer: Any) -> Check:
    """Who ended the session because something was wrong: "client", "canister" or "nobody"?"""
    if answer is ...:
        return Check(None, f"{_DOTS}one of {', '.join(map(repr, PARTIES))}")
    if answer not in PARTIES:
        return Check(False, f"one of {', '.join(map(repr, PARTIES))}")
    capture = capture_of(recording)
    close = _close(capture)
    noticer = _noticer(capture, close)
    if answer == noticer:
        return Check(True, _TOLD[noticer])
    if noticer == "nobody":
        return Check(False, "with which code did the session end, and is that an error?")
    if answer == "nobody":
        return Check(False, "look at the last frames: is that how a session ends that is content?")
    return Check(False, "who said so first? look at what was received right before the close")


def check_closed_with(recording: RecordingLike, answer: Any) -> Check:
    """With which code and reason, (code, "reason"), does the client close?"""
    if answer is ...:
        return Check(None, f'{_DOTS}a code and a reason, such as (1000, "done")')
    close = _close(capture_of(recording))
    if close is None:
        return Check(False, "in this recording nobody closes")
    if not isinstance(answer, (list, tuple)) or len(answer) != 2:
        return Check(False, 'the answer is a code and a reason, such as (1000, "done")')
    code, reason = answer
    if code != close.code:
        return Check(False, "that is not the code; which one does the SDK use for whatever it finds wrong?")
    if reason == close.reason:
        return Check(True, f"{close.code}, {close.reason}")
    if reason == _ACK_TIMEOUT:
        return Check(False, "that would be so if nothing noticed before the timer ran out; but numbers are missing")
    return Check(False, "the code is right; the reason is what the client was doing when it noticed, word by word")


def check_named(recording: RecordingLike, answer: Any) -> Check:
    """What is the first finding of the doctor (its id)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}an id of the catalogue, as text")
    findings = diagnose(capture_of(recording))
    if not findings:
        return Check(False, "the doctor finds nothing in this recording")
    if answer == findings[0].id:
        return Check(True, "by its symptoms alone; the doctor would have said the same")
    if isinstance(answer, str) and answer and answer in findings[0].explanation:
        return Check(False, "it looks the same from here, yes; what does not fit is what else is known of this session")
    return Check(False, "which step fails, or what is missing? when did which timer run out, and what was configured?")


def check_ack_timeout(answer: Any) -> Check:
    """Does a gateway that does ``answer(number, data)`` make the client close for want of acks?

    ``answer`` gives the list of frames that it passes on in the place of canister message ``number``
    (from 1, the OpenMessage). What it raises is passed on.
    """
    if answer is ...:
        return Check(None, f"{_DOTS}a function of a number and bytes that gives a list of bytes")
    if not callable(answer):
        return Check(False, "the answer is a function of a number and bytes that gives a list of bytes")
    capture = simulate("echo", duration="8m", seed=7, faults=Downward(_checked(answer))).raw
    close = _close(capture)
    if close is not None and close.code == CloseCode.CLOSED_BY_SDK and close.reason == _ACK_TIMEOUT:
        return Check(True, f"after {close.t - capture.frames[0].t:.0f} s: {close.reason}")
    if close is None or close.code != CloseCode.CLOSED_BY_SDK:
        return Check(False, "the client noticed nothing: are its acks really gone?")
    return Check(False, f"the client closes all right, but with {close.reason!r}: it noticed something else before")


def _checked(change: Callable[[int, bytes], Any]) -> Callable[[int, bytes], list[bytes]]:
    def checked(number: int, data: bytes) -> list[bytes]:
        frames = change(number, data)
        if not isinstance(frames, list) or not all(isinstance(each, bytes) for each in frames):
            raise TypeError(f"a list of bytes is to be passed on, not {frames!r:.80}")
        return frames

    return checked


def _close(capture: Capture) -> Frame | None:
    """The first close: what a peer answers to it tells nothing more."""
    return next((frame for frame in capture.frames if frame.op == "close"), None)


def _noticer(capture: Capture, close: Frame | None) -> str:
    if any(decoded.kind == "close" for decoded in decode_frames(capture)):
        return "canister"
    return "client" if close is not None and close.code == CloseCode.CLOSED_BY_SDK else "nobody"
