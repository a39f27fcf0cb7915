"""`icws_explore.simulate`: hours of protocol in seconds, the same for the same seed.

A simulation's run: from its setting and its clients to a recording, whoever asks for it, and however.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.canister import App, CdkConfig, Flavour
from icws_explore.protocol.client.machine import ClientConfig
from icws_explore.protocol.constants import (
    ACK_INTERVAL_MS,
    KEEP_ALIVE_TIMEOUT_MS,
    MAX_CERTIFICATE_AGE_S,
    MAX_MESSAGES_PER_POLL,
    NS_PER_MS,
    NS_PER_S,
)
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.type_checks import checked

from ..apps import load
from ..faults import Faults
from ..log import LabEvent
from ..replica.subnet import LabKeys
from .client import ClientSetup
from .conditions import Network
from .crypto import Cryptography, cryptography
from .delays import DelayLike, delay, duration_ns
from .event_log import SimulationSummary, summary_of
from .scheduler import VIRTUAL
from .scripts import Script, script_for
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


ARRIVALS: Final = "10s"


@checked(
    LabError, app="the name of an example, the path of a Python file, or an App",
    duration="protocol time: '90s', seconds or a timedelta", arrivals="protocol time, or a function to seconds",
    canister_age="protocol time: '90s', seconds or a timedelta", network="a Network", faults="Faults",
)  # fmt: skip
def simulate(
    app: App | str | Path = "pingpong",
    *,
    duration: str | float | timedelta = "10m",
    sessions: int = 1,
    network: Network | None = None,
    seed: int = 1,
    clients: Script | None = None,
    think_ms: DelayLike | None = None,
    ack_interval_ms: int = ACK_INTERVAL_MS,
    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS,
    client_ack_interval_ms: int | None = None,
    max_messages: int = MAX_MESSAGES_PER_POLL,
    max_certificate_age_s: int = MAX_CERTIFICATE_AGE_S,
    enforce_minimum: bool = False,
    flavour: Flavour | None = None,
    gateways: int = 1,
    skew_ms: DelayLike | Sequence[float] | Callable[[int], float] = 0.0,
    arrivals: str | float | timedelta | Callable[[int], float] = ARRIVALS,
    canister_age: str | float | timedelta | None = None,
    identities: str | Sequence[str] = "ed25519",
    start: datetime = START,
    close_at_end: bool = True,
    delegated: bool = True,
    crypto: Literal["real", "stand-in"] = "real",
    faults: Faults | None = None,
    progress: Callable[[float], None] | None = None,
) -> Simulation:
    """Run sessions under a virtual clock and return their recording, with ``.truth`` behind it.

    ::

        s = icws.simulate(app="pingpong", duration="1h", sessions=3, network=icws.Network(loss=0.01), seed=1)

    The machines are those of the live parts; time, keys, nonces and latencies are not real, and follow
    from ``seed`` alone. ``app`` as in `Lab`. ``duration`` is protocol time ("1h", "90s", seconds);
    then every session is closed with 1000, or with ``close_at_end`` False left as it is.

    ``clients`` is what they do (see scripts; None: the app's own script, which takes ``think_ms`` to
    think, milliseconds or a distribution). The first connects at once, the others at random within
    ``arrivals``; or it is a function from the session's number (from 0) to seconds. ``skew_ms`` is how
    far ahead clients' clocks are: the same for all, one for each, a function of the number, or a
    distribution. Sessions take turns at the ``gateways``, and at the kinds of ``identities``: "ed25519",
    "secp256k1", "p256", "passkey", "delegation", "internet-identity".

    ``ack_interval_ms``, ``keep_alive_timeout_ms``, ``max_messages``, ``enforce_minimum`` and ``flavour``
    configure the canister as in `Lab`; ``client_ack_interval_ms`` is what clients believe (None: the
    same). ``canister_age`` is how long it has been installed when the first client connects: its acks
    come at multiples of the interval from then.

    ``crypto="stand-in"`` replaces signatures by hashes where thousands of sessions must be cheap; the
    capture says so and cannot be verified. ``faults`` makes hops, clocks or the canister misbehave
    (see `Faults`). ``progress`` is called with the part that is done, 0 to 1.

    Frames stand in the order of true time; each has the time of its client's clock, as a live capture has.

    Raises LabError for what no simulation can be.
    """
    if start.tzinfo is None:
        raise LabError("start needs a time zone: datetime(…, tzinfo=UTC)")
    _check_counts(sessions=sessions, gateways=gateways, identities=len(identities))
    loaded, keys, until_ns = load(app), LabKeys(seed), duration_ns(duration)
    setting = Setting(
        app=loaded,
        cdk=CdkConfig(
            max_messages=max_messages,
            send_ack_interval_ms=ack_interval_ms,
            keep_alive_timeout_ms=keep_alive_timeout_ms,
            flavour=flavour or loaded.flavour,
            enforce_minimum=enforce_minimum,
        ),
        keys=keys,
        cryptography=cryptography(crypto, keys, delegated=delegated),
        sessions=sessions,
        duration_ns=until_ns,
        network=network or Network(),
        faults=faults or Faults(),
        gateways=gateways,
        start=start,
        age_ns=0 if canister_age is None else duration_ns(canister_age),
        close_at_end=close_at_end,
    )
    script = script_for(loaded.name, clients, think_ms)
    kinds = (identities,) if isinstance(identities, str) else tuple(identities)

    def cast(world: World) -> Iterator[tuple[ClientSetup, int]]:
        config = ClientConfig(
            canister_id=world.replica.canister_id,
            root_key=world.replica.root_key,
            ack_interval_ms=client_ack_interval_ms or ack_interval_ms,
            max_certificate_age_s=max_certificate_age_s,
            application_type=loaded.message_type,
        )
        starts = _starts(world, sessions, arrivals, until_ns)
        skews = _skews(world, sessions, skew_ms)
        for number in range(sessions):
            kind = kinds[number % len(kinds)]
            identity = world.cryptography.client(f"client {number}", kind, setting.start_ns)
            yield (
                ClientSetup(identity, config, script, setting.start_ns + starts[number], skews[number]),
                number % gateways,
            )

    return run(setting, cast, progress)


def _starts(
    world: World, sessions: int, arrivals: str | float | timedelta | Callable[[int], float], until_ns: int
) -> list[int]:
    """When each session connects, ns from the start."""
    if callable(arrivals):
        return [round(arrivals(number) * NS_PER_S) for number in range(sessions)]
    within_ns, dice = min(duration_ns(arrivals), until_ns), world.dice("arrivals")
    return [0, *sorted(dice.randrange(within_ns) for _ in range(sessions - 1))]


def _skews(world: World, sessions: int, skew_ms: DelayLike | Sequence[float] | Callable[[int], float]) -> list[int]:
    """How far each client's clock is ahead, ns."""
    if callable(skew_ms):
        each = [skew_ms(number) for number in range(sessions)]
    elif isinstance(skew_ms, Sequence):
        if len(skew_ms) != sessions:
            raise LabError(f"skew_ms has {len(skew_ms)} values for {sessions} sessions; give one, or one for each")
        each = list(skew_ms)
    elif isinstance(skew_ms, (int, float)):
        each = [float(skew_ms)] * sessions
    else:
        dice, distribution = world.dice("skew"), delay(skew_ms)
        each = [distribution.draw_ms(dice) for _ in range(sessions)]
    return [round(ms * NS_PER_MS) for ms in each]


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise LabError(f"{name} is {count}; it must be at least 1")
