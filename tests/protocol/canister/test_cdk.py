"""The CDK's entry points beyond the golden traces: traps in handlers, a missing init, upgrades."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.protocol.arguments import encode_open_args, encode_poll_args
from icws_explore.protocol.candid import BLOB, TEXT, encode
from icws_explore.protocol.canister import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    App,
    AppCanister,
    AppContext,
    CdkConfig,
    Flavour,
    SystemApi,
)
from icws_explore.protocol.cbor import SELF_DESCRIBE
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason, OpenMessage
from support.canister_host import GATEWAY, OTHER_GATEWAY, CanisterBench, client_key, with_sequence_num

FLAVOURS = pytest.mark.parametrize("flavour", ["rust", "motoko"])
HELLO = encode([TEXT], ["hello"])
BOOM = encode([TEXT], ["boom"])


def trapping(event: str) -> App:
    """An app whose handler of ``event`` traps; on_message traps on the text "boom" only."""

    def on_client(context: AppContext, _client: Principal) -> None:
        context.trap(f"{event} fails")

    def on_message(context: AppContext, client: Principal, message: Any) -> None:
        if message == "boom":
            context.send(client, "not to be seen")
            context.trap("on_message fails")
        context.send(client, message)

    handlers = {"on_open": on_client, "on_close": on_client}
    chosen = {event: handlers[event]} if event in handlers else {}
    return App("trapping", TEXT, on_message=on_message, **chosen)


def new_bench(event: str = "", flavour: Flavour = "rust", **config: Any) -> CanisterBench:
    return CanisterBench.of(trapping(event), CdkConfig(flavour=flavour, **config))


class TestContents:
    @pytest.mark.parametrize(("flavour", "tagged"), [("rust", True), ("motoko", False)])
    def test_are_tagged_by_rust_only(self, flavour: Flavour, tagged: bool) -> None:
        bench = new_bench(flavour=flavour)
        bench.opened("ada")
        poll = bench.poll()
        assert poll.messages[0].content.startswith(SELF_DESCRIBE) is tagged
        assert poll.tree.startswith(SELF_DESCRIBE)


class TestTrapInOnMessage:
    def test_rust_undoes_the_sequence_number(self) -> None:
        bench = new_bench()
        side = bench.opened("ada")
        reject = bench.reject(bench.message(side, BOOM))
        assert reject.code == CANISTER_ERROR
        # The client continues with 2, so the canister closes its session: ON_MESSAGE_TRAP of misbehaviours.md.
        assert bench.error(bench.message(side, HELLO)) == "Expected incoming sequence number 1 but got 2"
        assert bench.received(side) == [OpenMessage(side.key), CloseMessage(CloseReason.WRONG_SEQUENCE_NUMBER)]

    def test_motoko_keeps_the_sequence_number_and_the_sent_message(self) -> None:
        bench = new_bench(flavour="motoko")
        side = bench.opened("ada")
        reject = bench.reject(bench.message(side, BOOM))
        assert reject.code == CANISTER_REJECT
        bench.ok(bench.message(side, HELLO))
        assert bench.received(side) == [OpenMessage(side.key), encode([TEXT], ["not to be seen"]), HELLO]


class TestTrapInOnOpen:
    def test_rust_undoes_the_opening(self) -> None:
        bench = new_bench("on_open")
        assert bench.reject(bench.open(client_key("ada"))).code == CANISTER_ERROR
        assert bench.messages() == []
        assert bench.host.certified_data == b""

    def test_motoko_keeps_the_session(self) -> None:
        bench = new_bench("on_open", "motoko")
        key = client_key("ada")
        assert bench.reject(bench.open(key)).code == CANISTER_REJECT
        assert [message.client_key for message in bench.messages()] == [key]
        assert bench.error(bench.open(key)) == f"Client with key {key} already has an open connection"


class TestTrapInOnClose:
    def test_rust_refuses_every_later_opening_of_the_principal(self) -> None:
        bench = new_bench("on_close")
        bench.opened("ada")
        for nonce in (2, 3):
            assert bench.reject(bench.open(client_key("ada", nonce))).code == CANISTER_ERROR
        assert [message.client_key.client_nonce for message in bench.messages()] == [1]

    def test_motoko_accepts_the_second_opening(self) -> None:
        bench = new_bench("on_close", "motoko")
        bench.opened("ada")
        assert bench.reject(bench.open(client_key("ada", 2))).code == CANISTER_REJECT
        bench.ok(bench.open(client_key("ada", 2)))

    def test_rust_undoes_the_whole_keep_alive_check(self) -> None:
        bench = new_bench("on_close", send_ack_interval_ms=90_000)
        sides = [bench.opened(name) for name in ("ada", "bob")]
        bench.advance_ms(150_001)
        assert [bench.received(side) for side in sides] == [[OpenMessage(side.key), AckMessage(0)] for side in sides]
        assert any("in a timer" in line and "on_close fails" in line for line in bench.prints)

    def test_motoko_keeps_the_removals_before_the_trap(self) -> None:
        bench = new_bench("on_close", "motoko", send_ack_interval_ms=90_000)
        sides = [bench.opened(name) for name in ("ada", "bob")]
        bench.advance_ms(150_001)
        closed = CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT)
        assert sum(bench.received(side)[-1] == closed for side in sides) == 1


class TestMalformedServiceMessage:
    def test_rust_answers_err_and_counts_it(self) -> None:
        bench = new_bench()
        side = bench.opened("ada")
        error = bench.error(bench.message(side, b"garbage", is_service_message=True))
        assert error is not None
        assert error.startswith("Error decoding service message content: ")
        bench.ok(bench.message(side, HELLO))

    def test_motoko_traps_and_counts_it(self) -> None:
        bench = new_bench(flavour="motoko")
        side = bench.opened("ada")
        assert bench.reject(bench.message(side, b"garbage", is_service_message=True)).code == CANISTER_REJECT
        bench.ok(bench.message(side, HELLO))

    @FLAVOURS
    def test_only_keep_alives_are_accepted(self, flavour: Flavour) -> None:
        bench = new_bench(flavour=flavour)
        side = bench.opened("ada")
        assert bench.error(bench.service(side, AckMessage(1))) == "Invalid service message"
        bench.ok(bench.keep_alive(side))


@FLAVOURS
class TestArguments:
    def test_that_are_not_candid_trap(self, flavour: Flavour) -> None:
        bench = new_bench(flavour=flavour)
        for method in ("ws_open", "ws_message", "ws_close"):
            reject = bench.reject(bench.update(method, b"garbage", GATEWAY))
            assert reject.code == CANISTER_ERROR
            assert reject.cause is None
            assert "failed to decode call arguments" in reject.text
        assert bench.reject(bench.host.query("ws_get_messages", b"", caller=GATEWAY, now_ns=bench.now_ns)).cause is None

    def test_ws_open_of_an_old_sdk_lacks_the_gateway(self, flavour: Flavour) -> None:
        """OLD_SDK_NEW_GATEWAY of misbehaviours.md."""
        bench = new_bench(flavour=flavour)
        reject = bench.reject(bench.update("ws_open", encode_open_args(1, None), Principal(b"ada")))
        assert "gateway_principal" in reject.text

    def test_a_poll_must_be_a_query(self, flavour: Flavour) -> None:
        bench = new_bench(flavour=flavour)
        bench.opened("ada")
        reject = bench.reject(bench.update("ws_get_messages", encode_poll_args(0), GATEWAY))
        assert "not called as a query" in reject.text

    def test_updates_cannot_be_called_as_queries(self, flavour: Flavour) -> None:
        bench = new_bench(flavour=flavour)
        outcome = bench.host.query("ws_open", encode_open_args(1, GATEWAY), caller=GATEWAY, now_ns=bench.now_ns)
        assert bench.reject(outcome).error_code == "IC0536"


@FLAVOURS
class TestInit:
    def test_an_interval_not_longer_than_the_timeout_traps(self, flavour: Flavour) -> None:
        bench = new_bench(flavour=flavour, send_ack_interval_ms=60_000)
        assert (
            "send_ack_interval_ms must be greater than CLIENT_KEEP_ALIVE_TIMEOUT_MS"
            in bench.reject(bench.installed).text
        )

    def test_a_short_interval_is_allowed_without_the_minimum(self, flavour: Flavour) -> None:
        bench = new_bench(flavour=flavour, send_ack_interval_ms=500, keep_alive_timeout_ms=800, enforce_minimum=False)
        side = bench.opened("ada")
        bench.advance_ms(1_000)
        # The open message is older than an interval by now, so queueing the second ack deleted it.
        assert bench.received(side) == [AckMessage(0), AckMessage(0)]
        bench.advance_ms(300)
        assert bench.received(side)[-1] == CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT)

    def test_without_it_no_timer_runs(self, flavour: Flavour) -> None:
        """NO_ACKS of misbehaviours.md."""
        bench = new_bench(flavour=flavour, forget_init=True)
        side = bench.opened("ada")
        bench.advance_ms(3_600_000)
        assert bench.received(side) == [OpenMessage(side.key)]
        assert bench.host.next_timer_ns is None


class TestWithoutInit:
    def test_motoko_has_its_handlers_from_the_constructor(self) -> None:
        bench = new_bench(flavour="motoko", forget_init=True)
        side = bench.opened("ada")
        bench.ok(bench.message(side, HELLO))
        assert bench.received(side) == [OpenMessage(side.key), HELLO]

    def test_rust_has_no_handlers_and_default_parameters(self) -> None:
        bench = new_bench(forget_init=True, max_messages=1)
        side = bench.opened("ada")
        bench.ok(bench.message(side, HELLO))
        bench.opened("bob")
        assert [message.client_key.client_nonce for message in bench.messages()] == [1, 1]
        assert bench.received(side) == [OpenMessage(side.key)]


@FLAVOURS
class TestUpgrade:
    def test_deletes_clients_and_messages_silently(self, flavour: Flavour) -> None:
        """UPGRADE_WIPE and STALE_NONCE of misbehaviours.md."""
        bench = new_bench(flavour=flavour)
        side = bench.opened("ada")
        bench.ok(bench.message(side, HELLO))
        bench.host.upgrade(bench.factory, now_ns=bench.now_ns)
        assert bench.messages() == []
        ada = side.key.client_principal
        assert bench.error(bench.message(side, HELLO)) == f"Client with principal {ada} doesn't have an open connection"
        bench.opened("ada", nonce=2)
        assert [message.key[-20:] for message in bench.poll().messages] == ["0" * 20]
        bench.advance_ms(300_000)
        assert len(bench.messages()) == 2


@FLAVOURS
class TestTakeover:
    def test_a_second_opening_of_a_principal_removes_the_first_silently(self, flavour: Flavour) -> None:
        bench = new_bench(flavour=flavour)
        old = bench.opened("ada")
        new = bench.opened("ada", OTHER_GATEWAY, nonce=2)
        assert bench.received(old) == [OpenMessage(old.key)]
        assert bench.received(new) == [OpenMessage(new.key)]
        text = f"Client with principal {old.key.client_principal} has a different key than the one used in the message"
        assert bench.error(bench.message(old, HELLO)) == text


@FLAVOURS
class TestSequenceNumbers:
    @pytest.mark.parametrize("sequence_num", [0, 2, 2**64 - 1])
    def test_a_wrong_one_ends_the_session(self, flavour: Flavour, sequence_num: int) -> None:
        bench = new_bench(flavour=flavour)
        side = bench.opened("ada")
        outcome = bench.message(with_sequence_num(side, sequence_num), HELLO)
        assert bench.error(outcome) == f"Expected incoming sequence number 1 but got {sequence_num}"
        assert bench.received(side)[-1] == CloseMessage(CloseReason.WRONG_SEQUENCE_NUMBER)


class TestContentNotOfTheType:
    """How the CDKs' public examples react to a message that they cannot decode."""

    @pytest.mark.parametrize("content", [b"garbage", encode([BLOB], [b"\x01"])])
    def test_rust_unwraps(self, content: bytes) -> None:
        bench = new_bench()
        reject = bench.reject(bench.message(bench.opened("ada"), content))
        assert "the message cannot be decoded" in reject.text

    def test_motoko_traps_only_if_it_is_not_candid(self) -> None:
        bench = new_bench(flavour="motoko")
        side = bench.opened("ada")
        bench.reject(bench.message(side, b"garbage"))
        bench.ok(bench.message(side, encode([BLOB], [b"\x01"])))
        assert bench.prints == ["Could not deserialize message"]


class TestQueuedMessages:
    """A simulator reads the queues without a poll."""

    @FLAVOURS
    def test_are_those_that_polls_return(self, flavour: Flavour) -> None:
        code: list[AppCanister] = []

        def factory(system: SystemApi) -> AppCanister:
            code.append(AppCanister(system, App("quiet", TEXT), CdkConfig(flavour=flavour, max_messages=1)))
            return code[-1]

        bench = CanisterBench(factory)
        cdk = code[0].cdk
        assert (cdk.next_nonce(GATEWAY), cdk.messages_from(GATEWAY, 0)) == (0, [])
        bench.opened("one")
        bench.opened("two")
        assert (cdk.next_nonce(GATEWAY), cdk.next_nonce(OTHER_GATEWAY)) == (2, 0)
        assert cdk.messages_from(GATEWAY, 0) == [bench.poll(nonce=n).messages[0] for n in (0, 1)]
        assert cdk.messages_from(GATEWAY, 1) == list(bench.poll(nonce=1).messages)
        assert cdk.messages_from(GATEWAY, 2) == []
        assert [cdk.has_news(GATEWAY, nonce) for nonce in (0, 1, 2)] == [True, True, False]
