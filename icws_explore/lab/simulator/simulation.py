"""`icws_explore.simulate`: hours of protocol in seconds, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, SessionInfo
from icws_explore.lab.apps import load
from icws_explore.lab.faults import Faults
from icws_explore.lab.keys import LabKeys
from icws_explore.lab.log import LabEvent
from icws_explore.protocol import candid
from icws_explore.protocol.cdk import App, CdkConfig, Flavour
from icws_explore.protocol.client import ClientConfig
from icws_explore.protocol.constants import (
    ACK_INTERVAL_MS,
    KEEP_ALIVE_TIMEOUT_MS,
    MAX_CERTIFICATE_AGE_S,
    MAX_MESSAGES_PER_POLL,
    NS_PER_MS,
    NS_PER_S,
)
from icws_explore.protocol.errors import LabError

from .client import ClientSetup
from .crypto import cryptography
from .delays import DelayLike, delay
from .durations import duration_ns
from .network import Network
from .scripts import Script, script_for
from .summary import SimulationSummary, summary_of
from .timeline import VIRTUAL
from .truth import Truth, tell
from .world import World

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
ARRIVALS: Final = "10s"
FAREWELL_NS: Final = 10 * NS_PER_S  # after the end, for closes to get through
PROGRESS_STEPS: Final = 200


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
    network = network or Network()
    until_ns = duration_ns(duration)
    _check_counts(sessions=sessions, gateways=gateways, identities=len(identities))
    loaded = load(app)
    if start.tzinfo is None:
        raise LabError("start needs a time zone: datetime(…, tzinfo=UTC)")
    start_ns = round(start.timestamp()) * NS_PER_S
    age_ns = 0 if canister_age is None else duration_ns(canister_age)
    keys = LabKeys(seed)
    world = World(
        app=loaded,
        cdk=CdkConfig(
            max_messages=max_messages,
            send_ack_interval_ms=ack_interval_ms,
            keep_alive_timeout_ms=keep_alive_timeout_ms,
            flavour=flavour or loaded.flavour,
            enforce_minimum=enforce_minimum,
        ),
        network=network,
        cryptography=cryptography(crypto, keys, delegated=delegated),
        keys=keys,
        faults=faults or Faults(),
        start_ns=start_ns - age_ns,
        gateways=gateways,
        sessions=sessions,
    )
    config = ClientConfig(
        canister_id=world.replica.canister_id,
        root_key=world.replica.root_key,
        ack_interval_ms=client_ack_interval_ms or ack_interval_ms,
        max_certificate_age_s=max_certificate_age_s,
        application_type=loaded.message_type,
    )
    script = script_for(loaded.name, clients, think_ms)
    starts = _starts(world, sessions, arrivals, until_ns)
    skews = _skews(world, sessions, skew_ms)
    kinds = (identities,) if isinstance(identities, str) else tuple(identities)
    for number in range(sessions):
        identity = world.cryptography.client(f"client {number}", kinds[number % len(kinds)], start_ns)
        setup = ClientSetup(identity, config, script, start_ns + starts[number], skews[number])
        world.add_client(setup, number % gateways)
    world.faults.begin(world)
    _run(world, start_ns, start_ns + until_ns, progress)
    if close_at_end:
        world.is_over = True
        for client in world.clients:
            if client.is_connected:
                client.close()
        world.timeline.run(start_ns + until_ns + FAREWELL_NS)
    return Simulation(Capture(_info(world, config, start, loaded), world.frames), world)


def _run(world: World, start_ns: int, end_ns: int, progress: Callable[[float], None] | None) -> None:
    for step in range(1, PROGRESS_STEPS + 1):
        world.timeline.run(start_ns + (end_ns - start_ns) * step // PROGRESS_STEPS)
        if progress is not None:
            progress(step / PROGRESS_STEPS)


def _info(world: World, config: ClientConfig, start: datetime, app: App) -> SessionInfo:
    is_one, is_real = len(world.clients) == 1, world.cryptography.name == "real"
    return SessionInfo(
        canister_id=str(world.replica.canister_id),
        root_key=world.replica.root_key if is_real else None,
        client_principal=str(world.clients[0].principal) if is_one else None,
        ack_interval_ms=config.ack_interval_ms,
        app_type=candid.type_text(app.message_type),
        clock=VIRTUAL,
        origin="simulated",
        started_at=start.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        crypto=world.cryptography.name,
    )


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
