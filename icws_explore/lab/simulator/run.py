"""A simulation's run: from its setting and its clients to a recording, whoever asks for it, and however."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.canister import App, CdkConfig
from icws_explore.protocol.constants import NS_PER_S

from ..faults import Faults
from ..log import LabEvent
from ..replica.keys import LabKeys
from .client import ClientSetup
from .conditions import Network
from .crypto import Cryptography
from .scheduler import VIRTUAL
from .summary import SimulationSummary, summary_of
from .truth import Truth, tell
from .world import World

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
FAREWELL_NS: Final = 10 * NS_PER_S  # after the end, for closes to get through
PROGRESS_STEPS: Final = 200

Cast = Callable[[World], Iterable[tuple[ClientSetup, int]]]  # every client, with the number of its gateway


@dataclass(frozen=True, slots=True)
class Setting:
    """What a simulation takes place in. It lasts ``duration_ns`` from ``start``; the canister is ``age_ns`` old then.

    With ``close_at_end`` every client that is left closes with 1000.
    """

    app: App
    cdk: CdkConfig
    keys: LabKeys
    cryptography: Cryptography
    sessions: int
    duration_ns: int
    network: Network = field(default_factory=Network)
    faults: Faults = field(default_factory=Faults)
    gateways: int = 1
    start: datetime = START
    age_ns: int = 0
    close_at_end: bool = True

    @property
    def start_ns(self) -> int:
        return round(self.start.timestamp()) * NS_PER_S


class Simulation(Recording):
    """The recording of a simulation, and behind it the truth."""

    def __init__(self, raw: Capture, world: World) -> None:
        super().__init__(raw)
        self.world = world

    @cached_property
    def truth(self) -> Truth:
        """Every message with all its stations in true time; put together when first asked for."""
        return tell(self.world.trail, self.world.clients, [self.world.label(c.number) for c in self.world.clients])

    @property
    def counts(self) -> SimulationSummary:
        """All sessions in numbers, without decoding anything."""
        return summary_of(self.world)

    @property
    def log(self) -> list[LabEvent]:
        """What replica, canister and gateways have to say: refusals, Err replies, traps, prints; the last 100,000."""
        return self.world.log.events


def run(setting: Setting, cast: Cast, progress: Callable[[float], None] | None = None) -> Simulation:
    """Let it happen. ``progress`` is called with the part that is done, 0 to 1. Raises LabError."""
    world = World(
        app=setting.app,
        cdk=setting.cdk,
        network=setting.network,
        cryptography=setting.cryptography,
        keys=setting.keys,
        faults=setting.faults,
        start_ns=setting.start_ns - setting.age_ns,
        gateways=setting.gateways,
        sessions=setting.sessions,
    )
    for setup, gateway in cast(world):
        world.add_client(setup, gateway)
    world.faults.begin(world)
    end_ns = setting.start_ns + setting.duration_ns
    for step in range(1, PROGRESS_STEPS + 1):
        world.timeline.run(setting.start_ns + setting.duration_ns * step // PROGRESS_STEPS)
        if progress is not None:
            progress(step / PROGRESS_STEPS)
    if setting.close_at_end:
        world.is_over = True
        for client in world.clients:
            if client.is_connected:
                client.close()
        world.timeline.run(end_ns + FAREWELL_NS)
    return Simulation(Capture(_info(world, setting), world.frames), world)


def _info(world: World, setting: Setting) -> SessionInfo:
    is_one, is_real = len(world.clients) == 1, world.cryptography.name == "real"
    return SessionInfo(
        canister_id=str(world.replica.canister_id),
        root_key=world.replica.root_key if is_real else None,
        client_principal=str(world.clients[0].principal) if is_one else None,
        ack_interval_ms=world.clients[0].setup.config.ack_interval_ms,
        app_type=candid.type_text(setting.app.message_type),
        clock=VIRTUAL,
        origin="simulated",
        started_at=setting.start.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        crypto=world.cryptography.name,
    )
