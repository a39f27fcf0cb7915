"""What goes wrong in IC WebSocket dapps, made to happen in the simulator: one scenario for a row of the catalogue.

::

    scenario("STALE_NONCE").run(1).doctor()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from icws_explore.lab.faults import tampered
from icws_explore.lab.scenarios.gateway_faults import Downward, Muted, Stall, Stopped, Upgrade, is_ack
from icws_explore.lab.simulator import Network, Script, Simulation, Uniform, simulate
from icws_explore.protocol import candid
from icws_explore.protocol.cdk import App, AppContext
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal

if TYPE_CHECKING:
    from icws_explore.lab.simulator.client import SimClient


@dataclass(frozen=True, slots=True)
class Scenario:
    """``name`` is the catalogue's id, ``about`` what is made to go wrong, ``run(seed)`` does it."""

    name: str
    about: str
    run: Callable[[int], Simulation]


SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(name: str) -> Scenario:
    """The scenario of that name. Raises LabError that lists them."""
    if name not in SCENARIOS:
        raise LabError(f"there is no fault {name!r}; there are {', '.join(sorted(SCENARIOS))}")
    return SCENARIOS[name]


def _scenario(name: str, about: str) -> Callable[[Callable[[int], Simulation]], Callable[[int], Simulation]]:
    def register(run: Callable[[int], Simulation]) -> Callable[[int], Simulation]:
        SCENARIOS[name] = Scenario(name, about, run)
        return run

    return register


class Talker(Script):
    """Sends ``value`` every ``every_ms``, ``times`` at once."""

    def __init__(self, value: Any, *, every_ms: float = 20_000, times: int = 1) -> None:
        self._value, self._every_ms, self._times = value, every_ms, times

    def opened(self, client: SimClient) -> None:
        client.after(self._every_ms, self._talk, client)

    def _talk(self, client: SimClient) -> None:
        for _ in range(self._times):
            client.send(self._value)
        client.after(self._every_ms, self._talk, client)


@_scenario("NO_HANDSHAKE", "the gateway never says anything")
def no_handshake(seed: int) -> Simulation:
    return simulate(duration="30s", faults=Muted(), seed=seed)


@_scenario("INGRESS_EXPIRY", "the client's clock is five minutes slow")
def ingress_expiry(seed: int) -> Simulation:
    return simulate(duration="2m", skew_ms=-301_000.0, seed=seed)


@_scenario("ON_OPEN_TRAP", "on_open traps for every client but the first")
def on_open_trap(seed: int) -> Simulation:
    known: list[Principal] = []

    def on_open(context: AppContext, client: Principal) -> None:
        known.append(client)
        if client != known[0]:
            context.trap("not today")

    app = App("choosy", candid.parse_type("text"), on_open=on_open, on_message=_echo)
    return simulate(
        app, duration="3m", sessions=2, clients=Talker("hello"), arrivals=lambda number: 30.0 * number, seed=seed
    )


@_scenario("BAD_CERTIFICATE", "the gateway forges the signature of the third message's certificate")
def bad_certificate(seed: int) -> Simulation:
    def forge(number: int, message: CanisterMessage) -> CanisterMessage:
        at = message.cert.index(b"signature") + 20
        cert = message.cert[:at] + bytes([message.cert[at] ^ 1]) + message.cert[at + 1 :]
        return replace(message, cert=cert) if number >= 3 else message

    return simulate("ticker", duration="2m", faults=_altered(forge), seed=seed)


@_scenario("CERTIFIED_DATA_CLASH", "from the third message on, the certificate is of other certified data")
def certified_data_clash(seed: int) -> Simulation:
    kept: list[bytes] = []

    def swap(number: int, message: CanisterMessage) -> CanisterMessage:
        kept.append(message.cert)
        return replace(message, cert=kept[1]) if number >= 3 else message

    return simulate("ticker", duration="2m", faults=_altered(swap), seed=seed)


