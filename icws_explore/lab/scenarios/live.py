"""`play`: runs a plan over real sockets: a lab with the plan's faults, a tap in front of each gateway, and the clients.

Each client runs on a `Connection`, as a live session does, and follows the same kind of script as a simulated client.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Final

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, Frame
from icws_explore.live.clock import Clock
from icws_explore.live.connect import open_socket
from icws_explore.live.connection import Connection
from icws_explore.live.http import Network
from icws_explore.live.loop import LoopThread
from icws_explore.live.scheduler import ClockScheduler
from icws_explore.live.tap import Tap
from icws_explore.protocol import candid
from icws_explore.protocol.client.events import ClientEvent
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import ConnectError, LabError
from icws_explore.protocol.keys import Identity

from ..apps import load
from ..clocks import MachineClock
from ..lab import Lab
from ..replica.subnet import LabKeys
from ..simulator.scripts import Script, ScriptedClient
from .plan import ClientPlan, PageCallPlan, Plan

TIME_SCALE: Final = 60.0  # protocol seconds per real second
CLOSING_S: Final = 5.0  # real seconds for sessions to end after every client has closed
LOOK_S: Final = 0.1  # real seconds between two reports of progress
Progress = Callable[[float], None]
Watch = Callable[[Lab, Sequence[Tap]], object]


@dataclass(frozen=True, slots=True)
class LiveSetup:
    """What a client is made from: ``rng`` is for its script, ``url`` the address of its gateway's tap."""

    machine: ClientMachine
    script: Script
    clock: Clock
    rng: random.Random
    message_type: candid.Type
    url: str


class LiveClient(ScriptedClient):
    """A client over a real socket. ``on_error`` is called with what its script raises."""

    def __init__(
        self, number: int, setup: LiveSetup, scheduler: ClockScheduler, on_error: Callable[[Exception], object]
    ) -> None:
        super().__init__(
            number, setup.machine, setup.script, rng=setup.rng, scheduler=scheduler, message_type=setup.message_type
        )
        self._clock = setup.clock
        self._url = setup.url
        self._on_error = on_error
        self._connection: Connection | None = None

    @property
    def now_ns(self) -> int:
        """The client's own clock, in ns since the epoch."""
        return self._clock.now_ns()

    def send_bytes(self, content: bytes) -> None:
        """Send encoded Candid. Does nothing unless open."""
        if self.is_open and self._connection is not None:
            self._connection.send(content)

    def close(self) -> None:
        """Close the session with code 1000, as a user does. Does nothing before it connects or after it has ended."""
        if self._connection is not None and self._connection.close_code is None:
            self._connection.close()

    async def connect(self) -> None:
        """Open the socket. If that fails, the error is noted in ``failures``."""
        try:
            socket = await open_socket(self._url)
        except ConnectError as error:
            self.failures.append(str(error))
            return
        self._connection = Connection(
            socket,
            self.machine,
            clock=self._clock,
            capture=Capture(),  # the tap records
            writer=None,
            observe=self._observe,
        )

    async def run(self) -> None:
        """Run until the session has ended."""
        if self._connection is not None:
            await self._connection.run()

    def _observe(self, event: ClientEvent | Frame) -> None:
        if isinstance(event, Frame):
            return
        try:
            self._follow(event)
        except Exception as error:  # noqa: BLE001 -- raised by the script: reported, while the session continues
            self._on_error(error)


