"""Converts recordings to other forms in which the doctor gets them: cut short, without facts, from a browser."""

from __future__ import annotations

import base64
import json
import math
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from icws_explore.analysis.imports import identify
from icws_explore.capture import Capture, SessionInfo, load, save
from icws_explore.capture.har import load_har

from .healthy_settings import Setting

PAUSE_EVERY_S, PAUSE_S, LONGEST_PAUSE_S = 12.0, 0.3, 4.0  # mean time between pauses, median and longest pause

_OPCODES = {"text": 1, "binary": 2, "ping": 9, "pong": 10}


def converted(capture: Capture, setting: Setting) -> Iterator[tuple[str, Capture]]:
    """Yield the name of one form, which depends on the setting's number, and the capture in that form."""
    rng = random.Random(setting.number)
    form = setting.number % 6
    if form == 0:
        length = rng.randrange(len(capture) + 1)
        yield f"cut short after {length} frames", Capture(capture.info, capture.frames[:length])
    elif form == 1:
        yield "without a configuration", identify(Capture(SessionInfo(), capture.frames))
    elif form == 2:
        bare = replace(capture.info, root_key=None, ack_interval_ms=None, app_type=None, started_at=None)
        yield "without root key, ack interval and type", Capture(bare, capture.frames)
    elif form == 3:
        name = rng.choice(capture.session_ids)
        yield f"only session {name}", capture.session(name)
    elif form == 4:
        with tempfile.TemporaryDirectory() as folder:
            yield "through a file", load(save(capture, Path(folder) / "session.icws.gz"))
    else:
        yield "as a browser's HAR", _as_har(capture)


def by_a_busy_machine(capture: Capture, seed: int) -> Capture:
    """Return the capture as a recorder writes it whose machine is busy.

    If the clients' clocks differ, each session has a recorder of its own: its client. Else there is one for all: a tap.
    A recorder pauses now and then, and records what passed meanwhile only afterwards, all within milliseconds. The
    order stays. Between the pauses each frame is some milliseconds late.
    """
    times = [frame.t for frame in capture.frames]
    is_shared = times == sorted(times)
    machines: dict[str | None, _BusyMachine] = {}
    frames = []
    for frame in capture.frames:
        name = None if is_shared else frame.session
        if name not in machines:
            machines[name] = _BusyMachine(random.Random(f"{seed} {name}"), frame.t)
        frames.append(replace(frame, t=machines[name].recorded(frame.t)))
    return Capture(capture.info, frames, capture.notes)


class _BusyMachine:
    """``began`` is when it starts to record (seconds since the epoch)."""

    def __init__(self, rng: random.Random, began: float) -> None:
        self._rng = rng
        self._pause_begin = self._pause_end = self._last = began

    def recorded(self, t: float) -> float:
        """Return when the machine records what happens at ``t``, not earlier than what it recorded before."""
        while self._pause_end < t:
            self._pause_begin = self._pause_end + self._rng.expovariate(1 / PAUSE_EVERY_S)
            pause_s = self._rng.lognormvariate(math.log(PAUSE_S), 1.0)
            self._pause_end = self._pause_begin + min(pause_s, LONGEST_PAUSE_S)
        seen = self._pause_end if self._pause_begin <= t else t
        self._last = max(seen + self._rng.expovariate(1 / 0.002), self._last)
        return self._last


def _as_har(capture: Capture) -> Capture:
    """Write each session as a WebSocket of a HAR, as Chrome does, and import it. A HAR has no close frames."""
    entries = []
    for name in capture.session_ids:
        frames = [frame for frame in capture.frames if frame.session == name and frame.op in _OPCODES]
        messages = [
            {
                "type": "send" if frame.direction == "out" else "receive",
                "time": round(frame.t, 6),
                "opcode": _OPCODES[frame.op],
                "data": base64.b64encode(frame.data).decode(),
            }
            for frame in frames
        ]
        entries.append({"_resourceType": "websocket", "request": {"url": "wss://h/"}, "_webSocketMessages": messages})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.har"
        path.write_text(json.dumps({"log": {"entries": entries}}), encoding="utf-8")
        imported = load_har(path)
    known = replace(imported.info, root_key=capture.info.root_key, ack_interval_ms=capture.info.ack_interval_ms)
    return identify(Capture(known, imported.frames, imported.notes))
