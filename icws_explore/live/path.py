"""What a party in the path does to frames: hold them, then forward, edit, drop, delay, duplicate or reorder them.

A `Lane` is one direction of one session, in a tap or in a lab's gateway. It takes frames and the time, and gives
`Outcome`: what goes out now, and what was done to it. It uses no socket, no clock and no task, so the tap and the
lab share it, and tests drive it with plain numbers.

There are two ways to act on a frame, with one vocabulary, `Delivery`:

- A rule (a fault of the catalogue, or a user's script) decides at once: it turns a frame into a list of deliveries.
- A breakpoint (`Hold`, a filter) holds the frame until somebody decides, or until its time-out forwards it unchanged.

The order is TCP's. A frame that is held or delayed holds up the frames behind it in its lane, and no other lane.
Three things change the order: a decision about a held frame is carried out at once, also if an earlier frame is still
held; a reordered frame leaves behind the next one; a delivery that is ``overtakable`` lets later frames pass.

A lane that holds `MAX_FRAMES` frames or `MAX_BYTES` bytes is full, and so is every lane that holds anything while all
lanes together hold `MAX_TOTAL` bytes. The owner of a full lane stops reading from the sender.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.filter import FrameFilter, compile_filter
from icws_explore.capture import Frame
from icws_explore.protocol.budgets import LANE_BYTES as MAX_BYTES
from icws_explore.protocol.budgets import LANE_FRAMES as MAX_FRAMES
from icws_explore.protocol.budgets import LANES_BYTES
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import ArgumentValueError, StateError

MAX_TOTAL: Final = LANES_BYTES  # in all lanes of a tap or lab
MAX_HOLD_S: Final = 600.0  # the longest time-out of a breakpoint
HOLD_S: Final = 60.0  # its default
MAX_DELAY_S: Final = 3600.0
MAX_COPIES: Final = 100  # deliveries that a rule may make of one frame
BREAKPOINT: Final = "a breakpoint"
SHOWN: Final = 32  # bytes of a difference
UNDECIDED: Final = 2**63  # the due time of a frame that waits for a decision


@dataclass(frozen=True, slots=True)
class Delivery:
    """Deliver ``data`` after ``delay_ms`` of protocol time.

    A connection keeps the order of its frames, as TCP does: a delayed frame delays the frames behind it. If
    ``overtakable``, it does not delay them. Delayed frames are lost when the gateway ends the connection. A relayed
    call is a request of its own; the network's ``ordered`` says whether calls keep their order.
    """

    data: bytes
    delay_ms: float = 0.0
    overtakable: bool = False


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Holds the frames that match ``where``, of one ``session`` or of all (None), for at most ``timeout_s``.

    The time-out is in real seconds, because a person decides.
    ``where`` is a filter as `icws show --where` takes it. Raises IcwsError for a bad filter, ArgumentValueError for a
    time-out that is not between 0 and `MAX_HOLD_S`.
    """

    where: str
    session: str | None = None
    timeout_s: float = HOLD_S
    _matches: FrameFilter = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= MAX_HOLD_S:
            raise ArgumentValueError(f"timeout_s must be more than 0 and at most {MAX_HOLD_S:g}, not {self.timeout_s}")
        object.__setattr__(self, "_matches", compile_filter(self.where))

    def wants(self, decoded: DecodedFrame, start_s: float) -> bool:
        """Whether it holds this frame. ``start_s`` is the time of the first frame, for ``elapsed``."""
        return self.session in (None, decoded.frame.session) and self._matches(decoded, start_s)


@dataclass(slots=True, eq=False)
class Passing:
    """A frame on its way through a lane. ``frame`` is what came in, ``data`` what will go out."""

    frame: Frame
    decoded: DecodedFrame | None
    came_ns: int
    number: int | None  # of the frame in the recording, where it was recorded when it came
    data: bytes
    due_ns: int
    did: str = ""  # what was done to it, for the recording
    hold: object | None = None  # the breakpoint that holds it, or held it
    expires_ns: int = UNDECIDED  # when it goes out without a decision
    copies: int = 1
    overtakes: bool = False  # it need not wait for earlier frames
    overtakable: bool = False  # later frames need not wait for it
    behind_next: bool = False  # it leaves behind the next frame that comes

    @property
    def is_held(self) -> bool:
        """Whether it waits for a decision."""
        return self.due_ns == UNDECIDED

    @property
    def is_undecided(self) -> bool:
        """Whether only its time-out is known: it waits for a decision or for a next frame."""
        return self.is_held or self.behind_next

    def stop(self, hold: object, expires_ns: int) -> None:
        """Hold it until somebody decides, at the latest until ``expires_ns``."""
        self.hold, self.expires_ns, self.due_ns = hold, expires_ns, UNDECIDED

    def note(self, text: str) -> None:
        """Add what was done to it."""
        self.did = f"{self.did}; {text}" if self.did else text


