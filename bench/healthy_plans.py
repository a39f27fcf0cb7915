"""Healthy sessions as plans, for the simulator and, at various speeds, for the lab with real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from icws_explore.lab.identities import KINDS, identity_of_kind
from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.scenarios.plan import ClientPlan, Plan
from icws_explore.lab.simulator import NetworkConditions, Script
from icws_explore.protocol.keys import Identity

from .healthy_apps import DAPPS, Leaving

QUICK = {"ack_interval_ms": 3_000, "keep_alive_timeout_ms": 1_500}  # for plans that run in real time
FAST = {"ack_interval_ms": 20_000, "keep_alive_timeout_ms": 8_000}


class HealthyPlan(NamedTuple):
    """``make`` returns a new plan for every run. ``time_scale`` is its speed over real sockets."""

    text: str
    make: Callable[[], Plan]
    time_scale: float


def user(kind: str, name: str = "ada") -> Callable[[LabKeys, int], Identity]:
    """Return what makes the identity of a user: the same identity for the same name."""
    return lambda keys, start_ns: identity_of_kind(kind, keys, name, now_ns=start_ns)


def _plan(dapp: str, duration_s: float, *clients: dict[str, Any], **options: Any) -> Callable[[], Plan]:
    """Return what makes a plan with these clients of a dapp. Each follows the dapp's script unless it has its own."""

    def make() -> Plan:
        app, script = DAPPS[dapp]()
        made = tuple(ClientPlan(**({"script": script} | client)) for client in clients or ({},))
        return Plan(app, duration_s, made, **options)

    return make


def _several(count: int, every_s: float = 1.0, **options: Any) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"at_s": number * every_s, "identity": user(KINDS[number % len(KINDS)], f"client {number}"), **options}


def plans() -> Iterator[HealthyPlan]:
    """Yield all plans."""
    minutes = 60.0
    slow = NetworkConditions(update_latency_ms=1_500, poll_interval_ms=200)
    yield HealthyPlan("pingpong, all kinds of identities", _plan("pingpong", 12 * minutes, *_several(6)), 40)
    yield HealthyPlan("echo, slow network", _plan("echo", 12 * minutes, *_several(3), conditions=slow), 40)
    yield HealthyPlan("chat, three gateways, Motoko", _plan("chat", 12 * minutes, *(
        each | {"gateway": number % 3} for number, each in enumerate(_several(5))
    ), gateways=3, flavour="motoko"), 40)  # fmt: skip
    yield HealthyPlan("ticker, Rust", _plan("ticker", 12 * minutes, *_several(2), flavour="rust"), 50)
    yield HealthyPlan("silence, over three acks", _plan("silence", 16 * minutes, *_several(2)), 60)
    yield HealthyPlan("tally", _plan("tally", 8 * minutes, *_several(2)), 60)
    yield HealthyPlan("many greetings, slow polls", _plan(
        "greeter", 90, *_several(3), conditions=NetworkConditions(poll_interval_ms=1_000)), 20)  # fmt: skip
    yield HealthyPlan("the canister closes the session", _plan("farewell", 3 * minutes, *_several(2)), 60)
    yield HealthyPlan("bursts", _plan("echo in bursts", 7 * minutes, *_several(2)), 60)
    yield HealthyPlan("large messages", _plan("echo of much", 10 * minutes, {}), 60)
    skewed = [each | {"skew_ms": ms} for each, ms in zip(_several(4), (-100_000, -3_000, 4_000, 60_000), strict=True)]
    yield HealthyPlan("wrong clocks", _plan("echo", 7 * minutes, *skewed), 60)
    yield HealthyPlan("closes immediately", _plan("pingpong", 60, {"script": Leaving(Script(), 0)}, {"at_s": 20}), 20)
    yield HealthyPlan("returns after a minute", _back("pingpong", 60.0), 60)
    yield HealthyPlan("returns immediately", _back("echo", 3.0), 30)
    yield HealthyPlan("returns at another gateway", _back("ticker", 20.0, gateway=1), 60)
    yield HealthyPlan("the canister's ack interval is shorter than the client's", _plan(
        "echo", 8 * minutes, *_several(2, ack_interval_ms=300_000), ack_interval_ms=90_000), 60)  # fmt: skip
    yield HealthyPlan("acks every 20 s", _plan("pingpong at once", 90, *_several(3), **FAST), 20)
    yield HealthyPlan("in real time", _plan("echo", 10, *_several(2, 0.5), **QUICK), 1)
    yield HealthyPlan("five times as fast", _plan("pingpong at once", 40, *_several(2), **FAST), 5)


def _back(dapp: str, pause_s: float, gateway: int = 0) -> Callable[[], Plan]:
    """Return what makes a plan in which a user leaves and returns ``pause_s`` seconds later."""
    left_s = 60.0
    back = {"at_s": left_s + pause_s, "identity": user("ed25519"), "gateway": gateway}
    return _plan(dapp, 240, {"identity": user("ed25519"), "leaves_s": left_s}, back, gateways=2, ack_interval_ms=90_000)
