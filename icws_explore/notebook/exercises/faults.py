"""Self-checking exercises on who notices a fault, and how.

A check computes its answer from the recording, or runs the learner's gateway in the simulator.
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
    "client": f"it closes with {CloseCode.CLOSED_BY_SDK}, and the canister sent no CloseMessage",
    "canister": "its CloseMessage comes first, and the client's close follows",
    "nobody": "neither side ends it because of an error",
}
PARTIES: Final = tuple(_TOLD)

_DOTS = "replace the three dots with your answer: "
_ACK_TIMEOUT: Final = "Ack message timeout"


def case() -> Simulation:
    """Return a session whose end the learner has not seen, for `check_named`."""
    return scenario("ACK_INTERVAL_MISMATCH").run(7)


def check_caught_at(recording: RecordingLike, answer: Any) -> Check:
    """At which step does the verification of the first invalid message fail?"""
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
        return Check(False, "nothing that this step compares was changed: look further down the list")
    return Check(False, "verification fails before this step: what does an earlier step compare?")


def check_noticed_by(recording: RecordingLike, answer: Any) -> Check:
    """Who ended the session because something was wrong: "client", "canister" or "nobody"?"""
    if answer is ...:
        return Check(None, f"{_DOTS}one of {', '.join(map(repr, PARTIES))}")
    if answer not in PARTIES:
        return Check(False, f"one of {', '.join(map(repr, PARTIES))}")
    capture = capture_of(recording)
    close = close_of(capture)
    right = noticer(capture, close)
    if answer == right:
        return Check(True, _TOLD[right])
    if right == "nobody":
        return Check(False, "with which code did the session end, and does this code mean an error?")
    if answer == "nobody":
        return Check(False, "look at the last frames: does a session without an error end like this?")
    return Check(False, "which party noticed first? look at what was received right before the close")


def check_closed_with(recording: RecordingLike, answer: Any) -> Check:
    """With which code and reason does the client close? The answer is a tuple such as (1000, "done")."""
    if answer is ...:
        return Check(None, f'{_DOTS}a code and a reason, such as (1000, "done")')
    close = close_of(capture_of(recording))
    if close is None:
        return Check(False, "no party closes in this recording")
    if not isinstance(answer, (list, tuple)) or len(answer) != 2:
        return Check(False, 'the answer is a code and a reason, such as (1000, "done")')
    code, reason = answer
    if code != close.code:
        return Check(False, "the code is wrong: which code does the SDK use for every error?")
    if reason == close.reason:
        return Check(True, f"{close.code}, {close.reason}")
    if reason == _ACK_TIMEOUT:
        return Check(
            False,
            "the client would say this if it noticed nothing before the time-out, but sequence numbers are missing",
        )
    return Check(
        False, "the code is right; the reason is the SDK's text for what it was doing when it noticed the error"
    )


def check_named(recording: RecordingLike, answer: Any) -> Check:
    """What is the id of the doctor's first finding?"""
    if answer is ...:
        return Check(None, f"{_DOTS}an id of the catalogue, as text")
    findings = diagnose(capture_of(recording))
    if not findings:
        return Check(False, "the doctor finds nothing in this recording")
    if answer == findings[0].id:
        return Check(True, "the doctor finds the same")
    if isinstance(answer, str) and answer and answer in findings[0].explanation:
        return Check(False, "this cause has the same symptoms, but it does not fit the other facts about this session")
    return Check(False, "which step fails, or what is missing? which time-out passed, when, and what was configured?")


def check_ack_timeout(answer: Any) -> Check:
    """Does the client of a gateway that does ``answer(number, data)`` close because acks are missing?

    ``answer`` returns the list of frames (bytes) that the gateway relays in place of canister message ``number``. The
    OpenMessage has number 1. An exception of ``answer`` is raised.
    """
    if answer is ...:
        return Check(None, f"{_DOTS}write a function of a number and bytes that gives a list of bytes")
    if not callable(answer):
        return Check(False, "the answer is a function of a number and bytes that gives a list of bytes")
    capture = simulate("echo", duration="8m", seed=7, faults=Downward(checked_relay(answer))).raw
    close = close_of(capture)
    if close is not None and close.code == CloseCode.CLOSED_BY_SDK and close.reason == _ACK_TIMEOUT:
        return Check(True, f"after {close.t - capture.frames[0].t:.0f} s: {close.reason}")
    if close is None or close.code != CloseCode.CLOSED_BY_SDK:
        return Check(False, "the client noticed nothing: does your gateway drop its acks?")
    return Check(False, f"the client closes, but with {close.reason!r}: it noticed another fault first")


def checked_relay(change: Callable[[int, bytes], Any]) -> Callable[[int, bytes], list[bytes]]:
    """Return the learner's gateway, which raises TypeError if it returns anything but a list of bytes."""

    def checked(number: int, data: bytes) -> list[bytes]:
        frames = change(number, data)
        if not isinstance(frames, list) or not all(isinstance(each, bytes) for each in frames):
            raise TypeError(f"the gateway must relay a list of bytes, not {frames!r:.80}")
        return frames

    return checked


def close_of(capture: Capture) -> Frame | None:
    """Return the first close of a recording, or None. A peer's answer to it adds nothing."""
    return next((frame for frame in capture.frames if frame.op == "close"), None)


def noticer(capture: Capture, close: Frame | None) -> str:
    """Return which party ended the session because something was wrong: one of `PARTIES`."""
    if any(decoded.kind == "close" for decoded in decode_frames(capture)):
        return "canister"
    return "client" if close is not None and close.code == CloseCode.CLOSED_BY_SDK else "nobody"
