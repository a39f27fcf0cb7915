"""`icws lab --fault` without its options: a scenario over real sockets, told while it happens.

What the lab's parts saw and what passed at the clients are told together, by protocol time. Application
messages are left out, for most scenarios are full of them; the recording has them.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from icws_explore.analysis.decode import decode_frame
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Frame
from icws_explore.lab.lab import Lab
from icws_explore.lab.log import LabEvent
from icws_explore.lab.scenarios import Scenario
from icws_explore.live.tap import Tap
from icws_explore.protocol.constants import NS_PER_S

from .command import ready

Write = Callable[[str], None]
_LEFT_OUT: Final = ("message", "app")
_SLOW_POLL: Final = "Polling messages took too long"  # what a scaled clock makes of a busy machine


@dataclass(frozen=True, slots=True)
class _Told:
    """What waits to be printed: lines, when they happened, and how."""

    t_ns: int
    text: str
    fields: dict[str, Any]


def play_fault(
    scenario: Scenario, *, write: Write, as_json: bool = False, time_scale: float | None = None, seed: int | None = None
) -> Recording:
    """Play it, and ``write`` a line for each thing that happens; gives the recording.

    With ``as_json`` the first line is that of ``icws lab --json`` with "fault" and "about", and every
    other one an object. Raises LabError, and KeyboardInterrupt with nothing left running.
    """
    waiting: queue.SimpleQueue[_Told] = queue.SimpleQueue()

    def watch(lab: Lab, taps: Sequence[Tap]) -> None:
        for line in _head(scenario, lab, as_json=as_json):
            write(line)
        lab.listen(lambda event: _put_event(waiting, event))
        for number, tap in enumerate(taps):
            tap.watch(_Clients(waiting, f"gateway {number + 1}, " if len(taps) > 1 else "").see)

    def tell(_part: float = 1.0) -> None:
        for told in sorted(_drained(waiting), key=lambda it: it.t_ns):
            write(json.dumps(told.fields, ensure_ascii=False) if as_json else told.text)

    try:
        recording = scenario.play(time_scale=time_scale, seed=seed, progress=tell, watch=watch)
    finally:
        tell()
    return recording


def _head(scenario: Scenario, lab: Lab, *, as_json: bool) -> Iterator[str]:
    if as_json:
        yield json.dumps(ready(lab) | {"fault": scenario.name, "about": scenario.about}, ensure_ascii=False)
        return
    duration_s = scenario.plan().duration_s
    yield f"{scenario.name}: {scenario.about}"
    took = duration_s / lab.clock.scale
    yield f"{duration_s:g} s of protocol time in about {took:.0f} s (× {lab.clock.scale:g})"
    yield ""


def _put_event(waiting: queue.SimpleQueue[_Told], event: LabEvent) -> None:
    is_usual = event.kind in ("received", "accepted") and event.text.startswith("ws_message")
    if not is_usual and not event.text.startswith(_SLOW_POLL):
        waiting.put(_Told(event.t_ns, str(event), event.as_json()))


class _Clients:
    """What passes at the clients of one tap, up to each session's first close."""

    def __init__(self, waiting: queue.SimpleQueue[_Told], gateway: str) -> None:
        self._waiting = waiting
        self._gateway = gateway
        self._ended: set[str | None] = set()

    def see(self, frame: Frame) -> None:
        """A frame, on the tap's own thread."""
        decoded = decode_frame(frame)
        if frame.is_http or frame.session in self._ended or decoded.kind in _LEFT_OUT:
            return
        kind, text = ("sent" if frame.direction == "out" else "received"), decoded.summary
        if frame.op == "close":
            self._ended.add(frame.session)
            kind = "closed"
        elif decoded.kind != "control":
            text = f"{decoded.kind.replace('_', '-')}: {text}"
        facts = {"session": frame.session, "kind": decoded.kind}
        event = LabEvent(
            round(frame.t * NS_PER_S), "client", kind, f"{self._gateway}session {frame.session}: {text}", facts
        )
        self._waiting.put(_Told(event.t_ns, str(event), event.as_json()))


def _drained(waiting: queue.SimpleQueue[_Told]) -> Iterator[_Told]:
    while True:
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return
