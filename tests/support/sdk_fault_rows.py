"""The rows of the catalogue that an honest SDK can meet, or one that is used wrongly: each as the real one meets it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.lab.faults import Delivery, Direction, Faults, tampered
from icws_explore.lab.scenarios.gateway_faults import is_ack
from icws_explore.lab.scenarios.odd_canisters import AcksAhead, ListsGateways, WithoutTimers
from icws_explore.live.http import Network
from icws_explore.live.tap import Tap
from icws_explore.protocol import candid
from icws_explore.protocol.cdk import App, AppContext
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal

from .sdk_faults import Action, Client, Row

MESSAGE: Final = candid.parse_type("record { text : text }")
RECEIVING: Final = (4000, "Error receiving message")
BY_CANISTER: Final = (4000, "Received close message from canister")
UNOPENED: Final = (4000, "Open connection timeout")
UNACKED: Final = (4000, "Ack message timeout")
NO_FRAME: Final = (1006, "")
NO_CODE: Final = (1005, "")
BY_APPLICATION: Final = (4001, "ClosedByApplication")
# The SDK asks for the root key and does not wait for it: an OpenMessage that a fast clock hurries would be too soon.
LATE_ENOUGH: Final = {"update_latency_ms": 4_000.0}
BRISK: Final = {"keep_alive_timeout_ms": 1_500}  # beside an ack interval that is short, too

Change = Callable[[int, bytes], list[Delivery]]


class Relay(Faults):
    """``up`` and ``down`` say what becomes of a frame, counted from 1 in its direction; the handshake passes."""

    def __init__(self, *, up: Change | None = None, down: Change | None = None) -> None:
        self._changes: dict[Direction, Change | None] = {"up": up, "down": down}
        self._seen: dict[Direction, int] = {"up": 0, "down": 0}

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        change = self._changes[direction]
        if change is None or (direction == "down" and _canister_message(data) is None):
            return [Delivery(data)]
        self._seen[direction] += 1
        return change(self._seen[direction], data)


def _canister_message(data: bytes) -> CanisterMessage | None:
    try:
        return CanisterMessage.decode(data)
    except DecodeError:
        return None


def from_(first: int, change: Callable[[bytes], list[bytes]]) -> Change:
    """Change the frames from that number on."""
    return lambda number, data: [Delivery(each) for each in (change(data) if number >= first else [data])]


def only(which: int, change: Callable[[bytes], list[bytes]]) -> Change:
    return lambda number, data: [Delivery(each) for each in (change(data) if number == which else [data])]


def lost(_data: bytes) -> list[bytes]:
    return []


def damaged(data: bytes) -> list[bytes]:
    return [tampered(data)]


def held_from(first: int, ms: float) -> Change:
    """Each frame from that number on is so much late (ms)."""
    return lambda number, data: [Delivery(data, ms if number >= first else 0)]


def silent_from_ack(which: int) -> Change:
    """Nothing more from the AckMessage of that number on."""
    acks = 0

    def change(_number: int, data: bytes) -> list[Delivery]:
        nonlocal acks
        acks += is_ack(data)
        return [] if acks >= which else [Delivery(data)]

    return change


def forged(data: bytes) -> list[bytes]:
    """With one bit of the certificate's signature changed."""
    message = CanisterMessage.decode(data)
    at = message.cert.index(b"signature") + 20
    cert = message.cert[:at] + bytes([message.cert[at] ^ 1]) + message.cert[at + 1 :]
    return [replace(message, cert=cert).encode()]


def echo(context: AppContext, client: Principal, message: Any) -> None:
    context.send(client, message)


def app(name: str, on_message: Callable[[AppContext, Principal, Any], None] = echo, **handlers: Any) -> App:
    return App(name, MESSAGE, on_message=on_message, **handlers)


def says(*at_ms: int) -> tuple[Mapping[str, Any], ...]:
    return tuple({"at_ms": at, "send": f"at {at}"} for at in at_ms)


# -- what canisters do ----------------------------------------------------------------------------


def _clash(context: AppContext, client: Principal, message: Any) -> None:
    context.send(client, message)
    context.set_certified_data(b"assets, or certified variables  ")


def _wrong_type(context: AppContext, client: Principal, message: Any) -> None:
    del message
    context.send_bytes(client, candid.encode([candid.NAT64], [7]))


