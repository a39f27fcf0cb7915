"""What the scripts of simulated clients do."""

from collections import Counter

import pytest

from icws_explore.lab.apps import APPS, load
from icws_explore.lab.scenarios.scripts import TEXT, echo
from icws_explore.lab.simulator import Chat, Constant, Echo, Pong, Population, Script, Talker, simulate
from icws_explore.lab.simulator.scripts import SCRIPTS, THINK_MS, script_for
from icws_explore.protocol.canister import App
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError


class TestChoice:
    def test_the_app_s_script_or_one_that_only_listens(self):
        assert [type(script_for(load(app), None, None)) for app in APPS] == [Pong, Echo, Chat, Script]
        assert script_for(load("pingpong"), None, None) == Pong(THINK_MS)

    @pytest.mark.parametrize("name", ["mine", "pingpong"])
    def test_clients_of_an_app_with_messages_of_its_own_only_listen(self, name):
        app = App(name, TEXT, on_message=echo)
        assert type(script_for(app, None, None)) is Script

    @pytest.mark.parametrize("app", SCRIPTS)
    def test_has_the_given_think_time(self, app):
        assert script_for(load(app), None, 77).think_ms == 77

    def test_a_script_of_the_user_takes_no_think_time(self):
        chat, mine = load("chat"), Script()
        assert script_for(chat, mine, None) is mine
        with pytest.raises(ArgumentValueError, match="think_ms"):
            script_for(chat, mine, 5)
        with pytest.raises(ArgumentTypeError, match="extends Script"):
            script_for(chat, Script, None)

    def test_by_name(self):
        talkative = App("mine", TEXT, on_message=echo)
        assert script_for(talkative, "echo", 5) == Echo(5)
        assert type(script_for(load("chat"), "listen", None)) is Script
        with pytest.raises(ArgumentValueError, match=r"type .*timestamp.* but the canister takes record"):
            script_for(talkative, "pingpong", None)

    @pytest.mark.parametrize(("app", "script"), [("ticker", None), ("echo", "listen")])
    def test_who_only_listens_does_not_think(self, app, script):
        with pytest.raises(ArgumentValueError, match="only listen"):
            script_for(load(app), script, 5)


class TestTalker:
    def test_sends_at_its_interval(self):
        talker = Talker({"text": "hello"}, every_ms=9_000, times=2)
        run = simulate("echo", duration="1m", population=Population(script=talker))
        opened_ns = run.truth.sessions[0].opened_ns
        sent_s = [round((message.sent_ns - opened_ns) / NS_PER_S, 3) for message in run.truth.of("message")]
        assert sent_s == [9, 9, 18, 18, 27, 27, 36, 36, 45, 45, 54, 54]


class TestPong:
    def test_answers_each_ping_after_its_think_time(self):
        simulation = simulate(duration="2m", population=Population(think_ms=3_000))
        pings = [m.received_ns for m in simulation.truth.of("app")]
        pongs = [m.sent_ns for m in simulation.truth.of("message")]
        assert [pong - ping for ping, pong in zip(pings, pongs, strict=False)] == [3_000 * NS_PER_MS] * len(pongs)
        assert all(d.value["text"] == "pong" for d in simulation if d.kind == "message")


class TestEcho:
    def test_counts_its_messages(self):
        simulation = simulate("echo", duration="1m", population=Population(think_ms=Constant(1_000)))
        said = [d.value["text"] for d in simulation if d.kind == "message"]
        assert said == [f"message {n}" for n in range(1, len(said) + 1)]
        assert len(said) > 40


class TestChat:
    def test_every_client_joins_once_and_sends_messages(self):
        simulation = simulate("chat", duration="5m", population=3)
        said = [d.value for d in simulation if d.kind == "message"]
        joined = Counter(value["JoinedChat"] for value in said if "JoinedChat" in value)
        assert joined == {"client 1": 1, "client 2": 1, "client 3": 1}
        texts = [value["GroupMessage"]["message"] for value in said if "GroupMessage" in value]
        assert Counter(texts)["message 1"] == 3


class TestScriptedClient:
    def test_planned_actions_are_dropped_when_the_session_ends(self):
        said = []

        class Late(Script):
            def opened(self, client):
                client.after(5_000, client.close)
                client.after(10_000, said.append, "too late")

        simulate("echo", duration="1m", population=Population(script=Late()))
        assert said == []

    def test_has_memory_and_random_numbers_that_depend_on_the_seed(self):
        drawn = []

        class Draws(Script):
            def opened(self, client):
                client.memory["number"] = client.rng.random()
                drawn.append(client.memory["number"])
                assert client.is_open
                assert client.principal == client.machine.client_key.client_principal

        for _ in range(2):
            simulate("echo", duration="1s", population=Population(sessions=2, arrivals=lambda _: 0, script=Draws()))
        assert drawn[:2] == drawn[2:]
        assert drawn[0] != drawn[1]

    def test_sends_nothing_unless_open(self):
        class Eager(Script):
            def opened(self, client):
                client.close()
                client.send({"text": "lost"})
                client.send_bytes(b"lost")

        assert simulate("echo", duration="10s", population=Population(script=Eager())).counts.sent == 0
