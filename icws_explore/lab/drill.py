"""A drill: the faults of a gateway, one after another, in the path of a dapp that reconnects.

Each fault runs through four steps: wait until a session of the dapp is open, switch the fault on, wait for what the
dapp does, switch it off and see whether a new session opens. The tap's recording is all that is looked at, so any
dapp can take part: it needs to connect to the tap, and to come back when its session ends.

The three answers of a row are honest about what was not seen: a fault that never found a frame to act on (no message
came) was not checked. Times are real seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from icws_explore.analysis.decode import decode_frame
from icws_explore.capture import Frame
from icws_explore.live.tap import Tap
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import LabError

from .scenarios import SCENARIOS, Scenario, scenario
from .scenarios.switches import FaultSwitches

Answer = Literal["yes", "no", "not checked", "not needed"]
PATIENCE_S: Final = 90.0  # for the dapp to react; the SDK gives up an opening after 60 s
RETURN_S: Final = 60.0  # for the dapp to come back
LOOK_S: Final = 0.05
_AT_OPENING: Final = ("NO_HANDSHAKE", "OPEN_TIMEOUT")  # these show only when a session opens
_HARMLESS: Final = ("SLOW_CLIENT_STALL", "REORDERED_RELAY")  # a session may survive these, without harm
# They take minutes of protocol time, or bursts of messages.
SLOW: Final = (
    "ACKS_WITHHELD", "LIFETIME_LIMIT", "PROXY_IDLE", "REORDERED_RELAY", "SLOW_CLIENT_STALL", "STALE_CERTIFICATE",
)  # fmt: skip
_TWO: Final = ("CLIENT_KEY_FOREIGN",)  # it needs two sessions at once


@dataclass(frozen=True, slots=True)
class DrillRow:
    """What a dapp did under one fault. ``after_s`` and ``back_s`` are real seconds; None: it did not happen.

    ``noticed``: the dapp ended its session, or came back after it was ended. ``recovered``: a session opened after the
    fault, or went on. "not checked" means that the fault never acted, "not needed" that it did no harm.
    """

    fault: str
    about: str
    did: str
    noticed: Answer
    recovered: Answer
    after_s: float | None = None
    back_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that `icws drill --json` prints."""
        return asdict(self)


def drill_faults(tap: Tap, names: Iterable[str] = (), *, slow: bool = False) -> tuple[Scenario, ...]:
    """Return the faults to drill: those named, or all that act within seconds. Raises LabError for others."""
    switches = FaultSwitches(tap)
    chosen = [scenario(name) for name in names]
    for fault in chosen:
        if (why := switches.why_not(fault.name)) is not None:
            raise LabError(f"{fault.name} cannot be drilled: {why}")
    usual = (fault for fault in switches.offered if fault.name not in _TWO and (slow or fault.name not in SLOW))
    return tuple(chosen) or tuple(sorted(usual, key=lambda fault: list(SCENARIOS).index(fault.name)))


class Drill:
    """Runs faults on a started ``tap``. ``now`` and ``rest`` are the clock, in real seconds."""

    def __init__(
        self,
        tap: Tap,
        *,
        patience_s: float = PATIENCE_S,
        return_s: float = RETURN_S,
        now: Callable[[], float] = time.monotonic,
        rest: Callable[[float], object] = time.sleep,
    ) -> None:
        self._tap = tap
        self._switches = FaultSwitches(tap)
        self._patience_s = patience_s
        self._return_s = return_s
        self._now = now
        self._rest = rest

    def run(self, faults: Iterable[Scenario]) -> Iterator[DrillRow]:
        """Yield a row for each fault, when it is over."""
        for fault in faults:
            yield self._one(fault)

    def _one(self, fault: Scenario) -> DrillRow:
        if not self._until(lambda: bool(self._healthy()), self._return_s):
            return DrillRow(fault.name, fault.about, "no session was open", "not checked", "not checked")
        sessions = self._healthy()
        first = len(self._frames)
        began = self._now()
        acts = 0
        self._switches.on(fault.name)
        try:
            if fault.name in _AT_OPENING:
                for session in sessions:
                    self._tap.drop(session, CloseCode.ABNORMAL_CLOSURE, by="the drill")
                self._until(lambda: bool(self._dealt_with(first, sessions)), self._patience_s)
            else:
                self._until(lambda: not any(self._is_open(each) for each in sessions), self._patience_s)
            acts = self._switches.acts(fault.name)
        finally:
            self._switches.off(fault.name)
        after_s = round(self._now() - began, 1)
        if not acts:
            text = f"the fault found nothing to act on in {self._patience_s:g} s"
            return DrillRow(fault.name, fault.about, text, "not checked", "not checked")
        end = self._end(first, sessions, fault)
        if end is None and all(self._is_open(each) for each in sessions):
            noticed: Answer = "not needed" if fault.name in _HARMLESS else "no"
            recovered: Answer = "yes" if fault.name in _HARMLESS else "not checked"
            return DrillRow(fault.name, fault.about, "its session went on", noticed, recovered)
        off = self._now()
        has_come = self._until(lambda: bool(set(self._healthy(first)) - set(sessions)), self._return_s)
        back_s = round(self._now() - off, 1) if has_come else None
        then = f"a new session was open {back_s:g} s later" if has_come else "it did not come back"
        is_own = end is not None and end.direction == "out"
        return DrillRow(
            fault.name,
            fault.about,
            f"{_told(end)}; {then}",
            "yes" if is_own or has_come else "no",
            "yes" if has_come else "no",
            after_s,
            back_s,
        )

    # -- what the recording shows ------------------------------------------------------------------

    @property
    def _frames(self) -> list[Frame]:
        return self._tap.recording.raw.frames

    def _is_open(self, session: str) -> bool:
        return session in self._tap.open_sessions

    def _healthy(self, first: int = 0) -> list[str]:
        """Return the open sessions whose OpenMessage has come, from frame ``first`` on."""
        opened = {
            frame.session
            for frame in self._frames[first:]
            if frame.op == "binary" and frame.direction == "in" and decode_frame(frame).kind == "open"
        }
        return [session for session in self._tap.open_sessions if session in opened]

    def _dealt_with(self, first: int, before: list[str]) -> list[Frame]:
        """Return the ends of sessions that came after ``before``."""
        return [frame for frame in self._frames[first:] if frame.op == "close" and frame.session not in before]

    def _end(self, first: int, sessions: list[str], fault: Scenario) -> Frame | None:
        """Return the first close of the sessions that the fault concerned; a client's own counts before others."""
        if fault.name in _AT_OPENING:
            ends = self._dealt_with(first, sessions)
        else:
            ends = [frame for frame in self._frames[first:] if frame.op == "close" and frame.session in sessions]
        own = [frame for frame in ends if frame.direction == "out"]
        return next(iter(own or ends), None)

    def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        end = self._now() + seconds
        while not true():
            if self._now() >= end:
                return False
            self._rest(LOOK_S)
        return True


def _told(end: Frame | None) -> str:
    if end is None:
        return "its session ended"
    if end.direction == "in":
        return "its session was ended" + ("" if end.code == CloseCode.ABNORMAL_CLOSURE else f" with {end.code}")
    if end.code == CloseCode.ABNORMAL_CLOSURE:
        return "it dropped the connection"
    return f"it closed with {end.code}" + (f" {end.reason!r}" if end.reason else "")
