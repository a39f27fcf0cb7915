"""The state of a live session's client while it runs: the state diagram with the present state lit, and countdowns.

The diagram is drawn from the client's transition table, so it always matches what runs. Python sends only what has
changed, when something has happened and at most five times a second. In between, the browser counts down by itself, at
the pace of the session's clock, so a session in which nothing happens costs no message.
"""

from __future__ import annotations

import asyncio
import time
from html import escape
from typing import Any, Final

import traitlets

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.timing.countdown import Countdown, Watch
from icws_explore.capture import Frame
from icws_explore.live.clock import ScaledClock
from icws_explore.live.loop import wait_at_most
from icws_explore.live.session import Session
from icws_explore.protocol.client.events import ClientEvent
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.client.table import TRANSITIONS, Row
from icws_explore.views.formatting import one_line

from .widget import PanelWidget, script, style
from .worker import Worker

MAX_UPDATES_PER_S: Final = 5
MAX_LINE: Final = 300
_SHARE: Final = 4  # an update that took d seconds is followed by none for 4 d: the session needs the interpreter too
_LOOK_S: Final = 0.5  # real seconds between two looks at a clock that can be paused
_DRIFT_S: Final = 1.0  # seconds at the pace shown, by which the browser's countdowns may be wrong

WORDS: Final[dict[ClientState, str]] = {
    ClientState.HANDSHAKE: "connected; waiting for the gateway's handshake",
    ClientState.OPENING: "ws_open is sent; waiting for the canister's OpenMessage",
    ClientState.OPEN: "the canister has opened the session; messages can be sent",
    ClientState.CLOSING: "the client has asked to close",
    ClientState.CLOSED: "the connection is gone",
}
# name: (label, meaning)
COUNTDOWNS: Final[dict[str, tuple[str, str]]] = {
    "open": ("open time-out", "the client gives up when no OpenMessage comes within 60 s of ws_open"),
    "ack": ("ack time-out", "the client gives up when no ack comes within the ack interval and 30 s"),
    "keep_alive": ("keep-alive time-out", "the canister closes the session unless a keep-alive answers its ack"),
    "next_ack": ("next ack", "when the canister's next ack is expected"),
    "certificate": ("certificate age", "the age of the latest certificate; the client refuses one that is too old"),
}

# The diagram, in pixels.
_BOX, _GAP, _HEIGHT, _STEP = 108, 40, 32, 15