def _hang_up(context: AppContext, client: Principal, message: Any) -> None:
    del message
    context.close(client)


def _traps_at(text: str) -> Callable[[AppContext, Principal, Any], None]:
    def on_message(context: AppContext, client: Principal, message: Any) -> None:
        if message["text"] == text:
            context.trap("not this one")
        context.send(client, message)

    return on_message


def _only_the_first(context: AppContext, client: Principal) -> None:
    if context.state.setdefault("first", client) != client:
        context.trap("not today")


# -- what is seen so far -----------------------------------------------------------------------------


def saw(kind: str, times: int = 1) -> Callable[[Capture], bool]:
    """So many frames of that kind, as `decode_frames` names it."""
    return lambda capture: sum(decoded.kind == kind for decoded in decode_frames(capture)) >= times


def idle_for(seconds: float) -> Callable[[Capture], bool]:
    """Nothing has passed for so long (s), after something did."""
    return lambda capture: bool(capture.frames) and time.time() - capture.frames[-1].t > seconds


def ask_for_the_root_key(_lab: Lab, tap: Tap) -> None:
    """As a gateway does when it starts behind the tap."""

    async def ask(url: str) -> None:
        async with Network(url) as network:
            await network.status()

    assert tap.network_url is not None
    asyncio.run(ask(tap.network_url))


AT_ONCE: Final = (
    Row("BODY_HASH", lambda: {"faults": Relay(down=from_(2, damaged))}, (RECEIVING,), (Client(says(100)),)),
    Row("BAD_CERTIFICATE", lambda: {"faults": Relay(down=from_(2, forged))}, (RECEIVING,), (Client(says(100)),)),
    Row("CERTIFIED_DATA_CLASH", lambda: {"app": app("clash", _clash)}, (RECEIVING,), (Client(says(100)),)),
    Row("SEQUENCE_GAP_DOWN", lambda: {"faults": Relay(down=only(2, lost))}, (RECEIVING,), (Client(says(100, 1000)),)),
    Row(
        "ROOT_KEY",
        dict,
        (RECEIVING,),
        (Client(config=lambda _lab, elsewhere: {"network_url": elsewhere.network_url}),),
        tap=lambda lab, elsewhere: {"network": lab.network_url, "root_key": elsewhere.root_key},
        actions=(Action(lambda _capture: True, ask_for_the_root_key),),
    ),
    Row("CLOSED_BY_APPLICATION", lambda: {"app": app("curt", _hang_up)}, (BY_APPLICATION,), (Client(says(100)),)),
    Row("APP_TYPE_MISMATCH", lambda: {"app": app("other type", _wrong_type)}, (RECEIVING,), (Client(says(100)),)),
    Row(
        "ACK_TOO_HIGH",
        lambda: {"app": AcksAhead("ahead", MESSAGE, on_message=echo), "ack_interval_ms": 2_000, **BRISK},
        ((4000, "Ack message error"),),
        (Client(says(100)),),
    ),
    Row(
        "LOST_UP",
        dict,
        (BY_CANISTER,),
        (Client(({"at_ms": 100, "pad": 2_200_000}, {"at_ms": 3_000, "send": "next"})),),
    ),
    Row(
        "ON_MESSAGE_TRAP",
        lambda: {"app": app("traps", _traps_at("at 3000"))},
        (BY_CANISTER,),
        (Client(says(100, 3_000, 6_000)),),
    ),
    Row(
        "REORDERED_RELAY",
        lambda: {
            "ordered": False,
            "faults": Relay(up=lambda number, data: [Delivery(data, 500 if number == 2 else 0)]),
        },
        (BY_CANISTER,),
        (Client(says(100, 110)),),
    ),
    Row(
        "KEEPALIVE_RACE",
        # Something is being signed all the time, so that a keep-alive overtakes it; and a call takes longer than
        # that, so that the SDK finds out before the canister complains.
        lambda: {"ack_interval_ms": 4_000, "update_latency_ms": 2_500.0},
        ((4000, "Message sending failed"),),
        (Client(says(*[100] * 20), identity={"slow": {"message": 600}}),),
    ),
    Row("PING_KILLS_SESSION", dict, (NO_FRAME,), (Client(({"at_ms": 500, "ping": True},)),)),
    Row(
        "POLLER_DEAD",
        dict,
        (NO_CODE, NO_CODE),
        (Client(), Client(start_ms=500)),
        # The new version answers polls of this gateway with an Err.
        actions=(Action(saw("open", 2), lambda lab, _tap: lab.upgrade(app=ListsGateways("strict", MESSAGE))),),
    ),
    Row("GATEWAY_NOT_REGISTERED", lambda: {"app": ListsGateways("strict", MESSAGE)}, (NO_CODE,)),
    Row(
        "KEEPALIVE_LATE",
        lambda: {"ack_interval_ms": 6_000, "keep_alive_timeout_ms": 4_000},
        (BY_CANISTER,),
        (Client(says(100), identity={"slow": {"keep_alive": 8_000}}),),
    ),
)

