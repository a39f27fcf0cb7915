"""`simulate`: hours of protocol time in seconds, with the same result for the same seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.canister import App, CdkConfig, Flavour
from icws_explore.protocol.client.events import AckReceived, KeepAliveSent, MessageReceived, SendFrame
from icws_explore.protocol.constants import (
    ACK_INTERVAL_MS,
    KEEP_ALIVE_TIMEOUT_MS,
    MAX_MESSAGES_PER_POLL,
    NS_PER_S,
)
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.type_checks import checked, checked_fields
from icws_explore.protocol.wording import duration_ns

from ..apps import load
from ..faults import Faults
from ..log import LabEvent
from ..replica.subnet import LabKeys
from .client import ClientSetup
from .conditions import NetworkConditions
from .crypto import cryptography
from .population import Population
from .scheduler import VIRTUAL
from .truth import Truth, truth_of
from .world import START, SimulationSetup, World

CLOSING_NS: Final = 10 * NS_PER_S  # after the end, so that closes arrive
PROGRESS_STEPS: Final = 200


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """Counts over all sessions.

    ``sent`` and ``received`` count application messages, from the clients' side. ``ended`` counts sessions by their
    close code and reason ("open": not closed). ``duration_s`` is the protocol time in seconds from the first frame to
    the last. ``events`` counts the scheduler's actions; ``skipped_polls`` are the idle polls that needed none.
    """

    frames: int
    sessions: int
    opened: int
    sent: int
    received: int
    acks: int
    keep_alives: int
    ended: dict[str, int]
    duration_s: float
    events: int
    skipped_polls: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary for JSON."""
        return asdict(self)


class Simulation(Recording):
    """The recording of a simulation, with the ground truth behind it. ``world`` holds the simulated parts."""

    def __init__(self, raw: Capture, world: World) -> None:
        super().__init__(raw)
        self.world = world

    @cached_property
    def truth(self) -> Truth:
        """What really happened: each message with its times at every station, in true time."""
        return truth_of(self.world.event_log, self.world.clients)

    @property
    def counts(self) -> SimulationSummary:
        """Counts over all sessions, kept while the simulation ran: no frame is decoded."""
        return _summary(self.world)

    @property
    def log(self) -> list[LabEvent]:
        """What replica, canister and gateways reported: refusals, Err replies, traps, prints. The last 100,000."""
        return self.world.log.events


