"""The CDK's memory: a copy does not change afterwards, so the canister can return to it."""

from __future__ import annotations

from hashlib import sha256

from icws_explore.protocol.canister.config import CdkConfig
from icws_explore.protocol.canister.state import CdkState
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.messages import ClientKey, WebsocketMessage, message_key
from icws_explore.protocol.principal import Principal

GATEWAY = Principal(b"gateway")
KEY = ClientKey(Principal(b"client"), 1)


def opened() -> CdkState:
    state = CdkState(CdkConfig())
    state.gateways.client_came(GATEWAY)
    state.clients.add(KEY, GATEWAY, 0)
    return state


def send(state: CdkState, content: bytes, now_ns: int = 0) -> None:
    client = state.clients.get(KEY)
    assert client is not None
    state.enqueue(client, content, is_service_message=False, now_ns=now_ns)


def queued(state: CdkState) -> list[bytes]:
    gateway = state.gateways.get(GATEWAY)
    assert gateway is not None
    return [WebsocketMessage.decode(message.content).content for message, _ in gateway.queue]


class TestEnqueue:
    def test_certifies_the_hash_of_the_content_under_its_key(self) -> None:
        state = opened()
        send(state, b"one")
        gateway = state.gateways.get(GATEWAY)
        assert gateway is not None
        (message, _) = gateway.queue[0]
        assert message.key == message_key(GATEWAY, 0)
        assert state.certified.get(message.key.encode()) == sha256(message.content).digest()

    def test_removes_old_messages_from_queue_and_map(self) -> None:
        state = opened()
        for number in range(7):
            send(state, b"%d" % number)
        send(state, b"late", now_ns=301 * NS_PER_S)
        assert queued(state) == [b"5", b"6", b"late"]
        assert [key.decode() for key in state.certified] == [message_key(GATEWAY, nonce) for nonce in (5, 6, 7)]


class TestCopy:
    def test_does_not_change_with_the_original(self) -> None:
        state = opened()
        send(state, b"one")
        copy, root_hash = state.copy(), state.certified.root_hash
        send(state, b"two")
        state.clients.remove(KEY)
        state.gateways.client_left(GATEWAY, 0)
        assert queued(copy) == [b"one"]
        assert copy.certified.root_hash == root_hash
        assert copy.clients.get(KEY) is not None

    def test_can_change_alone(self) -> None:
        state = opened()
        copy = state.copy()
        send(state, b"one")
        send(copy, b"other")
        send(state, b"two")
        send(copy, b"another")
        assert queued(state) == [b"one", b"two"]
        assert queued(copy) == [b"other", b"another"]
