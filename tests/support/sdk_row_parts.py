"""What the rows of sdk_fault_rows are made of: gateways and canisters that err, clients' talk, moments to act at."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.lab.faults import Delivery, Direction, Faults, Stage, tampered
from icws_explore.lab.scenarios.faults import is_ack
from icws_explore.live.http import Network
from icws_explore.live.tap import Tap
from icws_explore.protocol import candid
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal

MESSAGE: Final = candid.parse_type("record { text : text }")
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


class StopsCanister(Faults):
    """The canister is stopped when ``behind`` of its messages have gone out."""

    def __init__(self, *, behind: int) -> None:
        self._left = behind
        self._stage: Stage | None = None

    def begin(self, stage: Stage) -> None:
        self._stage = stage

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session
        assert self._stage is not None
        self._left -= _canister_message(data) is not None
        if self._left == 0:
            self._stage.stop_canister()
        return [Delivery(data)]


class Stalls(Faults):
    """For ``for_s`` seconds behind the first ``behind`` messages nothing goes out; then all of it does."""

    def __init__(self, *, behind: int, for_s: float) -> None:
        self._left, self._for_ns = behind, round(for_s * NS_PER_S)
        self._stage: Stage | None = None
        self._until_ns = 0

    def begin(self, stage: Stage) -> None:
        self._stage = stage

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session
        assert self._stage is not None
        self._left -= 1
        if self._left == 0:
            self._until_ns = self._stage.now_ns + self._for_ns
        return [Delivery(data, max(0, self._until_ns - self._stage.now_ns) / NS_PER_MS)]


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


def repeated(which: int, of: int) -> Change:
    """In place of the frame ``which`` goes the earlier one ``of`` once more."""
    kept: dict[int, bytes] = {}

    def change(number: int, data: bytes) -> list[Delivery]:
        kept[number] = data
        return [Delivery(kept[of] if number == which else data)]

    return change


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


def talkative() -> App:
    """Says something to everybody every two seconds."""

    def on_init(context: AppContext) -> None:
        context.every(2_000, lambda context: context.broadcast({"text": "still here"}))

    return app("talkative", on_init=on_init)


def says(*at_ms: int) -> tuple[Mapping[str, Any], ...]:
    return tuple({"at_ms": at, "send": f"at {at}"} for at in at_ms)


# -- what canisters do ----------------------------------------------------------------------------


def clashes(context: AppContext, client: Principal, message: Any) -> None:
    context.send(client, message)
    context.set_certified_data(b"assets, or certified variables  ")


def says_a_number(context: AppContext, client: Principal, message: Any) -> None:
    del message
    context.send_bytes(client, candid.encode([candid.NAT64], [7]))


def hangs_up(context: AppContext, client: Principal, message: Any) -> None:
    del message
    context.close(client)


def traps_at(text: str) -> Callable[[AppContext, Principal, Any], None]:
    def on_message(context: AppContext, client: Principal, message: Any) -> None:
        if message["text"] == text:
            context.trap("not this one")
        context.send(client, message)

    return on_message


def opens_to_the_first_only(context: AppContext, client: Principal) -> None:
    if context.state.setdefault("first", client) != client:
        context.trap("not today")


# -- what is seen so far -----------------------------------------------------------------------------


def saw(**times: int) -> Callable[[Capture], bool]:
    """So many frames of each of those kinds, as `decode_frames` names them."""

    def seen(capture: Capture) -> bool:
        counted = Counter(decoded.kind for decoded in decode_frames(capture))
        return all(counted[kind] >= least for kind, least in times.items())

    return seen


def ask_for_the_root_key(_lab: Lab, tap: Tap) -> None:
    """As a gateway does when it starts behind the tap."""

    async def ask(url: str) -> None:
        async with Network(url) as network:
            await network.status()

    assert tap.network_url is not None
    asyncio.run(ask(tap.network_url))
