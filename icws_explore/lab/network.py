"""`LabNetwork`: the parts of a lab on one event loop (replica, HTTP server, canisters, gateways)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from aiohttp import web

from icws_explore.analysis.passages import Sighting
from icws_explore.capture import Frame
from icws_explore.live.breakpoints import PathControl
from icws_explore.live.clock import Clock
from icws_explore.live.listen import Listen, Visitors
from icws_explore.live.network.serving import runner_of
from icws_explore.protocol.canister import App, CdkConfig, Flavour
from icws_explore.protocol.canister.host import RunCode, run_unwatched
from icws_explore.protocol.constants import ACK_INTERVAL_MS, LATENCY_BOUND_MS, MAX_MESSAGES_PER_POLL, POLL_INTERVAL_MS
from icws_explore.protocol.errors import ArgumentValueError, LabError
from icws_explore.protocol.principal import Principal

from .apps import load
from .canister import LabCanister
from .faults import Faults, GuardedFaults
from .gateway.gateway import GatewayServer
from .log import LabLog, ReplicaLog
from .replica.http import make_app
from .replica.replica import Replica, ReplicaLoop
from .replica.subnet import FIRST_CANISTER, LAST_CANISTER, LabKeys, canister_principal
from .server_errors import ServerErrors
from .sightings import SightingLog, queued
from .stage import LabStage
from .switched import SwitchedFaults
from .wasm import WasmApp
from .watchdog import Watchdog

SHUTDOWN_TIMEOUT_S = 1.0  # real seconds in which running requests may end
UPDATE_LATENCY_MS = 50.0  # a local replica takes some hundred milliseconds, mainnet one to two seconds


@dataclass(frozen=True, slots=True)
class LabOptions:
    """The options of a lab; `Lab` documents each. Times are protocol time."""

    time_scale: float = 1.0
    paused: bool = False
    ack_interval_ms: int = ACK_INTERVAL_MS
    keep_alive_timeout_ms: int = 2 * LATENCY_BOUND_MS
    latency_bound_ms: int = LATENCY_BOUND_MS
    poll_interval_ms: int = POLL_INTERVAL_MS
    update_latency_ms: float = UPDATE_LATENCY_MS
    max_messages: int = MAX_MESSAGES_PER_POLL
    enforce_minimum: bool = False
    flavour: Flavour | None = None
    gateways: int = 1
    ordered: bool = True
    delegated: bool = True
    seed: int | None = None
    host: str = "127.0.0.1"
    replica_port: int = 0
    gateway_port: int = 0
    faults: Faults | None = None
    allow_origins: Sequence[str] = ()
    allow_hosts: Sequence[str] = ()
    reuse_port: bool = False

    @property
    def visitors(self) -> Visitors:
        """The pages that may use the lab, and the host names under which it may be reached."""
        return Visitors.of(Listen(self.host, 0), origins=self.allow_origins, hosts=self.allow_hosts)

    def __post_init__(self) -> None:
        """Raises ArgumentValueError for values out of range."""
        for name in (
            "ack_interval_ms",
            "keep_alive_timeout_ms",
            "latency_bound_ms",
            "poll_interval_ms",
            "max_messages",
        ):
            if getattr(self, name) < 1:
                raise ArgumentValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        for name in ("gateways", "update_latency_ms"):
            if getattr(self, name) < 0:
                raise ArgumentValueError(f"{name} must be 0 or more, not {getattr(self, name)!r}")
        for name in ("replica_port", "gateway_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise ArgumentValueError(f"{name} must be from 0 (a free port) to 65535, not {getattr(self, name)!r}")
        if not 0 < self.time_scale < float("inf"):
            raise ArgumentValueError(f"time_scale must be a positive number, not {self.time_scale!r}")
        _ = self.visitors  # checks the origins and hosts


class LabNetwork:
    """Everything that runs in a lab. Create, start, use and stop it on one event loop."""

    def __init__(self, options: LabOptions, clock: Clock, log: LabLog, control: PathControl | None = None) -> None:
        self.options = options
        self._control = control
        self.canisters: dict[Principal, LabCanister] = {}
        self.gateways: list[GatewayServer] = []
        self._clock = clock
        self._log = log
        self._keys = LabKeys(options.seed)
        self.switched = SwitchedFaults(self._guarded(options.faults), log)
        self._sessions = itertools.count()
        self._stage: LabStage | None = None
        self.watchdog = Watchdog()
        self.errors = ServerErrors(log)
        self.replica = Replica(
            self._keys,
            self._canister_ns,
            log,
            update_latency_ms=options.update_latency_ms,
            delegated=options.delegated,
        )
        self._replica_loop = ReplicaLoop(self.replica, clock)
        self._runner: web.AppRunner | None = None
        self._running: asyncio.Task[None] | None = None
        self.url = ""
        self.sightings = SightingLog()
        self.watchers: list[Callable[[Frame], object]] = []  # called with each binary frame that passes a gateway

    async def start(self, app: App | str | Path) -> None:
        """Start the first canister with ``app``, the replica's endpoints and the gateways.

        Raises LabError and ConnectError; then nothing is left running.
        """
        self.add_canister(app)
        application = make_app(self._replica_loop, self.options.visitors, self.switched)
        self._runner = runner_of(application, self.errors.logger, shutdown_s=SHUTDOWN_TIMEOUT_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.options.host, self.options.replica_port).start()
        except OSError as error:
            await self.stop()
            port = self.options.replica_port
            raise LabError(f"cannot listen on port {port}: {error.strerror}; choose another port") from error
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._running = asyncio.create_task(self._replica_loop.run())
        self._running.add_done_callback(self._rounds_ended)
        try:
            for number in range(self.options.gateways):
                await self.add_gateway(port=self.options.gateway_port if number == 0 else 0)
        except BaseException:
            await self.stop()
            raise

    def begin(self) -> int:
        """Start the time of the faults, again if it had started. Returns the start, ns since the epoch."""
        if self._stage is not None:
            self._stage.end()
        self._stage = LabStage(self, self._clock, self._log)
        self.switched.begin(self._stage)
        return self._stage.start_ns

    @property
    def first(self) -> LabCanister:
        """The first canister: the one with which the lab was created, unless it was removed."""
        return next(iter(self.canisters.values()))

    @property
    def stage(self) -> LabStage:
        """How faults act on the lab from outside. Raises LabError before `begin`."""
        if self._stage is None:
            raise LabError("the lab has not started")
        return self._stage

    @property
    def open_sessions(self) -> list[int]:
        """The numbers of the sessions that are connected, in the order in which they connected."""
        return sorted(session for gateway in self.gateways for session in gateway.open_sessions)

    async def stop(self) -> None:
        """Stop everything: first the gateways, then the replica."""
        if self._stage is not None:
            self._stage.end()
        for gateway in self.gateways:
            await gateway.stop()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)  # an error is in the log already
        if self._runner is not None:
            await self._runner.cleanup()
        self.watchdog.stop()

    def add_canister(self, app: App | str | Path, **changes: object) -> LabCanister:
        """Install ``app`` in a new canister. ``changes`` are fields of CdkConfig that differ from the lab's options.

        Raises LabError.
        """
        loaded = self.watchdog.run(f"the app {app}", lambda: load(app))
        number = FIRST_CANISTER + len(self.canisters)
        if number > LAST_CANISTER:
            raise LabError("the subnet's range has no canister id left")
        config = replace(self._config(loaded), **changes)  # type: ignore[arg-type]  # checked by CdkConfig itself
        host = self.replica.add_canister(canister_principal(number))
        host.run_code = self._run_code(loaded)
        canister = LabCanister(host, loaded, config, self._canister_ns)
        try:
            canister.install()
        except LabError:
            self.replica.remove_canister(canister.id)
            raise
        self.canisters[canister.id] = canister
        self._replica_loop.wake()
        return canister

    async def add_gateway(self, *, port: int = 0, faults: Faults | None = None) -> GatewayServer:
        """Start one more gateway. Raises LabError and ConnectError."""
        options, taken = self.options, {gateway.number for gateway in self.gateways}
        number = next(number for number in itertools.count() if number not in taken)  # gateways may have been removed
        gateway = GatewayServer(
            self.url,
            identity=self._keys.identity(f"gateway {number}"),
            host=options.host,
            port=port,
            reuse_port=options.reuse_port,
            clock=self._clock,
            poll_interval_ms=options.poll_interval_ms,
            ordered=options.ordered,
            faults=self.switched if faults is None else self._guarded(faults),
            log=self._log,
            number=number,
            sessions=self._sessions,
            visitors=options.visitors,
            control=self._control,
        )
        gateway.on_passed = self._passed
        gateway.sightings = self.sightings
        await gateway.start()
        self.gateways.append(gateway)
        return gateway

    def _passed(self, direction: Literal["up", "down"], data: bytes) -> None:
        if self.watchers:
            frame = Frame(self._clock.now_s(), "out" if direction == "up" else "in", "binary", data)
            for watcher in tuple(self.watchers):
                watcher(frame)

    def queued(self) -> list[Sighting]:
        """The messages in the canisters' queues for the lab's gateways now."""
        now_ns = self._clock.now_ns()
        return [
            sighting
            for canister in self.canisters.values()
            for gateway in self.gateways
            for sighting in queued(now_ns, gateway.principal, canister.queue(gateway.principal))
        ]

    def upgrade(self, canister: LabCanister, app: App | str | Path | None = None) -> None:
        """Upgrade a canister, to ``app`` if given. The CDK's state is lost. Raises LabError."""
        self._put(canister, app, canister.upgrade)
        ReplicaLog(self._log).upgraded(canister.id)
        self._replica_loop.wake()

    def _put(self, canister: LabCanister, app: App | str | Path | None, put: Callable[[App | None], None]) -> None:
        put(None if app is None else self.watchdog.run(f"the app {app}", lambda: load(app)))
        self.replica.canisters[canister.id].run_code = self._run_code(canister.app)

    def reinstall(self, canister: LabCanister, app: App | str | Path | None = None) -> None:
        """Install a canister's code, or that of ``app``, anew: it forgets everything. Raises LabError."""
        self._put(canister, app, canister.install)
        ReplicaLog(self._log).reinstalled(canister.id)
        self._replica_loop.wake()

    def start_canister(self, canister: LabCanister) -> None:
        """Start a stopped canister."""
        self.replica.start_canister(canister.id)
        self._replica_loop.wake()

    def _run_code(self, app: App) -> RunCode:
        """How the messages of an app are run. A compiled canister has limits of its own."""
        return run_unwatched if isinstance(app, WasmApp) else self.watchdog.run

    def _guarded(self, faults: Faults | None) -> Faults:
        return Faults() if faults is None else GuardedFaults(faults, self._log)

    def _canister_ns(self) -> int:
        """Return the time of the replica and its canisters, ns since the epoch, with the clock error of the faults."""
        now_ns = self._clock.now_ns()
        return now_ns + self.switched.clock_error_ns("canister", 0, now_ns)

    def _config(self, app: App) -> CdkConfig:
        options = self.options
        return CdkConfig(
            max_messages=options.max_messages,
            send_ack_interval_ms=options.ack_interval_ms,
            keep_alive_timeout_ms=options.keep_alive_timeout_ms,
            flavour=options.flavour or app.flavour,
            enforce_minimum=options.enforce_minimum,
        )

    def _rounds_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.write("replica", "error", f"the replica has stopped: {type(error).__name__}: {error}")
