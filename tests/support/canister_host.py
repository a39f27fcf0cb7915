"""A canister in a host, with short names for the calls of clients and gateways. Only `advance_ms` moves the time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from icws_explore.protocol import hashtree
from icws_explore.protocol.arguments import (
    PollResult,
    decode_poll_result,
    decode_result,
    encode_close_args,
    encode_message_args,
    encode_open_args,
    encode_poll_args,
)
from icws_explore.protocol.canister import App, CanisterFactory, CanisterHost, CdkConfig, Outcome, Reject, Reply
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import KeepAliveMessage, ServiceMessage, decode_service, encode_service

CANISTER = Principal.from_text("rrkah-fqaaa-aaaaa-aaaaq-cai")
GATEWAY = Principal(b"gateway one")
OTHER_GATEWAY = Principal(b"gateway two")
START_NS = 1_790_000_000_000_000_000


def client_key(name: str, nonce: int = 1) -> ClientKey:
    return ClientKey(Principal(name.encode()), nonce)


@dataclass
class ClientSide:
    """A client's key and its next sequence number."""

    key: ClientKey
    gateway: Principal
    next_sequence_num: int = 1


@dataclass
class CanisterBench:
    """Made from a factory, or from an app by `of`; `ok` fails unless the canister answered Ok."""

    factory: CanisterFactory
    prints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now_ns = START_NS
        self.host = CanisterHost(
            CANISTER, certify=lambda data: b"certified " + data, on_print=lambda _, text: self.prints.append(text)
        )
        self.installed = self.host.install(self.factory, now_ns=self.now_ns)

    @classmethod
    def of(cls, app: App, config: CdkConfig | None = None) -> CanisterBench:
        return cls(app.factory(config))

    def advance_ms(self, milliseconds: int) -> None:
        self.now_ns += milliseconds * NS_PER_MS
        self.host.advance(self.now_ns)

    def update(self, method: str, arg: bytes, caller: Principal) -> Outcome:
        return self.host.update(method, arg, caller=caller, now_ns=self.now_ns)

    def open(self, key: ClientKey, gateway: Principal = GATEWAY) -> Outcome:
        return self.update("ws_open", encode_open_args(key.client_nonce, gateway), key.client_principal)

    def opened(self, name: str, gateway: Principal = GATEWAY, nonce: int = 1) -> ClientSide:
        side = ClientSide(client_key(name, nonce), gateway)
        self.ok(self.open(side.key, gateway))
        return side

    def message(self, side: ClientSide, content: bytes, *, is_service_message: bool = False) -> Outcome:
        """Send the client's next message; its sequence number is used even if the canister refuses it."""
        message = WebsocketMessage(side.key, side.next_sequence_num, self.now_ns, is_service_message, content)
        side.next_sequence_num += 1
        return self.update("ws_message", encode_message_args(message), side.key.client_principal)

    def service(self, side: ClientSide, message: ServiceMessage) -> Outcome:
        return self.message(side, encode_service(message), is_service_message=True)

    def keep_alive(self, side: ClientSide) -> Outcome:
        return self.service(side, KeepAliveMessage(0))

    def close_by_gateway(self, key: ClientKey, gateway: Principal = GATEWAY) -> Outcome:
        return self.update("ws_close", encode_close_args(key), gateway)

    def poll(self, gateway: Principal = GATEWAY, nonce: int = 0) -> PollResult:
        """The reply to the gateway's poll, after a check of its witness against the certified data."""
        outcome = self.host.query("ws_get_messages", encode_poll_args(nonce), caller=gateway, now_ns=self.now_ns)
        assert isinstance(outcome, Reply), outcome
        result = decode_poll_result(outcome.data)
        assert isinstance(result, PollResult), result
        if result.messages:
            assert result.cert == b"certified " + self.host.certified_data
            assert hashtree.root_hash(hashtree.decode(result.tree)) == self.host.certified_data
        return result

    def messages(self, gateway: Principal = GATEWAY, nonce: int = 0) -> list[WebsocketMessage]:
        return [WebsocketMessage.decode(message.content) for message in self.poll(gateway, nonce).messages]

    def received(self, side: ClientSide) -> list[bytes | ServiceMessage]:
        """The messages queued for one client: service messages decoded, application messages as bytes."""
        return [
            decode_service(message.content) if message.is_service_message else message.content
            for message in self.messages(side.gateway)
            if message.client_key == side.key
        ]

    def error(self, outcome: Outcome) -> str | None:
        """The text of an Err reply, or None for Ok."""
        assert isinstance(outcome, Reply), outcome
        return decode_result(outcome.data)

    def ok(self, outcome: Outcome) -> None:
        assert self.error(outcome) is None

    def reject(self, outcome: Outcome) -> Reject:
        assert isinstance(outcome, Reject), outcome
        return outcome


def with_sequence_num(side: ClientSide, sequence_num: int) -> ClientSide:
    return replace(side, next_sequence_num=sequence_num)