def play(
    plan: Plan,
    *,
    time_scale: float | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Recording:
    """Run ``plan`` on loopback and return what the taps recorded, with times of the lab's clock.

    The call blocks for a little more than ``plan.duration_s / time_scale`` real seconds. When it returns or raises,
    nothing is left running.

    ``time_scale``: protocol seconds per real second; None is the plan's own, or 60. ``seed``: gives the same keys,
    nonces and script timing again; the timing of frames still depends on the machine's load. ``progress(part)`` is
    called with the part that is done, from 0 to 1. ``watch(lab, taps)`` is called before the first client connects.
    Both are called in the caller's thread.

    Raises LabError, and whatever a client's script raises.
    """
    scale = time_scale or plan.time_scale or TIME_SCALE
    chosen = secrets.randbits(48) if seed is None else seed
    with ExitStack() as stack:
        lab = stack.enter_context(plan.lab(time_scale=scale, seed=chosen))
        taps = [stack.enter_context(tap) for tap in _taps(plan, lab)]
        if watch is not None:
            watch(lab, taps)
        thread = LoopThread("icws-play")
        thread.start()
        stack.callback(thread.stop)
        clients = _clients(plan, lab, taps, LabKeys(chosen))
        runner = _ClientRunner(plan, lab.clock, clients)
        if plan.asks_status:
            assert taps[0].network_url is not None
            thread.submit(_ask_status(taps[0].network_url, lab.clock)).result()
        if plan.records_network:
            for gateway, tap in zip(lab.gateways, taps, strict=True):
                assert tap.network_url is not None
                lab.point_gateway(gateway, tap.network_url)
        start_ns = lab.begin()
        running = thread.submit(runner.run(start_ns))
        network_url = taps[0].network_url or lab.network_url
        pages = [
            thread.submit(_page_call(call, call.identity(LabKeys(chosen), start_ns), start_ns, lab, network_url))
            for call in plan.page_calls
        ]
        _wait(running, runner, progress)
        for page in pages:
            page.result(CLOSING_S)
        _wait_for_taps(taps)
        _check_faults(lab)
        return _recording(plan, lab, taps, runner)


def _taps(plan: Plan, lab: Lab) -> Iterator[Tap]:
    for number, gateway in enumerate(lab.gateways):
        yield Tap(
            gateway.url,
            network=lab.network_url if plan.records_network or (plan.asks_status and number == 0) else None,
            canister=lab.canister_id,
            root_key=lab.root_key,
            app_type=lab.app_did,
            ack_interval_ms=plan.clients[0].ack_interval_ms or plan.ack_interval_ms,
            clock=lab.clock,
        )


def _clients(plan: Plan, lab: Lab, taps: list[Tap], keys: LabKeys) -> list[tuple[ClientPlan, LiveSetup]]:
    """Return what each client is made from."""
    message_type, start_ns = load(plan.app).message_type, lab.clock.now_ns()
    setups = []
    for number, client in enumerate(plan.clients):
        machine = client.machine(
            client.config(plan, lab.canister_id, lab.root_key),
            client.make_identity(keys, number, start_ns),
            entropy=keys.rng(f"entropy {number}").randbytes,
        )
        clock = MachineClock(lab.clock, plan.faults, "client", number, skew_ns=round(client.skew_ms * NS_PER_MS))
        url = taps[client.gateway].url
        rng = keys.rng(f"script {number}")
        setups.append((client, LiveSetup(machine, client.script, clock, rng, message_type, url)))
    return setups


class _ClientRunner:
    """Makes the clients connect in their order, follow their scripts, and leave. ``done`` is the part that is done."""

    def __init__(self, plan: Plan, clock: Clock, setups: list[tuple[ClientPlan, LiveSetup]]) -> None:
        self.clients: list[LiveClient] = []
        self.done = 0.0
        self._plan = plan
        self._clock = clock
        self._setups = setups
        self._errors: list[Exception] = []

    async def run(self, start_ns: int) -> None:
        """Run the plan from ``start_ns`` to its end. Raises what a script has raised."""
        scheduler = ClockScheduler(self._clock, self._errors.append)
        sessions: set[asyncio.Task[None]] = set()
        try:
            for number, (plan, setup) in enumerate(self._setups):
                await self._until(start_ns, plan.at_s)
                client = LiveClient(number, setup, scheduler, self._errors.append)
                self.clients.append(client)
                await client.connect()  # one after another, because sessions are numbered in this order
                sessions.add(asyncio.create_task(client.run(), name=f"icws-client-{number + 1}"))
                await asyncio.sleep(0)  # the task begins, so it closes its socket even if it is cancelled at once
                if plan.leaves_s is not None:
                    scheduler.at(start_ns + round(plan.leaves_s * NS_PER_S), client.close)
            await self._until(start_ns, self._plan.duration_s)
            for client in self.clients:
                client.close()
            _, late = await asyncio.wait(sessions, timeout=CLOSING_S)
        finally:
            scheduler.clear()
            for session in sessions:
                session.cancel()
            await asyncio.gather(*sessions, return_exceptions=True)
        self._errors.extend(e for s in sessions - late if isinstance(e := s.exception(), Exception))
        self._raise()

    async def _until(self, start_ns: int, seconds: float) -> None:
        """Wait until ``seconds`` after the start. Raises as soon as a script has raised."""
        until_ns = start_ns + round(seconds * NS_PER_S)
        while (left_s := (until_ns - self._clock.now_ns()) / NS_PER_S) > 0:
            self._raise()
            await asyncio.sleep(min(self._clock.real_seconds(left_s), LOOK_S))
            self.done = (self._clock.now_ns() - start_ns) / NS_PER_S / self._plan.duration_s

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]


