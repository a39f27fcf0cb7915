"""`icws_explore.Tap`: a proxy between any client and any gateway that records every session.

::

    with icws.Tap("wss://gateway.example", record="sessions.icws") as tap:
        ...                      # point the dapp at tap.url instead of the gateway
        tap.recording            # what has passed so far, as any other recording

In front of a lab whose time runs faster, connect with the lab's clock: ``icws.connect(tap.url,
network=lab.network_url, canister=lab.canister_id, clock=lab.clock)``.

It runs in a thread of its own, so that a busy notebook cell does not hold up the dapp. Every frame is recorded before
it is passed on, so the file has every frame that the other side received, even if the process is killed.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import ssl as tls
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, CaptureWriter, SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.errors import ConnectError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.type_checks import checked

from .address import Address
from .breakpoints import FrameScript, Hold, PathControl
from .clock import Clock, RealClock
from .http import Network
from .listen import Listen, Visitors
from .loop import LoopThread
from .network.profiles import network_profile
from .path import HOLD_S
from .tap_network import NetworkTap
from .tap_recorder import FrameObserver, NoteObserver, Recorder
from .tap_relay import Relay
from .target import Endpoint, resolve_app_type

T = TypeVar("T")

LOOPBACK: Final = "127.0.0.1:0"
START_TIMEOUT_S: Final = 45.0  # real seconds; the network may be asked for its root key
STOP_TIMEOUT_S: Final = 10.0
ACCEPT_TURNS: Final = 8  # turns of the loop until an accepted socket has its protocol, or an aborted one is closed


@dataclass(frozen=True, slots=True)
class TapPlan:
    """What a tap was asked to do."""

    gateway: Address
    listen: Listen
    network_url: str | None = field(repr=False)  # it may hold a password or a token
    network_listen: Listen
    visitors: Visitors
    record: Path | None
    info: SessionInfo
    clock: Clock
    ssl: tls.SSLContext | None
    keep: bool
    every_query: bool


class Tap:
    """A tap in front of ``gateway`` (its URL, or a Lab). Use as a context manager, or `start` and `stop`.

    Clients connect to ``tap.url`` instead of the gateway; path and query are kept. ``network`` is
    the network's HTTP side, by URL or by name: its root key is noted in the capture, and a second proxy at
    ``tap.network_url`` stands in front of it, for a gateway to be pointed at. ``record`` names an
    .icws file, written frame by frame; with ``keep`` False that is the only place frames go to.
    ``canister``, ``root_key``, ``app_type`` and ``ack_interval_ms`` are facts for the capture, where
    known. ``ssl`` is the context for a wss:// gateway with a certificate of its own.

    The tap accepts programs and pages of this machine (http://localhost:3000). Other pages that are open in a
    browser here are refused, because they could use the gateway through the tap and write into the recording.
    ``allow_origins`` lists more pages to accept ("https://dapp.example", "null", or "*" for any), ``allow_hosts``
    more names by which clients reach the tap ("host.docker.internal").
    A browser's mixed-content rules let an https:// page connect to ws:// on loopback only.
    Raises ArgumentTypeError, ArgumentValueError, DidError or PrincipalError for an argument.
    """

    @checked(
        skip=("canister",),  # it has an error of its own
        gateway="the URL of a gateway, such as ws://127.0.0.1:8080, or a Lab",
        network="the URL of a network, such as http://127.0.0.1:4943, or its name",
        listen="an address, as 127.0.0.1:8081", network_listen="an address, as 127.0.0.1:8082",
        app_type="the .did file, its text, or a type", root_key="its bytes (DER)", ssl="an ssl.SSLContext",
    )  # fmt: skip
    def __init__(
        self,
        gateway: str | Endpoint,
        *,
        listen: str = LOOPBACK,
        network: str | None = None,
        network_listen: str = LOOPBACK,
        record: str | os.PathLike[str] | None = None,
        canister: Principal | str | bytes | None = None,
        root_key: bytes | None = None,
        app_type: candid.Type | str | os.PathLike[str] | None = None,
        ack_interval_ms: int | None = None,
        clock: Clock | None = None,
        ssl: tls.SSLContext | None = None,
        keep: bool = True,
        every_query: bool = False,
        allow_origins: Sequence[str] = (),
        allow_hosts: Sequence[str] = (),
    ) -> None:
        profile = None if network is None else network_profile(network)
        if profile is not None:
            network = profile.url
            canister = canister or profile.canister
            root_key = root_key or profile.root_key
        known_network = network
        if not isinstance(gateway, str):
            known_network = network or gateway.network_url
            canister = canister or gateway.canister_id
            root_key = root_key or gateway.root_key
            app_type = gateway.app_did if app_type is None else app_type
            ack_interval_ms = ack_interval_ms or gateway.ack_interval_ms
            clock = clock or gateway.clock
            gateway = gateway.gateway_url
        declared = resolve_app_type(app_type)
        clock = clock or RealClock()
        info = SessionInfo(
            gateway_url=gateway,
            network_url=known_network,
            canister_id=None if canister is None else Principal.of(canister).text,
            root_key=root_key,
            ack_interval_ms=ack_interval_ms,
            app_type=None if declared is None else candid.type_text(declared),
            clock=clock.info,
            origin="tap",
        )
        if network is not None:
            Address.network(network)
        here, network_here = Listen.parse(listen), Listen.parse(network_listen)
        self._plan = TapPlan(
            gateway=Address.gateway(gateway),
            listen=here,
            network_url=network,
            network_listen=network_here,
            visitors=Visitors.of(here, network_here, origins=allow_origins, hosts=allow_hosts),
            record=None if record is None else Path(record),
            info=info,
            clock=clock,
            ssl=ssl,
            keep=keep,
            every_query=every_query,
        )
        self.recording = Recording(Capture(info))
        self._control = PathControl(lambda: clock, self._call, self.note)
        self._control.app_type = declared
        self._frame_observers: list[FrameObserver] = []
        self._note_observers: list[NoteObserver] = []
        self._thread: LoopThread | None = None
        self._running: _Running | None = None

    # -- what it is ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where clients connect. Raises ConnectError while the tap is not running."""
        path = self._plan.gateway.path.rstrip("/")
        if ";" in path:
            path = ""  # what follows a semicolon may be a token; the tap puts the path in front of "/", too
        return f"ws://{self._plan.listen.at(self._need().port)}{path}"

    @property
    def gateway_url(self) -> str:
        """The gateway's URL without password and query."""
        return self._plan.gateway.shown

    @property
    def network_url(self) -> str | None:
        """Where a gateway reaches the network through the tap; None: without ``network``."""
        network = self._need().network
        return None if network is None else network.url

    @property
    def is_public(self) -> bool:
        """Whether other machines can connect, too."""
        listens = [self._plan.listen] + ([self._plan.network_listen] if self._plan.network_url else [])
        return not all(listen.is_loopback for listen in listens)

    @property
    def open_connections(self) -> int:
        """How many connections are relayed at this moment."""
        return 0 if self._running is None else len(self._running.relays)

    @property
    def notes(self) -> list[str]:
        """What no frame says: who could not be reached, what could not be read."""
        return self.recording.notes

    def watch(self, observer: FrameObserver, *, notes: NoteObserver | None = None) -> Callable[[], None]:
        """Call ``observer`` with every frame as it passes, and ``notes`` with every note; returns what stops this.

        Observers run on the tap's thread, before the frame is passed on, so they must be quick. An observer that
        raises is not called again, and a note says so.
        """
        self._frame_observers.append(observer)
        if notes is not None:
            self._note_observers.append(notes)

        def stop() -> None:
            if observer in self._frame_observers:
                self._frame_observers.remove(observer)
            if notes is not None and notes in self._note_observers:
                self._note_observers.remove(notes)

        return stop

    # -- what it does to frames --------------------------------------------------------------------

    def hold(self, where: str, *, session: str | None = None, timeout_s: float = HOLD_S) -> Hold:
        """Set a breakpoint: hold the frames that match ``where``, until somebody decides about each.

        ``where`` is a filter as `icws show --where` takes it: "kind == 'app' and direction == 'in'". ``session`` limits
        it to one session of the recording. A frame is forwarded unchanged after ``timeout_s`` real seconds.
        The frames behind it in its direction wait; the other direction and other sessions do not.
        Raises IcwsError for a bad filter, ArgumentValueError for a bad time-out.
        """
        return self._control.hold(where, session=session, timeout_s=timeout_s)

    def script(self, function: FrameScript, *, name: str = "the script") -> Callable[[], None]:
        """Call ``function`` with every frame, decoded, as it passes. Returns a function that ends this.

        ``function`` returns what to deliver: None (the frame as it is), bytes, a `Delivery`, or a list of these; an
        empty list drops the frame. It runs on the tap's thread, so it must be quick. If it raises, the frame passes
        and a note says so. ``name`` is what the recording calls it.
        """
        return self._control.add_script(name, function)

    @property
    def breakpoints(self) -> tuple[Hold, ...]:
        """The breakpoints that are set."""
        return self._control.holds

    @property
    def control(self) -> PathControl:
        """What acts on frames, for faults and panels."""
        return self._control

    @property
    def clock(self) -> Clock:
        """The clock of the recording."""
        return self._plan.clock

    @property
    def open_sessions(self) -> list[str]:
        """The names of the sessions that are open, in the order in which they connected.

        Raises ConnectError while the tap is not running.
        """
        names = [relay.session for relay in tuple(self._need().relays) if relay.is_open]
        return sorted(names, key=int)

    def drop(self, session: str, code: int | None = 1006, *, by: str = "the tap") -> None:
        """End a session as its gateway would. ``by`` is noted. Does nothing if it has ended.

        ``code`` None: with a close frame without a code. 1006: without a close frame. Other codes are sent.
        """
        self._call(lambda: self._with_relay(session, lambda relay: relay.drop(code, by)))

    def send(self, session: str, data: bytes, *, by: str = "the tap") -> None:
        """Send a binary frame to a client as if its gateway had. ``by`` is noted. Does nothing if it has ended."""
        self._call(lambda: self._with_relay(session, lambda relay: relay.send(data, by)))

    def _with_relay(self, session: str, act: Callable[[Relay], None]) -> None:
        for relay in tuple(() if self._running is None else self._running.relays):
            if relay.session == session:
                act(relay)

    def note(self, text: str) -> None:
        """Add a note to the recording."""
        if (running := self._running) is not None:
            self._call(lambda: running.recorder.note(text))

    def _call(self, function: Callable[[], T]) -> T:
        """Call ``function`` on the tap's loop and return its result; here if the tap is not running."""
        return function() if self._thread is None else self._thread.call(function)

    def __repr__(self) -> str:
        where = "stopped" if self._running is None else self.url
        return f"<Tap {where} → {self._plan.gateway}: {len(self.recording)} frames>"

    # -- its life --------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen; clients can connect when this returns. A tap that was stopped starts a new capture.

        Raises ConnectError when the address is taken, CaptureError when the file cannot be written.
        """
        if self._running is not None:
            return self
        thread = LoopThread("icws-tap")
        thread.start()
        try:
            running = thread.submit(
                _Running.start(self._plan, self._control, self._frame_observers, self._note_observers)
            )
            self._running = running.result(START_TIMEOUT_S)
        except BaseException:
            thread.stop()
            raise
        self._thread = thread
        self.recording = Recording(self._running.recorder.capture)
        return self

    def stop(self) -> None:
        """Cut what is open, close the file, end the thread. Twice is once."""
        running, self._running = self._running, None
        thread, self._thread = self._thread, None
        if running is None or thread is None:
            return
        try:
            thread.submit(running.stop()).result(STOP_TIMEOUT_S)
        finally:
            thread.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None) -> None:
        self.stop()

    def _need(self) -> _Running:
        if self._running is None:
            raise ConnectError("the tap is not running: start it")
        return self._running


class _Running:
    """What exists on the loop between start and stop."""

    def __init__(self, plan: TapPlan, control: PathControl, recorder: Recorder) -> None:
        self.plan = plan
        self.control = control
        self.recorder = recorder
        self.relays: set[Relay] = set()
        self.network: NetworkTap | None = None
        self.port = 0
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    @classmethod
    async def start(
        cls,
        plan: TapPlan,
        control: PathControl,
        frame_observers: list[FrameObserver],
        note_observers: list[NoteObserver],
    ) -> _Running:
        info, notes = await _informed(plan)
        capture = Capture(info, notes=notes)
        writer = None if plan.record is None else CaptureWriter(plan.record, info, notes)
        recorder = Recorder(capture, plan.clock, writer, keep=plan.keep)
        recorder.observers, recorder.note_observers = frame_observers, note_observers
        running = cls(plan, control, recorder)
        asyncio.get_running_loop().set_exception_handler(running.loop_fault)
        try:
            await running.listen()
        except BaseException:
            await running.stop()
            raise
        for text in notes:
            for observe in note_observers:
                observe(text)
        return running

    async def listen(self) -> None:
        plan = self.plan
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: self._relay().client, plan.listen.host, plan.listen.port
            )
        except OSError as error:
            raise ConnectError(plan.listen.taken(error)) from error
        self.port = self._server.sockets[0].getsockname()[1]
        if plan.network_url is not None:
            self.network = NetworkTap(plan.network_url, self.recorder, plan.visitors, every_query=plan.every_query)
            await self.network.start(plan.network_listen)

    async def stop(self) -> None:
        if self._server is not None:
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            await _turns()  # asyncio hands over the sockets that it has accepted; a closed server could not take them
            self._server.close()
        relays = tuple(self.relays)
        for relay in relays:
            relay.cut()
        await asyncio.gather(*(relay.gone() for relay in relays))
        await _turns()
        if self.network is not None:
            await self.network.stop()
        self.recorder.close()

    def _relay(self) -> Relay:
        session = str(next(self._numbers))
        plan = self.plan
        relay = Relay(
            session,
            plan.gateway,
            self.recorder,
            plan.visitors,
            control=self.control,
            ssl=plan.ssl,
            on_gone=self.relays.discard,
        )
        self.relays.add(relay)
        return relay

    def loop_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Note what asyncio would log with a traceback, such as connections that cannot be accepted."""
        message, error = context.get("message", ""), context.get("exception")
        reason = "" if error is None else f" ({type(error).__name__}: {error})"
        self.recorder.fault(f"loop {message}", f"the tap: {message}{reason}")


async def _turns() -> None:
    for _ in range(ACCEPT_TURNS):
        await asyncio.sleep(0)


async def _informed(plan: TapPlan) -> tuple[SessionInfo, list[str]]:
    """The capture's first line with the root key, where a network can be asked for it."""
    notes: list[str] = []
    root_key = plan.info.root_key
    if root_key is None and plan.network_url is not None:
        try:
            async with Network(plan.network_url, clock=plan.clock) as network:
                root_key = await network.root_key()
        except ConnectError as error:
            notes.append(f"the root key is not in the capture: {error}")
    now = datetime.fromtimestamp(plan.clock.now_s(), UTC)
    started_at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return replace(plan.info, root_key=root_key, started_at=started_at), notes
