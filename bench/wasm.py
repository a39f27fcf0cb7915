"""`python -m bench.wasm [FILE.wasm [INIT]]`: what a compiled canister costs, beside our model of its CDK.

Without a file it takes the canister of tests/peers/rust_canister, which the tests compile. Seconds are of the
processor and, in brackets, of the clock on the wall: a busy machine shows in the second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import icws_explore as icws
from icws_explore.lab.simulator.scripts import Script
from icws_explore.lab.wasm import wasm_app
from icws_explore.lab.wasm.canister import WasmCanister
from icws_explore.protocol.arguments import encode_open_args, encode_poll_args
from icws_explore.protocol.canister import App, CanisterCode, CanisterHost, SystemApi
from icws_explore.protocol.principal import Principal

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / "tests/peers/rust_canister/target/wasm32-unknown-unknown/release/icws_peer_canister.wasm"
OWN_INIT = "(record { send_ack_interval_ms = 300_000; max_messages = 50 })"
GATEWAY = Principal(b"gateway")
START_NS = 1_790_000_000_000_000_000
SESSIONS = 100
DURATION = "20m"
ROUNDS = 100


@dataclass(frozen=True)
class Spent:
    """Seconds of the processor and of the clock on the wall."""

    cpu_s: float
    wall_s: float

    def __str__(self) -> str:
        return f"{self.cpu_s:8.2f} s  ({self.wall_s:.2f} s)"


def spent(body: Callable[[], object]) -> Spent:
    cpu, wall = time.process_time(), time.perf_counter()
    body()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


def each_ms(body: Callable[[int], object]) -> str:
    costs = [1000 * spent(partial(body, number)).cpu_s for number in range(ROUNDS)]
    return f"{median(costs):8.2f} ms  (worst {max(costs):.2f} ms)"


def calls(app: App) -> None:
    codes: list[CanisterCode] = []
    make = app.factory()

    def factory(system: SystemApi) -> CanisterCode:
        codes.append(make(system))
        return codes[-1]

    host = CanisterHost(Principal(b"canister"), certify=lambda data: data)
    print(f"  install         {spent(lambda: host.install(factory, now_ns=START_NS))}")

    def open_session(number: int) -> None:
        caller = Principal(number.to_bytes(4, "big") * 7)
        host.update("ws_open", encode_open_args(number, GATEWAY), caller=caller, now_ns=START_NS)

    print(f"  ws_open         {each_ms(open_session)}")

    def poll(number: int) -> None:
        host.query("ws_get_messages", encode_poll_args(number), caller=GATEWAY, now_ns=START_NS)

    print(f"  ws_get_messages {each_ms(poll)}")
    print(f"  upgrade         {spent(lambda: host.upgrade(factory, now_ns=START_NS))}")
    if isinstance(codes[-1], WasmCanister):
        print(f"  memory          {codes[-1].memory_size / 2**20:8.2f} MiB")


def simulations(app: App) -> None:
    for what, script in (("ping-pong", None), ("acks only", Script())):
        population = icws.Population(SESSIONS, script=script)

        def run(population: icws.Population = population) -> object:
            return icws.simulate(app, duration=DURATION, population=population, crypto="stand-in")

        print(f"  {SESSIONS} × {DURATION}, {what:<10}{spent(run)}")


def main() -> None:
    path, *more = sys.argv[1:] or [str(OWN), OWN_INIT]
    if not Path(path).is_file():
        sys.exit(f"{path} is not there; the tests make it: make test PYTEST_ARGS=tests/peers")
    app: list[App] = []
    print(path)
    print(f"  read, compile   {spent(lambda: app.append(wasm_app(path, init=more[0] if more else None)))}")
    calls(app[0])
    simulations(app[0])
    from icws_explore.lab.apps import load

    print("the model of the CDK, with the app pingpong")
    calls(load("pingpong"))
    simulations(load("pingpong"))


if __name__ == "__main__":
    main()