async def _ask_status(network_url: str, clock: Clock) -> None:
    """Ask for the network's status through the tap, which records it."""
    async with Network(network_url, clock=clock) as network:
        await network.status()


async def _page_call(call: PageCallPlan, identity: Identity, start_ns: int, lab: Lab, network_url: str) -> None:
    """Make a page's call at its time. Raises ConnectError."""
    clock, canister_id = lab.clock, lab.canister_id
    await clock.sleep((start_ns - clock.now_ns()) / NS_PER_S + call.at_s)
    async with Network(network_url, identity=identity, clock=clock) as network:
        await network.call(canister_id, call.method, call.arg)


def _wait(running: Future[None], runner: _ClientRunner, progress: Progress | None) -> None:
    while not running.done():
        with suppress(TimeoutError):
            running.result(LOOK_S)
        if progress is not None:
            progress(min(runner.done, 1.0))
    running.result()
    if progress is not None:
        progress(1.0)


def _wait_for_taps(taps: list[Tap]) -> None:
    """Wait until the gateways have ended every connection, so that the taps record this too."""
    until = monotonic() + CLOSING_S
    while any(tap.open_connections for tap in taps) and monotonic() < until:
        sleep(0.01)


def _check_faults(lab: Lab) -> None:
    """Raise LabError if one of the plan's faults raised an exception."""
    for event in lab.events:
        if event.part == "lab" and event.kind == "error":
            raise LabError(event.text)


def _recording(plan: Plan, lab: Lab, taps: list[Tap], runner: _ClientRunner) -> Recording:
    """Join the taps' recordings into one, with the session names that the simulator would give."""
    frames: list[Frame] = []
    notes = [note for tap in taps for note in tap.notes]
    for number, tap in enumerate(taps):
        names = _session_names(plan, number) | _http_names(plan, number, tap)
        frames += [replace(f, session=names.get(f.session, f.session)) for f in tap.recording.raw.frames]
    for client in runner.clients:
        notes += [f"client {client.number + 1}: {text}" for text in client.failures]
    info = replace(taps[0].recording.info, network_url=lab.network_url)
    if len(runner.clients) == 1:
        info = replace(info, client_principal=str(runner.clients[0].principal))
    frames.sort(key=lambda frame: frame.t)
    return Recording(plan.as_recorded(Capture(info, frames, notes)))


def _session_names(plan: Plan, gateway: int) -> dict[str | None, str | None]:
    """Map the session names of that gateway's tap to those of the recording. A single session has no name."""
    numbers = [number for number, client in enumerate(plan.clients) if client.gateway == gateway]
    if len(plan.clients) == 1:
        return {"1": None}
    return {str(position): str(number + 1) for position, number in enumerate(numbers, start=1)}


def _http_names(plan: Plan, gateway: int, tap: Tap) -> dict[str | None, str | None]:
    """Map the names of that tap's HTTP requests to those of the recording. Every tap counts its own from 1."""
    if plan.gateways == 1:
        return {}
    return {frame.session: f"{frame.session}-{gateway + 1}" for frame in tap.recording.raw.http if frame.session}