HALF_A_MINUTE: Final = (
    Row(
        "ACK_INTERVAL_MISMATCH",
        lambda: {"ack_interval_ms": 45_000},
        (UNACKED,),
        (Client(says(100)),),
        ack_interval_ms=2_000,
        tap=lambda _lab, _elsewhere: {"ack_interval_ms": 2_000},
    ),
    Row(
        "ACKS_WITHHELD",
        lambda: {"ack_interval_ms": 2_000, **BRISK, "faults": Relay(down=silent_from_ack(3))},
        (UNACKED,),
        (Client(says(100)),),
    ),
    Row(
        "PRINCIPAL_TAKEOVER",
        lambda: {"ack_interval_ms": 8_000, **BRISK},
        (UNACKED, None),
        (
            Client(says(100), identity={"seed": "17" * 32}),
            Client(says(100), identity={"seed": "17" * 32}, start_ms=4_000, endless=True),
        ),
    ),
)

A_MINUTE: Final = (
    Row("OPEN_TIMEOUT", lambda: {"faults": Relay(up=only(1, lost))}, (UNOPENED,)),
    Row(
        "ON_OPEN_TRAP",
        lambda: {"app": app("choosy", on_open=_only_the_first)},
        (None, UNOPENED),
        (Client(says(*range(6_000, 60_000, 9_000)), endless=True), Client(start_ms=2_000)),
    ),
    Row("INGRESS_EXPIRY", dict, (UNOPENED,), skew_ms=-331_000),
    Row("DELEGATION_EXPIRED", dict, (UNOPENED,), (Client(identity={"delegation_ms": -60_000}),)),
    Row("BAD_SIGNATURE", dict, (UNOPENED,), (Client(identity={"other_key": True}),)),
    Row(
        "STALE_NONCE",
        lambda: {"ack_interval_ms": 2_000, **BRISK},
        (UNACKED, UNOPENED),
        (Client(says(100)), Client(start_ms=12_000)),
        actions=(Action(saw("keep_alive"), lambda lab, _tap: lab.upgrade()),),
    ),
    Row(
        "PROXY_IDLE",
        dict,
        (NO_FRAME,),
        (Client(says(100)),),
        actions=(Action(idle_for(60), lambda lab, _tap: lab.remove_gateway(lab.gateways[0])),),
    ),
)

# By a clock that runs eight times as fast, in Node, lab and tap.
FAST: Final = (
    Row(
        "NO_ACKS",
        lambda: {"app": WithoutTimers("idle", MESSAGE, on_message=echo), **LATE_ENOUGH},
        (UNACKED,),
        (Client(says(1_000, 60_000)),),
        scale=8,
    ),
    Row(
        "UPGRADE_WIPE",
        lambda: {"ack_interval_ms": 90_000, **LATE_ENOUGH},
        (UNACKED, UNACKED),
        (Client(says(1_000)), Client(says(1_000), start_ms=4_000)),
        actions=(Action(saw("keep_alive", 2), lambda lab, _tap: lab.upgrade()),),
        scale=8,
    ),
    Row(
        "STALE_CERTIFICATE",
        lambda: {"faults": Relay(down=held_from(2, 310_000)), **LATE_ENOUGH},
        (RECEIVING,),
        (Client(says(1_000)),),
        scale=8,
    ),
)

ROWS: Final = (*A_MINUTE, *FAST, *HALF_A_MINUTE, *AT_ONCE)
