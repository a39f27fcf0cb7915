"""Random settings of healthy sessions: what may differ between two dapps that work.

Each choice is drawn from a shuffled deck of its own, so even a short sequence of settings contains every value, in
varying combinations. Choices are limited to values with which a session stays healthy; comments give the reasons.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from icws_explore.lab.identities import KINDS
from icws_explore.lab.simulator import (
    CanisterSettings,
    Constant,
    Exponential,
    LogNormal,
    NetworkConditions,
    Population,
    Simulation,
    Uniform,
    simulate,
)
from icws_explore.lab.simulator.delays import Delay
from icws_explore.protocol.canister import Flavour

from .healthy_apps import DAPPS, Leaving

CLIENT_MS = (
    Constant(0), Constant(20), Constant(150), Uniform(5, 60), LogNormal(40), LogNormal(120, 0.8),
    Exponential(20, 15), Uniform(200, 600),
)  # fmt: skip
REPLICA_MS = (Constant(0), Constant(5), Uniform(2, 9), Uniform(20, 60), LogNormal(8))
UPDATE_MS = (Constant(0), Constant(50), Uniform(40, 900), LogNormal(1_500, 0.3), Uniform(800, 2_500))
POLL_MS = (100, 100, 50, 200, 500, 1_000, 2_000)
PACKET_LOSS = (0.0, 0.0, 0.005, 0.02)
POLL_LOSS = (0.0, 0.0, 0.0, 0.01)  # the gateway polls again, so no message is lost

# The canister's ack interval, its keep-alive timeout, the client's ack interval. The client's may be longer. The CDK
# requires an interval longer than the timeout, which is 60 s unless the code is changed.
INTERVALS_MS = (
    (300_000, 60_000, 300_000), (300_000, 60_000, 300_000), (90_000, 60_000, 90_000), (60_001, 60_000, 60_001),
    (120_000, 60_000, 300_000), (600_000, 60_000, 600_000), (20_000, 8_000, 20_000), (180_000, 60_000, 180_000),
)  # fmt: skip
MAX_MESSAGES = (50, 50, 50, 20, 10, 5, 2, 1)
DURATIONS_S = (20.0, 90.0, 250.0, 400.0, 720.0, 720.0, 1_500.0)
SESSIONS = (1, 1, 2, 2, 3, 4, 6)
LONG_S, LONG_SESSIONS = 1_000, 2  # long runs of many sessions would take too much time
GATEWAYS = (1, 1, 2, 3)
FLAVOURS: tuple[Flavour | None, ...] = (None, "rust", "motoko")
AGES_S = (None, 5_000.0, 86_399.0)
LEAVES_S = (None, None, None, 0.0, 7.0, 60.0, 200.0)

# A request expires three to four minutes after its client's time, and a replica accepts an expiry of up to five and
# a half minutes. So a client's clock may be three minutes slow, less the latency, or one and a half minutes fast.
SKEWS_MS: tuple[tuple[float, float], ...] = (
    (0.0, 0.0), (0.0, 0.0), (-3_000.0, 4_000.0), (-3_000.0, 4_000.0), (-25_000.0, 25_000.0), (-160_000.0, 80_000.0),
)  # fmt: skip


BUSY_EVERY = 4  # one setting in so many runs on busy machines


@dataclass(frozen=True, slots=True)
class Busy(Delay):
    """``other``, and at times a pause of the machine: one delay in thirty lasts 0.2 to 2.5 s longer."""

    other: Delay

    def draw_ms(self, rng: random.Random) -> float:
        return self.other.draw_ms(rng) + (rng.uniform(200, 2_500) if rng.random() < 1 / 30 else 0.0)

    @property
    def mean_ms(self) -> float:
        return self.other.mean_ms + 45.0


class Deck:
    """Draws its cards in random order, each once before any is drawn again."""

    def __init__(self, cards: Sequence[Any], rng: random.Random) -> None:
        self._cards, self._rng = list(cards), rng
        self._left: list[Any] = []

    def draw(self) -> Any:
        if not self._left:
            self._left = self._rng.sample(self._cards, len(self._cards))
        return self._left.pop()


@dataclass(frozen=True, slots=True)
class Setting:
    """One simulation. ``dapp`` is a key of `DAPPS`, ``leaves_s`` when the clients leave; ``number`` is its seed."""

    number: int
    dapp: str
    duration_s: float
    conditions: NetworkConditions
    population: Population
    ack_interval_ms: int
    canister: CanisterSettings
    close_at_end: bool
    leaves_s: float | None

    def run(self) -> Simulation:
        app, script = DAPPS[self.dapp]()
        if self.leaves_s is not None:
            script = Leaving(script, self.leaves_s * 1_000)
        return simulate(
            app,
            duration=self.duration_s,
            seed=self.number,
            population=replace(self.population, script=script),
            conditions=self.conditions,
            ack_interval_ms=self.ack_interval_ms,
            canister=self.canister,
            close_at_end=self.close_at_end,
        )

    @property
    def sessions(self) -> int:
        """The number of sessions."""
        return self.population.sessions

    def __str__(self) -> str:
        parts = [self.dapp, f"duration={self.duration_s:g}", f"ack_interval_ms={self.ack_interval_ms}"]
        for group in (self.population, self.canister, self.conditions):
            values = {each.name: getattr(group, each.name) for each in fields(group)}
            parts += [f"{name}={_short(value)}" for name, value in values.items() if value is not None]
        if not self.close_at_end:
            parts.append("not closed at the end")
        if self.leaves_s is not None:
            parts.append(f"leaves after {self.leaves_s:g} s")
        return f"#{self.number} {', '.join(parts)}"


def settings(seed: int = 1) -> Iterator[Setting]:
    """Yield settings without end, the same for the same seed."""
    rng = random.Random(seed)
    choices = {
        "dapp": tuple(DAPPS), "client": CLIENT_MS, "replica": REPLICA_MS, "update": UPDATE_MS, "poll": POLL_MS,
        "packet_loss": PACKET_LOSS, "poll_loss": POLL_LOSS, "intervals": INTERVALS_MS, "max_messages": MAX_MESSAGES,
        "duration": DURATIONS_S, "sessions": SESSIONS, "gateways": GATEWAYS, "flavour": FLAVOURS, "age": AGES_S,
        "leaves": LEAVES_S, "skew": SKEWS_MS, "identities": (*KINDS, KINDS), "closes": (True, True, False),
        "delegated": (True, True, True, False), "arrivals": (0.02, 0.5),
    }  # fmt: skip
    decks = {name: Deck(cards, rng) for name, cards in choices.items()}
    number = seed * 1_000_000
    while True:
        number += 1
        yield _setting(number, {name: deck.draw() for name, deck in decks.items()}, rng)


def _setting(number: int, drawn: dict[str, Any], rng: random.Random) -> Setting:
    interval_ms, timeout_ms, client_ms = drawn["intervals"]
    ordered = not _is_steady(drawn) or rng.random() < 0.5
    client, replica = drawn["client"], drawn["replica"]
    if number % BUSY_EVERY == BUSY_EVERY - 1:
        client = Busy(client)
        replica = Busy(replica) if ordered else replica  # calls that overtake each other are not healthy
    sessions = min(drawn["sessions"], LONG_SESSIONS) if drawn["duration"] > LONG_S else drawn["sessions"]
    return Setting(
        number=number,
        dapp=drawn["dapp"],
        duration_s=drawn["duration"],
        conditions=NetworkConditions(
            client_latency_ms=client,
            replica_latency_ms=replica,
            update_latency_ms=drawn["update"],
            poll_interval_ms=drawn["poll"],
            packet_loss=drawn["packet_loss"],
            poll_loss=drawn["poll_loss"],
            call_loss=0.0,
            ordered=ordered,
        ),
        population=Population(
            sessions=sessions,
            ack_interval_ms=client_ms,
            skew_ms=[round(rng.uniform(*drawn["skew"])) for _ in range(sessions)],
            arrivals=max(1.0, drawn["duration"] * drawn["arrivals"]),
            identities=drawn["identities"],
            gateways=drawn["gateways"],
        ),
        ack_interval_ms=interval_ms,
        canister=CanisterSettings(
            keep_alive_timeout_ms=timeout_ms,
            max_messages=drawn["max_messages"],
            flavour=drawn["flavour"],
            enforce_minimum=interval_ms > timeout_ms >= 60_000,
            age=drawn["age"],
            delegated=drawn["delegated"],
        ),
        close_at_end=drawn["closes"],
        leaves_s=drawn["leaves"],
    )


def _is_steady(drawn: dict[str, Any]) -> bool:
    """Return whether latencies are constant, so that unordered calls still arrive in order."""
    return isinstance(drawn["replica"], Constant) and isinstance(drawn["update"], Constant)


def _short(value: object) -> str:
    if isinstance(value, Delay):
        return repr(value).replace("_ms=", " ")
    return f"{value:g}" if isinstance(value, float) else str(value)
