"""Applications: Candid values in and out, memory that a trap rolls back, and timers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from icws_explore.protocol.candid import decode, encode, parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseMessage, CloseReason, OpenMessage
from support.canister_host import CANISTER, START_NS, CanisterBench, client_key

TYPE = parse_type("record { text : text; n : nat }")


def say(text: str, n: int = 0) -> bytes:
    return encode([TYPE], [{"text": text, "n": n}])


def heard(content: object) -> Any:
    assert isinstance(content, bytes)
    return decode(content, [TYPE])[0]


class TestValues:
    def test_are_converted_by_the_declared_type(self) -> None:
        def on_message(context: AppContext, client: Principal, message: Any) -> None:
            assert message == {"text": "hello", "n": 2**70}
            context.send(client, {"text": message["text"].upper(), "n": message["n"] + 1})

        it = CanisterBench.of(App("shout", TYPE, on_message=on_message))
        side = it.opened("ada")
        it.ok(it.message(side, say("hello", 2**70)))
        assert heard(it.received(side)[-1]) == {"text": "HELLO", "n": 2**70 + 1}

    def test_of_another_type_trap(self) -> None:
        it = CanisterBench.of(App("wrong", TYPE, on_open=lambda context, client: context.send(client, {"text": 1})))
        reject = it.reject(it.open(key := client_key("ada")))
        assert "the message does not fit its Candid type" in reject.text
        assert reject.cause is None
        assert key not in [message.client_key for message in it.messages()]

    def test_bytes_may_be_anything(self) -> None:
        """APP_TYPE_MISMATCH of misbehaviours.md."""
        it = CanisterBench.of(App("raw", TYPE, on_open=lambda context, client: context.send_bytes(client, b"raw")))
        assert it.received(it.opened("ada"))[-1] == b"raw"


class TestCertifiedData:
    def test_can_be_overwritten_until_the_next_message(self) -> None:
        """CERTIFIED_DATA_CLASH of misbehaviours.md."""

        def on_message(context: AppContext, client: Principal, message: Any) -> None:
            if message["text"] == "clash":
                context.set_certified_data(b"someone else's")
            else:
                context.send(client, message)

        it = CanisterBench.of(App("clash", TYPE, on_message=on_message))
        side = it.opened("ada")
        it.ok(it.message(side, say("clash")))
        assert it.host.certified_data == b"someone else's"
        it.ok(it.message(side, say("send")))
        assert it.received(side)[-1] == say("send")


class TestClients:
    def test_broadcast_reaches_all_and_close_ends_one(self) -> None:
        def on_message(context: AppContext, client: Principal, message: Any) -> None:
            context.broadcast(message)
            assert context.close(client) is None
            assert context.close(client) == f"Client with principal {client} doesn't have an open connection"
            assert context.send(client, message) == f"Client with principal {client} doesn't have an open connection"

        it = CanisterBench.of(App("farewell", TYPE, on_message=on_message))
        ada, bob = it.opened("ada"), it.opened("bob")
        it.ok(it.message(ada, say("bye")))
        closed = CloseMessage(CloseReason.CLOSED_BY_APPLICATION)
        assert it.received(ada) == [OpenMessage(ada.key), say("bye"), closed]
        assert it.received(bob) == [OpenMessage(bob.key), say("bye")]


class TestMethods:
    def test_that_do_not_exist_are_rejected(self) -> None:
        it = CanisterBench.of(App("silent", TYPE))
        assert it.reject(it.update("greet", b"", Principal(b"ada"))).error_code == "IC0536"


class TestMemory:
    def test_is_rolled_back_to_any_depth(self) -> None:
        def on_message(context: AppContext, _client: Principal, message: Any) -> None:
            state = context.state
            if not state:
                state.update(log=[], seen=set(), counts=defaultdict(int), nested={"list": [[]]})
            state["log"].append(message["text"])
            state["seen"].add(message["text"])
            state["counts"][message["text"]] += 1
            state["nested"]["list"][0].append(message["text"])
            context.print(repr([state["log"], state["seen"], dict(state["counts"]), state["nested"]]))
            if message["text"] == "bad":
                context.trap("no")

        it = CanisterBench.of(App("log", TYPE, on_message=on_message))
        ada = it.opened("ada")
        it.ok(it.message(ada, say("a")))
        it.reject(it.message(ada, say("bad")))
        ada.next_sequence_num = 2
        it.ok(it.message(ada, say("b")))
        assert "bad" in it.prints[1]
        assert it.prints[2] == repr([["a", "b"], {"a", "b"}, {"a": 1, "b": 1}, {"list": [["a", "b"]]}])

    def test_a_python_error_in_a_handler_is_a_trap(self) -> None:
        it = CanisterBench.of(App("broken", TYPE, on_open=lambda context, _: context.state["missing"]))
        reject = it.reject(it.open(client_key("ada")))
        assert isinstance(reject.cause, KeyError)
        assert it.messages() == []


class TestTimers:
    def test_every_after_and_cancel(self) -> None:
        def on_init(context: AppContext) -> None:
            def stop(context: AppContext) -> None:
                context.cancel(timer)
                context.print(f"stopped after {context.now_ns - START_NS} ns")

            timer = context.every(1_000, lambda context: context.print("tick"))
            context.after(2_500, stop)

        it = CanisterBench.of(App("clock", TYPE, on_init=on_init))
        it.advance_ms(10_000)
        assert it.prints == ["tick", "tick", "stopped after 2500000000 ns"]


class TestContext:
    def test_has_the_canister_id_and_the_clients(self) -> None:
        seen = []
        app = App("self", TYPE, on_init=lambda context: seen.append((context.canister_id, context.clients)))
        CanisterBench.of(app)
        assert seen == [(CANISTER, ())]
