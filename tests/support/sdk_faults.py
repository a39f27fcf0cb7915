"""The real JavaScript SDK behind taps, each in front of a lab of its own that errs: many at once, in few processes.

Everything of a `Row` is said before it runs; `play` starts all labs and taps, lets Node run the sessions of
all rows side by side (most of them wait for the SDK's time-outs), and gives each row's recording with what
the SDK told of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final
from unittest import mock

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.doctor.facts import BUSY_S
from icws_explore.analysis.replay.client import BUSY_NS
from icws_explore.capture import Capture, ClockInfo
from icws_explore.lab import Lab
from icws_explore.lab import lab as lab_module
from icws_explore.live.clock import clock_of_scale
from icws_explore.live.tap import Tap
from icws_explore.protocol.constants import NS_PER_S

from .node_peer import Run, run_script

SCRIPT: Final = "fault_sessions.mjs"
SDK: Final = "0.5.0"
SPREAD_MS: Final = 300  # real, between the starts of all rows: each opening costs the SDK some pairings
# Real. The SDK asks for the root key and does not wait for it: an OpenMessage that comes at once could be too early.
UPDATE_LATENCY_MS: Final = 600.0
LOOK_S: Final = 0.2
NODE_MARGIN_S: Final = 15.0

Facts = Callable[[Lab, Lab], Mapping[str, Any]]  # of the row's lab, and of one that is elsewhere


def _nothing(_lab: Lab, _elsewhere: Lab) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Client:
    """One session of the SDK. Times are ms of protocol time; steps count from its onopen (fault_sessions.mjs).

    It starts with the row, or where the row's client before it has opened and been silent for ``follows_ms``.
    ``identity`` goes to fault_identities.mjs; ``config`` is what the SDK is told other than what is so.
    ``leaves_ms``: it is gone by then, without a word (None: something has to end it).
    """

    steps: tuple[Mapping[str, Any], ...] = ()
    follows_ms: int | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    config: Facts = _nothing
    leaves_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """``do`` is done once, as soon as ``when`` is true of what the tap has recorded."""

    when: Callable[[Capture], bool]
    do: Callable[[Lab, Tap], object]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the catalogue: how its lab errs, who connects, and how the SDK has to end it.

    ``lab`` makes the lab's options, ``tap`` the tap's. ``ends`` are the code and the reason of each client's
    end, None where there is none. ``ack_interval_ms`` is the SDK's (None: the lab's). All clients' clocks are
    ``skew_ms`` ahead; the lab's and theirs run ``scale`` times as fast as the machine's.
    """

    id: str
    lab: Callable[[], Mapping[str, Any]]
    ends: tuple[tuple[int, str] | None, ...]
    clients: tuple[Client, ...] = (Client(),)
    ack_interval_ms: int | None = None
    tap: Facts = _nothing
    actions: tuple[Action, ...] = ()
    skew_ms: int = 0
    scale: float = 1.0
    sdk: str = SDK
    variant: str = ""

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.id, self.variant)))

    @property
    def process(self) -> tuple[str, float, int]:
        """Rows that are alike in this share a process."""
        return self.sdk, self.scale, self.skew_ms


@dataclass(frozen=True, slots=True)
class Told:
    """What the SDK told of a session: its own decision to close, its onclose, its errors; code and reason each."""

    nonce: int | None
    closing: tuple[int, str] | None
    onclose: tuple[int, str] | None
    errors: tuple[str, ...]

    @classmethod
    def of(cls, run: Run, name: str) -> Told:
        events = [event for event in run.events if event.get("name") == name]
        started = [event for event in events if event["event"] == "start"]
        assert started, f"{name} was never started: {run.stderr}"
        ends = {event["event"]: (event["code"], event["reason"]) for event in reversed(events) if "code" in event}
        errors = tuple(event["text"] for event in events if event["event"] == "error")
        nonce = started[0]["nonce"]  # some versions choose it later
        return cls(None if nonce is None else int(nonce), ends.get("closing"), ends.get("close"), errors)


@dataclass(frozen=True, slots=True)
class Played:
    """``capture`` is the tap's; ``told`` is by client, in the order of the row's.

    ``held_up_s`` is for how long, of the machine's time, one of the processes did not get to run.
    """

    row: Row
    capture: Capture
    told: tuple[Told, ...]
    held_up_s: float

    @property
    def for_the_doctor(self) -> Capture:
        """It allows for a busy machine where the clock is scaled."""
        return self._drawn_out(BUSY_S) if self.row.scale != 1 else self.capture

    @property
    def for_replay(self) -> Capture:
        return self._drawn_out(BUSY_NS / NS_PER_S)

    def _drawn_out(self, allowed_s: float) -> Capture:
        """The capture, whose reader allows for what held its machine up.

        The scale of a clock tells a reader one thing only: how much protocol time the ``allowed_s`` are, of the
        machine's time, that it allows for.
        """
        capture, more = self.capture, self.held_up_s / allowed_s
        if more <= 1:
            return capture
        clock = ClockInfo("scaled", capture.info.clock.scale * more)
        return Capture(replace(capture.info, clock=clock), capture.frames, capture.notes)

    def session(self, client: int) -> str | None:
        """The capture's name for a client's session, known by the nonce in its ws_open."""
        for decoded in decode_frames(self.capture):
            if decoded.open_args is not None and decoded.open_args.client_nonce == self.told[client].nonce:
                return decoded.frame.session
        return self.capture.session_ids[client]