def run(
    setup: SimulationSetup, clients: Iterable[ClientSetup], progress: Callable[[float], None] | None = None
) -> Simulation:
    """Run a simulation. ``progress(part)`` is called with the part that is done, 0 to 1. Raises LabError."""
    world = World(setup, tuple(clients))
    world.faults.begin(world)
    for step in range(1, PROGRESS_STEPS + 1):
        world.scheduler.run(setup.start_ns + setup.duration_ns * step // PROGRESS_STEPS)
        if progress is not None:
            progress(step / PROGRESS_STEPS)
    if setup.close_at_end:
        for client in world.clients:
            client.end()
        world.scheduler.run(setup.start_ns + setup.duration_ns + CLOSING_NS)
    world.replica.look()
    return Simulation(Capture(_info(world, setup), world.frames), world)


def _info(world: World, setup: SimulationSetup) -> SessionInfo:
    is_single, is_real = len(world.clients) == 1, setup.cryptography.name == "real"
    return SessionInfo(
        canister_id=str(world.replica.canister_id),
        root_key=world.replica.root_key if is_real else None,
        client_principal=str(world.clients[0].principal) if is_single else None,
        ack_interval_ms=world.clients[0].setup.config.ack_interval_ms,
        app_type=candid.type_text(setup.app.message_type),
        clock=VIRTUAL,
        origin="simulated",
        started_at=setup.start.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        crypto=setup.cryptography.name,
    )


def _summary(world: World) -> SimulationSummary:
    total: Counter[type] = Counter()
    for client in world.clients:
        total.update(client.counts)
    open_requests = sum(client.machine.gateway_principal is not None for client in world.clients)
    ends = Counter(_end_text(client.close_code, client.close_reason) for client in world.clients)
    times = [frame.t for frame in world.frames]
    return SimulationSummary(
        frames=len(world.frames),
        sessions=len(world.clients),
        opened=sum(client.opened_ns is not None for client in world.clients),
        sent=total[SendFrame] - total[KeepAliveSent] - open_requests,
        received=total[MessageReceived],
        acks=total[AckReceived],
        keep_alives=total[KeepAliveSent],
        ended=dict(sorted(ends.items())),
        duration_s=round(max(times) - min(times), 9) if times else 0.0,
        events=world.scheduler.executed,
        skipped_polls=sum(gateway.polling.skipped for gateway in world.gateways),
    )


def _end_text(code: int | None, reason: str) -> str:
    return "open" if code is None else f"{code} {reason}".strip()


@checked_fields(age="protocol time such as '90s', seconds, or a timedelta")
@dataclass(frozen=True, slots=True)
class CanisterSettings:
    """The settings of a simulated canister, apart from its ack interval.

    - ``keep_alive_timeout_ms``: milliseconds that clients have for their keep-alive after an ack.
    - ``max_messages``: the most messages in a poll's answer.
    - ``flavour``: the CDK, "rust" or "motoko". None: the app's own.
    - ``enforce_minimum``: whether the CDK's rule applies that the ack interval is longer than the keep-alive timeout.
    - ``age``: how long before the start the canister was installed: "90s", seconds or a timedelta. Its acks come at
      multiples of the ack interval after that. None: it is installed at the start.
    - ``delegated``: whether its certificates carry a delegation from the root subnet. False: the root key signs them.

    Raises ArgumentTypeError and ArgumentValueError. Some values are only checked by `simulate`.
    """

    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS
    max_messages: int = MAX_MESSAGES_PER_POLL
    flavour: Flavour | None = None
    enforce_minimum: bool = False
    age: str | float | timedelta | None = None
    delegated: bool = True

    def cdk_config(self, ack_interval_ms: int, app: App) -> CdkConfig:
        """Return the configuration of the canister's CDK. Raises ArgumentValueError."""
        return CdkConfig(
            max_messages=self.max_messages,
            send_ack_interval_ms=ack_interval_ms,
            keep_alive_timeout_ms=self.keep_alive_timeout_ms,
            flavour=self.flavour or app.flavour,
            enforce_minimum=self.enforce_minimum,
        )


@checked(
    app="the name of an example, the path of a Python file, or an App",
    duration="protocol time such as '90s', seconds, or a timedelta",
    population="a number of sessions or a Population",
    conditions="a NetworkConditions",
    canister="a CanisterSettings",
    faults="Faults",
)
def simulate(
    app: App | str | Path = "pingpong",
    *,
    duration: str | float | timedelta = "10m",
    seed: int = 1,
    population: Population | int = 1,
    conditions: NetworkConditions | None = None,
    ack_interval_ms: int = ACK_INTERVAL_MS,
    canister: CanisterSettings | None = None,
    crypto: Literal["real", "stand-in"] = "real",
    faults: Faults | None = None,
    start: datetime = START,
    close_at_end: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Simulation:
    """Run sessions under a virtual clock and return their recording, with the ground truth as ``.truth``.

    ::

        s = icws.simulate("pingpong", duration="1h", seed=7)
        s = icws.simulate("chat", population=20, conditions=icws.NetworkConditions(loss=0.01))

    Clients, gateways and canister run on the same state machines as in a live session. Time, keys, nonces and
    latencies are simulated and depend only on ``seed``. The recording's frames are in the order of true time; each
    frame has the time of its client's clock, as in a live recording.

    Arguments:

    - ``app``: "pingpong", "echo", "chat" or "ticker", the path of a Python file or of a compiled canister, or an
      ``App``, as for `Lab`. A compiled canister that takes an argument: ``icws_explore.lab.wasm.wasm_app``.
    - ``duration``: protocol time: "1h", "1h30m", "90s", seconds or a timedelta.
    - ``seed``: any whole number.
    - ``population``: the number of sessions, or a `Population`: what the clients do, when they connect, their clocks
      and identities, and the number of gateways.
    - ``conditions``: latencies, losses and order of the network, a `NetworkConditions`. None: its defaults.
    - ``ack_interval_ms``: milliseconds between two acks of the canister. The clients are configured with the same
      interval unless ``population`` has another.
    - ``canister``: the canister's other settings, a `CanisterSettings`. None: its defaults.
    - ``crypto``: "real", or "stand-in": hashes in place of signatures, for thousands of sessions. A recording with
      stand-in cryptography cannot be verified, and says so.
    - ``faults``: what goes wrong, a `Faults`. None: nothing.
    - ``start``: the time at which it starts, a datetime with a time zone.
    - ``close_at_end``: whether sessions that are still open at the end are closed with 1000.
    - ``progress``: called with the part that is done, from 0 to 1.

    Raises ArgumentTypeError for a wrong type, ArgumentValueError for a wrong value, and LabError if the app cannot be
    loaded or installed.
    """
    if start.tzinfo is None:
        raise ArgumentValueError("start needs a time zone: datetime(…, tzinfo=UTC)")
    clients = Population(population) if isinstance(population, int) else population
    settings = canister or CanisterSettings()
    loaded, keys = load(app), LabKeys(seed)
    setup = SimulationSetup(
        app=loaded,
        cdk=settings.cdk_config(ack_interval_ms, loaded),
        keys=keys,
        cryptography=cryptography(crypto, keys, delegated=settings.delegated),
        duration_ns=duration_ns(duration),
        conditions=conditions or NetworkConditions(),
        faults=faults or Faults(),
        gateways=clients.gateways,
        start=start,
        age_ns=0 if settings.age is None else duration_ns(settings.age),
        close_at_end=close_at_end,
    )
    return run(setup, clients.clients(setup, ack_interval_ms), progress)
