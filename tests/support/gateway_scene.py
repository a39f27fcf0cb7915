"""Clients and canisters of a gateway, and the names that the gateway's tests share."""

from __future__ import annotations

from typing import Any

from icws_explore.protocol.arguments import PollMessage, PollResult, encode_open_args, encode_poll_result
from icws_explore.protocol.envelope import Envelope, call_content, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.gateway.events import Log, Poll, RelayCall, Replied, SendToClient
from icws_explore.protocol.gateway.machine import GatewayConfig, GatewayMachine
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake, message_key
from icws_explore.protocol.principal import Principal
from support.playbook import NS_PER_MS, Do, Playbook, do, do_timeless

START_NS = 1_700_000_000_000 * NS_PER_MS
INTERVAL_MS, TIMEOUT_MS = 100, 5_000
GATEWAY = Principal.from_text("sqdfl-mr4km-2hfjy-gajqo-xqvh7-hf4mf-nra4i-3it6l-neaw4-soolw-tae")
CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
OTHER_CANISTER = Principal.from_text("rrkah-fqaaa-aaaaa-aaaaq-cai")
HANDSHAKE = Handshake(GATEWAY).encode()
WARN_SETUP = Log("Received client message while in Setup state", "warn")
WARN_POLLER = Log("Poller side of the channel has been dropped. Terminating the session.", "warn")
PANIC = Log("session handler panicked: must be set during Setup", "error")

Play = Playbook[GatewayMachine]


class Client:
    """A client with its key, session name and canister."""

    def __init__(self, number: int, canister: Principal = CANISTER) -> None:
        self.session = f"client {number}"
        self.identity = Ed25519Identity.from_secret(bytes([number] * 32))
        self.key = ClientKey(self.identity.principal, number)
        self.canister = canister

    def envelope(self, method: str, arg: bytes, canister: Principal | None = None) -> Envelope:
        expiry_ns = ingress_expiry_ns(START_NS)
        sender = self.identity.principal
        content = call_content(canister or self.canister, method, arg, sender, expiry_ns, bytes(16))
        return sign_envelope(content, self.identity)

    @property
    def ws_open(self) -> Envelope:
        return self.envelope("ws_open", encode_open_args(self.key.client_nonce, GATEWAY))

    @property
    def ws_message(self) -> Envelope:
        return self.envelope("ws_message", b"DIDL\0\0")

    def connects(self) -> Do:
        return do_timeless("session_opened", self.session)

    def sends(self, envelope: Envelope) -> Do:
        return self.frame(envelope.encode_frame())

    def frame(self, data: bytes, kind: str = "binary") -> Do:
        return do("frame_received", self.session, kind, data)

    def closes(self) -> Do:
        return self.frame(b"", "close")

    def vanishes(self) -> Do:
        return do("session_closed", self.session)

    def relayed(self, envelope: Envelope) -> RelayCall:
        return RelayCall(self.session, self.canister, envelope.encode())

    @staticmethod
    def poll(*clients: Client, base: int = 0, more: bool = False) -> Replied:
        """The reply to a poll: one message for each of ``clients``, with nonces from ``base``."""
        messages = tuple(
            PollMessage(client.key, message_key(GATEWAY, base + index), f"for {client.session}".encode())
            for index, client in enumerate(clients)
        )
        return Replied(encode_poll_result(PollResult(messages, b"cert", b"tree", not more)))


ALICE, BOB, CAROL = Client(1), Client(2), Client(3)
DAVE = Client(4, OTHER_CANISTER)


def new_play(**config: Any) -> Play:
    return Playbook(GatewayMachine(GATEWAY, GatewayConfig(**config)), START_NS)


def poll_started(canister: Principal = CANISTER) -> Log:
    return Log(f"Starting poller for canister: {canister}", "info")


def connected(play: Play, client: Client) -> Play:
    return play >> client.connects() << SendToClient(client.session, HANDSHAKE)


def set_up(play: Play, client: Client, *, is_first: bool = True) -> Play:
    """Connect and relay ws_open; the first client of a canister starts its poller."""
    play = connected(play, client) >> client.sends(client.ws_open) << client.relayed(client.ws_open)
    return play << poll_started(client.canister) << Poll(client.canister, 0, 0) if is_first else play


def answers(outcome: Any, canister: Principal = CANISTER, **kwargs: Any) -> Do:
    return do("poll_result", canister, outcome, **kwargs)


def nothing() -> Replied:
    return Replied(encode_poll_result(PollResult((), b"", b"", True)))


def opened(play: Play, client: Client) -> Play:
    """Open the only client of its canister with message 0; the poller then rests."""
    return set_up(play, client) >> answers(client.poll(client), client.canister) << to_client(client, 0)


def to_client(client: Client, nonce: int) -> tuple[type, dict[str, Any]]:
    message = CanisterMessage(message_key(GATEWAY, nonce), f"for {client.session}".encode(), b"cert", b"tree")
    return SendToClient, {"session": client.session, "data": message.encode()}
