"""Self-checking exercises on finding a cause and its fix. As in `exercises`, a check hints and does not tell."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.doctor.configuration import check_did, check_intervals
from icws_explore.protocol.errors import DidError
from icws_explore.views.source import RecordingLike, capture_of

from . import Check

_DOTS = "put your answer in the place of the three dots: "


def check_first_evidence(recording: RecordingLike, answer: Any) -> Check:
    """With which frame (its number) does the trouble that the doctor's first finding is about begin?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the number of a frame")
    findings = diagnose(capture_of(recording))
    if not findings or not findings[0].frames:
        return Check(False, "the doctor finds nothing in this recording")
    first, *others = findings[0].frames
    if answer == first and not isinstance(answer, bool):
        return Check(True, findings[0].explanation)
    if answer in others:
        return Check(False, "that is where it shows; it began before")
    return Check(False, "go back from the last frame: which is the last of the client's messages that was answered?")


def check_client_interval(canister_ms: int, answer: Any) -> Check:
    """Which ack interval (ms) must a client have whose canister acks every ``canister_ms``?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of milliseconds")
    if isinstance(answer, bool) or not isinstance(answer, Integral) or answer <= 0:
        return Check(False, "the answer is a positive whole number, of milliseconds")
    findings = check_intervals(send_ack_interval_ms=canister_ms, client_ack_interval_ms=int(answer))
    if not findings:
        return Check(True, "both sides believe the same; the 30 s for the way are added by the SDK itself")
    return Check(False, findings[0].sdk_behaviour)


def check_interface(answer: Any) -> Check:
    """Can the SDK use a canister with this .did?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the text of a .did")
    if not isinstance(answer, str):
        return Check(False, "the answer is the text of a .did")
    try:
        findings = check_did(answer)
    except DidError as error:
        return Check(False, str(error))
    if findings:
        return Check(False, findings[0].explanation)
    return Check(True, "the SDK reads the type of the application's messages from there")
