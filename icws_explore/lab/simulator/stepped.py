"""`SteppedSimulation`: a simulation that somebody drives step by step, and whose clients send when they are told to.

`simulate` runs to its end by scripts. This one stands still until `advance` or `run_until`, as a paused lab does, but
on a virtual clock: five minutes take as long as their events. Sessions are opened, faults switched on and the canister
upgraded between the steps. Nothing here waits, and one seed gives one run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.canister import App
from icws_explore.protocol.client.machine import ClientConfig
from icws_explore.protocol.constants import ACK_INTERVAL_MS, NS_PER_S, POLL_INTERVAL_MS
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.wording import duration_ns

from ..faults import Faults
from ..log import LabEvent, LabLog
from ..replica.subnet import LabKeys
from ..scenarios.plan import Plan
from ..scenarios.switches import FaultSwitches
from ..switched import Switched, SwitchedFaults
from .client import ClientSetup, SimClient
from .conditions import NetworkConditions
from .crypto import cryptography
from .replica import CANISTER_ID
from .scheduler import VIRTUAL
from .scripts import Script, ScriptedClient
from .simulation import CanisterSettings
from .world import START, SimulationSetup, World

_ENDLESS_NS: Final = 10**18  # the setup wants a duration, but this simulation runs as long as somebody advances it


class SteppedClient(Script):
    """A session of a `SteppedSimulation`. ``received`` holds the values that arrived and were not taken yet."""

    def __init__(self) -> None:
        self.values: deque[Any] = deque()
        self.client: SimClient | None = None

    def received(self, client: ScriptedClient, value: Any) -> None:
        """Keep an application message."""
        del client
        self.values.append(value)


class SteppedSimulation:
    """A canister and its gateway on a virtual clock that stands still between the calls of these methods.

    ``app`` is an `App`, also of a compiled canister. ``ack_interval_ms`` is the canister's and the clients'.
    ``settings`` are the canister's others, ``conditions`` those of the network. Raises LabError if the canister cannot
    be installed.
    """

    def __init__(
        self,
        app: App,
        *,
        seed: int = 1,
        ack_interval_ms: int = ACK_INTERVAL_MS,
        settings: CanisterSettings | None = None,
        conditions: NetworkConditions | None = None,
    ) -> None:
        settings = settings or CanisterSettings()
        self._app = app
        self._keys = LabKeys(seed)
        self._ack_interval_ms = ack_interval_ms
        self._cryptography = cryptography("real", self._keys, delegated=settings.delegated)
        self._switched = SwitchedFaults(Faults(), LabLog(lambda: self.world.now_ns))
        self.world = World(
            SimulationSetup(
                app=app,
                cdk=settings.cdk_config(ack_interval_ms, app),
                keys=self._keys,
                cryptography=self._cryptography,
                duration_ns=_ENDLESS_NS,
                conditions=conditions or NetworkConditions(poll_interval_ms=POLL_INTERVAL_MS),
                faults=self._switched,
            ),
            (),
            skip_idle_polls=True,  # until a fault wants to see their answers
        )
        self.faults = FaultSwitches(_InSimulation(self.world, self._switched))

    # Time

    @property
    def now_s(self) -> float:
        """Seconds of protocol time since the start."""
        return (self.world.now_ns - self.world.start_ns) / NS_PER_S

    def advance(self, duration: str | float | timedelta) -> None:
        """Let protocol time pass: "5m", "90s", seconds or a timedelta. Raises ArgumentValueError."""
        self.world.scheduler.run(self.world.now_ns + duration_ns(duration))

    def run_until(self, true: Callable[[], object], within: str | float | timedelta) -> bool:
        """Let time pass until ``true()``, at most ``within``. Returns whether it became true."""
        scheduler = self.world.scheduler
        end_ns = scheduler.now_ns + duration_ns(within)
        while not true():
            next_ns = scheduler.next_ns
            if next_ns is None or next_ns > end_ns:
                scheduler.run(end_ns)
                return bool(true())
            scheduler.run(next_ns)
        return True

    # Sessions and the canister

    def new_identity(self) -> Identity:
        """A client's identity that no other client has."""
        return self._cryptography.client(f"client {len(self.world.clients)}", "ed25519", self.world.start_ns)

    def add_client(self, identity: Identity) -> SteppedClient:
        """Add a client that connects now. It is open once time has passed."""
        config = ClientConfig(
            canister_id=CANISTER_ID,
            root_key=self.world.replica.root_key,
            ack_interval_ms=self._ack_interval_ms,
            application_type=self.world.replica.app.message_type,
        )
        script = SteppedClient()
        script.client = self.world.add_client(ClientSetup(identity, config, script, self.world.now_ns))
        return script

    def upgrade(self, app: App | None = None) -> None:
        """Upgrade the canister, to ``app`` if given. Raises LabError."""
        self.world.upgrade_canister(app)

    @property
    def events(self) -> list[LabEvent]:
        """What replica, canister and gateway reported: refusals, Err replies, traps, prints."""
        return self.world.log.events

    def recording(self) -> Recording:
        """The recording so far. A single session has no name in it."""
        clients = self.world.clients
        is_single = len(clients) == 1
        frames = [replace(frame, session=None) for frame in self.world.frames] if is_single else self.world.frames
        info = SessionInfo(
            canister_id=str(CANISTER_ID),
            root_key=self.world.replica.root_key,
            client_principal=str(clients[0].principal) if is_single else None,
            ack_interval_ms=self._ack_interval_ms,
            app_type=candid.type_text(self._app.message_type),
            clock=VIRTUAL,
            origin="simulated",
            started_at=START.isoformat().replace("+00:00", "Z"),
        )
        return Recording(Capture(info, list(frames)))


class _InSimulation:
    """Where `FaultSwitches` switches faults in a simulation."""

    def __init__(self, world: World, switched: SwitchedFaults) -> None:
        self._world = world
        self._switched = switched

    def why_not(self, plan: Plan) -> str | None:
        if not plan.conditions.ordered:
            return "it needs a network whose calls may overtake each other"
        return None

    def on(self, name: str, faults: Faults) -> Switched:
        if type(faults).poll_answer is not Faults.poll_answer:
            for gateway in self._world.gateways:
                gateway.polling.stop_skipping()
        open_sessions = [client.number for client in self._world.clients if client.is_open]
        return self._switched.switch_on(name, faults, self._world, scale=1.0, sessions=open_sessions)

    def off(self, name: str) -> None:
        self._switched.switch_off(name)

    def active(self) -> tuple[Switched, ...]:
        return self._switched.on


def opened_or_raise(client: SimClient) -> None:
    """Raise LabError, which says how the session ended, unless it is open."""
    if client.is_open:
        return
    how = "" if client.close_code is None else f"; it was closed: {client.close_code} {client.close_reason}".rstrip()
    why = f" ({client.failures[-1]})" if client.failures else ""
    raise LabError(f"the session did not open{how}{why}")
