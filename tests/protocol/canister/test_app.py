"""Applications: Candid values in and out, memory that a trap rolls back, and timers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from icws_explore.protocol.candid import NAT, TEXT, decode, encode, parse_did, parse_type
from icws_explore.protocol.canister import App, AppContext, AppMethod, Reply
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

        bench = CanisterBench.of(App("shout", TYPE, on_message=on_message))
        side = bench.opened("ada")
        bench.ok(bench.message(side, say("hello", 2**70)))
        assert heard(bench.received(side)[-1]) == {"text": "HELLO", "n": 2**70 + 1}

    def test_of_another_type_trap(self) -> None:
        bench = CanisterBench.of(App("wrong", TYPE, on_open=lambda context, client: context.send(client, {"text": 1})))
        reject = bench.reject(bench.open(key := client_key("ada")))
        assert "the message does not fit its Candid type" in reject.text
        assert reject.cause is None
        assert key not in [message.client_key for message in bench.messages()]

    def test_bytes_may_be_anything(self) -> None:
        """APP_TYPE_MISMATCH of misbehaviours.md."""
        bench = CanisterBench.of(App("raw", TYPE, on_open=lambda context, client: context.send_bytes(client, b"raw")))
        assert bench.received(bench.opened("ada"))[-1] == b"raw"


class TestCertifiedData:
    def test_can_be_overwritten_until_the_next_message(self) -> None:
        """CERTIFIED_DATA_CLASH of misbehaviours.md."""

        def on_message(context: AppContext, client: Principal, message: Any) -> None:
            if message["text"] == "clash":
                context.set_certified_data(b"someone else's")
            else:
                context.send(client, message)

        bench = CanisterBench.of(App("clash", TYPE, on_message=on_message))
        side = bench.opened("ada")
        bench.ok(bench.message(side, say("clash")))
        assert bench.host.certified_data == b"someone else's"
        bench.ok(bench.message(side, say("send")))
        assert bench.received(side)[-1] == say("send")


class TestClients:
    def test_broadcast_reaches_all_and_close_ends_one(self) -> None:
        def on_message(context: AppContext, client: Principal, message: Any) -> None:
            context.broadcast(message)
            assert context.close(client) is None
            assert context.close(client) == f"Client with principal {client} doesn't have an open connection"
            assert context.send(client, message) == f"Client with principal {client} doesn't have an open connection"

        bench = CanisterBench.of(App("farewell", TYPE, on_message=on_message))
        ada, bob = bench.opened("ada"), bench.opened("bob")
        bench.ok(bench.message(ada, say("bye")))
        closed = CloseMessage(CloseReason.CLOSED_BY_APPLICATION)
        assert bench.received(ada) == [OpenMessage(ada.key), say("bye"), closed]
        assert bench.received(bob) == [OpenMessage(bob.key), say("bye")]


class TestMethods:
    def test_that_do_not_exist_are_rejected(self) -> None:
        bench = CanisterBench.of(App("silent", TYPE))
        assert bench.reject(bench.update("greet", b"", Principal(b"ada"))).error_code == "IC0536"
        assert (
            bench.reject(bench.host.query("greet", b"", caller=Principal(b"ada"), now_ns=START_NS)).error_code
            == "IC0536"
        )


def _method(text: str, run: Any) -> AppMethod:
    return AppMethod(parse_did(f"service : {{ m : {text} }}").methods["m"], run)


def remember(context: AppContext, caller: Principal, text: str) -> int:
    said = context.state.setdefault("said", [])
    said.append((caller, text))
    return len(said)


class TestOwnMethods:
    APP = App(
        "notes",
        TYPE,
        methods={
            "remember": _method("(text) -> (nat)", remember),
            "count": _method("() -> (nat) query", lambda context, _: len(context.state.get("said", []))),
            "count_and_forget": _method("() -> () query", lambda context, _: context.state.clear()),
            "both": _method("(nat, nat) -> (nat, nat) query", lambda _context, _caller, a, b: (b, a)),
            "wrong": _method("() -> (nat) query", lambda _context, _caller: "text"),
        },
    )

    def test_take_and_return_values(self) -> None:
        bench = CanisterBench.of(self.APP)
        ada = Principal(b"ada")
        assert bench.update("remember", encode([TEXT], ["a"]), ada) == Reply(encode([NAT], [1]))
        query = bench.host.query("count", encode([], []), caller=ada, now_ns=bench.now_ns)
        assert query == Reply(encode([NAT], [1]))
        both = bench.host.query("both", encode([NAT, NAT], [1, 2]), caller=ada, now_ns=bench.now_ns)
        assert both == Reply(encode([NAT, NAT], [2, 1]))

    def test_a_query_changes_nothing_and_can_be_called_as_an_update(self) -> None:
        bench = CanisterBench.of(self.APP)
        ada = Principal(b"ada")
        bench.update("remember", encode([TEXT], ["a"]), ada)
        bench.host.query("count_and_forget", encode([], []), caller=ada, now_ns=bench.now_ns)
        assert bench.update("count", encode([], []), ada) == Reply(encode([NAT], [1]))
        assert bench.update("count_and_forget", encode([], []), ada) == Reply(encode([], []))
        assert bench.update("count", encode([], []), ada) == Reply(encode([NAT], [0]))

    @pytest.mark.parametrize(
        ("method", "arg", "said"),
        [
            ("remember", encode([NAT], [1]), "the arguments cannot be decoded"),
            ("wrong", encode([], []), "the result does not fit its Candid type"),
        ],
    )
    def test_values_of_another_type_trap(self, method: str, arg: bytes, said: str) -> None:
        bench = CanisterBench.of(self.APP)
        assert said in bench.reject(bench.update(method, arg, Principal(b"ada"))).text

    def test_an_update_cannot_be_queried(self) -> None:
        bench = CanisterBench.of(self.APP)
        reject = bench.host.query("remember", encode([TEXT], ["a"]), caller=Principal(b"ada"), now_ns=bench.now_ns)
        assert "has no query method 'remember'" in bench.reject(reject).text

    def test_are_in_the_interface(self) -> None:
        bench = CanisterBench.of(self.APP)
        did = parse_did(bench.host.candid_interface)
        assert did.methods["both"] == self.APP.methods["both"].type
        assert isinstance(hash(self.APP), int)


class TestMissingHandlers:
    def test_ignore_messages(self) -> None:
        bench = CanisterBench.of(App("silent", TYPE))
        ada = bench.opened("ada")
        bench.ok(bench.message(ada, say("anyone there?")))
        assert [type(message) for message in bench.received(ada)] == [OpenMessage]


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

        bench = CanisterBench.of(App("log", TYPE, on_message=on_message))
        ada = bench.opened("ada")
        bench.ok(bench.message(ada, say("a")))
        bench.reject(bench.message(ada, say("bad")))
        ada.next_sequence_num = 2
        bench.ok(bench.message(ada, say("b")))
        assert "bad" in bench.prints[1]
        assert bench.prints[2] == repr([["a", "b"], {"a", "b"}, {"a": 1, "b": 1}, {"list": [["a", "b"]]}])

    def test_a_python_error_in_a_handler_is_a_trap(self) -> None:
        bench = CanisterBench.of(App("broken", TYPE, on_open=lambda context, _: context.state["missing"]))
        reject = bench.reject(bench.open(client_key("ada")))
        assert isinstance(reject.cause, KeyError)
        assert bench.messages() == []


class TestTimers:
    def test_every_after_and_cancel(self) -> None:
        def on_init(context: AppContext) -> None:
            def stop(context: AppContext) -> None:
                context.cancel(timer)
                context.print(f"stopped after {context.now_ns - START_NS} ns")

            timer = context.every(1_000, lambda context: context.print("tick"))
            context.after(2_500, stop)

        bench = CanisterBench.of(App("clock", TYPE, on_init=on_init))
        bench.advance_ms(10_000)
        assert bench.prints == ["tick", "tick", "stopped after 2500000000 ns"]


class TestContext:
    def test_has_the_canister_id_and_the_clients(self) -> None:
        seen = []
        app = App("self", TYPE, on_init=lambda context: seen.append((context.canister_id, context.clients)))
        CanisterBench.of(app)
        assert seen == [(CANISTER, ())]
