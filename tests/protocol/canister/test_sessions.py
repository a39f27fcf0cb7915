"""Sending messages, removing clients and calling handlers; the CDKs differ when a handler traps."""

from __future__ import annotations

import pytest

from icws_explore.protocol.canister.cdk import PRINT_PREFIX, Sessions
from icws_explore.protocol.canister.config import CdkConfig, Flavour, Handlers
from icws_explore.protocol.canister.host import System
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseMessage, CloseReason, decode_service

CANISTER, GATEWAY, CLIENT = Principal(b"canister"), Principal(b"gateway"), Principal(b"client")
KEY = ClientKey(CLIENT, 7)
NOW_NS = 1_700_000_000_000_000_000


class Scene:
    """Sessions on a system that counts commit points and keeps the prints."""

    def __init__(self, flavour: Flavour, handlers: Handlers) -> None:
        self.printed: list[str] = []
        self.commits = 0
        system = System(
            CANISTER, certified_data=b"", certify=None, on_print=lambda _time, text: self.printed.append(text)
        )
        system.on_commit = self._commit
        system.enter("update", CLIENT, NOW_NS)
        self.sessions = Sessions(system, CdkConfig(flavour=flavour), handlers)

    def _commit(self) -> None:
        self.commits += 1

    @property
    def queued(self) -> list[WebsocketMessage]:
        gateway = self.sessions.state.gateways.registered(GATEWAY)
        return [WebsocketMessage.decode(message.content) for message, _queued_ns in gateway.queue]


@pytest.fixture(params=["rust", "motoko"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return request.param


class TestSending:
    def test_numbers_and_certifies_each_message(self, flavour: Flavour) -> None:
        scene = Scene(flavour, Handlers())
        client = scene.sessions.open(KEY, GATEWAY)
        roots = []
        for content in (b"one", b"two"):
            assert client is not None
            scene.sessions.send(client, content)
            client = scene.sessions.state.clients.of(CLIENT)
            roots.append(scene.sessions.system.certified_data)
        assert [(message.sequence_num, message.content) for message in scene.queued] == [(1, b"one"), (2, b"two")]
        assert roots[0] != roots[1] == scene.sessions.state.certified.root_hash


class TestRemoving:
    def test_with_a_reason_sends_it_first(self, flavour: Flavour) -> None:
        closed: list[Principal] = []
        scene = Scene(flavour, Handlers(on_close=closed.append))
        scene.sessions.remove(scene.sessions.open(KEY, GATEWAY), CloseReason.KEEP_ALIVE_TIMEOUT)
        (message,) = scene.queued
        assert message.is_service_message
        assert decode_service(message.content) == CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT)
        assert closed == [CLIENT]
        assert len(scene.sessions.state.clients) == 0

    def test_without_a_reason_is_silent(self, flavour: Flavour) -> None:
        scene = Scene(flavour, Handlers())
        scene.sessions.remove(scene.sessions.open(KEY, GATEWAY), None)
        assert scene.queued == []


class TestHandlers:
    def test_a_call_is_a_commit_point_in_motoko_only(self, flavour: Flavour) -> None:
        scene = Scene(flavour, Handlers())
        scene.sessions.call(None)
        assert scene.commits == (1 if flavour == "motoko" else 0)

    def test_an_error_of_a_handler_propagates(self, flavour: Flavour) -> None:
        scene = Scene(flavour, Handlers())
        with pytest.raises(ZeroDivisionError):
            scene.sessions.call(lambda: 1 // 0)


def test_prints_as_the_cdks_do(flavour: Flavour) -> None:
    scene = Scene(flavour, Handlers())
    scene.sessions.print("hello")
    assert scene.printed == [f"{PRINT_PREFIX}hello"] == ["[IC-WEBSOCKET-CDK]: hello"]
