"""Self-checking exercises on order and time. As in `exercises`, a check says whether, and if not, where to look."""

from __future__ import annotations

from typing import Any

from icws_explore.analysis.decode import shared_frames
from icws_explore.analysis.flow import Step, flow
from icws_explore.analysis.timing.timing import Timing
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import LATENCY_BOUND_MS
from icws_explore.views.source import RecordingLike, capture_of

from . import Check

_DOTS = "put your answer in the place of the three dots: "
_LATENCY_BOUND_S = LATENCY_BOUND_MS / 1000
FAULTS = ("gap", "duplicate", "swap", "late")


def check_covered(recording: RecordingLike, answer: Any) -> Check:
    """Which sequence numbers (a list) does the session's first ack cover?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a list of numbers, such as [1, 2]")
    acks = Timing(capture_of(recording)).acks
    if not len(acks):
        return Check(False, "no ack has come yet: let the session run for longer")
    first, last = int(acks["covers_first"][0]), int(acks["covers_last"][0])
    if not isinstance(answer, (list, tuple, range, set)):
        return Check(False, "the answer is a list of sequence numbers")
    if set(answer) == set(range(first, last + 1)):
        return Check(True, f"one number is enough: an ack of {last} says that everything up to {last} has arrived")
    if set(answer) == {last}:
        return Check(False, "that is the number in the ack; but does it speak of that message alone?")
    return Check(False, "look at the number in the first ack, and at all that the client had sent before")


def check_first_fault(recording: RecordingLike, answer: Any) -> Check:
    """Which frame (its number) is the first whose sequence number is out of order?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the number of a frame")
    fault = _first_fault(recording)
    if fault is None:
        return Check(False, "in this session everything is in order")
    if answer == fault.frame:
        return Check(True, f"{fault.fault_text}: frame {fault.frame} carries {fault.sequence_num}")
    if answer == fault.sequence_num:
        return Check(False, "that is its sequence number; which frame carries it?")
    return Check(False, "go down the column sequence_num of one direction: where does it not count up by one?")


def check_fault_kind(recording: RecordingLike, answer: Any) -> Check:
    """Is the first fault of order a "gap", a "duplicate", a "swap", or "late"?"""
    if answer is ...:
        return Check(None, f"{_DOTS}one of {', '.join(map(repr, FAULTS))}")
    if answer not in FAULTS:
        return Check(False, f"one of {', '.join(map(repr, FAULTS))}")
    fault = _first_fault(recording)
    if fault is not None and answer == fault.fault:
        return Check(True, f"{fault.fault_text}; the client cannot know why, and closes")
    return Check(False, "was that number seen before? is one missing in front of it?")


def check_give_up(recording: RecordingLike, answer: Any) -> Check:
    """After how many seconds (since the first frame, to the second) does the client give up?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    (session, *_) = Timing(capture_of(recording)).sessions
    ended, sent = session.ended, session.numbered
    if ended is None or ended.code != CloseCode.CLOSED_BY_SDK or not sent:
        return Check(False, "in this session the client did not give up")
    if not _is_number(answer):
        return Check(False, "the answer is a number of seconds")
    if abs(answer - ended.at) <= 1:
        return Check(True, f"at {ended.at:.1f} s: {ended.reason}")
    if abs(answer - (ended.at - sent[0].at)) <= 1:
        return Check(False, "so long after its first message, yes; but when was that sent?")
    if abs(answer - (ended.at - _LATENCY_BOUND_S)) <= 1:
        return Check(False, "the client grants 30 s more than its interval, for the way")
    return Check(False, "the timer starts with the first message; its length is what the *client* believes, and 30 s")


def check_ack_interval(recording: RecordingLike, answer: Any) -> Check:
    """What is the canister's ack interval, in seconds (to the second)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    capture = capture_of(recording)
    found = Timing(capture).ack_interval()
    if found.estimate_s is None:
        return Check(False, "it takes two acks to tell: let the session run for longer")
    if _is_number(answer) and abs(answer - found.estimate_s) <= 1:
        return Check(True, f"{found.estimate_s:.1f} s, whatever the client was configured with")
    if _is_number(answer) and capture.info.ack_interval_ms and abs(answer - capture.info.ack_interval_ms / 1000) <= 1:
        return Check(False, "that is what the client believes; look at how far apart the acks are made")
    return Check(False, "take the column spacing_made_s of the acks")


def check_slowest_keep_alive(recording: RecordingLike, answer: Any) -> Check:
    """How many seconds were left, as the canister sees it, when the slowest keep-alive arrived (estimated)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    table = Timing(capture_of(recording)).keep_alives
    margins = table["margin_s"].dropna()
    if not len(margins):
        return Check(False, "no keep-alive was sent")
    least = float(margins.min())
    if _is_number(answer) and abs(answer - least) <= 0.5:
        return Check(True, f"{least:.1f} s of {table['limit_s'][0]:g} s were left")
    seen = float((table["limit_s"] - table["delay_seen_s"]).min())
    if _is_number(answer) and abs(answer - seen) <= 0.5:
        return Check(False, "that is this side's view; the canister counts from its own ack to the arrival")
    return Check(False, "take the smallest margin_s of the keep-alives")


def check_skew(recording: RecordingLike, answer: Any) -> Check:
    """By how many seconds is the client's clock ahead of the network's (negative: behind)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    skew = Timing(capture_of(recording)).skew()
    if not _is_number(answer):
        return Check(False, "the answer is a number of seconds")
    if skew.min_s <= answer <= skew.max_s:
        return Check(True, f"one side alone cannot tell better than {skew.min_s:.2f} to {skew.max_s:.2f} s")
    if skew.min_s <= -answer <= skew.max_s:
        return Check(False, "the amount is right; but is the client ahead, or the network?")
    return Check(False, "a certificate cannot be received before it was made: look at the smallest age_s")


def _first_fault(recording: RecordingLike) -> Step | None:
    capture = capture_of(recording)
    frames = [d for d in shared_frames(capture) if d.frame.session == capture.session_ids[0]]
    return next((step for step in flow(frames).steps if step.fault), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
