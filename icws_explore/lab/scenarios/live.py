"""A plan over real sockets: a lab that errs as it says, a tap in front of each gateway, and its clients.

A client of a play over real sockets: to its script it is what a simulation's client is.
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
from typing import Any, Final

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, ClockInfo, Frame
from icws_explore.live.clock import Clock
from icws_explore.live.connect import open_socket
from icws_explore.live.connection import Connection
from icws_explore.live.http import Network
from icws_explore.live.loop import LoopThread
from icws_explore.live.tap import Tap
from icws_explore.protocol import candid
from icws_explore.protocol.client.events import CanisterClosed, Event, Failed, MessageReceived, Opened
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import ConnectError, LabError
from icws_explore.protocol.principal import Principal

from ..apps import load
from ..faults import Faults
from ..lab import Lab
from ..replica.subnet import LabKeys
from ..simulator.delays import DelayLike, delay
from ..simulator.scripts import Script
from ..stage import Agenda
from .plan import ClientPlan, Plan


class ClientClock(Clock):
    """A client's own clock: the lab's, ``skew_ns`` ahead, and as wrong as the faults say."""

    def __init__(self, true: Clock, *, skew_ns: int, faults: Faults, number: int) -> None:
        self._true = true
        self._skew_ns = skew_ns
        self._faults = faults
        self._number = number

    def now_ns(self) -> int:
        now_ns = self._true.now_ns()
        return now_ns + self._skew_ns + self._faults.clock_error_ns("client", self._number, now_ns)

    async def sleep(self, seconds: float) -> None:
        await self._true.sleep(seconds)

    @property
    def info(self) -> ClockInfo:
        return self._true.info


@dataclass(frozen=True, slots=True)
class LiveSetup:
    """What a client is made of. ``dice`` are its script's, ``url`` where it connects."""

    machine: ClientMachine
    script: Script
    clock: ClientClock
    dice: random.Random
    message_type: candid.Type
    url: str


