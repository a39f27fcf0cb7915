"""`Plan` and `ClientPlan`: what a scenario consists of, stated once for the simulator and for real sockets.

A plan holds the faults (of gateways, network, canister and clocks), the nonconforming clients, and the ordinary
parts around them. Times are seconds of protocol time after the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from icws_explore.analysis.imports import load_any
from icws_explore.capture import Capture
from icws_explore.capture.har_writer import save_har
from icws_explore.protocol import candid
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
from ..simulator.conditions import NetworkConditions
from ..simulator.scripts import Script

NO_ARGUMENT: Final = candid.encode([], [])
MakeIdentity = Callable[[LabKeys, int], Identity]  # from the run's keys and its start in ns since the epoch


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """One client. It connects ``at_s`` seconds after the start and follows ``script``.

    It closes the session ``leaves_s`` seconds after the start, or at the end of the plan if ``leaves_s`` is None.

    ``machine`` is called with the arguments of `ClientMachine`; a subclass of it makes a nonconforming client.
    ``identity`` makes the client's identity; by default each client has its own Ed25519 key.

    ``ack_interval_ms``, ``root_key`` (DER) and ``canister_id`` are what the client is configured with; None is
    the true value. ``skew_ms``: milliseconds that its clock is ahead. ``gateway``: the number of its gateway,
    from 0.
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

    def make_identity(self, keys: LabKeys, number: int, start_ns: int) -> Identity:
        """Return the identity of this client, the plan's client ``number`` (from 0), for a run that starts then."""
        return keys.identity(f"client {number}") if self.identity is None else self.identity(keys, start_ns)

    def config(self, plan: Plan, canister_id: Principal, root_key: bytes) -> ClientConfig:
        """Return its machine's configuration; ``canister_id`` and ``root_key`` (DER) are the true values."""
        return ClientConfig(
            canister_id=self.canister_id or canister_id,
            root_key=self.root_key or root_key,
            ack_interval_ms=self.ack_interval_ms or plan.ack_interval_ms,
            application_type=load(plan.app).message_type,
        )


@dataclass(frozen=True, slots=True)
class PageCallPlan:
    """An update call of ``method`` that a page sends to the canister over HTTP, ``at_s`` seconds after the start.

    ``identity`` makes the identity that signs it. ``arg`` is its Candid, by default that of no argument.
    """

    at_s: float
    identity: MakeIdentity
    method: str
    arg: bytes = NO_ARGUMENT


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in ``duration_s`` seconds. Make a new plan for every run, because faults keep state.

    ``clients`` are in the order in which they connect, which is the order of the session numbers.
    ``conditions``: over real sockets only ``update_latency_ms`` (its mean), ``poll_interval_ms`` and
    ``ordered`` have an effect. ``recorded`` replaces fields of the recording's SessionInfo: what a developer
    would have given to the tap. ``asks_status`` True: the recording begins with the network's answer to
    /api/v2/status, as a tap in front of the network's HTTP side records it. ``records_network`` True: it also
    holds the gateways' calls with their answers and their failed polls, as such a tap records them.
    ``page_calls`` are made at their times. ``as_har`` True: the recording is what a HAR file of it holds, as of
    a browser, which records all sockets of a page, not only those of a gateway. ``time_scale``: protocol
    seconds per real second over real sockets; None is the default of `live.play`.

    Raises LabError if there is no client, if the clients are out of order, or if one names an unknown gateway.
    """

    app: App | str
    duration_s: float
    clients: tuple[ClientPlan, ...] = (ClientPlan(),)
    faults: Faults = field(default_factory=Faults)
    conditions: NetworkConditions = field(default_factory=NetworkConditions)
    gateways: int = 1
    ack_interval_ms: int = ACK_INTERVAL_MS
    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS
    flavour: Flavour | None = None
    recorded: Mapping[str, Any] = field(default_factory=dict)
    asks_status: bool = False
    records_network: bool = False
    page_calls: tuple[PageCallPlan, ...] = ()
    as_har: bool = False
    time_scale: float | None = None

    def __post_init__(self) -> None:
        starts = [client.at_s for client in self.clients]
        if starts != sorted(starts):
            raise LabError("the clients of a plan must be in the order in which they connect")
        if not self.clients or not all(0 <= client.gateway < self.gateways for client in self.clients):
            raise LabError("a plan needs at least one client, each at one of its gateways")

    def lab(self, **overrides: Any) -> Lab:
        """Return a `Lab` with this plan's app, settings and faults, not started and without the plan's clients.

        ``overrides`` are options of `Lab`. Use it to connect clients of your own.
        """
        options = {
            "ack_interval_ms": self.ack_interval_ms,
            "keep_alive_timeout_ms": self.keep_alive_timeout_ms,
            "poll_interval_ms": self.conditions.poll_interval_ms,
            "update_latency_ms": self.conditions.delay_of("update_latency_ms").mean_ms,
            "ordered": self.conditions.ordered,
            "flavour": self.flavour,
            "gateways": self.gateways,
            "faults": self.faults,
        }
        return Lab(self.app, **(options | overrides))

    def as_recorded(self, capture: Capture) -> Capture:
        """Return the recording that the plan wants: with its SessionInfo, or as a HAR file holds it."""
        capture = replace(capture, info=replace(capture.info, **self.recorded))
        if not self.as_har:
            return capture
        with TemporaryDirectory(prefix="icws-har-") as folder:
            return load_any(save_har(capture, Path(folder) / "recording.har"))
