"""What a frame has to do with others: what it answers, what answers it, which time-outs it starts or stops.

Only what the protocol ties together is named: an open and its ws_open, an ack and the messages that it covers, a
keep-alive and its ack, a request to the network and its answer. Whether an application message answers another one
is known to the application alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.network_calls import NetworkCall, network_calls
from icws_explore.analysis.timing import opens
from icws_explore.analysis.timing.acks import TimerRun, newly_covered, replay
from icws_explore.analysis.timing.instants import Received, SessionInstants
from icws_explore.analysis.timing.keep_alives import KeepAlive, keep_alives
from icws_explore.views.formatting import count, duration, one_line

from .frame_index import FrameIndex

MAX_LINKS: Final = 12  # frames that one relation names


@dataclass(frozen=True, slots=True)
class Link:
    """A relation in words, and the frame at its other end. ``more`` counts further frames that are not named."""

    relation: str
    frame: int
    more: int = 0


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time-out that a frame starts or stops, how it ended, and the frame at the other end, if there is one.

    ``weight`` is "bad" if it was missed, "note" while it runs, else "".
    """

    role: str
    name: str
    outcome: str
    frame: int | None
    weight: str = ""


class Relations:
    """The relations within one recording; what takes a walk over a session is kept until the session grows."""

    def __init__(self, index: FrameIndex) -> None:
        self._index = index
        self._timers: dict[str | None, tuple[int, list[TimerRun], list[KeepAlive]]] = {}
        self._calls: tuple[int, list[NetworkCall]] = (0, [])

    def links(self, number: int) -> list[Link]:
        """The frames that frame ``number`` is tied to, within its session and on the network side."""
        with self._index.lock:
            decoded = self._index.frames[number]
            session = self._index.instants.sessions.get(decoded.frame.session)
            found = list(self._of_calls(decoded))
            if session is not None and not decoded.frame.is_http:
                found += _of_session(decoded, session)
            return found

    def neighbours(self, number: int) -> tuple[int | None, int | None]:
        """The frames before and after frame ``number`` in its session."""
        with self._index.lock:
            frames = self._index.frames
            here = frames[number].frame
            mine = (here.session, here.is_http)
            before = next((n for n in range(number - 1, -1, -1) if _whose(frames[n]) == mine), None)
            after = next((n for n in range(number + 1, len(frames)) if _whose(frames[n]) == mine), None)
            return before, after

    def deadlines(self, number: int) -> list[Deadline]:
        """The time-outs that frame ``number`` starts or stops."""
        with self._index.lock:
            decoded = self._index.frames[number]
            session = self._index.instants.sessions.get(decoded.frame.session)
            if session is None or decoded.frame.is_http:
                return []
            runs, windows = self._walk(session)
            return [
                *_opening(number, session),
                *_ack_timer(number, session, runs),
                *_windows(number, windows),
            ]

    def _walk(self, session: SessionInstants) -> tuple[list[TimerRun], list[KeepAlive]]:
        size = len(session.sent) + len(session.received) + (session.ended is not None)
        known = self._timers.get(session.session)
        if known is None or known[0] != size:
            timer, _ = replay(session)
            known = self._timers[session.session] = (size, timer.runs, list(keep_alives(session)))
        return known[1], known[2]

    def _of_calls(self, decoded: DecodedFrame) -> Iterator[Link]:
        capture = self._index.recording.raw
        if self._calls[0] != len(capture):
            self._calls = (len(capture), network_calls(capture) if capture.http else [])
        for call in self._calls[1]:
            if decoded.number == call.frame:
                yield Link("was relayed to the network as", call.request)
            if decoded.number in (call.frame, call.request) and call.response is not None:
                yield Link(f"the network answers ({call.outcome}) in", call.response)
            if decoded.number in (call.request, call.response) and call.frame is not None:
                yield Link("relays the client's", call.frame)
            if decoded.number == call.response:
                yield Link("answers the gateway's request", call.request)


def _whose(decoded: DecodedFrame) -> tuple[str | None, bool]:
    return decoded.frame.session, decoded.frame.is_http