class LiveClient:
    """``number`` counts from 0. ``on_error`` gets what its script raises; the rest goes into ``failures``."""

    def __init__(self, number: int, setup: LiveSetup, agenda: Agenda, on_error: Callable[[Exception], object]) -> None:
        self.number = number
        self.dice = setup.dice
        self.memory: dict[str, Any] = {}
        self.failures: list[str] = []
        self.machine = setup.machine
        self._setup = setup
        self._agenda = agenda
        self._on_error = on_error
        self._connection: Connection | None = None

    # For scripts

    @property
    def principal(self) -> Principal:
        return self.machine.client_key.client_principal

    @property
    def is_open(self) -> bool:
        return self.machine.is_open

    @property
    def now_ns(self) -> int:
        """The client's own clock, ns since the epoch."""
        return self._setup.clock.now_ns()

    def after(self, wait_ms: DelayLike, action: Callable[..., None], *args: Any) -> None:
        """Call ``action(*args)`` after a wait (milliseconds, or a Delay), unless the session has ended by then."""
        at_ns = self._agenda.now_ns + delay(wait_ms).draw_ns(self.dice)
        self._agenda.at(at_ns, self._if_open, action, args)

    def send(self, value: Any) -> None:
        """Send a value of the application's message type. Raises ValueMismatchError; nothing unless open."""
        if self.is_open:
            self.send_bytes(candid.encode([self._setup.message_type], [value]))

    def send_bytes(self, content: bytes) -> None:
        """Send encoded Candid. Nothing unless open."""
        if self.is_open and self._connection is not None:
            self._connection.send(content)

    def close(self) -> None:
        """Close the session as a user does: code 1000. Nothing before it is connected, or once it has ended."""
        if self._connection is not None and self._connection.close_code is None:
            self._connection.close()

    # For the director

    async def connect(self) -> None:
        """Open the socket. That it cannot be opened is noted in ``failures``."""
        try:
            socket = await open_socket(self._setup.url)
        except ConnectError as error:
            self.failures.append(str(error))
            return
        self._connection = Connection(
            socket,
            self.machine,
            clock=self._setup.clock,
            capture=Capture(),  # the tap records
            writer=None,
            observe=self._observe,
        )

    async def run(self) -> None:
        """Until the session has ended."""
        if self._connection is not None:
            await self._connection.run()

    def _if_open(self, action: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self.is_open:
            action(*args)

    def _observe(self, event: Event | Frame) -> None:
        try:
            self._follow(event)
        except Exception as error:  # noqa: BLE001 -- the script's; the director hears of it, the session goes on
            self._on_error(error)

    def _follow(self, event: Event | Frame) -> None:
        match event:
            case Opened():
                self._setup.script.opened(self)
            case MessageReceived(value=value):
                self._setup.script.received(self, value)
            case Failed(text):
                self.failures.append(text)
            case CanisterClosed(reason=why):
                self.failures.append(f"the canister closed the session: {why}")


TIME_SCALE: Final = 60.0
FAREWELL_S: Final = 5.0  # real seconds, for sessions to end once everybody has closed
LOOK_S: Final = 0.1  # real seconds between two reports of progress
Progress = Callable[[float], None]
Watch = Callable[[Lab, Sequence[Tap]], object]


def play(
    plan: Plan,
    *,
    time_scale: float | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Recording:
    """Let it happen on loopback, and return what the taps have recorded, by the lab's clock.

    Blocks for ``plan.duration_s / time_scale`` real seconds and a little more. ``time_scale`` None is the
    plan's own, or × 60. ``seed`` makes the keys and what clients say the same again; what the machine's
    load makes of it is not. ``progress`` is called with the part that is done, 0 to 1, and ``watch`` with the
    lab and its taps before the first client comes, both in the caller's thread. When this
    returns, or raises, nothing is left running. Raises LabError; and what a client's script raises.
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
        director = _Director(plan, lab.clock, clients)
        if plan.asks_status:
            assert taps[0].network_url is not None
            thread.submit(_ask_status(taps[0].network_url, lab.clock)).result()
        running = thread.submit(director.run(lab.begin()))
        _wait(running, director, progress)
        _let_end(taps)
        _check(lab)
        return _recording(plan, lab, taps, director)


def _taps(plan: Plan, lab: Lab) -> Iterator[Tap]:
    for number, gateway in enumerate(lab.gateways):
        yield Tap(
            gateway.url,
            network=lab.network_url if plan.asks_status and number == 0 else None,
            canister=lab.canister_id,
            root_key=lab.root_key,
            app_type=lab.app_did,
            ack_interval_ms=plan.clients[0].ack_interval_ms or plan.ack_interval_ms,
            clock=lab.clock,
        )


def _clients(plan: Plan, lab: Lab, taps: list[Tap], keys: LabKeys) -> list[tuple[ClientPlan, LiveSetup]]:
    """What each client is made of."""
    message_type, start_ns = load(plan.app).message_type, lab.clock.now_ns()
    made = []
    for number, client in enumerate(plan.clients):
        dice = {name: random.Random(keys.secret(f"dice of {name} {number}")) for name in ("script", "entropy")}
        machine = client.machine(
            client.config(plan, lab.canister_id, lab.root_key),
            client.who(keys, number, start_ns),
            entropy=dice["entropy"].randbytes,
        )
        clock = ClientClock(lab.clock, skew_ns=round(client.skew_ms * NS_PER_MS), faults=plan.faults, number=number)
        url = taps[client.gateway].url
        made.append((client, LiveSetup(machine, client.script, clock, dice["script"], message_type, url)))
    return made


class _Director:
    """Lets the clients connect in their order, act, and leave. `run` is used on one loop."""

    def __init__(self, plan: Plan, clock: Clock, setups: list[tuple[ClientPlan, LiveSetup]]) -> None:
        self.clients: list[LiveClient] = []
        self.done = 0.0
        self._plan = plan
        self._clock = clock
        self._setups = setups
        self._errors: list[Exception] = []

    async def run(self, start_ns: int) -> None:
        """From ``start_ns`` to the end. Raises what a script has raised."""
        agenda = Agenda(self._clock, self._errors.append)
        sessions: set[asyncio.Task[None]] = set()
        try:
            for number, (plan, setup) in enumerate(self._setups):
                await self._until(start_ns, plan.at_s)
                client = LiveClient(number, setup, agenda, self._errors.append)
                self.clients.append(client)
                await client.connect()  # one after the other: sessions are numbered in their order
                sessions.add(asyncio.create_task(client.run(), name=f"icws-client-{number + 1}"))
                await asyncio.sleep(0)  # it has begun: so it closes its socket even if it is cancelled at once
                if plan.leaves_s is not None:
                    agenda.at(start_ns + round(plan.leaves_s * NS_PER_S), client.close)
            await self._until(start_ns, self._plan.duration_s)
            for client in self.clients:
                client.close()
            _, late = await asyncio.wait(sessions, timeout=FAREWELL_S)
        finally:
            agenda.clear()
            for session in sessions:
                session.cancel()
            await asyncio.gather(*sessions, return_exceptions=True)
        self._errors.extend(e for s in sessions - late if isinstance(e := s.exception(), Exception))
        self._raise()

    async def _until(self, start_ns: int, seconds: float) -> None:
        """Wait until that many seconds after the start; no longer once something has failed."""
        until_ns = start_ns + round(seconds * NS_PER_S)
        while (left_s := (until_ns - self._clock.now_ns()) / NS_PER_S) > 0:
            self._raise()
            await asyncio.sleep(min(self._clock.real_seconds(left_s), LOOK_S))
            self.done = (self._clock.now_ns() - start_ns) / NS_PER_S / self._plan.duration_s

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]


async def _ask_status(network_url: str, clock: Clock) -> None:
    """Through the tap, which records it."""
    async with Network(network_url, clock=clock) as network:
        await network.status()


def _wait(running: Future[None], director: _Director, progress: Progress | None) -> None:
    while not running.done():
        with suppress(TimeoutError):
            running.result(LOOK_S)
        if progress is not None:
            progress(min(director.done, 1.0))
    running.result()
    if progress is not None:
        progress(1.0)


def _let_end(taps: list[Tap]) -> None:
    """What the gateways still do at the end of a connection is recorded too."""
    until = monotonic() + FAREWELL_S
    while any(tap.open_connections for tap in taps) and monotonic() < until:
        sleep(0.01)


def _check(lab: Lab) -> None:
    """Raises LabError where the plan's own faults have failed."""
    for event in lab.events:
        if event.part == "lab" and event.kind == "error":
            raise LabError(event.text)


def _recording(plan: Plan, lab: Lab, taps: list[Tap], director: _Director) -> Recording:
    """One capture of all taps, with the sessions called as the simulator calls them."""
    frames: list[Frame] = []
    notes = [note for tap in taps for note in tap.notes]
    for number, tap in enumerate(taps):
        named = _names(plan, number)
        frames += [replace(f, session=named.get(f.session, f.session)) for f in tap.recording.raw.frames]
    for client in director.clients:
        notes += [f"client {client.number + 1}: {text}" for text in client.failures]
    info = replace(taps[0].recording.info, network_url=lab.network_url)
    if len(director.clients) == 1:
        info = replace(info, client_principal=str(director.clients[0].principal))
    frames.sort(key=lambda frame: frame.t)
    return Recording(Capture(replace(info, **plan.recorded), frames, notes))


def _names(plan: Plan, gateway: int) -> dict[str | None, str | None]:
    """From what that gateway's tap calls its sessions to what the recording does: nothing where there is but one."""
    numbers = [number for number, client in enumerate(plan.clients) if client.gateway == gateway]
    if len(plan.clients) == 1:
        return {"1": None}
    return {str(place): str(number + 1) for place, number in enumerate(numbers, start=1)}
