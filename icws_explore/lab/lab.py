"""`Lab`: the embedded network as one object for a notebook, a test or the command line.

Everything runs in a thread of its own, so a busy notebook cell does not stop its timers.

A lab in a few facts, for its repr and for a notebook.
"""

from __future__ import annotations

import asyncio
import atexit
import html
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from icws_explore.live.clock import Clock, clock_of_scale
from icws_explore.live.loop import LoopThread
from icws_explore.protocol.canister import App, Flavour
from icws_explore.protocol.constants import ACK_INTERVAL_MS, LATENCY_BOUND_MS, MAX_MESSAGES_PER_POLL, POLL_INTERVAL_MS
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.type_checks import checked

from .canister import CanisterView, LabCanister
from .faults import Faults
from .gateway.gateway import GatewayServer
from .log import LabEvent, LabLog
from .network import UPDATE_LATENCY_MS, LabNetwork, LabOptions


def facts(lab: Lab) -> list[tuple[str, str]]:
    """Names and values: where it is while it runs, and how it was made."""
    app = lab.app.name if isinstance(lab.app, App) else str(lab.app)
    clock = "real" if lab.clock.scale == 1 else f"× {lab.clock.scale:g}"
    found = [("app", app), ("running", "yes" if lab.running else "no"), ("clock", clock)]
    if lab.running:
        found += [("gateway", gateway.url) for gateway in lab.gateways]
        found.append(("network", lab.network_url))
        found += [("canister", f"{each.id} ({each.app.name})") for each in lab.canisters]
    times = {"ack interval": lab.ack_interval_ms, "keep-alive timeout": lab.keep_alive_timeout_ms}
    return found + [(name, f"{ms / 1000:g} s") for name, ms in times.items()]


def as_text(lab: Lab) -> str:
    return f"Lab({', '.join(f'{name}={value}' for name, value in facts(lab))})"


def as_html(lab: Lab) -> str:
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th><td><code>{html.escape(value)}</code></td></tr>"
        for name, value in facts(lab)
    )
    return f"<table><caption>IC WebSocket lab</caption>{rows}</table>"


T = TypeVar("T")

START_TIMEOUT_S: Final = 30.0  # real seconds; a lab is ready in well under one
STOP_TIMEOUT_S: Final = 10.0

_running: weakref.WeakSet[Lab] = weakref.WeakSet()


