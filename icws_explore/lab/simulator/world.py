"""`World`: the parts of a simulation, made from a `SimulationSetup` and connected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from icws_explore.capture import Frame
from icws_explore.protocol.canister import App, CdkConfig
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import call_content, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.gateway.machine import GatewayConfig
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import ClientKey

from ..faults import Faults, concern_polls
from ..log import LabLog
from ..replica.subnet import LabKeys
from .client import ClientSetup, SimClient
from .conditions import LatencyModel, NetworkConditions
from .crypto import Cryptography
from .event_log import EventLog
from .gateway import SimGateway
from .network_side import Exchange, NetworkSide
from .replica import SimReplica
from .scheduler import VirtualScheduler

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
NO_SESSION: Final = -1  # a client key that no client of the simulation has


@dataclass(frozen=True, slots=True)
class PageCallSetup:
    """An update call that a page sends to the canister over HTTP at ``at_ns`` (since the epoch).

    ``identity`` signs it; ``arg`` is its Candid.
    """

    at_ns: int
    identity: Identity
    method: str
    arg: bytes


@dataclass(frozen=True, slots=True)
class SimulationSetup:
    """What a simulation is made from. It starts at ``start`` and lasts ``duration_ns``.

    The canister is installed ``age_ns`` before the start. With ``close_at_end`` every client that is still connected
    at the end closes with 1000. With ``records_network`` the recording also holds the gateways' calls and failed polls.
    """

    app: App
    cdk: CdkConfig
    keys: LabKeys
    cryptography: Cryptography
    duration_ns: int
    conditions: NetworkConditions = field(default_factory=NetworkConditions)
    faults: Faults = field(default_factory=Faults)
    gateways: int = 1
    start: datetime = START
    age_ns: int = 0
    close_at_end: bool = True
    records_network: bool = False
    page_calls: tuple[PageCallSetup, ...] = ()

    @property
    def start_ns(self) -> int:
        """The start, in ns since the epoch."""
        return round(self.start.timestamp()) * NS_PER_S

    @property
    def root_key(self) -> bytes:
        """The simulated network's root key, DER."""
        return self.cryptography.subnet.root_key


