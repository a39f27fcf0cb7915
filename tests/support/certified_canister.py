"""A canister that certifies the messages that a test gives it, with its own root key."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from icws_explore.protocol import hashtree, leb128
from icws_explore.protocol.canister.certified_map import CertifiedMap
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage, message_key
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import ServiceMessage, encode_service

CANISTER_ID = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
GATEWAY = Principal.from_text("sqdfl-mr4km-2hfjy-gajqo-xqvh7-hf4mf-nra4i-3it6l-neaw4-soolw-tae")


@dataclass
class CertifiedCanister:
    """Sends to one client. ``says`` numbers, certifies and frames messages as a canister behind a gateway does."""

    client_key: ClientKey
    canister_id: Principal = CANISTER_ID
    issuer: CertificateIssuer = field(default_factory=lambda: CertificateIssuer(b"a root of its own"))
    sequence_num: int = 0

    @property
    def root_key(self) -> bytes:
        return self.issuer.root_key_der

    def says(
        self,
        what: ServiceMessage | bytes,
        now_ns: int,
        *,
        sequence_num: int | None = None,
        is_service_message: bool | None = None,
        client_key: ClientKey | None = None,
        timestamp_ns: int | None = None,
    ) -> bytes:
        """The frame with the next message, certified at ``now_ns``; bytes are an application message by default."""
        self.sequence_num = self.sequence_num + 1 if sequence_num is None else sequence_num
        message = WebsocketMessage(
            client_key or self.client_key,
            self.sequence_num,
            now_ns if timestamp_ns is None else timestamp_ns,
            not isinstance(what, bytes) if is_service_message is None else is_service_message,
            what if isinstance(what, bytes) else encode_service(what),
        )
        return self.certified(message.encode(), now_ns).encode()

    def certified(self, content: bytes, now_ns: int) -> CanisterMessage:
        """``content`` with a proof made at ``now_ns``."""
        key = message_key(GATEWAY, max(0, self.sequence_num - 1))
        messages = CertifiedMap().insert(key.encode(), sha256(content).digest())
        state = hashtree.build(
            {
                b"canister": {self.canister_id.raw: {b"certified_data": messages.root_hash}},
                b"time": leb128.encode_unsigned(now_ns),
            }
        )
        witness = hashtree.encode(messages.witness([key.encode()]))
        return CanisterMessage(key, content, self.issuer.certify(state), witness)