class SessionState(PanelWidget):
    """The client of ``session``: its state, the transition it took last, and the time left to each time-out.

    ``follow`` shows another session; None shows the diagram alone.
    """

    _esm = script("live_parts.js", "session_state.js")
    _css = style()

    _following: Any = None
    diagram = traitlets.Unicode().tag(sync=True)
    rows: Any = traitlets.List().tag(sync=True)  # of the table: [state, trigger, guard, state, close]
    words: Any = traitlets.Dict({str(state): text for state, text in WORDS.items()}).tag(sync=True)
    state = traitlets.Unicode().tag(sync=True)  # "" without a session
    taken: Any = traitlets.List().tag(sync=True)  # the last transition to another state: [from, to, trigger]
    ending = traitlets.Unicode().tag(sync=True)  # the close code and reason, once there is one
    failure = traitlets.Unicode().tag(sync=True)
    countdowns: Any = traitlets.List().tag(sync=True)  # dicts, see `countdown_of`
    scale = traitlets.Float(1.0).tag(sync=True)  # seconds of protocol time in each second; 0 if time stands still

    def __init__(self, session: Session | None = None, *, worker: Worker | None = None) -> None:
        super().__init__(worker, diagram=state_diagram(), rows=table_rows())
        self._session: Session | None = None
        self._watch: Watch | None = None
        self._decoded = 0
        self._last: list[str] = []  # see `taken`
        self.updates = 0  # how often something was sent
        self.follow(session)

    def follow(self, session: Session | None) -> None:
        """Show another session, from now on until it ends."""
        if self._following is not None:
            self._following.cancel()
            self._following = None
        self._session = session
        self._watch = None if session is None else Watch(session.recording.raw)
        self._decoded = 0
        self.taken = self._last = []
        self.show()
        if session is not None:
            self._following = self._worker.start(self._follow(session))

    async def _follow(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def see(_event: ClientEvent | Frame) -> None:
            moves = [row for row in session.taken if row.state is not row.to]
            if moves:
                self._moved(session, moves[-1])
            if not changed.is_set():
                loop.call_soon_threadsafe(changed.set)

        end = session.watch(see)
        try:
            while True:
                changed.clear()
                began = time.monotonic()
                if session is self._session:
                    self.show()
                took = time.monotonic() - began
                if session.state == ClientState.CLOSED:
                    return
                await self._until_due(session, changed)
                await asyncio.sleep(max(1 / MAX_UPDATES_PER_S, _SHARE * took))
        finally:
            end()

    async def _until_due(self, session: Session, changed: asyncio.Event) -> None:
        """Wait for ``changed``; on a clock that can be paused, also until the browser's countdowns are wrong."""
        clock = session.clock
        if not isinstance(clock, ScaledClock):
            await changed.wait()
            return
        began_s, began, pace = clock.now_s(), time.monotonic(), self.scale
        while not await wait_at_most(changed, _LOOK_S):
            expected_s = began_s + (time.monotonic() - began) * pace
            if abs(clock.now_s() - expected_s) > _DRIFT_S * max(1.0, pace):
                return

    def _moved(self, session: Session, row: Row) -> None:
        if session is self._session:
            self._last = [str(row.state), str(row.to), str(row.trigger)]

    def show(self) -> None:
        """Send what has changed since the last time."""
        session, watch = self._session, self._watch
        with self.hold_sync():
            self.updates += 1
            if session is None or watch is None:
                self.state = self.ending = self.failure = ""
                self.countdowns = []
                return
            new = list(decode_frames(session.recording.raw, start=self._decoded))
            self._decoded += len(new)
            watch.feed(new)
            clock = session.clock
            self.scale = 0.0 if isinstance(clock, ScaledClock) and clock.is_paused else clock.scale
            self.state = session.state
            self.taken = self._last
            self.ending = ending_of(session)
            self.failure = one_line(session.failures[-1])[:MAX_LINE] if session.failures else ""
            self.countdowns = [] if self.ending else self._left(session, watch)

    def _left(self, session: Session, watch: Watch) -> list[dict[str, Any]]:
        if not self._decoded:
            return []
        now_s = session.clock.now_s() - watch.instants.origin.t
        found = [countdown_of(each) for each in watch.left(now_s)]
        parties = watch.instants.sessions.values()
        latest = (each.certified for instants in parties for each in reversed(instants.received))
        certified = next((at for at in latest if at is not None), None)
        if certified is not None:
            limit = float(session.max_certificate_age_s)
            found.append(_entry("certificate", limit, certified + limit - now_s, 0.0, inferred=False))
        return found

    def close(self) -> None:
        """Stop following, and close the widget."""
        if self._following is not None:
            self._following.cancel()
        super().close()

    def told(self, message: dict[str, Any]) -> None:
        """A view that has just been drawn asks for the countdowns of now."""
        if message == {"do": "now"} and self._session is not None:
            self._worker.start(self._show_again())

    async def _show_again(self) -> None:
        self.countdowns = []
        self.show()

    @property
    def twin_text(self) -> str:
        words = f"The client is {self.state}" if self.state else "No session is open"
        return f"{words}{f': {self.ending}' if self.ending else ''}."


def countdown_of(countdown: Countdown) -> dict[str, Any]:
    """A countdown as the browser takes it: label, meaning, ``limit``, ``left``, ``spread`` (± if inferred) in s."""
    spread = (countdown.left_max_s - countdown.left_min_s) / 2 if countdown.inferred else 0.0
    return _entry(countdown.name, countdown.limit_s, countdown.left_s, spread, inferred=countdown.inferred)


def _entry(name: str, limit: float, left: float, spread: float, *, inferred: bool) -> dict[str, Any]:
    label, meaning = COUNTDOWNS[name]
    return {
        "name": name, "label": label, "meaning": meaning, "limit": round(limit, 3), "left": round(left, 3),
        "spread": round(spread, 1), "inferred": inferred,
    }  # fmt: skip


def ending_of(session: Session) -> str:
    """How a session was closed, in words; "" while it is not."""
    if session.close_code is None:
        return ""
    return one_line(f"closed with {session.close_code} {session.close_reason}".rstrip())[:MAX_LINE]


def table_rows() -> list[list[str]]:
    """The client's transition table: state, trigger, guard, next state and close of each row."""
    return [
        [
            str(row.state),
            str(row.trigger),
            "" if row.guard is None else row.guard.__name__.replace("_", " "),
            str(row.to),
            "" if row.close is None else str(row.close),
        ]
        for row in TRANSITIONS
    ]


def state_diagram() -> str:
    """The states of the client and the ways between them, as SVG. Parts to light have ``data-state``, ``data-move``.

    The states stand in a row. Ways to the next state are straight, those that pass over CLOSING lead below the row
    and the others above it.
    """
    states = list(ClientState)
    moves: dict[tuple[ClientState, ClientState], list[str]] = {}
    for row in TRANSITIONS:
        if row.state is not row.to:
            moves.setdefault((row.state, row.to), []).append(str(row.trigger))
    above = [move for move in moves if states.index(move[1]) - states.index(move[0]) > 1 and move[1] is not states[-1]]
    below = [move for move in moves if states.index(move[1]) - states.index(move[0]) > 1 and move[1] is states[-1]]
    top = 6 + _STEP * (1 + len(above))
    width, height = len(states) * (_BOX + _GAP) - _GAP + 4, top + _HEIGHT + _STEP * (1 + len(below)) + 6
    left = {state: 2 + index * (_BOX + _GAP) for index, state in enumerate(states)}
    drawn = []
    for move, triggers in moves.items():
        path = _way(left[move[0]], left[move[1]], top, move, above, below)
        title = escape(f"{move[0]} to {move[1]}: {', '.join(triggers)}")
        drawn.append(f'<g class="icws-lp-move" data-move="{move[0]} {move[1]}"><title>{title}</title>{path}</g>')
    for state in states:
        middle = left[state] + _BOX / 2
        drawn.append(
            f'<g class="icws-lp-state" data-state="{state}"><title>{escape(WORDS[state])}</title>'
            f'<rect x="{left[state]}" y="{top}" width="{_BOX}" height="{_HEIGHT}" rx="6"/>'
            f'<text x="{middle:g}" y="{top + 21}" text-anchor="middle">{state}</text></g>'
        )
    return f'<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">{"".join(drawn)}</svg>'


_Move = tuple[ClientState, ClientState]


def _way(start: float, end: float, top: float, move: _Move, above: list[_Move], below: list[_Move]) -> str:
    """The line of a transition and its tip."""
    if move in above or move in below:
        ways = above if move in above else below
        level = len(ways) - ways.index(move)
        spread = 9 * ((len(ways) - 1) / 2 - ways.index(move))  # so that no line crosses another
        x0, x1 = start + _BOX / 2 + (12 if move in above else 0), end + _BOX / 2 + spread - (12 if move in above else 0)
        sign, edge = (-1, top) if move in above else (1, top + _HEIGHT)
        far = edge + sign * _STEP * level
        line = f"M{x0:g},{edge:g} V{far:g} H{x1:g} V{edge + sign * 6:g}"
        return f'<path d="{line}"/><path class="icws-lp-tip" d="M{x1:g},{edge:g} l-4,{sign * 7} h8 z"/>'
    y = top + _HEIGHT / 2
    return f'<path d="M{start + _BOX:g},{y:g} H{end - 6:g}"/><path class="icws-lp-tip" d="M{end:g},{y:g} l-7,-4 v8 z"/>'
