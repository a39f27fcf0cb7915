"""Everything a CDK remembers between calls, and the one way a message gets into it.

It is on the heap of a real canister, so an upgrade loses it. copy() costs a shallow copy per table:
clients, gateways, queues and the certified map are all made of immutable values.
"""

from __future__ import annotations

import hashlib

from ..arguments import PollMessage
from ..constants import NS_PER_MS
from ..messages import WebsocketMessage, message_key
from .certified_map import CertifiedMap
from .clients import Client, Clients
from .config import CdkConfig
from .gateways import Gateways
from .red_black_map import RedBlackMap


class CdkState:
    """``ack_timer`` and ``keep_alive_timer`` are the replica's timer ids, None when not set."""

    __slots__ = ("ack_timer", "certified", "clients", "config", "gateways", "keep_alive_timer")

    def __init__(self, config: CdkConfig) -> None:
        self.config = config
        self.clients = Clients(order_of_motoko=config.flavour == "motoko")
        self.gateways = Gateways()
        # Either CDK certifies in the tree of its own library: the same keys and values, other root hashes.
        self.certified: CertifiedMap | RedBlackMap = CertifiedMap() if config.flavour == "motoko" else RedBlackMap()
        self.ack_timer: int | None = None
        self.keep_alive_timer: int | None = None

    def copy(self) -> CdkState:
        other = CdkState.__new__(CdkState)
        other.config = self.config
        other.clients = self.clients.copy()
        other.gateways = self.gateways.copy()
        other.certified = self.certified
        other.ack_timer = self.ack_timer
        other.keep_alive_timer = self.keep_alive_timer
        return other

    def enqueue(self, client: Client, content: bytes, *, is_service_message: bool, now_ns: int) -> None:
        """Number, certify and queue a message for a client that is there (state.rs, _ws_send).

        Deletes old messages of the same gateway on the way. The caller publishes the new root hash.
        """
        gateway = self.gateways.registered(client.gateway)
        sequence_num = client.sent_sequence_num + 1
        self.clients.change(client, sent_sequence_num=sequence_num)

        key = message_key(client.gateway, gateway.next_nonce)
        message = WebsocketMessage(client.key, sequence_num, now_ns, is_service_message, content)
        encoded = message.encode(tagged=self.config.flavour == "rust")

        old_keys = gateway.old_keys(now_ns, self.config.send_ack_interval_ms * NS_PER_MS)
        self.delete(old_keys)
        self.certified = self.certified.insert(key.encode(), hashlib.sha256(encoded).digest())
        gateway = gateway.drop_oldest(len(old_keys)).with_message(PollMessage(client.key, key, encoded), now_ns)
        self.gateways.put(client.gateway, gateway)

    def delete(self, keys: list[str]) -> None:
        """Take messages out of the certified map."""
        for key in keys:
            self.certified = self.certified.remove(key.encode())
