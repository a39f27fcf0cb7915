"""A client connected to a certified canister, and the names that the client's tests share."""

from __future__ import annotations

from typing import Any

from icws_explore.protocol import candid
from icws_explore.protocol.arguments import decode_message_args
from icws_explore.protocol.client.events import (
    AckReceived,
    Failed,
    HandshakeReceived,
    KeepAliveSent,
    Opened,
    SendFrame,
    Verified,
)
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import IdentityError
from icws_explore.protocol.keys import Ed25519Identity, Identity
from icws_explore.protocol.messages import ClientKey, Handshake, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, OpenMessage
from icws_explore.protocol.steps import first_failure
from support.certified_canister import CANISTER_ID, GATEWAY, CertifiedCanister
from support.playbook import NS_PER_MS, Playbook, do, pause

START_NS = 1_700_000_000_000 * NS_PER_MS
FIVE_YEARS_S = 5 * 365 * 24 * 3600
ACK_INTERVAL_MS = 2_000  # as in ic-websocket.test.ts
ACK_TIMEOUT_MS = ACK_INTERVAL_MS + 30_000
OPEN_TIMEOUT_MS = 60_000
NONCE = 385_892_949_151_814_926
TEXT = candid.parse_type("record { text : text }")
HELLO = candid.encode([TEXT], [{"text": "test"}])
IDENTITY = Ed25519Identity.from_secret(bytes(range(32)))
KEY = ClientKey(IDENTITY.principal, NONCE)
OTHER = ClientKey(Principal.from_text("kj67s-b5v2y-ahlkr-kmume-xbow6-zwbtj-j4j3m-ae46e-qqrcu-uxiby-yae"), NONCE)
HANDSHAKE = Handshake(GATEWAY).encode()
RECEIVING = "Error receiving message"

Play = Playbook[ClientMachine]


class FailingIdentity(Ed25519Identity):
    """Signs a given number of times and then fails, as an unplugged device does."""

    __slots__ = ("left",)
    left: int

    def sign(self, message: bytes) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise IdentityError("the key is gone")
        return super().sign(message)


def failing_after(signatures: int) -> FailingIdentity:
    identity = FailingIdentity.from_secret(bytes(range(32)))
    assert isinstance(identity, FailingIdentity)
    identity.left = signatures
    return identity


class Scene:
    """A client and its canister; both take the playbook's ``now_ns``."""

    def __init__(
        self, identity: Identity = IDENTITY, *, machine_class: type[ClientMachine] = ClientMachine, **config: Any
    ) -> None:
        self.canister = CertifiedCanister(KEY)
        settings = {"root_key": self.canister.root_key, "ack_interval_ms": ACK_INTERVAL_MS} | config
        machine = machine_class(ClientConfig(CANISTER_ID, **settings), identity, entropy=bytes, client_nonce=NONCE)
        self.play: Play = Playbook(machine, START_NS)

    @property
    def machine(self) -> ClientMachine:
        return self.play.machine

    def says(self, what: Any, **changes: Any) -> Any:
        """Let the canister's next message arrive at once."""
        return do("receive", self.canister.says(what, self.play.now_ns, **changes))

    def handshaken(self) -> Play:
        return self.play >> do("receive", HANDSHAKE) << HandshakeReceived(GATEWAY) << SendFrame

    def opened(self) -> Play:
        return self.handshaken() >> self.says(OpenMessage(KEY)) << Verified << Opened(KEY)

    def with_both_timers(self, gap_ms: int) -> Play:
        """An ack before the open message, so that the ack timer is due ``gap_ms`` after the open timer."""
        play = self.handshaken() >> pause(OPEN_TIMEOUT_MS - ACK_TIMEOUT_MS + gap_ms)
        return play >> self.says(AckMessage(0)) << Verified << AckReceived(0) << SendFrame << KeepAliveSent(1)


def envelope_of(play: Play) -> Envelope:
    """The envelope that was sent last, with its signature and expiry checked."""
    envelope = Envelope.decode_frame(play.last(SendFrame).data)
    steps = check_envelope(envelope, now_ns=play.now_ns, canister_id=CANISTER_ID)
    assert first_failure(steps) is None
    return envelope


def message_of(play: Play) -> WebsocketMessage:
    envelope = envelope_of(play)
    assert envelope.method_name == "ws_message"
    assert envelope.arg is not None
    return decode_message_args(envelope.arg)


def error_receiving(reason: str) -> Failed:
    return Failed(f"Error receiving message: Error: {reason}")