def _of_session(decoded: DecodedFrame, session: SessionInstants) -> Iterator[Link]:
    number, opened, asked = decoded.number, session.opened, session.asked
    if asked is not None and number == asked.frame and opened is not None:
        yield Link("is answered by the open in", opened.frame)
    if opened is not None and number == opened.frame and asked is not None:
        yield Link("answers the ws_open in", asked.frame)
    mine = next((message for message in session.received if message.frame == number), None)
    if mine is not None and mine.acks is not None:
        yield from _of_ack(mine, session)
    if decoded.kind == "keep_alive":
        ack = next((ack for ack in reversed(session.acks) if ack.frame < number), None)
        if ack is not None:
            yield Link("answers the ack in", ack.frame)
        reports = next((sent.reports for sent in session.sent if sent.frame == number), None)
        told = next(
            (message for message in session.received if reports is not None and message.sequence_num == reports), None
        )
        if told is not None:
            yield Link(f"reports as received up to {reports}, which came in", told.frame)
    if decoded.frame.direction == "out" and decoded.sequence_num is not None:
        covering = (
            ack for ack in session.acks if ack.frame > number and (ack.acks or 0) >= (decoded.sequence_num or 0)
        )
        yield from (
            Link("is acknowledged by the ack in", ack.frame) for ack in [next(covering, None)] if ack is not None
        )
    if mine is not None and mine.acks is None and decoded.sequence_num is not None:
        telling = (
            sent for sent in session.sent if sent.frame > number and (sent.reports or 0) >= (decoded.sequence_num or 0)
        )
        yield from (
            Link("is reported as received by the keep-alive in", sent.frame)
            for sent in [next(telling, None)]
            if sent is not None
        )
    if decoded.kind == "close" and session.ended is not None and session.ended.frame > number:
        yield Link("the socket is closed in", session.ended.frame)


def _of_ack(ack: Received, session: SessionInstants) -> Iterator[Link]:
    at = bisect_right([ack.frame for ack in session.acks], ack.frame) - 1
    covered = max((ack.acks or 0 for ack in session.acks[:at]), default=0)
    mine = newly_covered(session.numbered, covered, ack)
    for position, sent in enumerate(mine[:MAX_LINKS], 1):
        yield Link("acknowledges", sent.frame, len(mine) - MAX_LINKS if position == MAX_LINKS else 0)
    answer = next((sent for sent in session.sent if sent.kind == "keep_alive" and sent.frame > ack.frame), None)
    later = next((other for other in session.acks if other.frame > ack.frame), None)
    if answer is not None and (later is None or answer.frame < later.frame):
        yield Link("is answered by the keep-alive in", answer.frame)


def _opening(number: int, session: SessionInstants) -> Iterator[Deadline]:
    if session.asked is None:
        return
    opened = session.opened
    took = None if opened is None else opened.at - session.asked.at
    outcome = opens.outcome(session)
    words = {
        "open": f"met after {duration(took or 0.0)}", "timed out": "missed", "ended": "the session ended first",
        "waiting": "still runs",
    }[outcome]  # fmt: skip
    weight = {"timed out": "bad", "waiting": "note"}.get(outcome, "")
    name = f"open time-out of {duration(opens.OPEN_LIMIT_S)}"
    if number == session.asked.frame:
        yield Deadline("starts", name, words, None if opened is None else opened.frame, weight)
    elif opened is not None and number == opened.frame:
        yield Deadline("stops", name, words, session.asked.frame, weight)


def _ack_timer(number: int, session: SessionInstants, runs: list[TimerRun]) -> Iterator[Deadline]:
    by_time = {ack.at: ack.frame for ack in session.acks}
    for run in runs:
        stopped_by = by_time.get(run.end) if run.ending == "ack" else None
        words = {
            "ack": f"met after {duration(run.end - run.start)}", "expired": "missed: the client gives up",
            "closed": "the session ended first", "running": "still runs",
        }[run.ending]  # fmt: skip
        weight = {"expired": "bad", "running": "note"}.get(run.ending, "")
        name = f"ack time-out of {duration(run.due - run.start)}"
        if number == run.started_by:
            yield Deadline("starts", name, words, stopped_by, weight)
        elif number == stopped_by:
            yield Deadline("stops", name, words, run.started_by, weight)


def _windows(number: int, windows: list[KeepAlive]) -> Iterator[Deadline]:
    for window in windows:
        answer = window.answer
        name = f"keep-alive time-out of {duration(window.limit_s)}"
        words = {
            "in time": "met", "timed out": "missed: the canister closes", "missed": "missed",
            "sent": "a keep-alive was sent", "ended": "the session ended first", "waiting": "still runs",
        }[window.outcome]  # fmt: skip
        if window.seen_s is not None and window.outcome in ("in time", "sent"):
            words += f", after {duration(window.seen_s)}"
        weight = {"timed out": "bad", "missed": "bad", "waiting": "note"}.get(window.outcome, "")
        if number == window.ack.frame:
            yield Deadline("starts", name, words, None if answer is None else answer.frame, weight)
        elif answer is not None and number == answer.frame:
            yield Deadline("stops", name, words, window.ack.frame, weight)


def link_text(index: FrameIndex, link: Link) -> str:
    """What stands at the other end of a link: its kind, number and summary."""
    decoded = index.frames[link.frame]
    number = "" if decoded.sequence_num is None else f" {decoded.sequence_num}"
    more = f", and {count(link.more, 'more frame')}" if link.more > 0 else ""
    return one_line(f"{decoded.kind}{number}: {decoded.summary}")[:200] + more
