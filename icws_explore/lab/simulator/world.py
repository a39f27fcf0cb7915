"""The parts of a simulation, made and joined: timeline, replica, gateways, clients, and what they have in common."""

from __future__ import annotations

import random
from collections.abc import Callable

from icws_explore.capture import Frame
from icws_explore.protocol.canister import CdkConfig
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.messages import ClientKey

from ..apps import App
from ..faults import Faults
from ..log import LabLog
from ..replica.subnet import LabKeys
from .client import ClientSetup, SimClient
from .conditions import Legs, Network
from .crypto import Cryptography
from .event_log import Trail
from .gateway import SimGateway
from .replica import SimReplica
from .scheduler import Timeline

NOBODY = -1  # the number of a session that no client of this simulation has


class World:
    """``timeline`` is true time. It is the faults' `Stage`, too: they act on its parts as time passes."""

    def __init__(
        self,
        *,
        app: App,
        cdk: CdkConfig,
        network: Network,
        cryptography: Cryptography,
        keys: LabKeys,
        faults: Faults,
        start_ns: int,
        gateways: int,
        sessions: int,
        skip_idle_polls: bool = True,
    ) -> None:
        self.network = network
        self.legs = Legs(network)
        self.cryptography = cryptography
        self.faults = faults
        self.timeline = Timeline(start_ns)
        self.log = LabLog(self.timeline.read)
        self.trail = Trail()
        self.frames: list[Frame] = []
        self.gateways: list[SimGateway] = []
        self.clients: list[SimClient] = []
        self.start_ns = start_ns  # from when faults count the seconds
        self.is_over = False  # nobody connects any more
        self.message_types = (app.message_type,)
        self._keys = keys
        self._is_one = sessions == 1
        self._sessions: dict[ClientKey, int] = {}
        self.replica = SimReplica(self, app, cdk, self.dice("replica"))
        # A fault that wants to see every poll's answer sees every poll.
        skip = skip_idle_polls and type(faults).poll_answer is Faults.poll_answer
        for number in range(gateways):
            principal = cryptography.identity(f"gateway {number}").principal
            self.gateways.append(SimGateway(self, number, principal, skip=skip))
        self.replica.install()

    def dice(self, name: str) -> random.Random:
        """The dice of ``name``: the same for the same seed, and nobody else's."""
        return random.Random(self._keys.secret(f"dice of {name}"))

    def label(self, number: int) -> str | None:
        """What a session is called in the capture: nothing where it is the only one, else counted from 1."""
        return None if self._is_one else str(number + 1)

    def add_client(self, setup: ClientSetup, gateway: int) -> SimClient:
        """One more client, at the gateway of that number."""
        client = SimClient(self, len(self.clients), setup, self.gateways[gateway])
        self.clients.append(client)
        self._sessions[client.machine.client_key] = client.number
        return client

    def machine(self, setup: ClientSetup, entropy: Callable[[int], bytes]) -> ClientMachine:
        """A client's machine, with the checks of the simulation's cryptography."""
        config, identity = setup.config, setup.identity
        nonce = int.from_bytes(entropy(8), "little")
        key = ClientKey(identity.principal, nonce)
        verify = self.cryptography.verifier(
            config.canister_id, config.root_key or self.replica.root_key, key, config.max_certificate_age_s
        )
        return setup.machine(config, identity, entropy=entropy, client_nonce=nonce, verify=verify)

    # The faults' stage

    @property
    def now_ns(self) -> int:
        """True time, ns since the epoch."""
        return self.timeline.now_ns

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Do ``action()`` that many seconds after the start."""
        self.timeline.at(self.start_ns + round(seconds * NS_PER_S), action)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do ``action()`` that many seconds from now."""
        self.timeline.at(self.timeline.now_ns + round(seconds * NS_PER_S), action)

    def upgrade_canister(self, app: App | None = None) -> None:
        """Replace the code by another app's or its own; the CDK's state is lost. Raises LabError."""
        self.replica.upgrade(app)

    def stop_canister(self) -> None:
        """It takes no calls and no queries any more."""
        self.replica.stop()

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client, as if its gateway did."""
        self.clients[session].link_down.send(data)

    def drop(self, session: int, code: int | None = 1006) -> None:
        """End a connection; its gateway finds out."""
        client = self.clients[session]
        client.link_down.drop(code)
        client.gateway.lost(session)

    # What happens

    def session_of(self, client_key: ClientKey) -> int:
        """The number of the session with that key."""
        return self._sessions.get(client_key, NOBODY)

    def changed(self) -> None:
        """The canister ran: its queues may have grown."""
        for gateway in self.gateways:
            gateway.polling.wake()

    def refused(self, session: int, why: str) -> None:
        """A relayed call came to nothing. The gateway logs it; no client is told."""
        name = "a session that is no more" if session == NOBODY else f"session {session + 1}"
        self.log.write("gateway", "error", f"Error relaying envelope to canister: {why} ({name})", session=session)
