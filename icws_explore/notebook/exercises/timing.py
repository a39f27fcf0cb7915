"""Self-checking exercises on order and time."""

from __future__ import annotations

from typing import Any

from icws_explore.analysis.decode import shared_frames
from icws_explore.analysis.flow import Step, flow
from icws_explore.analysis.timing.timing import Timing
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import LATENCY_BOUND_MS
from icws_explore.views.source import RecordingLike, capture_of

from . import Check

_DOTS = "replace the three dots with your answer: "
_LATENCY_BOUND_S = LATENCY_BOUND_MS / 1000
FAULTS = ("gap", "duplicate", "swap", "late")


def check_covered(recording: RecordingLike, answer: Any) -> Check:
    """Which sequence numbers (a list) does the session's first ack cover?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a list of numbers, such as [1, 2]")
    acks = Timing(capture_of(recording)).acks
    if not len(acks):
        return Check(False, "no ack has arrived yet: let the session run for longer")
    first, last = int(acks["covers_first"][0]), int(acks["covers_last"][0])
    if not isinstance(answer, (list, tuple, range, set)):
        return Check(False, "the answer is a list of sequence numbers")
    if set(answer) == set(range(first, last + 1)):
        return Check(True, f"an ack of {last} means that every message up to {last} has arrived")
    if set(answer) == set(range(first, last)):
        return Check(False, "the message whose number is in the ack is missing (a range ends before its second number)")
    if set(answer) == {last}:
        return Check(False, "this is the number in the ack: does the ack cover only this message?")
    return Check(False, "look at the number in the first ack, and at all messages that the client had sent before it")


def check_first_fault(recording: RecordingLike, answer: Any) -> Check:
    """Which frame (its number) is the first whose sequence number is out of order?"""
    if answer is ...:
        return Check(None, f"{_DOTS}the number of a frame")
    fault = _first_fault(recording)
    if fault is None:
        return Check(False, "all messages of this session are in order")
    if answer == fault.frame:
        return Check(True, f"{fault.fault_text}: frame {fault.frame} carries {fault.sequence_num}")
    if not _is_number(answer):
        return Check(False, "the answer is the number of a frame, from the first column")
    if answer == fault.sequence_num:
        return Check(False, "this is the sequence number: what is the number of the frame that carries it?")
    return Check(
        False, "read the column sequence_num of one direction from the top: where does it not increase by one?"
    )


def check_fault_kind(recording: RecordingLike, answer: Any) -> Check:
    """Is the first fault in the order a "gap", a "duplicate", a "swap" or a "late" message?"""
    if answer is ...:
        return Check(None, f"{_DOTS}one of {', '.join(map(repr, FAULTS))}")
    if answer not in FAULTS:
        return Check(False, f"one of {', '.join(map(repr, FAULTS))}")
    fault = _first_fault(recording)
    if fault is not None and answer == fault.fault:
        return Check(True, f"{fault.fault_text}; the client cannot know the reason, and closes")
    return Check(False, "did an earlier message have this number? is a number missing before it?")


def check_give_up(recording: RecordingLike, answer: Any) -> Check:
    """How many seconds after the first frame does the client give up (to the second)?"""
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
        return Check(False, "this is the time since the client's first message: add the time at which it was sent")
    if abs(answer - (ended.at - _LATENCY_BOUND_S)) <= 1:
        return Check(False, "the client waits 30 s longer than its interval, to allow for the latency")
    return Check(False, "the timer starts with the client's first message and lasts for the client's interval and 30 s")


def check_ack_interval(recording: RecordingLike, answer: Any) -> Check:
    """What is the canister's ack interval, in seconds (to the second)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    capture = capture_of(recording)
    found = Timing(capture).ack_interval()
    if found.estimate_s is None:
        return Check(False, "this needs two acks: let the session run for longer")
    if not _is_number(answer):
        return Check(False, "the answer is a number of seconds")
    if abs(answer - found.estimate_s) <= 1:
        return Check(True, f"{found.estimate_s:.1f} s, although the client may be configured with another interval")
    if capture.info.ack_interval_ms and abs(answer - capture.info.ack_interval_ms / 1000) <= 1:
        return Check(False, "this is the client's interval: look at the time between the canister's acks")
    arrived = Timing(capture).acks["received_s"].diff().dropna()
    if arrived.min() - 1 <= answer <= arrived.max() + 1:
        return Check(False, "so far apart they arrived, and the gateway may be slow: when did the canister make them?")
    return Check(False, "subtract neighbouring times in the column made_s of the acks")


def check_slowest_keep_alive(recording: RecordingLike, answer: Any) -> Check:
    """How many seconds were left at the canister when the slowest keep-alive arrived (estimated)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    table = Timing(capture_of(recording)).keep_alives
    margins = table["margin_s"].dropna()
    if not len(margins):
        return Check(False, "no keep-alive was sent")
    least = float(margins.min())
    if not _is_number(answer):
        return Check(False, "the answer is a number of seconds")
    if abs(answer - least) <= 0.5:
        return Check(True, f"{least:.1f} s of {table['limit_s'][0]:g} s were left")
    seen = float((table["limit_s"] - table["delay_seen_s"]).min())
    if abs(answer - seen) <= 0.5:
        return Check(
            False, "this is the time at the client: the canister measures from its ack to the arrival of the keep-alive"
        )
    return Check(False, "look for the smallest margin_s of the keep-alives")


def check_skew(recording: RecordingLike, answer: Any) -> Check:
    """By how many seconds is the client's clock ahead of the network's clock (negative: behind)?"""
    if answer is ...:
        return Check(None, f"{_DOTS}a number of seconds")
    skew = Timing(capture_of(recording)).skew()
    if not _is_number(answer):
        return Check(False, "the answer is a number of seconds")
    if skew.min_s <= answer <= skew.max_s:
        return Check(
            True, f"from one side, the skew is only known to be between {skew.min_s:.2f} and {skew.max_s:.2f} s"
        )
    if skew.min_s <= -answer <= skew.max_s:
        return Check(False, "the amount is right: is the client's clock ahead, or the network's?")
    return Check(False, "a certificate cannot arrive before it was made: look at the smallest age_s")


def _first_fault(recording: RecordingLike) -> Step | None:
    capture = capture_of(recording)
    frames = [d for d in shared_frames(capture) if d.frame.session == capture.session_ids[0]]
    return next((step for step in flow(frames).steps if step.fault), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
