"""What differs between two recordings, by subject, and the first difference in the order of the protocol.

`compare` pairs the sessions of both recordings in order, aligns the events of each pair (align.py) and asks each
pair of events what differs:

- **messages**: an event without a counterpart, or one that says something else;
- **order**: the same event at another place, or a sequence number that rises by another step; of a client's and a
  canister's message, which may cross on the way, only what is further apart than the jitter;
- **proofs**: a step of the verification that fails on one side only;
- **timing**: a wait that the protocol limits, where the difference is larger than the sessions' own jitter;
- **close**: who ended the session, with which code and reason;
- **settings** and **versions**: of the whole session, so they have no place among the events.

Ids, keys, nonces, times and certificates always differ, and are no differences. What could not be compared is in
``not_compared``: "the same" never means that it was not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, Literal

from icws_explore.capture import Capture
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal

from ..doctor.facts import CaptureFacts
from ..doctor.finding import count, seconds
from ..order import left_out
from .align import Pair, align
from .events import Event, SessionEvents
from .sides import ack_spacing_s, jitter_s, keep_alive_waits_s, open_wait_s, settings, versions, ways_s

if TYPE_CHECKING:
    from ..table import Table

Subject = Literal["settings", "versions", "messages", "order", "timing", "proofs", "close"]
SUBJECTS: Final[tuple[Subject, ...]] = ("settings", "versions", "messages", "order", "timing", "proofs", "close")
_NO_CLOSE: Final = ("har",)  # recordings that do not say how a socket was closed
_OPENING: Final = frozenset(("handshake", "open_request", "open"))
_MESSAGES: Final = frozenset(("app", "message", "close"))
_MAX_CROSSED: Final = 50  # events that are looked at for what they crossed
_MAX_SHOWN: Final = 80  # characters of an event in a sentence
_KINDS: Final = {"app": "the canister's message", "message": "the client's message", "close": "the CloseMessage"}


@dataclass(frozen=True, slots=True)
class Difference:
    """``frames`` are frame numbers in the first recording, ``other_frames`` those in the second.

    ``sessions`` are the names of the two sessions; None is a session without a name.
    """

    subject: Subject
    text: str
    frames: tuple[int, ...] = ()
    other_frames: tuple[int, ...] = ()
    sessions: tuple[str | None, str | None] = (None, None)

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"

    def to_json(self) -> dict[str, Any]:
        """The object that `icws compare --json` prints."""
        return {
            "subject": self.subject,
            "text": self.text,
            "frames": list(self.frames),
            "other_frames": list(self.other_frames),
            "sessions": list(self.sessions),
        }


@dataclass(frozen=True, slots=True)
class Row:
    """An event of each side, or of one side only, with what differs. Times are seconds since each session's start."""

    pair: Pair
    differences: tuple[Difference, ...] = ()

    @property
    def frame(self) -> int | None:
        """The frame number in the first recording."""
        return None if self.pair.one is None else self.pair.one.frame

    @property
    def other_frame(self) -> int | None:
        """The frame number in the second recording."""
        return None if self.pair.other is None else self.pair.other.frame


