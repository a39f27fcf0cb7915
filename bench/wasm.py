"""`python -m bench.wasm [FILE.wasm]`: what a compiled canister costs, beside our model of its CDK.

Without a file it takes the canister of tests/peers/rust_canister, which the tests compile. Seconds are of the
processor and, in brackets, of the clock on the wall: a busy machine shows in the second. Two rows of `make bench` come
from here as well: an update of that canister, and its 100 sessions for 20 simulated minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import icws_explore as icws
from icws_explore.lab.apps import load
from icws_explore.lab.wasm import wasm_app
from icws_explore.lab.wasm.canister import WasmCanister
from icws_explore.protocol.arguments import decode_result, encode_message_args, encode_open_args, encode_poll_args
from icws_explore.protocol.candid import encode, same_type
from icws_explore.protocol.canister import App, CanisterCode, CanisterHost, Reply, SystemApi
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal

from .goals import NotMeasuredError

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / "tests/peers/rust_canister/target/wasm32-unknown-unknown/release/icws_peer_canister.wasm"
OWN_INIT = "(record { send_ack_interval_ms = 300_000; max_messages = 50 })"
GATEWAY = Principal(b"gateway")
START_NS = 1_790_000_000_000_000_000
SESSIONS = 100
DURATION = "20m"
MESSAGES = 10  # of each session
POLLS = 100
PONG = {"text": "pong", "timestamp": START_NS}


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


def own() -> App:
    """The canister of tests/peers. Raises NotMeasuredError if the tests have not compiled it."""
    if not OWN.is_file():
        raise NotMeasuredError("the canister is missing; the tests make it: make test PYTEST_ARGS=tests/peers")
    return wasm_app(OWN, init=OWN_INIT)


def plays_ping_pong(app: App) -> bool:
    return same_type(app.message_type, load("pingpong").message_type)


class Bench:
    """A canister with calls to it from 100 clients. Numbers are milliseconds of the processor, one for each call."""

    def __init__(self, app: App) -> None:
        self._codes: list[CanisterCode] = []
        self._app, self._make = app, app.factory()
        self.host = CanisterHost(Principal(b"canister"), certify=lambda data: data)

    def factory(self, system: SystemApi) -> CanisterCode:
        self._codes.append(self._make(system))
        return self._codes[-1]

    def install(self) -> None:
        self.host.install(self.factory, now_ns=START_NS)

    def upgrade(self) -> None:
        self.host.upgrade(self.factory, now_ns=START_NS)

    def opens_ms(self) -> list[float]:
        return [self._update_ms("ws_open", encode_open_args(n, GATEWAY), _client(n)) for n in range(SESSIONS)]

    def messages_ms(self) -> list[float]:
        """The first messages of each client; the canister queues an answer to each."""
        content, costs = encode([self._app.message_type], [PONG]), []
        for number in range(1, MESSAGES + 1):
            for n in range(SESSIONS):
                message = WebsocketMessage(ClientKey(_client(n), n), number, START_NS, False, content)
                costs.append(self._update_ms("ws_message", encode_message_args(message), _client(n)))
        return costs

    def polls_ms(self) -> list[float]:
        def poll(nonce: int) -> None:
            self.host.query("ws_get_messages", encode_poll_args(nonce), caller=GATEWAY, now_ns=START_NS)

        return [1000 * spent(partial(poll, nonce)).cpu_s for nonce in range(POLLS)]

    def memory_bytes(self) -> int | None:
        code = self._codes[-1]
        return code.memory_size if isinstance(code, WasmCanister) else None

    def _update_ms(self, method: str, args: bytes, caller: Principal) -> float:
        outcomes: list[object] = []
        took = spent(lambda: outcomes.append(self.host.update(method, args, caller=caller, now_ns=START_NS)))
        assert isinstance(outcomes[0], Reply), outcomes[0]
        assert decode_result(outcomes[0].data) is None, outcomes[0]
        return 1000 * took.cpu_s


def _client(number: int) -> Principal:
    return Principal(number.to_bytes(4, "big") * 7)


def update_ms() -> float:
    """The median message to the canister of tests/peers, of 100 sessions, each with an answer."""
    bench = Bench(own())
    bench.install()
    bench.opens_ms()
    return median(bench.messages_ms())


def simulated_s() -> float:
    """100 sessions for 20 simulated minutes with that canister, real cryptography. Seconds of the processor."""
    app = own()
    icws.simulate(app, duration="10s")  # fills imports and caches
    return spent(lambda: icws.simulate(app, duration=DURATION, population=SESSIONS)).cpu_s


def calls(app: App) -> None:
    bench = Bench(app)
    print(f"  install         {spent(bench.install)}")
    print(f"  ws_open         {_text(bench.opens_ms())}")
    if plays_ping_pong(app):
        print(f"  ws_message      {_text(bench.messages_ms())}")
    print(f"  ws_get_messages {_text(bench.polls_ms())}")
    print(f"  upgrade         {spent(bench.upgrade)}")
    if (size := bench.memory_bytes()) is not None:
        print(f"  memory          {size / 2**20:8.2f} MiB")


def _text(costs_ms: list[float]) -> str:
    return f"{median(costs_ms):8.2f} ms  (worst {max(costs_ms):.2f} ms)"


def simulations(app: App) -> None:
    for script in ("listen", "pingpong") if plays_ping_pong(app) else ("listen",):
        for crypto in ("real", "stand-in"):
            run = partial(
                icws.simulate,
                app,
                duration=DURATION,
                population=icws.Population(SESSIONS, script=script),
                crypto=crypto,
            )
            print(f"  {SESSIONS} × {DURATION}, {script}, {crypto}".ljust(32), spent(run))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.wasm", description=__doc__)
    parser.add_argument("wasm", nargs="?", type=Path, help="the module; without it, the canister of tests/peers")
    parser.add_argument("--did", type=Path, help="its interface, if the module has none")
    parser.add_argument("--init", help="the argument of its init, as text in Candid")
    options = parser.parse_args()
    apps: list[App] = []

    def read() -> None:
        apps.append(own() if options.wasm is None else wasm_app(options.wasm, did=options.did, init=options.init))

    try:
        print(f"  read, compile   {spent(read)}")
    except NotMeasuredError as error:
        parser.error(str(error))
    for name, app in (("the compiled canister", apps[0]), ("the model of the CDK, app pingpong", load("pingpong"))):
        print(name)
        calls(app)
        simulations(app)


if __name__ == "__main__":
    main()
