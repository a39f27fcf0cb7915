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
from dataclasses import dataclass, field
from typing import Any, Final
from unittest import mock

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.lab import lab as lab_module
from icws_explore.live.tap import Tap

from .lockstep import LockstepClock, drive_script
from .node_peer import Run

SCRIPT: Final = "fault_sessions.mjs"
SDK: Final = "0.5.0"
SPREAD_MS: Final = 300  # real, between the starts of rows: each opening costs the SDK some pairings
# Real. The SDK asks for the root key and does not wait for it: an OpenMessage that comes at once could be too early.
UPDATE_LATENCY_MS: Final = 600.0
LOOK_S: Final = 0.2
UNTIL_S: Final = 900.0  # protocol
TIMEOUT_S: Final = 500.0  # real

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
    """``capture`` is the tap's; ``told`` is by client, in the order of the row's."""

    row: Row
    capture: Capture
    told: tuple[Told, ...]

    def session(self, client: int) -> str | None:
        """The capture's name for a client's session, known by the nonce in its ws_open."""
        for decoded in decode_frames(self.capture):
            if decoded.open_args is not None and decoded.open_args.client_nonce == self.told[client].nonce:
                return decoded.frame.session
        return self.capture.session_ids[client]


def play(rows: Sequence[Row]) -> dict[str, Played]:
    """All rows at once, by their names; a session that nothing ends is over after `UNTIL_S`."""
    with ExitStack() as stack:
        elsewhere = stack.enter_context(Lab())
        clocks = {row.process: LockstepClock(row.scale) for row in rows}
        stages: dict[str, Stage] = {}
        for row in rows:
            clock = clocks[row.process]
            with mock.patch.object(lab_module, "clock_of_scale", return_value=clock):
                lab = stack.enter_context(Lab(**_options(row)))
            tap = stack.enter_context(Tap(**{"gateway": lab, "clock": clock, **row.tap(lab, elsewhere)}))
            stages[row.name] = Stage(lab, tap, elsewhere)
        groups = {process: [row for row in rows if row.process == process] for process in clocks}
        with ThreadPoolExecutor(len(groups)) as pool:
            runs = {process: pool.submit(_run, groups[process], stages, clocks[process]) for process in clocks}
            _act(rows, stages, list(runs.values()))
        return {
            row.name: Played(row, stages[row.name].tap.recording.raw, tuple(_told(runs[row.process].result(), row)))
            for row in rows
        }


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs for a row."""

    lab: Lab
    tap: Tap
    elsewhere: Lab


def _options(row: Row) -> dict[str, Any]:
    usual = {"app": "echo", "time_scale": row.scale, "update_latency_ms": UPDATE_LATENCY_MS * row.scale}
    return {**usual, "delegated": False, **row.lab()}  # one pairing less a message


def _run(rows: Sequence[Row], stages: Mapping[str, Stage], clock: LockstepClock) -> Run:
    """The sessions of rows that share a process."""
    sdk, scale, skew_ms = rows[0].process
    sessions = [
        _session(row, number, stages[row.name], round(place * SPREAD_MS * scale))
        for place, row in enumerate(rows)
        for number in range(len(row.clients))
    ]
    config = {"sdk": sdk, "clock": {"skew_ms": skew_ms}, "until_ms": UNTIL_S * 1000, "sessions": sessions}
    return drive_script(SCRIPT, config, clock, timeout_s=TIMEOUT_S)


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


def _act(rows: Sequence[Row], stages: Mapping[str, Stage], runs: Sequence[Future[Run]]) -> None:
    """Do what is to be done from outside, until Node has ended."""
    pending = [(row, action) for row in rows for action in row.actions]
    while not all(run.done() for run in runs):
        for row, action in tuple(pending):
            stage = stages[row.name]
            if action.when(stage.tap.recording.raw):
                action.do(stage.lab, stage.tap)
                pending.remove((row, action))
        time.sleep(LOOK_S)


def _told(run: Run, row: Row) -> Iterator[Told]:
    assert run.exit_code == 0, run.stderr
    return (Told.of(run, f"{row.name} {number}") for number in range(len(row.clients)))
