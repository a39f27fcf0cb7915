"""Breakpoints and rules on the frames of a running tap or lab, for callers on any thread.

`Hold` is what ``tap.hold(…)`` and ``lab.hold(…)`` return::

    held = tap.hold("kind == 'app'")
    held.wait()                           # until a frame is held
    held[0].forward(edited_bytes)         # or .drop(), .delay(2), .duplicate(), .reorder()
    held.release()                        # forwards the others and ends the breakpoint

The decisions are those of `live.path`. This module adds the event loop's timers, and hands decisions of other threads
over to the loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, Self, TypeVar, overload

from icws_explore.analysis import edit
from icws_explore.analysis.decode import DecodedFrame, decode_frame
from icws_explore.capture import Direction, Frame
from icws_explore.protocol import candid
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentTypeError, StateError

from . import path
from .clock import Clock
from .path import HOLD_S, Breakpoint, Delivery, Lane, Outcome, Passing, Rule, parts_of, passing

T = TypeVar("T")
Call = Callable[[Callable[[], Any]], Any]  # runs a function on the loop and returns its result
FrameScript = Callable[[DecodedFrame], "Delivery | bytes | Iterable[Delivery | bytes] | None"]
WAIT_S: Final = 30.0  # real seconds


class HeldFrame:
    """A frame that a breakpoint holds. Each decision raises StateError if there was one already."""

    def __init__(self, hold: Hold, lane: ControlledLane, item: Passing) -> None:
        self._hold = hold
        self._lane = lane
        self._item = item
        self._frame = item.frame if item.data == item.frame.data else replace(item.frame, data=item.data)

    @property
    def frame(self) -> Frame:
        """The frame as it is held: as it came, or as a rule has changed it before."""
        return self._frame

    @property
    def decoded(self) -> DecodedFrame:
        """The frame, decoded."""
        return self._lane.control.decoded(self.frame, self._item.number)

    @property
    def is_held(self) -> bool:
        """Whether it still waits for a decision."""
        return self._item.is_held

    @property
    def sent(self) -> bytes | None:
        """The payload that went out or will go out; None while it is held, or if it was dropped."""
        return None if self._item.is_held or not self._item.copies else self._item.data

    @property
    def did(self) -> str:
        """What was done to it; empty while it is held."""
        return self._item.did

    def edited(self, field: str, value: Any) -> bytes:
        """Return its bytes with another value in a field, for `forward`; see `icws_explore.edit`. Raises IcwsError."""
        return edit.set(self.frame, field, value, app_type=self._lane.control.app_type).data

    def forward(self, data: bytes | Frame | None = None) -> None:
        """Send it on, as ``data`` if given. Only the payload of text and binary frames can be changed."""
        raw = data.data if isinstance(data, Frame) else data
        if raw is not None and not isinstance(raw, bytes):
            raise ArgumentTypeError(f"forward takes bytes or a Frame, not {type(raw).__name__}")
        if raw is not None and self._item.frame.op not in ("binary", "text"):
            raise StateError(f"a {self._item.frame.op} frame cannot be changed: forward it, or drop it")
        self._decide(lambda lane, now: lane.forward(self._item, now, data=raw))

    def drop(self) -> None:
        """Do not send it."""
        self._decide(lambda lane, now: lane.drop(self._item, now))

    def delay(self, seconds: float) -> None:
        """Send it in ``seconds`` of protocol time. Later frames of its direction wait for it."""
        self._decide(lambda lane, now: lane.delay(self._item, now, seconds))

    def duplicate(self) -> None:
        """Send it twice."""
        self._decide(lambda lane, now: lane.forward(self._item, now, copies=2))

    def reorder(self) -> None:
        """Send it behind the next frame of its direction, or alone when its time-out passes."""
        self._decide(lambda lane, now: lane.reorder(self._item, now))

    def __repr__(self) -> str:
        decoded = self.decoded
        state = "held" if self.is_held else self.did or "passing"
        return f"<HeldFrame {decoded.kind} {decoded.frame.direction}, {decoded.size} bytes, {state}: {decoded.summary}>"

    def _decide(self, what: Callable[[Lane, int], list[Outcome]]) -> None:
        self._lane.control.call(lambda: self._lane.act(what))


class Hold:
    """A breakpoint that is set. ``where`` is its filter. Use it as a context manager, or end it with `release`."""

    def __init__(self, control: PathControl, breakpoint_: Breakpoint) -> None:
        self._control = control
        self.breakpoint = breakpoint_
        self._frames: list[HeldFrame] = []
        self._changed = threading.Condition()

    @property
    def where(self) -> str:
        """The filter."""
        return self.breakpoint.where

    @property
    def frames(self) -> tuple[HeldFrame, ...]:
        """The frames that are held now, in the order in which they came."""
        return tuple(each for each in tuple(self._frames) if each.is_held)

    @property
    def is_set(self) -> bool:
        """Whether it still holds frames that come."""
        return self in self._control.holds

    def wait(self, count: int = 1, timeout_s: float = WAIT_S) -> tuple[HeldFrame, ...]:
        """Block until ``count`` frames are held, and return them. In a coroutine use ``asyncio.to_thread(held.wait)``.

        Raises StateError after ``timeout_s`` real seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.frames) >= count, timeout_s):
                raise StateError(f"{len(self.frames)} frames are held after {timeout_s:g} s, not {count}: {self.where}")
        return self.frames

    def release(self) -> None:
        """End the breakpoint, and forward unchanged what it holds. Twice is once."""
        self._control.call(lambda: self._control.release(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[HeldFrame]:
        return iter(self.frames)

    @overload
    def __getitem__(self, number: int) -> HeldFrame: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[HeldFrame, ...]: ...
    def __getitem__(self, number: int | slice) -> HeldFrame | tuple[HeldFrame, ...]:
        return self.frames[number]

    def __repr__(self) -> str:
        return f"<Hold {self.where}: {len(self)} frames{'' if self.is_set else ', ended'}>"

    # -- on the loop -----------------------------------------------------------------------------

    def _add(self, frame: HeldFrame) -> None:
        with self._changed:
            self._frames = [each for each in self._frames if each.is_held]
            self._frames.append(frame)
            self._changed.notify_all()


class PathControl:
    """The breakpoints and rules of one tap or lab. Rules come first: a breakpoint sees what they let through.

    ``call`` runs a function on the loop from any thread. ``tell`` gets one line about a rule that raises.
    """

    def __init__(self, clock: Callable[[], Clock], call: Call, tell: Callable[[str], None]) -> None:
        self.call = call
        self.holds: tuple[Hold, ...] = ()
        self.rules: tuple[tuple[str, Rule], ...] = ()
        self.app_type: candid.Type | None = None
        self._clock = clock
        self._tell = tell
        self._failed: set[str] = set()
        self._lanes: list[ControlledLane] = []
        self._listeners: list[Callable[[], None]] = []
        self._start_s: float | None = None

    @property
    def is_active(self) -> bool:
        """Whether frames must be looked at."""
        return bool(self.holds or self.rules)

    def hold(self, where: str, *, session: str | None = None, timeout_s: float = HOLD_S) -> Hold:
        """Set a breakpoint. Raises IcwsError for a bad filter."""
        hold = Hold(self, Breakpoint(where, session, timeout_s))
        self.holds += (hold,)
        self.changed()
        return hold

    def release(self, hold: Hold) -> None:
        """End a breakpoint. Call it on the loop."""
        self.holds = tuple(each for each in self.holds if each is not hold)
        for lane in tuple(self._lanes):
            lane.act(lambda inner, now: inner.release(hold, now))
        self.changed()

    def add_rule(self, name: str, rule: Rule) -> Callable[[], None]:
        """Apply ``rule`` to every frame that comes. Returns a function that ends this."""
        entry = (name, rule)
        self.rules += (entry,)
        self._failed.discard(name)

        def remove() -> None:
            self.rules = tuple(each for each in self.rules if each is not entry)

        return remove

    def add_script(self, name: str, script: FrameScript) -> Callable[[], None]:
        """The same for a function that may return None (pass), bytes, a Delivery, or several of these in a list."""
        return self.add_rule(name, lambda decoded: as_deliveries(script(decoded), decoded))

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` on the loop's thread whenever what is held changes. Returns a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def changed(self) -> None:
        """Tell the listeners."""
        for listener in tuple(self._listeners):
            listener()

    # -- on the loop -----------------------------------------------------------------------------

    def lane(self, direction: Direction, carry: Callable[[Outcome], None]) -> ControlledLane:
        """Return a new lane. ``carry`` is called with every outcome."""
        lane = ControlledLane(self, direction, carry)
        self._lanes.append(lane)
        return lane

    def forget(self, lane: ControlledLane) -> None:
        """The session of this lane is over."""
        if lane in self._lanes:
            self._lanes.remove(lane)

    def decoded(self, frame: Frame, number: int | None = None) -> DecodedFrame:
        """Decode a frame on its way."""
        return decode_frame(frame, number=number or 0, app_type=self.app_type)

    @property
    def is_full(self) -> bool:
        """Whether all lanes together hold too much."""
        return sum(lane.size for lane in self._lanes) >= path.MAX_TOTAL

    @property
    def clock(self) -> Clock:
        """The clock of the tap or lab."""
        return self._clock()

    def entering(self, frame: Frame, number: int | None, now_ns: int) -> list[Passing | Outcome]:
        """Return what the rules make of a frame; what a breakpoint wants is held."""
        self._start_s = frame.t if self._start_s is None else self._start_s
        if not self.is_active:
            return [Passing(frame, None, now_ns, number, frame.data, now_ns)]
        decoded = self.decoded(frame, number)
        parts, dropped_by = parts_of(
            decoded, [(name, self._guarded(name, rule)) for name, rule in self.rules], self.decoded
        )
        if not parts:
            return [Outcome(frame, (), f"dropped by {dropped_by}", number, now_ns)]
        entered: list[Passing | Outcome] = []
        for part in parts:
            changed = decoded if part[0].data == frame.data else self.decoded(replace(frame, data=part[0].data), number)
            item = passing(frame, part, changed, now_ns, number)
            hold = next((each for each in self.holds if each.breakpoint.wants(changed, self._start_s)), None)
            if hold is not None:
                item.stop(hold, now_ns + round(hold.breakpoint.timeout_s * self.clock.scale * NS_PER_S))
            entered.append(item)
        return entered

    def _guarded(self, name: str, rule: Rule) -> Rule:
        def guarded(decoded: DecodedFrame) -> list[Delivery]:
            try:
                return list(rule(decoded))
            except Exception as error:  # noqa: BLE001  # a user's code must not end a session
                if name not in self._failed:
                    self._failed.add(name)
                    self._tell(f"{name} failed: {type(error).__name__}: {error}; what it fails for passes unchanged")
                return [Delivery(decoded.frame.data)]

        return guarded


class ControlledLane:
    """A `Lane` with a timer. Use it on the loop."""

    def __init__(self, control: PathControl, direction: Direction, carry: Callable[[Outcome], None]) -> None:
        self.control = control
        self.direction = direction
        self._lane = Lane()
        self._carry = carry
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> tuple[Passing, ...]:
        """The frames that wait for a decision."""
        return self._lane.held

    @property
    def is_empty(self) -> bool:
        return self._lane.is_empty

    @property
    def is_full(self) -> bool:
        """Whether its owner must stop reading from the sender."""
        return self._lane.is_full or (not self._lane.is_empty and self.control.is_full)

    @property
    def size(self) -> int:
        """The bytes of the payloads in it."""
        return self._lane.size

    def take(self, frame: Frame, number: int | None = None) -> None:
        """Let a frame enter; ``number`` is that of the recording, where it is recorded already."""
        now_ns = self.control.clock.now_ns()
        for entering in self.control.entering(frame, number, now_ns):
            if isinstance(entering, Outcome):
                self._carry(entering)
                continue
            outcomes = self._lane.take(entering, now_ns)
            if isinstance(entering.hold, Hold):
                entering.hold._add(HeldFrame(entering.hold, self, entering))  # noqa: SLF001
                self.control.changed()
            self._finish(outcomes)

    def act(self, what: Callable[[Lane, int], list[Outcome]]) -> None:
        """Carry out a decision."""
        self._finish(what(self._lane, self.control.clock.now_ns()))
        self.control.changed()

    def end(self, why: str) -> None:
        """Drop what is in it, because of ``why``."""
        was_held = bool(self._lane.held)
        self._finish(self._lane.clear(why))
        self.control.forget(self)
        if was_held:
            self.control.changed()

    def _finish(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._carry(outcome)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_ns = self._lane.deadline_ns
        if deadline_ns is not None:
            clock = self.control.clock
            left_s = clock.real_seconds((deadline_ns - clock.now_ns()) / NS_PER_S)
            self._timer = asyncio.get_running_loop().call_later(max(left_s, 0.0), self._due)

    def _due(self) -> None:
        self._timer = None
        outcomes = self._lane.tick(self.control.clock.now_ns())
        self._finish(outcomes)
        if outcomes:
            self.control.changed()


def as_deliveries(returned: object, decoded: DecodedFrame) -> list[Delivery]:
    """Read what a script returned. Raises ArgumentTypeError."""
    if returned is None:
        return [Delivery(decoded.frame.data)]
    several = [returned] if isinstance(returned, (bytes, Delivery)) else returned
    if not isinstance(several, (list, tuple)) or not all(isinstance(part, (bytes, Delivery)) for part in several):
        raise ArgumentTypeError("a script returns None, bytes, a Delivery, or a list of these")
    return [part if isinstance(part, Delivery) else Delivery(part) for part in several]
