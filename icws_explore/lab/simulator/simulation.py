"""`icws_explore.simulate`: hours of protocol in seconds, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

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
from ..replica.keys import LabKeys
from .client import ClientSetup
from .conditions import Network
from .crypto import cryptography
from .delays import DelayLike, delay
from .durations import duration_ns
from .run import START, Setting, Simulation, run
from .scripts import Script, script_for
from .world import World

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
