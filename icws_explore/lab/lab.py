"""`Lab`: a small Internet Computer with IC WebSocket gateways, as one object for notebooks, tests and the command line.

The lab's parts (`LabNetwork`) run on an event loop in a thread of their own. The methods of `Lab` can be called from
any other thread; they hand their work over to that thread and wait for it.
"""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import Callable, Coroutine, Sequence
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

T = TypeVar("T")

START_TIMEOUT_S: Final = 30.0  # real seconds; a lab starts in less than one
STOP_TIMEOUT_S: Final = 10.0  # real seconds

_running: weakref.WeakSet[Lab] = weakref.WeakSet()


class Lab:
    """A small Internet Computer on loopback: a replica, canisters and IC WebSocket gateways.

    Use it as a context manager, or call `start` and `stop`::

        with icws.Lab("echo", time_scale=60) as lab:
            async with icws.connect(lab) as session:
                await session.send({"text": "hello"})
                print(await session.receive())

    The lab runs in a thread of its own, so a busy notebook cell does not stop its timers. ``time_scale`` makes its
    clock faster: with 60, an ack interval of 300 s passes in 5 real seconds. Above about 300, a poll takes longer than
    the poll interval. Clients of a scaled lab must follow ``lab.clock``, as `connect` does.

    Arguments (milliseconds are protocol time):

    - ``app``: the canister's application: the name of an example ("pingpong", "echo", "chat", "ticker"), the path of a
      Python file (see `icws_explore.lab.apps.app_file`), or an `App`.
    - ``time_scale``: protocol seconds for each real second.
    - ``ack_interval_ms``: the time between two acks of the canister.
    - ``keep_alive_timeout_ms``: how long the canister waits for a client's keep-alive after an ack. None: twice
      ``latency_bound_ms``.
    - ``latency_bound_ms``: the longest time that a message is expected to take from one end to the other.
    - ``poll_interval_ms``: the time between two polls of a gateway.
    - ``update_latency_ms``: the time from accepting a call to executing it.
    - ``max_messages``: how many messages the canister returns to one poll.
    - ``enforce_minimum``: apply the CDK's rule that the ack interval must be longer than the keep-alive timeout.
    - ``flavour``: which CDK the canister follows, "rust" or "motoko". None: the app's.
    - ``gateways``: the number of gateways.
    - ``ordered``: a gateway relays the calls of a session one after another. False: concurrently, as the real one.
    - ``delegated``: certificates carry a delegation by the root key. False: the root key itself signs them.
    - ``seed``: makes keys and ids reproducible. None: they are random.
    - ``host``: the address on which replica and gateways listen.
    - ``replica_port``, ``gateway_port``: the ports of the replica and of the first gateway. 0: a free port.
    - ``faults``: what goes wrong, a `Faults`. Their time starts with the lab.
    - ``allow_origins``: pages that may use the lab, for example ["https://dapp.example"]; "*" allows any page.
    - ``allow_hosts``: other names of this machine under which clients reach it, for example ["host.docker.internal"].

    Programs and the pages of this machine (http://localhost:3000) may always use the lab. It runs your code, so it
    refuses other pages that are open in a browser here, and requests to other host names.

    Raises ArgumentTypeError or ArgumentValueError for an argument, and LabError for an app file that cannot be used.
    """

    @checked(app="the name of an example, the path of a Python file, or an App")
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
        allow_origins: Sequence[str] = (),
        allow_hosts: Sequence[str] = (),
    ) -> None:
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
            allow_origins=allow_origins,
            allow_hosts=allow_hosts,
        )
        self.app = app
        self._clock = clock_of_scale(time_scale)
        self._log = LabLog(self._clock.now_ns)
        self._thread: LoopThread | None = None
        self._network: LabNetwork | None = None

    # Start and stop

    def start(self) -> Self:
        """Start the lab and wait until it is ready. A stopped lab starts anew, with new keys unless it has a seed.

        Raises LabError, and what ``faults.begin`` raises; then nothing is left running.
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
        """Stop the lab: close its sockets, end its tasks and its thread. Does nothing if it is not running.

        Raises LabError if the code of an app blocks the thread for `STOP_TIMEOUT_S`.
        """
        network, self._network = self._network, None
        thread, self._thread = self._thread, None
        _running.discard(self)
        if network is None or thread is None:
            return
        try:
            thread.submit(network.stop()).result(STOP_TIMEOUT_S)
        except TimeoutError as error:
            why = network.watchdog.blocked_by or "one of its tasks does not end"
            raise LabError(f"the lab did not stop in {STOP_TIMEOUT_S:g} s: {why}") from error
        finally:
            thread.stop()

    async def _started(self) -> LabNetwork:
        network = LabNetwork(self.options, self._clock, self._log)
        asyncio.get_running_loop().set_exception_handler(network.errors.loop_error)
        await network.start(self.app)
        try:
            network.begin()
        except BaseException:  # from faults.begin, which is a user's code
            await network.stop()
            raise
        return network

    @property
    def running(self) -> bool:
        """Whether the lab has been started and not stopped."""
        return self._network is not None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None) -> None:
        self.stop()

    # Addresses (those of the first gateway and of the first canister, because most labs have one of each).
    # All of these raise LabError while the lab is not running.

    @property
    def clock(self) -> Clock:
        """The clock of the lab. A stopped lab has its last one."""
        return self._clock

    @property
    def gateway_url(self) -> str:
        """The URL of the first gateway (``ws://…``)."""
        return self._gateway.url

    @property
    def gateway_principal(self) -> Principal:
        """The principal of the first gateway."""
        return self._gateway.principal

    @property
    def network_url(self) -> str:
        """The URL of the replica (``http://…``)."""
        return self._running_network.url

    @property
    def canister_id(self) -> Principal:
        """The id of the first canister."""
        return self._first.id

    @property
    def root_key(self) -> bytes:
        """The network's root key, DER."""
        return self._running_network.replica.root_key

    @property
    def app_did(self) -> str:
        """The .did text of the first canister."""
        return self._call(lambda: self._first.did)

    @property
    def ack_interval_ms(self) -> int:
        """Milliseconds of protocol time between two acks of the canister."""
        return self.options.ack_interval_ms

    @property
    def keep_alive_timeout_ms(self) -> int:
        """Milliseconds of protocol time that the canister waits for a client's keep-alive."""
        return self.options.keep_alive_timeout_ms

    @property
    def latency_bound_ms(self) -> int:
        """Milliseconds of protocol time that a message is expected to take at most."""
        return self.options.latency_bound_ms

    # More canisters and gateways

    @property
    def canisters(self) -> tuple[LabCanister, ...]:
        """All canisters, in the order in which they were added."""
        return tuple(self._running_network.canisters.values())

    @property
    def gateways(self) -> tuple[GatewayServer, ...]:
        """All gateways, in the order in which they were added. Each has a ``url`` and a ``principal``."""
        return tuple(self._running_network.gateways)

    def add_canister(self, app: App | str | Path, **changes: Any) -> Principal:
        """Install ``app`` in a new canister and return its id. Raises LabError.

        ``changes`` are fields of ``CdkConfig`` that differ from the lab's options.
        """
        network = self._running_network
        return self._call(lambda: network.add_canister(app, **changes)).id

    def add_gateway(self, *, port: int = 0, faults: Faults | None = None) -> GatewayServer:
        """Start one more gateway. ``port`` 0: a free port. ``faults`` None: those of the lab. Raises LabError."""
        return self._run(self._running_network.add_gateway(port=port, faults=faults), START_TIMEOUT_S)

    def remove_gateway(self, gateway: GatewayServer) -> None:
        """Stop a gateway as if its process had been killed: connections are cut and ws_close is not called.

        Raises LabError if it is not a gateway of this lab.
        """
        network = self._running_network
        if gateway not in network.gateways:
            raise LabError(f"{gateway.url} is not a gateway of this lab")
        network.gateways.remove(gateway)
        self._run(gateway.stop(), STOP_TIMEOUT_S)

    def upgrade(self, canister_id: Principal | str | None = None, app: App | None = None) -> None:
        """Upgrade a canister (None: the first one), to ``app`` if given. As in reality, its sessions are lost.

        Raises LabError.
        """
        network, canister = self._running_network, self._canister(canister_id)
        self._call(lambda: network.upgrade(canister, app))

    def begin(self) -> int:
        """Restart the time of the faults now, for example once sessions are open. Returns it, ns since the epoch."""
        return self._call(self._running_network.begin)

    # The state inside

    def canister(self, canister_id: Principal | str | None = None) -> CanisterView:
        """Return the current state of a canister (None: the first one): its clients, queue lengths and memory.

        Raises LabError.
        """
        canister = self._canister(canister_id)
        gateways = [gateway.principal for gateway in self._running_network.gateways]
        return self._call(lambda: canister.view(gateways))

    @property
    def events(self) -> list[LabEvent]:
        """The event log, with protocol times. It has what no client is told, too: Err replies, traps and refusals."""
        return self._log.events

    def listen(self, listener: Callable[[LabEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with every further event, in the lab's thread. Returns a function that stops this."""
        return self._log.listen(listener)

    def describe(self) -> list[tuple[str, str]]:
        """Names and values that describe the lab; the addresses only while it runs. A name may occur several times."""
        app = self.app.name if isinstance(self.app, App) else str(self.app)
        scale = self.clock.scale
        clock = "real" if scale == 1 else f"scaled × {scale:g}: a minute of protocol time takes {60 / scale:.3g} s"
        facts = [("app", app), ("running", "yes" if self.running else "no: call start()"), ("clock", clock)]
        if self.running:
            facts += [("gateway", f"{gateway.url} ({gateway.principal})") for gateway in self.gateways]
            facts.append(("network", self.network_url))
            facts += [("canister", f"{canister.id} ({canister.app.name})") for canister in self.canisters]
        acks, keep_alives = self.ack_interval_ms / 1000, self.keep_alive_timeout_ms / 1000
        return [*facts, ("acks", f"every {acks:g} s"), ("keep-alives", f"within {keep_alives:g} s of an ack")]

    def __repr__(self) -> str:
        return f"Lab({', '.join(f'{name}={value}' for name, value in self.describe())})"

    # Internal

    @property
    def _running_network(self) -> LabNetwork:
        if self._network is None:
            raise LabError("the lab is not running; call start() first")
        return self._network

    @property
    def _gateway(self) -> GatewayServer:
        gateways = self._running_network.gateways
        if not gateways:
            raise LabError("this lab has no gateway; add one with add_gateway()")
        return gateways[0]

    @property
    def _first(self) -> LabCanister:
        return next(iter(self._running_network.canisters.values()))

    def _canister(self, canister_id: Principal | str | None) -> LabCanister:
        if canister_id is None:
            return self._first
        wanted = Principal.of(canister_id)
        canister = self._running_network.canisters.get(wanted)
        if canister is None:
            raise LabError(f"this lab has no canister {wanted}")
        return canister

    def _call(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the lab's thread and return its result."""
        if self._on_own_loop():
            return function()

        async def body() -> T:
            return function()

        return self._run(body(), START_TIMEOUT_S)

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        if self._thread is None or self._on_own_loop():
            work.close()
            raise LabError("this cannot be called from the lab's own thread: it would wait for itself")
        future = self._thread.submit(work)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            why = "" if self._network is None else self._network.watchdog.blocked_by
            raise LabError(f"the lab did not answer within {timeout_s:g} s{': ' if why else ''}{why}") from None

    def _on_own_loop(self) -> bool:
        try:
            return self._thread is not None and asyncio.get_running_loop() is self._thread.loop
        except RuntimeError:  # no loop runs in this thread
            return False


@atexit.register
def _stop_all() -> None:
    for lab in list(_running):
        lab.stop()
