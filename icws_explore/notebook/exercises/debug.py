"""Self-checking exercises on finding a cause and its fix."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, Final

from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.doctor.configuration import check_did, check_intervals
from icws_explore.analysis.recording import Recording
from icws_explore.lab.scenarios.scripts import texts
from icws_explore.lab.simulator import Population, simulate
from icws_explore.protocol.errors import DidError
from icws_explore.views.source import RecordingLike, capture_of

from . import Check
from .programs import WRITE

_DOTS = "replace the three dots with your answer: "
REPEATED_S: Final = 2.0  # between two equal messages of a client that count as one order sent twice


def check_first_evidence(recording: RecordingLike, answer: Any) -> Check:
    """What is the number of the first frame that the doctor's first finding names?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the number of a frame")
    findings = diagnose(capture_of(recording))
    if not findings or not findings[0].frames:
        return Check(False, "the doctor finds nothing in this recording")
    first, *others = findings[0].frames
    if answer == first and not isinstance(answer, bool):
        return Check(True, findings[0].explanation)
    if answer in others:
        return Check(False, "the trouble shows here, but it began earlier")
    return Check(False, "go back from the last frame: which message of the client was the last that was answered?")


def check_client_interval(canister_ms: int, answer: Any) -> Check:
    """Which ack interval (ms) must a client have whose canister acks every ``canister_ms``?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of milliseconds")
    if isinstance(answer, bool) or not isinstance(answer, Integral) or answer <= 0:
        return Check(False, "the answer is a positive whole number of milliseconds")
    findings = check_intervals(send_ack_interval_ms=canister_ms, client_ack_interval_ms=int(answer))
    if not findings:
        return Check(True, "both sides use the same interval; the SDK itself adds 30 s for the latency")
    return Check(False, findings[0].sdk_behaviour)


def check_interface(answer: Any) -> Check:
    """Can the SDK use a canister with this .did?"""
    if answer is ...:
        return Check(None, f"{WRITE}the text of a .did")
    if not isinstance(answer, str):
        return Check(False, "the answer is the text of a .did")
    try:
        findings = check_did(answer)
    except DidError as error:
        return Check(False, str(error))
    if findings:
        return Check(False, findings[0].explanation)
    return Check(True, "the SDK reads the type of the application's messages from there")


def check_rule(answer: Any) -> Check:
    """Does ``answer(recording)`` return the frames in which a client repeats its last message within two seconds?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function of a recording that returns a list of frame numbers")
    if not callable(answer):
        return Check(False, "the answer is a function of a recording")
    for what, population in _orders():
        recording = simulate("echo", duration="2m", seed=8, population=population, crypto="stand-in")
        wanted = _repeated(recording)
        got = answer(recording)
        if not isinstance(got, (list, tuple, set)):
            return Check(False, f"a rule returns a list of frame numbers, not {type(got).__name__}")
        if sorted(got) == wanted:
            continue
        if not wanted:
            return Check(False, f"a false alarm for {what}: it names the frames {sorted(got)[:4]}")
        if not got:
            return Check(False, f"it finds nothing for {what}")
        return Check(False, f"for {what} it names {sorted(got)[:4]}, which is not every repetition and nothing else")
    return Check(True, "it finds every double order, and is silent about honest customers")


def _orders() -> Iterator[tuple[str, Population]]:
    def alone(*lines: tuple[float, str]) -> Population:
        return Population(script=texts(*lines))

    yield "an order that is sent twice within a second", alone((10, "tea"), (11, "tea"), (40, "milk"))
    yield "the same order half a minute later", alone((10, "tea"), (40, "tea"))
    yield "two orders within a second", alone((10, "tea"), (11, "milk"))
    yield "an order that is sent three times", alone((10, "tea"), (11, "tea"), (12, "tea"))
    yield "an order between two equal ones", alone((10, "tea"), (10.5, "milk"), (11, "tea"))
    both = Population(2, script=texts((10, "tea")), arrivals=lambda number: 1.0 * number)
    yield "two customers who order the same", both


def _repeated(recording: Recording) -> list[int]:
    found = []
    last: dict[Any, tuple[float, bytes]] = {}
    for decoded in recording:
        if decoded.kind != "message" or decoded.message is None:
            continue
        session, now, content = decoded.frame.session, decoded.frame.t, decoded.message.content
        before = last.get(session)
        if before is not None and before[1] == content and now - before[0] <= REPEATED_S:
            found.append(decoded.number)
        last[session] = now, content
    return found