class Lab:
    """A small Internet Computer with an IC WebSocket gateway, on loopback.

    ::

        with Lab(app="pingpong", time_scale=60) as lab:
            session = await icws.connect(lab)

    ``app`` is the name of an example ("pingpong", "echo", "chat", "ticker"), the path of a Python
    file, or an App. Times are protocol time in milliseconds; ``time_scale`` says how many seconds of
    it pass in a real one, so that × 60 shows an ack interval of 300 s in 5 s (useful up to about
    × 300: beyond, a poll on loopback takes longer than the intervals it serves). Only clients that
    follow ``lab.clock`` can talk to a scaled lab for long.

    ``keep_alive_timeout_ms`` is twice ``latency_bound_ms`` unless given. The CDK's rule that the ack
    interval be longer than it holds only with ``enforce_minimum``. ``seed`` makes keys and ids
    reproducible; ``flavour`` is the CDK's ("rust" or "motoko", None: the app's own); ``ordered``
    False relays calls side by side (see lab/gateway/gateway.py); ``delegated`` False
    certifies with the root key itself. Ports 0 are free ones. ``faults`` make it misbehave (see `Faults`);
    their time begins with the lab's start.
    """

    @checked(LabError, app="the name of an example, the path of a Python file, or an App")
    def __init__(
        self,
        app: App | str | Path = "pingpong",
        *,
        time_scale: float = 1.0,
        ack_interval_ms: int = ACK_INTERVAL_MS,
        keep_alive_timeout_ms: int | None = None,
        latency_bound_ms: int = LATENCY_BOUND_MS,
        poll_interval_ms: int = POLL_INTERVAL_MS,
        update_latency_ms: float = UPDATE_LATENCY_MS,
        max_messages: int = MAX_MESSAGES_PER_POLL,
        enforce_minimum: bool = False,
        flavour: Flavour | None = None,
        gateways: int = 1,
        ordered: bool = True,
        delegated: bool = True,
        seed: int | None = None,
        host: str = "127.0.0.1",
        replica_port: int = 0,
        gateway_port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        """Raises LabError for options that no lab can have."""
        self.options = LabOptions(
            time_scale=time_scale,
            ack_interval_ms=ack_interval_ms,
            keep_alive_timeout_ms=2 * latency_bound_ms if keep_alive_timeout_ms is None else keep_alive_timeout_ms,
            latency_bound_ms=latency_bound_ms,
            poll_interval_ms=poll_interval_ms,
            update_latency_ms=update_latency_ms,
            max_messages=max_messages,
            enforce_minimum=enforce_minimum,
            flavour=flavour,
            gateways=gateways,
            ordered=ordered,
            delegated=delegated,
            seed=seed,
            host=host,
            replica_port=replica_port,
            gateway_port=gateway_port,
            faults=faults,
        )
        self.app = app
        self._clock = clock_of_scale(time_scale)
        self._log = LabLog(self._clock.now_ns)
        self._thread: LoopThread | None = None
        self._network: LabNetwork | None = None

    # Life

    def start(self) -> Self:
        """Start everything; ready when this returns. A stopped lab starts afresh, with new keys unless it has a seed.

        Raises LabError.
        """
        if self._network is not None:
            return self
        self._clock = clock_of_scale(self.options.time_scale)
        self._log = LabLog(self._clock.now_ns)
        self._thread = LoopThread("icws-lab")
        self._thread.start()
        try:
            self._network = self._run(self._started(), START_TIMEOUT_S)
        except BaseException:
            self._thread.stop()
            self._thread = None
            raise
        _running.add(self)
        return self

    def stop(self) -> None:
        """End everything: sockets, tasks, the thread. Twice is once. Raises LabError if a handler never returns."""
        network, self._network = self._network, None
        thread, self._thread = self._thread, None
        _running.discard(self)
        if network is None or thread is None:
            return
        try:
            thread.submit(network.stop()).result(STOP_TIMEOUT_S)
        except TimeoutError as error:
            why = network.watchdog.held_up_by or "something in it runs on"
            raise LabError(f"the lab did not end in {STOP_TIMEOUT_S:g} s: {why}") from error
        finally:
            thread.stop()

    async def _started(self) -> LabNetwork:
        network = LabNetwork(self.options, self._clock, self._log)
        await network.start(self.app)
        try:
            network.begin()
        except BaseException:  # what a fault of somebody's own raises
            await network.stop()
            raise
        return network

    @property
    def running(self) -> bool:
        return self._network is not None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None) -> None:
        self.stop()

    # Where it is: the first gateway and the first canister, for most labs have one of each

    @property
    def clock(self) -> Clock:
        """The clock that everything in the lab follows."""
        return self._clock

    @property
    def gateway_url(self) -> str:
        """ws:// of the first gateway."""
        return self._gateway.url

    @property
    def gateway_principal(self) -> Principal:
        return self._gateway.principal

    @property
    def network_url(self) -> str:
        """http:// of the replica."""
        return self._need.url

    @property
    def canister_id(self) -> Principal:
        return self._first.id

    @property
    def root_key(self) -> bytes:
        """The network's root key, DER."""
        return self._need.replica.root_key

    @property
    def app_did(self) -> str:
        """The .did text of the first canister."""
        return self._call(lambda: self._first.did)

    @property
    def ack_interval_ms(self) -> int:
        return self.options.ack_interval_ms

    @property
    def keep_alive_timeout_ms(self) -> int:
        return self.options.keep_alive_timeout_ms

    @property
    def latency_bound_ms(self) -> int:
        return self.options.latency_bound_ms

    # More of everything

    @property
    def canisters(self) -> tuple[LabCanister, ...]:
        """All canisters, the first one first."""
        return tuple(self._need.canisters.values())

    @property
    def gateways(self) -> tuple[GatewayServer, ...]:
        """All gateways, the first one first; each has ``url`` and ``principal``."""
        return tuple(self._need.gateways)

    def add_canister(self, app: App | str | Path, **changes: Any) -> Principal:
        """One more canister; ``changes`` are fields of CdkConfig that differ from the lab's. Raises LabError."""
        network = self._need
        return self._call(lambda: network.add_canister(app, **changes)).id

    def add_gateway(self, *, port: int = 0, faults: Faults | None = None) -> GatewayServer:
        """One more gateway on the same network. Raises LabError."""
        return self._run(self._need.add_gateway(port=port, faults=faults), START_TIMEOUT_S)

    def remove_gateway(self, gateway: GatewayServer) -> None:
        """Stop one gateway, as if its process had ended: its clients are cut off, nobody calls ws_close."""
        network = self._need
        if gateway not in network.gateways:
            raise LabError(f"{gateway.url} is none of this lab's gateways")
        network.gateways.remove(gateway)
        self._run(gateway.stop(), STOP_TIMEOUT_S)

    def upgrade(self, canister_id: Principal | str | None = None, app: App | None = None) -> None:
        """Upgrade a canister (the first one): its sessions are forgotten, as on the real heap. Raises LabError."""
        network, canister = self._need, self._canister(canister_id)
        self._call(lambda: network.upgrade(canister, app))

    def begin(self) -> int:
        """Let the faults' time begin anew, now: for who has set up more first. Returns when, ns since the epoch."""
        return self._call(self._need.begin)

    # Looking in

    def canister(self, canister_id: Principal | str | None = None) -> CanisterView:
        """What is in a canister (the first one) at this moment: clients, queue lengths, memory. Raises LabError."""
        canister = self._canister(canister_id)
        gateways = [gateway.principal for gateway in self._need.gateways]
        return self._call(lambda: canister.view(gateways))

    @property
    def events(self) -> list[LabEvent]:
        """What each part saw, with protocol time: also what no client is ever told (Err replies, traps, refusals)."""
        return self._log.events

    def listen(self, listener: Callable[[LabEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with every further event, in the lab's thread; what is returned ends it."""
        return self._log.listen(listener)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    # Inside

    @property
    def _need(self) -> LabNetwork:
        if self._network is None:
            raise LabError("the lab is not running; call start() first")
        return self._network

    @property
    def _gateway(self) -> GatewayServer:
        gateways = self._need.gateways
        if not gateways:
            raise LabError("this lab has no gateway; add one with add_gateway()")
        return gateways[0]

    @property
    def _first(self) -> LabCanister:
        return next(iter(self._need.canisters.values()))

    def _canister(self, canister_id: Principal | str | None) -> LabCanister:
        if canister_id is None:
            return self._first
        wanted = Principal.of(canister_id)
        canister = self._need.canisters.get(wanted)
        if canister is None:
            raise LabError(f"this lab has no canister {wanted}")
        return canister

    def _call(self, function: Callable[[], T]) -> T:
        """Call ``function`` where it cannot race with the lab."""
        if self._on_own_loop():
            return function()

        async def body() -> T:
            return function()

        return self._run(body(), START_TIMEOUT_S)

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        if self._thread is None or self._on_own_loop():
            work.close()
            raise LabError("this waits for the lab's own thread, from which it was called")
        future = self._thread.submit(work)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            why = "" if self._network is None else self._network.watchdog.held_up_by
            raise LabError(f"the lab did not answer within {timeout_s:g} s{': ' if why else ''}{why}") from None

    def _on_own_loop(self) -> bool:
        try:
            return self._thread is not None and asyncio.get_running_loop() is self._thread.loop
        except RuntimeError:
            return False


@atexit.register
def _stop_all() -> None:
    for lab in list(_running):
        lab.stop()
