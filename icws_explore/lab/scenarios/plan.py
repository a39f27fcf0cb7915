"""What a scenario consists of, said once for both of its stages: the simulator, and the lab over real sockets.

A plan holds what goes wrong (faults of gateways, network, canister and clocks, and clients that are
not as the SDK is) and what is normal around it. Times are seconds of protocol time from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from icws_explore.protocol.canister import App, Flavour
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import ACK_INTERVAL_MS, KEEP_ALIVE_TIMEOUT_MS
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

from ..apps import load
from ..faults import Faults
from ..lab import Lab
from ..replica.subnet import LabKeys
from ..simulator.conditions import Network
from ..simulator.scripts import Script

MakeIdentity = Callable[[LabKeys, int], Identity]  # of the run's keys and the start, ns since the epoch


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """One client: connects ``at_s``, does what ``script`` says, leaves ``leaves_s`` (None: at the end of the plan).

    ``machine`` makes its state machine and takes what `ClientMachine` takes: a subclass is a client
    that is not as the SDK is. ``identity`` makes who it is (None: a key of its own). It believes in
    ``ack_interval_ms``, ``root_key`` (DER) and ``canister_id``; None is what is so. Its clock is
    ``skew_ms`` ahead. ``gateway`` is the number of the one it uses, from 0.
    """

    at_s: float = 0.0
    script: Script = field(default_factory=Script)
    identity: MakeIdentity | None = None
    machine: Callable[..., ClientMachine] = ClientMachine
    gateway: int = 0
    ack_interval_ms: int | None = None
    root_key: bytes | None = None
    canister_id: Principal | None = None
    skew_ms: float = 0.0
    leaves_s: float | None = None

    def who(self, keys: LabKeys, number: int, start_ns: int) -> Identity:
        """Its identity, as the client of that number."""
        return keys.identity(f"client {number}") if self.identity is None else self.identity(keys, start_ns)

    def config(self, plan: Plan, canister_id: Principal, root_key: bytes) -> ClientConfig:
        """What its machine is configured with, where the canister has ``canister_id`` and the network ``root_key``."""
        return ClientConfig(
            canister_id=self.canister_id or canister_id,
            root_key=self.root_key or root_key,
            ack_interval_ms=self.ack_interval_ms or plan.ack_interval_ms,
            application_type=load(plan.app).message_type,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in ``duration_s``. Made anew for every run, for faults remember what they have seen.

    ``clients`` stand in the order in which they connect: sessions have their numbers.
    ``network`` counts as far as its stage has it: over real sockets that is ``update_latency_ms`` (its
    mean), ``poll_interval_ms`` and ``ordered``. ``recorded`` are fields of the recording's SessionInfo that
    say something else than what is so: what a developer would have told the tap. With ``asks_status`` it
    begins with the network's answer to /api/v2/status, as a tap in front of its HTTP side records it.
    ``time_scale`` is how fast it is to be played over real sockets, None: as fast as others.
    """

    app: App | str
    duration_s: float
    clients: tuple[ClientPlan, ...] = (ClientPlan(),)
    faults: Faults = field(default_factory=Faults)
    network: Network = field(default_factory=Network)
    gateways: int = 1
    ack_interval_ms: int = ACK_INTERVAL_MS
    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS
    flavour: Flavour | None = None
    recorded: Mapping[str, Any] = field(default_factory=dict)
    asks_status: bool = False
    time_scale: float | None = None

    def __post_init__(self) -> None:
        """Raises LabError for what cannot be."""
        starts = [client.at_s for client in self.clients]
        if starts != sorted(starts):
            raise LabError("the clients of a plan stand in the order in which they connect")
        if not self.clients or not all(0 <= client.gateway < self.gateways for client in self.clients):
            raise LabError("a plan has at least one client, each at one of its gateways")

    def lab(self, **overrides: Any) -> Lab:
        """A lab that errs as the plan says, not started yet, without its clients; ``overrides`` are Lab's options.

        For clients of somebody's own: of the plan's, only what canister, gateways and network do happens.
        """
        options = {
            "ack_interval_ms": self.ack_interval_ms,
            "keep_alive_timeout_ms": self.keep_alive_timeout_ms,
            "poll_interval_ms": self.network.poll_interval_ms,
            "update_latency_ms": self.network.delay_of("update_latency_ms").mean_ms,
            "ordered": self.network.ordered,
            "flavour": self.flavour,
            "gateways": self.gateways,
            "faults": self.faults,
        }
        return Lab(self.app, **(options | overrides))