def play(rows: Sequence[Row], *, until_s: float) -> dict[str, Played]:
    """All rows at once, for ``until_s`` real seconds at most; by their names."""
    with ExitStack() as stack:
        # Node's clock goes with the machine's, whatever the machine does.
        stack.enter_context(mock.patch.object(lab_module, "clock_of_scale", clock_of_scale))
        elsewhere = stack.enter_context(Lab())
        stages: dict[str, Stage] = {}
        for row in rows:
            lab = stack.enter_context(Lab(**_options(row)))
            tap = stack.enter_context(Tap(**{"gateway": lab, **row.tap(lab, elsewhere)}))
            stages[row.name] = Stage(lab, tap, elsewhere)
        by_process = groupby(sorted(rows, key=lambda row: row.process), key=lambda row: row.process)
        groups = [list(group) for _, group in by_process]
        with ThreadPoolExecutor(len(groups)) as pool:
            starts_ms = {row.name: place * SPREAD_MS for place, row in enumerate(rows)}
            runs = [pool.submit(_run, group, stages, starts_ms, until_s) for group in groups]
            held_up_s = _act(rows, stages, runs)
        played = {}
        for group, run in zip(groups, runs, strict=True):
            slowest_s = max(held_up_s, *(event["ms"] / 1000 for event in run.result().all("held_up")))
            for row in group:
                told = tuple(_told(run.result(), row))
                played[row.name] = Played(row, stages[row.name].tap.recording.raw, told, slowest_s)
        return played


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs for a row."""

    lab: Lab
    tap: Tap
    elsewhere: Lab


def _options(row: Row) -> dict[str, Any]:
    usual = {"app": "echo", "time_scale": row.scale, "update_latency_ms": UPDATE_LATENCY_MS * row.scale}
    return {**usual, "delegated": False, **row.lab()}  # one pairing less a message


def _run(rows: Sequence[Row], stages: Mapping[str, Stage], starts_ms: Mapping[str, int], until_s: float) -> Run:
    """The sessions of rows that share a process; ``starts_ms`` are real."""
    sdk, scale, skew_ms = rows[0].process
    clock = None
    if (scale, skew_ms) != (1.0, 0):
        lab_ms, at_ms = stages[rows[0].name].lab.clock.now_s() * 1000, time.time() * 1000
        clock = {"nowMs": lab_ms + skew_ms, "atMs": at_ms, "scale": scale}
    sessions = [
        _session(row, number, stages[row.name], round(starts_ms[row.name] * scale))
        for row in rows
        for number in range(len(row.clients))
    ]
    config = {"sdk": sdk, "clock": clock, "until_ms": until_s * 1000 * scale, "sessions": sessions}
    return run_script(SCRIPT, config, timeout_s=until_s + NODE_MARGIN_S)


def _session(row: Row, number: int, stage: Stage, start_ms: int) -> dict[str, Any]:
    client, lab = row.clients[number], stage.lab
    return {
        "name": f"{row.name} {number}",
        "gateway_url": stage.tap.url,
        "network_url": lab.network_url,
        "canister_id": str(lab.canister_id),
        "ack_interval_ms": row.ack_interval_ms or lab.ack_interval_ms,
        "start_ms": start_ms,
        "follows": client.follows_ms and {"name": f"{row.name} {number - 1}", "silent_ms": client.follows_ms},
        "identity": client.identity,
        "steps": client.steps,
        "leaves_ms": client.leaves_ms,
        **client.config(lab, stage.elsewhere),
    }


def _act(rows: Sequence[Row], stages: Mapping[str, Stage], runs: Sequence[Future[Run]]) -> float:
    """Do what is to be done from outside, until Node has ended. Seconds by which the machine held this up at most."""
    held_up_s, looked = 0.0, time.monotonic()
    pending = [(row, action) for row in rows for action in row.actions]
    while not all(run.done() for run in runs):
        for row, action in tuple(pending):
            stage = stages[row.name]
            if action.when(stage.tap.recording.raw):
                action.do(stage.lab, stage.tap)
                pending.remove((row, action))
        time.sleep(LOOK_S)
        held_up_s, looked = max(held_up_s, time.monotonic() - looked - LOOK_S), time.monotonic()
    return held_up_s


def _told(run: Run, row: Row) -> Iterator[Told]:
    assert run.exit_code == 0, run.stderr
    return (Told.of(run, f"{row.name} {number}") for number in range(len(row.clients)))
