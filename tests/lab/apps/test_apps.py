"""The example applications do what their public originals do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from icws_explore.lab.apps import APPS, load, ticker
from icws_explore.protocol.candid import decode, encode, parse_did, parse_type, same_type
from icws_explore.protocol.canister import App, CdkConfig
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.service_messages import OpenMessage
from support.canister_host import START_NS, CanisterBench, ClientSide

JOINED: Any = {"JoinedChat": "ada"}
SAID: Any = {"GroupMessage": {"name": "ada", "message": "hello", "isTyping": False}}


class AppBench:
    """An application in a canister host, with its messages as Python values."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.bench = CanisterBench.of(app)

    def say(self, side: ClientSide, value: Any) -> None:
        self.bench.ok(self.bench.message(side, encode([self.app.message_type], [value])))

    def heard(self, side: ClientSide) -> list[Any]:
        received = self.bench.received(side)
        assert received[0] == OpenMessage(side.key)
        return [decode(content, [self.app.message_type])[0] for content in received[1:] if isinstance(content, bytes)]


class TestPingPong:
    def test_pings_when_a_session_opens_and_for_each_message(self) -> None:
        app = AppBench(load("pingpong"))
        ada = app.bench.opened("ada")
        app.bench.advance_ms(1_500)
        app.say(ada, {"text": "pong", "timestamp": 5})
        assert app.heard(ada) == [
            {"text": "ping", "timestamp": START_NS},
            {"text": "ping", "timestamp": START_NS + 1_500_000_000},
        ]

    def test_prints_who_disconnects(self) -> None:
        app = AppBench(load("pingpong"))
        ada = app.bench.opened("ada")
        app.bench.ok(app.bench.close_by_gateway(ada.key))
        assert app.bench.prints == [f"Client {ada.key.client_principal} disconnected"]

    def test_has_the_type_of_the_public_example(self) -> None:
        assert same_type(load("pingpong").message_type, parse_type("record { text : text; timestamp : nat64 }"))


class TestEcho:
    def test_sends_a_message_back_to_its_sender(self) -> None:
        app = AppBench(load("echo"))
        ada, bob = app.bench.opened("ada"), app.bench.opened("bob")
        app.say(ada, {"text": "hello"})
        assert app.heard(ada) == [{"text": "hello"}]
        assert app.heard(bob) == []


class TestChat:
    def test_every_client_gets_every_message(self) -> None:
        app = AppBench(load("chat"))
        ada, bob = app.bench.opened("ada"), app.bench.opened("bob")
        app.say(ada, JOINED)
        app.say(ada, SAID)
        assert app.heard(ada) == app.heard(bob) == [JOINED, SAID]

    def test_a_disconnected_client_gets_no_more_messages(self) -> None:
        app = AppBench(load("chat"))
        ada, bob = app.bench.opened("ada"), app.bench.opened("bob")
        app.bench.ok(app.bench.close_by_gateway(bob.key))
        app.say(ada, SAID)
        assert app.heard(bob) == []
        assert app.bench.prints == [f"Client {bob.key.client_principal} disconnected"]

    def test_is_a_motoko_canister(self) -> None:
        app = AppBench(load("chat"))
        app.bench.opened("ada")
        assert app.bench.poll().messages[0].content[0] == 0xA5  # a map of five without a tag


class TestTicker:
    def test_sends_to_every_client_at_each_tick(self) -> None:
        app = AppBench(ticker.app(interval_ms=1_000))
        app.bench.advance_ms(1_500)
        ada, bob = app.bench.opened("ada"), app.bench.opened("bob")
        app.bench.advance_ms(1_500)
        assert app.heard(ada) == app.heard(bob)
        assert app.heard(ada) == [
            {"count": count, "timestamp": START_NS + count * NS_PER_S}
            for count in (2, 3)
        ]  # fmt: skip


class TestLoad:
    @pytest.mark.parametrize("name", APPS)
    def test_every_example_installs_and_publishes_its_type(self, name: str) -> None:
        bench = CanisterBench.of(load(name), CdkConfig(send_ack_interval_ms=61_000))
        did = parse_did(bench.host.candid_interface)
        assert same_type(did.application_type(), load(name).message_type)
        assert load(name).name == name

    def test_returns_an_app_unchanged(self) -> None:
        app = load("echo")
        assert load(app) is app

    def test_an_unknown_name_is_answered_with_the_choices(self) -> None:
        with pytest.raises(ArgumentValueError, match=rf"^there is no app 'pong'; choose {', '.join(APPS)} or the path"):
            load("pong")

    def test_a_path_is_a_users_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.py"
        path.write_text('MESSAGE_TYPE = "text"\ndef on_open(context, client): pass\n')
        assert load(path).name == load(str(path)).name == "mine"
