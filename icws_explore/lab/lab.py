"""`Lab`: a small Internet Computer with IC WebSocket gateways, as one object for notebooks, tests and the command line.

The lab's parts (`LabNetwork`) run on an event loop in a thread of their own. The methods of `Lab` can be called from
any other thread; they hand their work over to that thread and wait for it.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import weakref
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, cast

from icws_explore.analysis.decode import Kind, check_kind, decode_frame
from icws_explore.analysis.passages import Sighting
from icws_explore.capture import Frame
from icws_explore.live.breakpoints import Hold, PathControl
from icws_explore.live.clock import Clock, ScaledClock, clock_of_scale
from icws_explore.live.loop import LoopThread
from icws_explore.live.path import HOLD_S
from icws_explore.protocol.canister import App, Flavour
from icws_explore.protocol.constants import (
    ACK_INTERVAL_MS,
    LATENCY_BOUND_MS,
    MAX_MESSAGES_PER_POLL,
    NS_PER_S,
    POLL_INTERVAL_MS,
)
from icws_explore.protocol.errors import ArgumentValueError, LabError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.type_checks import checked
from icws_explore.protocol.wording import duration_ns

from .apps import WASM_FILES
from .canister import CanisterView, LabCanister
from .faults import Faults
from .gateway.gateway import GatewayServer
from .log import LabEvent, LabLog
from .network import UPDATE_LATENCY_MS, LabNetwork, LabOptions
from .sightings import SightingLog, executions
from .wasm import wasm_app

if TYPE_CHECKING:
    from .scenarios.switches import FaultSwitches

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
      Python file (see `icws_explore.lab.apps.app_file`) or of a compiled canister, or an `App`.
    - ``wasm``: your own compiled canister in place of an app: a .wasm or .wasm.gz file, or its bytes. It needs wasmtime
      (``pip install icws_explore[wasm]``), and is compiled at once. Its CDK has its own intervals: give them as
      ``ack_interval_ms`` and ``keep_alive_timeout_ms`` if they are not the defaults.
    - ``did``: the .did file or text of ``wasm``. None: the Candid interface in the module.
    - ``init``: the argument for the installation of ``wasm``: Candid text such as "(record { limit = 5 })", or encoded.
    - ``time_scale``: protocol seconds for each real second.
    - ``paused``: let time pass only while a call of a session waits for something (connect, receive, wait_for), and in
      `step` and `run_until`. Between the cells of a notebook nothing happens then.
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
    - ``process``: run the lab in a process of its own, which makes room for more sessions (`ProcessLab`).
    - ``reuse_port``: several labs on this machine may listen on the same ``gateway_port``; the system spreads the
      clients over them. With one ``seed`` they have the same keys.

    Programs and the pages of this machine (http://localhost:3000) may always use the lab. It runs your code, so it
    refuses other pages that are open in a browser here, and requests to other host names.

    Raises ArgumentTypeError or ArgumentValueError for an argument, and LabError for an app file that cannot be used.
    """

    __signature__: ClassVar[inspect.Signature]

    def __new__(cls, *_args: Any, process: bool = False, **_options: Any) -> Self:
        if process and cls is Lab:
            from .process import ProcessLab  # it imports this module

            return cast("Self", object.__new__(ProcessLab))
        return object.__new__(cls)

    @checked(app="the name of an example, the path of a Python file, or an App")
    def __init__(
        self,
        app: App | str | Path = "pingpong",
        *,
        wasm: str | Path | bytes | None = None,
        did: str | Path | None = None,
        init: str | bytes | None = None,
        time_scale: float = 1.0,
        paused: bool = False,
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
        process: bool = False,  # noqa: ARG002  # for __new__
        reuse_port: bool = False,
    ) -> None:
        self.options = LabOptions(
            time_scale=time_scale,
            paused=paused,
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
            reuse_port=reuse_port,
        )
        self.app = _own_canister(app, wasm, did, init)
        self._clock = clock_of_scale(time_scale, paused=paused)
        self._log = LabLog(self._clock.now_ns)
        self._sightings = SightingLog()
        self._control = PathControl(lambda: self.clock, self._call_if_running, self._tell)
        self._switches: FaultSwitches | None = None
        self._thread: LoopThread | None = None
        self._network: LabNetwork | None = None

    # Start and stop

    def start(self) -> Self:
        """Start the lab and wait until it is ready. A stopped lab starts anew, with new keys unless it has a seed.

        Raises LabError, and what ``faults.begin`` raises; then nothing is left running.
        """
        if self._network is not None:
            return self
        self._clock = clock_of_scale(self.options.time_scale, paused=self.options.paused)
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
        network = LabNetwork(self.options, self._clock, self._log, self._control)
        self._sightings = network.sightings
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

    # Time

    def pause(self) -> None:
        """Let the lab's time stand still, except while a call of a session waits for something.

        Raises LabError for a lab that follows the machine's clock.
        """
        self._scaled_clock.pause()

    def resume(self) -> None:
        """Let time pass again, from the time at which it stood still."""
        self._scaled_clock.resume()

    def step(self, duration: str | float | timedelta) -> float:
        """Let ``duration`` of protocol time pass at the lab's ``time_scale``, then pause. Returns the seconds passed.

        ``duration`` is protocol time: "5m", "90s", seconds or a timedelta. At × 60, five minutes take five seconds.
        Raises ArgumentValueError and LabError.
        """
        clock, seconds, start_ns = self._scaled_clock, duration_ns(duration) / NS_PER_S, self._clock.now_ns()
        self._run(clock.step(seconds), seconds / clock.scale + START_TIMEOUT_S)
        return (clock.now_ns() - start_ns) / NS_PER_S

    def run_until(self, kind: Kind, *, within: str | float | timedelta = "10m") -> float:
        """Let time pass until a frame of that kind passes a gateway, then pause. Returns the seconds passed.

        ``kind`` is a kind of frame as in the frame table: "ack", "keep_alive", "app", "close" and others. The client
        reads the frame when this has returned; to wait for that, use ``await session.wait_for(kind)``. ``within`` is
        protocol time, as in `step`. Raises ArgumentValueError, and LabError if no such frame passes in that time.
        """
        clock, seconds, start_ns = self._scaled_clock, duration_ns(within) / NS_PER_S, self._clock.now_ns()
        wanted, network = check_kind(kind), self._running_network

        async def run() -> bool:
            stepping = asyncio.ensure_future(clock.step(seconds))

            def watch(frame: Frame) -> None:
                if decode_frame(frame).kind == wanted:
                    stepping.cancel()

            network.watchers.append(watch)
            try:
                await asyncio.wait([stepping])
            finally:
                network.watchers.remove(watch)
                stepping.cancel()
            return stepping.cancelled()

        if not self._run(run(), seconds / clock.scale + START_TIMEOUT_S):
            raise LabError(f"no frame of the kind {wanted} passed a gateway within {seconds:g} s")
        return (clock.now_ns() - start_ns) / NS_PER_S

    @property
    def _scaled_clock(self) -> ScaledClock:
        if not isinstance(self._clock, ScaledClock):
            raise LabError("the lab follows the machine's clock; start it with paused=True or with a time_scale")
        return self._clock

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
        network, compiled = self._running_network, _compiled(app)
        return self._call(lambda: network.add_canister(compiled, **changes)).id

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

    def point_gateway(self, gateway: GatewayServer, network_url: str) -> None:
        """Let a gateway reach the network at another address, for example at the ``network_url`` of a tap.

        Raises ConnectError if there is no network, and LabError if it is not a gateway of this lab.
        """
        if gateway not in self._running_network.gateways:
            raise LabError(f"{gateway.url} is not a gateway of this lab")
        self._run(gateway.reach_network_at(network_url), START_TIMEOUT_S)

    def upgrade(self, canister_id: Principal | str | None = None, app: App | str | Path | None = None) -> None:
        """Upgrade a canister (None: the first one), to ``app`` if given. As in reality, its sessions are lost.

        Raises LabError.
        """
        network, canister = self._running_network, self._canister(canister_id)
        compiled = None if app is None else _compiled(app)
        self._call(lambda: network.upgrade(canister, compiled))

    def reinstall(self, canister_id: Principal | str | None = None, app: App | str | Path | None = None) -> None:
        """Install a canister (None: the first one) anew, with the code of ``app`` if given. It forgets everything.

        Raises LabError.
        """
        network, canister = self._running_network, self._canister(canister_id)
        compiled = None if app is None else _compiled(app)
        self._call(lambda: network.reinstall(canister, compiled))

    def uninstall(self, canister_id: Principal | str | None = None) -> None:
        """Remove the code of a canister (None: the first one), until `reinstall`. Raises LabError."""
        network, canister = self._running_network, self._canister(canister_id)
        self._call(lambda: network.replica.uninstall_canister(canister.id))

    def stop_canister(self, canister_id: Principal | str | None = None) -> None:
        """Stop a canister (None: the first one): it takes no calls, and its timers do not run. Raises LabError."""
        network, canister = self._running_network, self._canister(canister_id)
        self._call(lambda: network.replica.stop_canister(canister.id))

    def start_canister(self, canister_id: Principal | str | None = None) -> None:
        """Start a stopped canister (None: the first one). Raises LabError."""
        network, canister = self._running_network, self._canister(canister_id)
        self._call(lambda: network.start_canister(canister))

    def begin(self) -> int:
        """Restart the time of the faults now, for example once sessions are open. Returns it, ns since the epoch."""
        return self._call(self._running_network.begin)

    # Breakpoints

    def hold(self, where: str, *, session: int | None = None, timeout_s: float = HOLD_S) -> Hold:
        """Set a breakpoint: hold the frames between clients and gateways that match ``where``.

        ``where`` is a filter as `icws show --where` takes it; ``session`` limits it to one session, counted from 1 in
        the order of connecting. A frame is forwarded unchanged after ``timeout_s`` real seconds. The event log says
        what was done. Raises IcwsError for a bad filter, ArgumentValueError for a bad time-out.
        """
        return self._control.hold(where, session=None if session is None else str(session), timeout_s=timeout_s)

    @property
    def breakpoints(self) -> tuple[Hold, ...]:
        """The breakpoints that are set."""
        return self._control.holds

    @property
    def control(self) -> PathControl:
        """What acts on frames, for panels."""
        return self._control

    @property
    def faults(self) -> FaultSwitches:
        """Switches for the faults of the catalogue, while the lab runs: ``lab.faults.on("BODY_HASH")``."""
        if self._switches is None:
            from .scenarios.switches import FaultSwitches  # the scenarios import this module

            self._switches = FaultSwitches(self)
        return self._switches

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

    @property
    def sightings(self) -> list[Sighting]:
        """What gateways and canisters did with each message, for `icws_explore.plots.parties`.

        It has the newest 50,000 messages that passed a gateway, the calls that the canisters executed, and what waits
        in their queues now. A stopped lab has no queues. Raises LabError if the lab does not answer.
        """
        network = self._network
        waiting = [] if network is None else self._call(network.queued)
        return [*self._sightings.sightings(), *executions(self.events), *waiting]

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

    def _tell(self, text: str) -> None:
        self._log.write("lab", "error", text)

    def _call_if_running(self, function: Callable[[], T]) -> T:
        return self._call(function) if self._thread is not None else function()

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


# Python would show that of __new__.
Lab.__signature__ = (_signature := inspect.signature(Lab.__init__)).replace(
    parameters=[each for name, each in _signature.parameters.items() if name != "self"]
)


def network_of(lab: Lab) -> LabNetwork:
    """Return the parts of a running lab, for use on its loop. Raises LabError while it is not running."""
    return lab._running_network  # noqa: SLF001


def _own_canister(
    app: App | str | Path, wasm: str | Path | bytes | None, did: str | Path | None, init: str | bytes | None
) -> App | str | Path:
    """Return the application of a lab. A module is compiled here, in the caller's thread: that takes seconds."""
    if wasm is not None:
        return wasm_app(wasm, did=did, init=init)
    if did is not None or init is not None:
        raise ArgumentValueError("did and init belong to a compiled canister; give it as wasm")
    return _compiled(app)


def _compiled(app: App | str | Path) -> App | str | Path:
    return app if isinstance(app, App) or not str(app).endswith(WASM_FILES) else wasm_app(app)


@atexit.register
def _stop_all() -> None:
    for lab in list(_running):
        lab.stop()