@dataclass(frozen=True, slots=True)
class Outcome:
    """``frame`` came in, and ``data`` goes out now: nothing if it was dropped, several if it was duplicated.

    ``did`` says what was done to it; it is empty if the frame passes as it came. ``number`` is that of `Passing`.
    """

    frame: Frame
    data: tuple[bytes, ...]
    did: str
    number: int | None
    came_ns: int

    @property
    def sent(self) -> tuple[Frame, ...]:
        """The frames that go out."""
        return tuple(self.frame if data == self.frame.data else replace(self.frame, data=data) for data in self.data)


class Lane:
    """One direction of one session. Every method that takes ``now_ns`` returns what happens at that time."""

    def __init__(self) -> None:
        self._items: list[Passing] = []
        self._bytes = 0
        self._now_ns = 0

    @property
    def held(self) -> tuple[Passing, ...]:
        """The frames that wait for a decision, in the order in which they came."""
        return tuple(item for item in self._items if item.is_held)

    @property
    def is_empty(self) -> bool:
        return not self._items

    @property
    def size(self) -> int:
        """The bytes of the payloads in it, as they came."""
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether the owner must stop reading from the sender."""
        return len(self._items) >= MAX_FRAMES or self._bytes >= MAX_BYTES

    @property
    def deadline_ns(self) -> int | None:
        """When `tick` must be called next, ns since the epoch; None: something else must happen first."""
        times = [item.expires_ns if item.is_undecided else item.due_ns for item in self._items]
        return min((time for time in times if self._now_ns < time < UNDECIDED), default=None)

    def take(self, item: Passing, now_ns: int) -> list[Outcome]:
        """Let a frame enter. It goes out at once unless it is held, delayed, or behind such a frame."""
        before = self._items[-1] if self._items else None
        self._bytes += len(item.frame.data)
        if before is not None and before.behind_next:
            before.behind_next, before.due_ns = False, now_ns
            self._items.insert(len(self._items) - 1, item)
        else:
            self._items.append(item)
        return self.tick(now_ns)

    def tick(self, now_ns: int) -> list[Outcome]:
        """Send what is due."""
        self._now_ns = now_ns
        out: list[Outcome] = []
        is_blocked = False
        for item in tuple(self._items):
            if item.is_undecided and item.expires_ns <= now_ns:
                if item.is_held:
                    item.note(f"held by {BREAKPOINT} until its time-out")
                item.due_ns, item.behind_next = now_ns, False
            is_due = item.due_ns <= now_ns and not item.behind_next
            if is_due and (item.overtakes or not is_blocked):
                out.append(self._leave(item))
            elif not (item.overtakable or item.behind_next):
                is_blocked = True
        return out

    # -- decisions about a held frame: each raises StateError if it is not held any more --------------

    def forward(self, item: Passing, now_ns: int, *, data: bytes | None = None, copies: int = 1) -> list[Outcome]:
        """Send it now, as ``data`` if given, ``copies`` times."""
        self._need(item)
        is_edited = data is not None and data != item.data
        item.data = item.data if data is None else data
        item.copies = copies
        what = "duplicated" if copies > 1 else "forwarded"
        item.note(f"held by {BREAKPOINT}, {'edited and ' if is_edited else ''}{what}")
        item.due_ns, item.overtakes = now_ns, True
        return self.tick(now_ns)

    def drop(self, item: Passing, now_ns: int) -> list[Outcome]:
        """Send nothing."""
        self._need(item)
        item.copies = 0
        item.note(f"dropped by {BREAKPOINT}")
        item.due_ns, item.overtakes = now_ns, True
        return self.tick(now_ns)

    def delay(self, item: Passing, now_ns: int, seconds: float) -> list[Outcome]:
        """Send it ``seconds`` of protocol time from now. Later frames wait for it. Raises ArgumentValueError."""
        if not 0 <= seconds <= MAX_DELAY_S:
            raise ArgumentValueError(f"a delay must be from 0 to {MAX_DELAY_S:g} seconds, not {seconds}")
        self._need(item)
        item.note(f"delayed by {BREAKPOINT} for {seconds:g} s")
        item.due_ns, item.overtakes, item.expires_ns = now_ns + round(seconds * NS_PER_S), True, UNDECIDED
        return self.tick(now_ns)

    def reorder(self, item: Passing, now_ns: int) -> list[Outcome]:
        """Send it behind the next frame. If none comes before its time-out, it is sent then."""
        self._need(item)
        item.note(f"sent behind the next frame by {BREAKPOINT}")
        at = self._items.index(item)
        if at + 1 < len(self._items):
            self._items[at], self._items[at + 1] = self._items[at + 1], item
            item.due_ns = now_ns
        else:
            item.behind_next, item.due_ns = True, item.expires_ns
        return self.tick(now_ns)

    def release(self, hold: object | None, now_ns: int) -> list[Outcome]:
        """Forward every frame that ``hold`` holds (None: any), unchanged."""
        for item in self.held:
            if hold is None or item.hold is hold:
                item.note(f"held by {BREAKPOINT}, released")
                item.due_ns = now_ns
        return self.tick(now_ns)

    def clear(self, why: str) -> list[Outcome]:
        """Drop everything, because of ``why``. Call it when the receiver has gone."""
        for item in self._items:
            item.copies = 0
            item.note(f"dropped, because {why}")
        return [self._leave(item) for item in tuple(self._items)]

    def _need(self, item: Passing) -> None:
        if not item.is_held or item not in self._items:
            raise StateError("this frame is not held any more: somebody decided, or its time-out or session has ended")

    def _leave(self, item: Passing) -> Outcome:
        self._items.remove(item)
        item.due_ns = min(item.due_ns, self._now_ns)  # it is not held any more
        self._bytes -= len(item.frame.data)
        return Outcome(item.frame, (item.data,) * item.copies, item.did, item.number, item.came_ns)


def difference(came: bytes, went: bytes) -> str:
    """Return what differs between two payloads, on one line: the place, and some bytes of both."""
    shorter = min(len(came), len(went))
    start = next((at for at in range(shorter) if came[at] != went[at]), shorter)
    most = shorter - start
    tail = next((at for at in range(most) if came[-1 - at] != went[-1 - at]), most)
    parts = came[start : len(came) - tail], went[start : len(went) - tail]
    before, after = (f"{part[:SHOWN].hex() or 'nothing'}{'…' if len(part) > SHOWN else ''}" for part in parts)
    return f"from byte {start} on, {before} became {after}"


Rule = Callable[[DecodedFrame], Iterable[Delivery]]


def parts_of(
    decoded: DecodedFrame, rules: Iterable[tuple[str, Rule]], again: Callable[[Frame], DecodedFrame]
) -> tuple[list[tuple[Delivery, str]], str]:
    """Return what named rules make of a frame: deliveries, each with what was done; and who dropped it, if anybody.

    A later rule gets what an earlier one lets through, decoded by ``again`` if it was changed; delays add up.
    """
    parts = [(Delivery(decoded.frame.data), "")]
    dropped_by = ""
    for name, rule in rules:
        after: list[tuple[Delivery, str]] = []
        for part, did in parts:
            frame = decoded.frame if part.data == decoded.frame.data else replace(decoded.frame, data=part.data)
            deliveries = list(rule(decoded if frame is decoded.frame else again(frame)))[:MAX_COPIES]
            dropped_by = name if not deliveries else dropped_by
            for copy, delivery in enumerate(deliveries):
                words = ["edited"] if delivery.data != part.data else []
                words += [f"delayed for {delivery.delay_ms / 1000:g} s"] if delivery.delay_ms > 0 else []
                words += [f"copy {copy + 1} of {len(deliveries)}"] if len(deliveries) > 1 else []
                text = "; ".join(filter(None, [did, f"{', '.join(words)} by {name}" if words else ""]))
                whole = replace(delivery, delay_ms=part.delay_ms + max(delivery.delay_ms, 0.0))
                after.append((whole, text))
        parts = after[:MAX_COPIES]
    return parts, dropped_by


def passing(
    frame: Frame, part: tuple[Delivery, str], decoded: DecodedFrame | None, now_ns: int, number: int | None
) -> Passing:
    """Return a part of a frame as what enters a lane."""
    delivery, did = part
    due_ns = now_ns + round(delivery.delay_ms * NS_PER_MS)
    entering = Passing(frame, decoded, now_ns, number, delivery.data, due_ns, did)
    entering.overtakable = delivery.overtakable
    return entering