class World:
    """The parts of one simulation. It is also the `Stage` on which its faults act. Raises LabError.

    The clients are those of ``clients``, numbered from 0 in their order. In the recording a single client's session has
    no name; otherwise sessions are named "1", "2" and so on.

    ``scheduler`` has the true time, ``log`` what replica, canister and gateways report, ``event_log`` what
    `truth` needs, and ``frames`` the recording.
    """

    def __init__(
        self, setup: SimulationSetup, clients: Sequence[ClientSetup], *, skip_idle_polls: bool | None = None
    ) -> None:
        """``skip_idle_polls``: count idle polls without running them. None: unless the faults change their answers."""
        if skip_idle_polls is None:
            skip_idle_polls = not concern_polls(setup.faults)
        self.start_ns = setup.start_ns - setup.age_ns  # the time 0 of faults
        self.faults = setup.faults
        self.scheduler = VirtualScheduler(self.start_ns)
        self.log = LabLog(self.scheduler.read_ns)
        self.event_log = EventLog()
        self.frames: list[Frame] = []
        self.clients: list[SimClient] = []
        self.latency = LatencyModel(setup.conditions)
        self._setup = setup
        self._is_single = len(clients) == 1
        self._sessions: dict[ClientKey, int] = {}
        cryptography, keys, ordered = setup.cryptography, setup.keys, setup.conditions.ordered
        identities = [cryptography.identity(f"gateway {number}") for number in range(setup.gateways)]
        self.replica = SimReplica(
            setup.app,
            setup.cdk,
            cryptography=cryptography,
            gateways=[identity.principal for identity in identities],
            scheduler=self.scheduler,
            latency=self.latency,
            rng=keys.rng("replica"),
            faults=self.faults,
            log=self.log,
            event_log=self.event_log,
            on_change=self._wake_gateways,
            on_refused=self.refused,
            ordered=ordered,
        )
        side = NetworkSide(self.frames, self.scheduler, cryptography.subnet) if setup.records_network else None
        config = GatewayConfig(polling_interval_ms=setup.conditions.poll_interval_ms)
        self.gateways = [
            SimGateway(
                number,
                identity,
                config,
                replica=self.replica,
                scheduler=self.scheduler,
                latency=self.latency,
                rng=keys.rng(f"gateway {number}"),
                poll_rng=keys.rng(f"polls {number}"),
                faults=self.faults,
                log=self.log,
                event_log=self.event_log,
                session_of=self.session_of,
                on_refused=self.refused,
                ordered=ordered,
                skip_idle_polls=skip_idle_polls,
                network_side=side,
            )
            for number, identity in enumerate(identities)
        ]
        self._network_side = side
        self.replica.install()
        for client in clients:
            self.add_client(client)
        for call in setup.page_calls:
            self.scheduler.at(call.at_ns, self._page_calls, call)

    def add_client(self, setup: ClientSetup) -> SimClient:
        """Add a client. It connects at its own time."""
        number, keys = len(self.clients), self._setup.keys
        client = SimClient(
            number,
            setup,
            setup.make_machine(keys.rng(f"entropy {number}"), self._setup.cryptography, self.replica.root_key),
            self.gateways[setup.gateway],
            rng=keys.rng(f"script {number}"),
            link_rng=keys.rng(f"line {number}"),
            scheduler=self.scheduler,
            latency=self.latency,
            faults=self.faults,
            event_log=self.event_log,
            frames=self.frames,
            label=None if self._is_single else str(number + 1),
        )
        self.clients.append(client)
        self._sessions[client.machine.client_key] = number
        return client

    def session_of(self, client_key: ClientKey) -> int:
        """Return the number of the client with that key, or NO_SESSION."""
        return self._sessions.get(client_key, NO_SESSION)

    def refused(self, session: int, why: str) -> None:
        """Log that a relayed call came to nothing. No client is told."""
        name = "an unknown session" if session == NO_SESSION else f"session {session + 1}"
        self.log.write("gateway", "error", f"Error relaying envelope to canister: {why} ({name})", session=session)

    def _page_calls(self, call: PageCallSetup) -> None:
        now_ns, canister_id, nonce = self.scheduler.now_ns, self.replica.canister_id, call.at_ns.to_bytes(8, "big")
        sender, expiry_ns = call.identity.principal, ingress_expiry_ns(now_ns)
        content = call_content(canister_id, call.method, call.arg, sender, expiry_ns, nonce)
        body, exchange = sign_envelope(content, call.identity).encode(), Exchange()
        if self._network_side is not None:
            exchange = self._network_side.call(canister_id, body, asynchronous=False)
        self.replica.call(NO_SESSION, body, now_ns, exchange)

    def _wake_gateways(self) -> None:
        for gateway in self.gateways:
            gateway.polling.wake()

    # -- the Stage of the faults ---------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """True time, in ns since the epoch."""
        return self.scheduler.now_ns

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action()`` ``seconds`` after the start."""
        self.scheduler.at(self.start_ns + round(seconds * NS_PER_S), action)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action()`` in ``seconds``."""
        self.scheduler.at(self.scheduler.now_ns + round(seconds * NS_PER_S), action)

    def upgrade_canister(self, app: App | None = None) -> None:
        """Replace the canister's code by another app's, or by its own. The CDK's state is lost. Raises LabError."""
        self.replica.upgrade(app)

    def stop_canister(self) -> None:
        """Stop the canister: it accepts no calls and no queries."""
        self.replica.stop()

    def freeze_canister(self) -> None:
        """Use the canister's cycles up: it executes nothing any more."""
        self.replica.freeze()

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client, as if its gateway sent it."""
        self.clients[session].link_down.send(data)

    def drop(self, session: int, code: int | None = CloseCode.ABNORMAL_CLOSURE) -> None:
        """End a connection. Its gateway notices."""
        client = self.clients[session]
        client.link_down.drop(code)
        client.gateway.lost(session)