class Comparison:
    """Two recordings beside each other. It draws itself in a notebook.

    ``names`` are what the texts call the two sides, ``about`` describes each in a line. ``rows`` are the aligned
    events of all sessions.
    ``differences`` come in the order of the events; settings and versions are ahead of their session's.
    ``not_compared`` says in plain lines what could not be compared.
    """

    def __init__(
        self,
        names: tuple[str, str],
        sessions: Sequence[tuple[str | None, str | None]],
        rows: Sequence[Row],
        differences: Sequence[Difference],
        *,
        not_compared: Sequence[str] = (),
        about: tuple[str, str] = ("", ""),
    ) -> None:
        self.names = names
        self.about = about
        self.sessions = tuple(sessions)
        self.rows = tuple(rows)
        self.differences = tuple(differences)
        self.not_compared = tuple(not_compared)

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def first(self) -> Difference | None:
        """The first difference among the events; of settings and versions if no event differs."""
        placed = (each for each in self.differences if each.subject not in ("settings", "versions"))
        return next(placed, next(iter(self.differences), None))

    @cached_property
    def first_row(self) -> int | None:
        """The place of the first difference in ``rows``."""
        return next((at for at, row in enumerate(self.rows) if self.first in row.differences), None)

    def by_subject(self) -> Mapping[Subject, list[Difference]]:
        """The differences of each subject that has any."""
        found = {subject: [each for each in self.differences if each.subject == subject] for subject in SUBJECTS}
        return {subject: those for subject, those in found.items() if those}

    @property
    def conclusion(self) -> str:
        """One line: that both are the same, or how many differences there are of which subject."""
        if self.is_same:
            events = count(sum(row.pair.one is not None for row in self.rows), "event")
            return f"the same: {events}, with no difference but what differs in every run"
        counts = ", ".join(f"{subject} {len(those)}" for subject, those in self.by_subject().items())
        return f"{count(len(self.differences), 'difference')}: {counts}"

    def table(self) -> Table:
        """A row for each aligned event.

        Columns: ``session``, ``frame`` and ``other_frame`` (numbers, unknown where there is no counterpart),
        ``kind``, ``at_s`` and ``other_at_s`` (seconds since the session's first frame), ``event``,
        ``other_event`` and ``differences`` (text, empty if nothing differs).
        """
        import pandas as pd

        from ..table import Table

        def column(of: Callable[[Event], Any]) -> tuple[list[Any], list[Any]]:
            sides = [(row.pair.one, row.pair.other) for row in self.rows]
            both = [tuple(None if event is None else of(event) for event in pair) for pair in sides]
            return [one for one, _ in both], [other for _, other in both]

        frames, times = column(lambda each: each.frame), column(lambda each: each.at_s)
        events, kinds = column(lambda each: each.decoded.summary), column(lambda each: each.decoded.kind)
        named = column(lambda each: each.decoded.frame.session)
        return Table(
            {
                "session": pd.Series([a if a is not None else b for a, b in zip(*named, strict=True)], dtype="object"),
                "frame": pd.array(frames[0], dtype="UInt64"),
                "other_frame": pd.array(frames[1], dtype="UInt64"),
                "kind": pd.Series([a or b for a, b in zip(*kinds, strict=True)], dtype="str"),
                "at_s": pd.Series(times[0], dtype="float64"),
                "other_at_s": pd.Series(times[1], dtype="float64"),
                "event": pd.Series(events[0], dtype="object"),
                "other_event": pd.Series(events[1], dtype="object"),
                "differences": pd.Series(["; ".join(map(str, row.differences)) for row in self.rows], dtype="str"),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The object that `icws compare --json` prints."""
        return {
            "same": self.is_same,
            "first": None if self.first is None else self.first.to_json(),
            "differences": [each.to_json() for each in self.differences],
            "sessions": [list(pair) for pair in self.sessions],
            "events": len(self.rows),
            "not_compared": list(self.not_compared),
        }

    def __str__(self) -> str:
        return "\n".join([*map(str, self.differences), *self.not_compared, self.conclusion])

    def __repr__(self) -> str:
        return f"<Comparison: {self.conclusion}>"


def compare(
    one: Capture,
    other: Capture,
    *,
    names: tuple[str, str] = ("this", "the other"),
    root_keys: tuple[bytes | None, bytes | None] = (None, None),
    canister_id: Principal | None = None,
    sessions: tuple[str | None, str | None] = (None, None),
) -> Comparison:
    """Hold two recordings beside each other. ``root_keys`` (DER) override those of the recordings.

    ``sessions`` are the names of single sessions to compare; None stands for all of a recording.

    Sessions are paired in the order in which they began; sockets of other protocols are left out. Raises
    CaptureError if a recording has no session of this protocol.
    """
    sides = [
        CaptureFacts(capture, root_key=key, canister_id=canister_id)
        for capture, key in zip((one, other), root_keys, strict=True)
    ]
    compared = [
        [SessionEvents(facts) for facts in side.sessions if only is None or facts.name == only]
        for side, only in zip(sides, sessions, strict=True)
    ]
    for those, name in zip(compared, names, strict=True):
        if not those:
            raise CaptureError(f"{name} has no session of the IC WebSocket protocol: there is nothing to compare")
    rows: list[Row] = []
    differences: list[Difference] = []
    pairs = list(zip(*compared, strict=False))
    for mine, theirs in pairs:
        found_rows, found = _Pairing(names, mine, theirs).result()
        rows += found_rows
        differences += found
    differences += _unpaired(names, compared)
    named = [(mine.name, theirs.name) for mine, theirs in pairs]
    return Comparison(
        names,
        named,
        rows,
        differences,
        not_compared=list(_not_compared(names, sides, pairs)),
        about=(_about(one, sessions[0]), _about(other, sessions[1])),
    )


def _about(capture: Capture, session: str | None) -> str:
    if session is not None:
        capture = capture.session(session)
    sessions = len(capture.session_ids)
    many = f" in {count(sessions, 'session')}" if sessions > 1 else ""
    clock = "" if capture.info.clock.kind == "real" else f", clock {capture.info.clock}"
    return f"{capture.info.origin}, {count(len(capture), 'frame')}{many}, {seconds(capture.duration_s)}{clock}"


def _unpaired(names: tuple[str, str], sessions: Sequence[Sequence[SessionEvents]]) -> Iterator[Difference]:
    """The sessions that only one recording has."""
    for mine, theirs in list(zip_longest(*sessions))[min(map(len, sessions)) :]:
        extra = mine or theirs
        has, lacks = names if mine is not None else names[::-1]
        frames = (extra.events[0].frame,) if extra.events else ()
        label = "a further session" if extra.name is None else f"session {extra.name}"
        text = f"{has} has {label} ({count(len(extra.events), 'event')}), to which {lacks} has no counterpart"
        if mine is not None:
            yield Difference("messages", text, frames, (), (extra.name, None))
        else:
            yield Difference("messages", text, (), frames, (None, extra.name))


def _not_compared(
    names: tuple[str, str], sides: Sequence[CaptureFacts], pairs: Sequence[tuple[SessionEvents, SessionEvents]]
) -> Iterator[str]:
    for name, facts in zip(names, sides, strict=True):
        if not facts.has_real_crypto:
            yield f"proofs were not compared: {name} was simulated without signatures"
        elif facts.root_key is None:
            yield f"signatures of certificates were not compared: {name} has no root key; give it or a network to ask"
        if facts.left_out:
            yield f"{count(len(facts.left_out), 'socket')} of {name} that speak another protocol were left out"
    unsaid = [name for name, facts in zip(names, sides, strict=True) if facts.capture.info.origin in _NO_CLOSE]
    if unsaid and any(mine.facts.end is None or theirs.facts.end is None for mine, theirs in pairs):
        yield f"the close was not compared: a HAR ({' and '.join(unsaid)}) does not say how its sockets were closed"


class _Pairing:
    """Two sessions, and the differences between them."""

    def __init__(self, names: tuple[str, str], one: SessionEvents, other: SessionEvents) -> None:
        self.names = names
        self.one, self.other = one, other
        self.named = (one.name, other.name)
        self.jitter_s = jitter_s((one, other))

    def result(self) -> tuple[list[Row], list[Difference]]:
        """The rows of the session with their differences, and all differences in order."""
        pairs = align(self.one.events, self.other.events)
        timed = self._timing()
        crossed = self._crossed(pairs)
        found = [[*self._of(pair), *crossed.get(at, ()), *_timed(timed, pair)] for at, pair in enumerate(pairs)]
        gathered = _runs(pairs, found, self._run)
        rows = [Row(pair, tuple(those)) for pair, those in zip(pairs, gathered, strict=True)]
        placed = dict.fromkeys(each for row in rows for each in row.differences)
        return rows, [*self._facts(), *placed]

    def _difference(self, subject: Subject, text: str, pair: Pair | None = None) -> Difference:
        one, other = (None, None) if pair is None else (pair.one, pair.other)
        return Difference(
            subject,
            text,
            () if one is None else (one.frame,),
            () if other is None else (other.frame,),
            self.named,
        )

    def _facts(self) -> Iterator[Difference]:
        """Settings and versions."""
        infos = [each.facts.facts.capture.info for each in (self.one, self.other)]
        tables: list[tuple[Subject, Mapping[str, str], Mapping[str, str]]] = [
            ("settings", settings(infos[0], self.one), settings(infos[1], self.other)),
            ("versions", versions(self.one), versions(self.other)),
        ]
        for subject, mine, theirs in tables:
            for name in mine:
                if name in theirs and mine[name] != theirs[name]:
                    yield self._difference(subject, f"{name}: {self._both(mine[name], theirs[name])}")

    def _both(self, mine: str, theirs: str) -> str:
        return f"{mine} in {self.names[0]}, {theirs} in {self.names[1]}"

    def _of(self, pair: Pair) -> Iterator[Difference]:
        one, other = pair.one, pair.other
        if one is None or other is None:
            return  # `_runs` makes one difference of several in a row
        if one.stream == "end":
            yield from self._close(pair, one, other)
            return
        if pair.is_altered:
            yield self._difference("messages", self._altered(one, other), pair)
        if pair.moved:
            yield self._difference("order", f"{_shown(one.what)} comes at another place in {self.names[1]}", pair)
        if one.step != other.step and one.step is not None and other.step is not None:
            yield self._difference("order", self._steps(one, other), pair)
        if one.number != other.number and self._is_behind(one, other):
            said = [f"up to {event.number}" for event in (one, other)]
            yield self._difference("messages", f"{one.what} confirms {self._both(*said)}", pair)
        yield from self._proofs(pair, one, other)

    def _altered(self, one: Event, other: Event) -> str:
        mine, theirs = one.decoded.summary, other.decoded.summary
        if mine == theirs:
            return f"{_shown(one.what)} has other parts that the summary does not show"
        return f"{_KINDS.get(one.decoded.kind, 'the frame')} says {self._both(_shown(mine), _shown(theirs))}"

    def _steps(self, one: Event, other: Event) -> str:
        sequences = [f"number {event.decoded.sequence_num} ({_step_text(event.step or 0)})" for event in (one, other)]
        return f"{_shown(one.what)} has {self._both(*sequences)}"

    def _crossed(self, pairs: Sequence[Pair]) -> Mapping[int, list[Difference]]:
        """By place, the pairs that stand on the other side of an event of another stream."""
        both = [
            (at, each.one, each.other) for at, each in enumerate(pairs) if each.one and each.other and not each.moved
        ]
        found: dict[int, list[Difference]] = {}
        for place in left_out([other.frame for _, _, other in both])[:_MAX_CROSSED]:
            at, one, other = both[place]
            for _, before, after in both:
                if (before.frame < one.frame) != (after.frame < other.frame) and self._is_bound(
                    (one, other), (before, after)
                ):
                    text = f"{_shown(one.what)} and {_shown(before.what)} come in the opposite order in {self.names[1]}"
                    found[at] = [self._difference("order", text, pairs[at])]
                    break
        return found

    def _is_bound(self, pair: tuple[Event, Event], others: tuple[Event, Event]) -> bool:
        """Whether the order of two events means something: one causes the other, or they are far apart."""
        if pair[0].stream == others[0].stream:
            return False  # `align` and the sequence numbers say it
        kinds = {pair[0].decoded.kind, others[0].decoded.kind}
        if kinds & _OPENING or kinds == {"ack", "keep_alive"}:
            return True
        apart = (abs(mine.at_s - theirs.at_s) for mine, theirs in zip(pair, others, strict=True))
        return kinds <= _MESSAGES and all(gap > self.jitter_s for gap in apart)

    def _is_behind(self, one: Event, other: Event) -> bool:
        """Whether acks or keep-alives confirm differently although the same was there to confirm long before.

        What was sent or received shortly before, within the jitter, may or may not be confirmed yet.
        """
        low, high = sorted((one, other), key=lambda event: event.number or 0)
        session = self.one if low is one else self.other
        direction = "in" if low.stream == "keep_alive" else "out"
        if self._is_ahead(high, self.other if low is one else self.one, direction):
            return True
        due = [
            event.at_s
            for event in session.events
            if event.direction == direction
            and (event.decoded.sequence_num or 0) == (low.number or 0) + 1
            and event.at_s <= low.at_s
        ]
        return bool(due) and low.at_s - due[0] > self.jitter_s

    @staticmethod
    def _is_ahead(event: Event, session: SessionEvents, direction: str) -> bool:
        """Whether more is confirmed than was there."""
        there = [
            each.decoded.sequence_num or 0
            for each in session.events
            if each.direction == direction and each.frame < event.frame
        ]
        return (event.number or 0) > max(there, default=0)

    def _proofs(self, pair: Pair, one: Event, other: Event) -> Iterator[Difference]:
        mine, theirs = _failed(one, self.one), _failed(other, self.other)
        if mine == theirs:
            return
        for step in sorted(mine.keys() | theirs.keys(), key=lambda name: (name not in theirs, name)):
            if step in mine and step in theirs:
                continue
            fails, holds = (self.names[1], self.names[0]) if step in theirs else self.names
            detail = theirs.get(step) or mine[step]
            text = f"{_shown(one.what)}: the step {step} fails in {fails} and not in {holds} ({detail})"
            yield self._difference("proofs", text, pair)
            return  # the steps after it follow from it

    def _close(self, pair: Pair, one: Event, other: Event) -> Iterator[Difference]:
        ends = [(event.direction, event.decoded.frame.code, event.decoded.frame.reason or "") for event in (one, other)]
        if ends[0] != ends[1]:
            said = [f"{event.decoded.summary} after {seconds(event.at_s)}" for event in (one, other)]
            yield self._difference("close", self._both(*said), pair)

    def _run(self, pairs: Sequence[Pair]) -> Difference | None:
        """The difference of consecutive events that only one side has; None if the recording cannot tell."""
        is_mine = pairs[0].one is not None
        events = [event for pair in pairs if (event := pair.one if is_mine else pair.other) is not None]
        has, lacks = self.names if is_mine else self.names[::-1]
        session, lacking = (self.one, self.other) if is_mine else (self.other, self.one)
        frames = tuple(event.frame for event in events)
        mine, theirs = (frames, ()) if is_mine else ((), frames)
        ends = [event for event in events if event.stream == "end"]
        if len(ends) == len(events):
            if lacking.facts.facts.capture.info.origin in _NO_CLOSE:
                return None
            text = f"{ends[0].decoded.summary} in {has}, still open at the end of {lacks}"
            return Difference("close", text, mine, theirs, self.named)
        where = " from there to its end" if events[-1] is session.events[-1] and len(events) > 1 else ""
        more = f" and {count(len(events) - 1, 'more event')}{where}" if len(events) > 1 else ""
        text = f"{lacks} lacks frame {frames[0]} of {has}: {_shown(events[0].what)}{more}"
        return Difference("messages", text, mine, theirs, self.named)

    def _timing(self) -> list[Difference]:
        """The waits that differ by more than the jitter, each with the frames at which it shows."""
        found = []
        opens = open_wait_s(self.one), open_wait_s(self.other)
        if opens[0] is not None and opens[1] is not None:
            found.append(("from ws_open to the OpenMessage", opens[0], opens[1]))
        for words, waits in (
            ("the slowest canister message took longer than usual by", ways_s),
            ("from an ack to its keep-alive, at most", keep_alive_waits_s),
        ):
            slowest = [max(waits(each), key=lambda wait: wait[1], default=None) for each in (self.one, self.other)]
            if slowest[0] is not None and slowest[1] is not None:
                found.append((words, slowest[0], slowest[1]))
        differences = [
            self._wait(words, mine, theirs) for words, mine, theirs in found if abs(mine[1] - theirs[1]) > self.jitter_s
        ]
        spacing = ack_spacing_s(self.one), ack_spacing_s(self.other)
        if spacing[0] is not None and spacing[1] is not None and abs(spacing[0] - spacing[1]) > self.jitter_s:
            text = f"acks come every {self._both(seconds(spacing[0]), seconds(spacing[1]))}"
            acks = [[event.frame for event in each.events if event.stream == "ack"] for each in (self.one, self.other)]
            differences.append(Difference("timing", text, (acks[0][1],), (acks[1][1],), self.named))
        return differences

    def _wait(self, words: str, mine: tuple[Event, float], theirs: tuple[Event, float]) -> Difference:
        """A difference at the frame of the side that is slower."""
        text = f"{words}: {self._both(seconds(mine[1]), seconds(theirs[1]))} (jitter {seconds(self.jitter_s)})"
        slow_is_mine = mine[1] > theirs[1]
        return Difference(
            "timing",
            text,
            (mine[0].frame,) if slow_is_mine else (),
            () if slow_is_mine else (theirs[0].frame,),
            self.named,
        )


def _timed(timed: Iterable[Difference], pair: Pair) -> Iterator[Difference]:
    """The differences of timing that show at this pair."""
    for each in timed:
        mine = pair.one is not None and pair.one.frame in each.frames
        theirs = pair.other is not None and pair.other.frame in each.other_frames
        if mine or (theirs and not each.frames):
            yield each


def _runs(
    pairs: Sequence[Pair],
    found: Sequence[list[Difference]],
    run: Callable[[Sequence[Pair]], Difference | None],
) -> list[list[Difference]]:
    """``found`` with one difference for each run of consecutive pairs that only one side has."""
    gathered = [list(those) for those in found]
    start = 0
    while start < len(pairs):
        stop = start
        while stop < len(pairs) and _side(pairs[stop]) == _side(pairs[start]) != 0:
            stop += 1
        if stop > start and (difference := run(pairs[start:stop])) is not None:
            for at in range(start, stop):
                gathered[at].insert(0, difference)
        start = max(stop, start + 1)
    return gathered


def _side(pair: Pair) -> int:
    """1 for an event of the first side alone, 2 for one of the second, 0 for both."""
    return 0 if pair.one is not None and pair.other is not None else 1 if pair.one is not None else 2


def _failed(event: Event, session: SessionEvents) -> Mapping[str, str]:
    """The steps that fail in the verification of an event, with their details."""
    facts = session.facts.facts
    verdict = facts.verdicts.get(event.frame) or facts.envelope_verdicts.get(event.frame)
    return {} if verdict is None else {step.step: step.detail for step in verdict.steps if step.ok is False}


def _step_text(step: int) -> str:
    if step == 1:
        return "the next"
    return f"{step - 1} left out" if step > 1 else "again" if step == 0 else f"{-step} back"


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SHOWN else f"{line[: _MAX_SHOWN - 1]}…"
