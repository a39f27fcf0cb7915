"""The example applications, each against what its public original does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from icws_explore.lab.apps import APPS, load, ticker
from icws_explore.protocol.candid import decode, encode, parse_did, parse_type, same_type
from icws_explore.protocol.canister import App, CdkConfig
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.service_messages import OpenMessage
from support.canister_host import START_NS, CanisterBench, ClientSide

JOINED: Any = {"JoinedChat": "ada"}
SAID: Any = {"GroupMessage": {"name": "ada", "message": "hello", "isTyping": False}}


class Talk:
    """An application in a host, its messages as values."""

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
    def test_pings_at_the_opening_and_for_every_message(self) -> None:
        talk = Talk(load("pingpong"))
        ada = talk.bench.opened("ada")
        talk.bench.advance_ms(1_500)
        talk.say(ada, {"text": "pong", "timestamp": 5})
        assert talk.heard(ada) == [
            {"text": "ping", "timestamp": START_NS},
            {"text": "ping", "timestamp": START_NS + 1_500_000_000},
        ]

    def test_notes_who_leaves(self) -> None:
        talk = Talk(load("pingpong"))
        ada = talk.bench.opened("ada")
        talk.bench.ok(talk.bench.close_by_gateway(ada.key))
        assert talk.bench.prints == [f"Client {ada.key.client_principal} disconnected"]

    def test_has_the_type_of_the_public_example(self) -> None:
        assert same_type(load("pingpong").message_type, parse_type("record { text : text; timestamp : nat64 }"))


class TestEcho:
    def test_gives_back_what_it_got(self) -> None:
        talk = Talk(load("echo"))
        ada, bob = talk.bench.opened("ada"), talk.bench.opened("bob")
        talk.say(ada, {"text": "hello"})
        assert talk.heard(ada) == [{"text": "hello"}]
        assert talk.heard(bob) == []


class TestChat:
    def test_everybody_hears_everything(self) -> None:
        talk = Talk(load("chat"))
        ada, bob = talk.bench.opened("ada"), talk.bench.opened("bob")
        talk.say(ada, JOINED)
        talk.say(ada, SAID)
        assert talk.heard(ada) == talk.heard(bob) == [JOINED, SAID]

    def test_who_left_hears_no_more(self) -> None:
        talk = Talk(load("chat"))
        ada, bob = talk.bench.opened("ada"), talk.bench.opened("bob")
        talk.bench.ok(talk.bench.close_by_gateway(bob.key))
        talk.say(ada, SAID)
        assert talk.heard(bob) == []
        assert talk.bench.prints == [f"Client {bob.key.client_principal} disconnected"]

    def test_is_a_motoko_canister(self) -> None:
        talk = Talk(load("chat"))
        talk.bench.opened("ada")
        assert talk.bench.poll().messages[0].content[0] == 0xA5  # a map of five, no tag in front


class TestTicker:
    def test_talks_on_its_own_to_everybody(self) -> None:
        talk = Talk(ticker.app(interval_ms=1_000))
        talk.bench.advance_ms(1_500)
        ada, bob = talk.bench.opened("ada"), talk.bench.opened("bob")
        talk.bench.advance_ms(1_500)
        assert talk.heard(ada) == talk.heard(bob)
        assert talk.heard(ada) == [
            {"count": count, "timestamp": START_NS + count * NS_PER_S}
            for count in (2, 3)
        ]  # fmt: skip


class TestLoad:
    @pytest.mark.parametrize("name", APPS)
    def test_every_app_installs_and_says_its_type(self, name: str) -> None:
        bench = CanisterBench.of(load(name), CdkConfig(send_ack_interval_ms=61_000))
        did = parse_did(bench.host.candid_interface)
        assert same_type(did.application_type(), load(name).message_type)
        assert load(name).name == name

    def test_takes_an_app_as_it_is(self) -> None:
        app = load("echo")
        assert load(app) is app

    def test_an_unknown_name_says_what_there_is(self) -> None:
        with pytest.raises(LabError, match=r"^there is no app 'pong'; choose pingpong, echo, chat, ticker or the path"):
            load("pong")

    def test_a_path_is_a_file_of_one_s_own(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.py"
        path.write_text('MESSAGE_TYPE = "text"\ndef on_open(context, client): pass\n')
        assert load(path).name == load(str(path)).name == "mine"
