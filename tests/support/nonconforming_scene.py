"""A nonconforming client and a certified canister at the other end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from icws_explore.protocol.client.events import HandshakeReceived, Opened, SendFrame, Verified
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.service_messages import OpenMessage
from support.certified_canister import CANISTER_ID, GATEWAY, CertifiedCanister
from support.client_scene import ACK_INTERVAL_MS, HANDSHAKE, IDENTITY, KEY, NONCE, START_NS, Play
from support.playbook import Playbook, do


class NonconformingScene:
    """``machine`` is the client's class. The canister certifies its messages for this client."""

    def __init__(self, machine: Callable[..., ClientMachine], identity: Identity = IDENTITY, **given: Any) -> None:
        self.canister = CertifiedCanister(KEY)
        config = ClientConfig(CANISTER_ID, root_key=self.canister.root_key, ack_interval_ms=ACK_INTERVAL_MS)
        made = machine(config, identity, entropy=bytes, client_nonce=NONCE, **given)
        self.canister.client_key = self.key = made.client_key
        self.play: Play = Playbook(made, START_NS)

    def says(self, what: Any, **changes: Any) -> Any:
        """Let the canister's next message arrive at once."""
        return do("receive", self.canister.says(what, self.play.now_ns, **changes))

    def handshaken(self) -> Play:
        """The client has connected and answered the gateway's handshake."""
        return self.play >> do("connected") >> do("receive", HANDSHAKE) << HandshakeReceived(GATEWAY) << SendFrame

    def opened(self) -> Play:
        return self.handshaken() >> self.says(OpenMessage(self.key)) << Verified << Opened(self.key)

    def envelope(self) -> Envelope:
        """The envelope of the latest frame that was sent."""
        return Envelope.decode_frame(self.play.last(SendFrame).data)