@_scenario("STALE_CERTIFICATE", "from the fourth message on, the gateway holds each back for 310 s")
def stale_certificate(seed: int) -> Simulation:
    held = Downward(lambda _number, data: [data], late_ms=lambda number: 310_000 if number > 3 else 0)
    return simulate("ticker", duration="10m", faults=held, seed=seed)


@_scenario("BODY_HASH", "the gateway changes a byte of the third message's content")
def body_hash(seed: int) -> Simulation:
    changed = Downward(lambda number, data: [tampered(data) if number == 3 else data])
    return simulate("ticker", duration="2m", faults=changed, seed=seed)


@_scenario("SEQUENCE_GAP_DOWN", "the gateway drops the fourth message")
def sequence_gap_down(seed: int) -> Simulation:
    dropped = Downward(lambda number, data: [] if number == 4 else [data])
    return simulate("ticker", duration="2m", faults=dropped, seed=seed)


@_scenario("REORDERED_RELAY", "the client sends in bursts, and the gateway's calls overtake each other")
def reordered_relay(seed: int) -> Simulation:
    network = Network(update_latency_ms=Uniform(200, 1_800), ordered=False)
    clients = Talker({"text": "now"}, every_ms=5_000, times=6)
    return simulate("echo", duration="2m", network=network, clients=clients, seed=seed)


@_scenario("ON_MESSAGE_TRAP", "on_message traps at the third message")
def on_message_trap(seed: int) -> Simulation:
    seen: list[str] = []

    def on_message(context: AppContext, client: Principal, message: str) -> None:
        seen.append(message)
        if len(seen) == 3:
            context.trap("the third one")
        context.send(client, message)

    app = App("third", candid.parse_type("text"), on_message=on_message)
    return simulate(app, duration="3m", clients=Talker("hello"), seed=seed)


@_scenario("NO_ACKS", "the canister never gets round to its ack timer")
def no_acks(seed: int) -> Simulation:
    return simulate("echo", duration="8m", ack_interval_ms=3_600_000, client_ack_interval_ms=300_000, seed=seed)


@_scenario("ACK_INTERVAL_MISMATCH", "the client expects acks every 90 s, the canister sends them every 200 s")
def ack_interval_mismatch(seed: int) -> Simulation:
    return simulate("echo", duration="10m", ack_interval_ms=200_000, client_ack_interval_ms=90_000, seed=seed)


@_scenario("ACKS_WITHHELD", "the gateway drops the third ack and everything behind it")
def acks_withheld(seed: int) -> Simulation:
    acks: list[int] = []

    def keep(number: int, data: bytes) -> list[bytes]:
        acks.extend([number] if is_ack(data) else [])
        return [data] if len(acks) < 3 else []

    return simulate("echo", duration="20m", faults=Downward(keep), seed=seed)


@_scenario("POLLER_DEAD", "the canister is stopped, so that polls are rejected for good")
def poller_dead(seed: int) -> Simulation:
    return simulate(duration="2m", sessions=3, faults=Stopped(90), seed=seed)


@_scenario("UPGRADE_WIPE", "the canister is upgraded with clients at two gateways")
def upgrade_wipe(seed: int) -> Simulation:
    return simulate("echo", duration="20m", sessions=3, gateways=2, faults=Upgrade(400), seed=seed)


@_scenario("STALE_NONCE", "the canister is upgraded while its gateway runs on, and one more client comes")
def stale_nonce(seed: int) -> Simulation:
    starts = (0.0, 3.0, 450.0)
    return simulate("echo", duration="20m", sessions=3, arrivals=starts.__getitem__, faults=Upgrade(400), seed=seed)


@_scenario("SLOW_CLIENT_STALL", "the gateway's loop stands still for 25 s")
def slow_client_stall(seed: int) -> Simulation:
    return simulate("ticker", duration="3m", sessions=3, faults=Stall(60, 85), seed=seed)


def _altered(change: Callable[[int, CanisterMessage], CanisterMessage]) -> Downward:
    return Downward(lambda number, data: [change(number, CanisterMessage.decode(data)).encode()])


def _echo(context: AppContext, client: Principal, message: str) -> None:
    context.send(client, message)
