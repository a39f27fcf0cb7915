"""Settings of healthy sessions: what may differ between two dapps of which nothing is wrong.

Each choice is dealt from a shuffled deck of its own, so that even a short corpus holds every value, in
ever other company. What limits a choice (a clock that the network would refuse, intervals that a CDK
would trap at) is what keeps the session healthy; it says so.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from icws_explore.lab.identities import KINDS
from icws_explore.lab.simulator import Constant, Exponential, LogNormal, Network, Simulation, Uniform, simulate
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
POLL_LOSS = (0.0, 0.0, 0.0, 0.01)  # the gateway polls again: nothing is lost

# The canister's interval, its keep-alive time-out, the client's interval. A client may believe in a longer
# one; the CDK's rule is an interval of more than the time-out, which is 60 s unless the code is changed.
INTERVALS_MS = (
    (300_000, 60_000, 300_000), (300_000, 60_000, 300_000), (90_000, 60_000, 90_000), (60_001, 60_000, 60_001),
    (120_000, 60_000, 300_000), (600_000, 60_000, 600_000), (20_000, 8_000, 20_000), (180_000, 60_000, 180_000),
)  # fmt: skip
MAX_MESSAGES = (50, 50, 50, 20, 10, 5, 2, 1)
DURATIONS_S = (20.0, 90.0, 250.0, 400.0, 720.0, 720.0, 1_500.0)
SESSIONS = (1, 1, 2, 2, 3, 4, 6)
LONG_S, LONG_SESSIONS = 1_000, 2  # long runs of many sessions take more time than they are worth
GATEWAYS = (1, 1, 2, 3)
FLAVOURS: tuple[Flavour | None, ...] = (None, "rust", "motoko")
AGES_S = (None, 5_000.0, 86_399.0)
LEAVES_S = (None, None, None, 0.0, 7.0, 60.0, 200.0)

# A request expires three to four minutes on, and a replica takes five and a half: a client may be three
# minutes slow or one and a half fast. Latency comes out of the former.
SKEWS_MS: tuple[tuple[float, float], ...] = (
    (0.0, 0.0), (0.0, 0.0), (-3_000.0, 4_000.0), (-3_000.0, 4_000.0), (-25_000.0, 25_000.0), (-160_000.0, 80_000.0),
)  # fmt: skip


class Deck:
    """Deals its cards in random order, each once before any comes again."""

    def __init__(self, cards: Sequence[Any], dice: random.Random) -> None:
        self._cards, self._dice = list(cards), dice
        self._left: list[Any] = []

    def draw(self) -> Any:
        if not self._left:
            self._left = self._dice.sample(self._cards, len(self._cards))
        return self._left.pop()


@dataclass(frozen=True, slots=True)
class Setting:
    """One simulation. ``dapp`` makes the canister's code and its clients' script; ``options`` are of `simulate`."""

    number: int
    dapp: str
    network: Network
    leaves_s: float | None
    options: dict[str, Any]

    def run(self) -> Simulation:
        app, script = DAPPS[self.dapp]()
        if self.leaves_s is not None:
            script = Leaving(script, self.leaves_s * 1_000)
        return simulate(app, clients=script, network=self.network, seed=self.number, **self.options)

    @property
    def sessions(self) -> int:
        return int(self.options["sessions"])

    def __str__(self) -> str:
        said = [self.dapp]
        said += [f"{name}={_short(value)}" for name, value in self.options.items() if value is not None]
        if self.leaves_s is not None:
            said.append(f"leaves after {self.leaves_s:g} s")
        network = self.network
        hops = (network.client_latency_ms, network.replica_latency_ms, network.update_latency_ms)
        said.append(" / ".join(map(_short, hops)))
        said.append(f"polls every {network.poll_interval_ms} ms")
        said += [
            f"{name}={value:g}" for name, value in zip(("packet", "call", "poll"), network.losses, strict=True) if value
        ]
        return f"#{self.number} {', '.join(said)}"


def settings(seed: int = 1) -> Iterator[Setting]:
    """Settings without end, the same for the same seed."""
    dice = random.Random(seed)
    choices = {
        "dapp": tuple(DAPPS), "client": CLIENT_MS, "replica": REPLICA_MS, "update": UPDATE_MS, "poll": POLL_MS,
        "packet_loss": PACKET_LOSS, "poll_loss": POLL_LOSS, "intervals": INTERVALS_MS, "max_messages": MAX_MESSAGES,
        "duration": DURATIONS_S, "sessions": SESSIONS, "gateways": GATEWAYS, "flavour": FLAVOURS, "age": AGES_S,
        "leaves": LEAVES_S, "skew": SKEWS_MS, "identities": (*KINDS, KINDS), "closes": (True, True, False),
        "delegated": (True, True, True, False), "arrivals": (0.02, 0.5),
    }  # fmt: skip
    decks = {name: Deck(cards, dice) for name, cards in choices.items()}
    number = seed * 1_000_000
    while True:
        number += 1
        yield _setting(number, {name: deck.draw() for name, deck in decks.items()}, dice)


def _setting(number: int, drawn: dict[str, Any], dice: random.Random) -> Setting:
    interval_ms, timeout_ms, client_ms = drawn["intervals"]
    sessions = min(drawn["sessions"], LONG_SESSIONS) if drawn["duration"] > LONG_S else drawn["sessions"]
    network = Network(
        client_latency_ms=drawn["client"],
        replica_latency_ms=drawn["replica"],
        update_latency_ms=drawn["update"],
        poll_interval_ms=drawn["poll"],
        packet_loss=drawn["packet_loss"],
        poll_loss=drawn["poll_loss"],
        call_loss=0.0,
        ordered=not _is_steady(drawn) or dice.random() < 0.5,
    )
    options = {
        "duration": drawn["duration"],
        "sessions": sessions,
        "gateways": drawn["gateways"],
        "identities": drawn["identities"],
        "flavour": drawn["flavour"],
        "ack_interval_ms": interval_ms,
        "keep_alive_timeout_ms": timeout_ms,
        "client_ack_interval_ms": client_ms,
        "enforce_minimum": interval_ms > timeout_ms >= 60_000,
        "max_messages": drawn["max_messages"],
        "skew_ms": [round(dice.uniform(*drawn["skew"])) for _ in range(sessions)],
        "canister_age": drawn["age"],
        "arrivals": max(1.0, drawn["duration"] * drawn["arrivals"]),
        "close_at_end": drawn["closes"],
        "delegated": drawn["delegated"],
    }
    return Setting(number, drawn["dapp"], network, drawn["leaves"], options)


def _is_steady(drawn: dict[str, Any]) -> bool:
    """Whether calls that are relayed side by side still arrive in their order, as every way takes the same time."""
    return isinstance(drawn["replica"], Constant) and isinstance(drawn["update"], Constant)


def _short(value: object) -> str:
    if isinstance(value, Delay):
        return repr(value).replace("_ms=", " ")
    return f"{value:g}" if isinstance(value, float) else str(value)
