"""Random sessions of the Python CDK beside the model in the docs: states, messages and handler calls agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.canister_side import (
    CANISTER_SIDE_TRANSITIONS,
    IS_ANONYMOUS,
    CanisterSide,
    CanisterSideState,
    CanisterSideTrigger,
    CanisterSideTriggerKind,
    state_of,
)
from icws_explore.protocol.candid import TEXT, encode
from icws_explore.protocol.canister import App, AppContext, CdkConfig, Flavour, Outcome, Reply
from icws_explore.protocol.canister.app import AppCanister
from icws_explore.protocol.canister.system_api import SystemApi
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, OpenMessage, decode_service
from support.canister_host import GATEWAY, OTHER_GATEWAY, START_NS, CanisterBench, ClientSide, client_key

_K = CanisterSideTriggerKind
INTERVAL_MS, TIMEOUT_MS = 90_000, 60_000
SENDS = {OpenMessage: "send_open", AckMessage: "send_ack", CloseMessage: "send_close"}
OBSERVED = {*SENDS.values(), "call_on_open", "call_on_message", "call_on_close", "answer_err"}

ANSWERED = {_K.WS_OPEN, _K.WS_MESSAGE, _K.WS_CLOSE}

NAMES = st.sampled_from(["ada", "bob"])
STEPS = st.one_of(
    st.tuples(st.just("open"), NAMES),
    st.tuples(st.just("open again"), NAMES),
    st.tuples(st.just("message"), NAMES),
    st.tuples(st.just("keep alive"), NAMES),
    st.tuples(st.just("other service"), NAMES),
    st.tuples(st.just("wrong number"), NAMES),
    st.tuples(st.just("ws_close"), NAMES),
    st.tuples(st.just("foreign ws_close"), NAMES),
    st.tuples(st.just("close"), NAMES),
    st.tuples(st.just("wait"), st.sampled_from([1_000, 29_000, 60_000, 90_000, 200_000])),
)


class Scene:
    """A canister with its handler calls and queued messages noted; ``taken`` are the rows that the model took."""

    def __init__(self, flavour: Flavour) -> None:
        self.calls: list[tuple[str, Principal]] = []
        app = App("any", TEXT, on_open=self.opened, on_message=self.heard, on_close=self.closed)
        config = CdkConfig(send_ack_interval_ms=INTERVAL_MS, flavour=flavour, max_messages=10_000)
        installed: list[AppCanister] = []

        def factory(system: SystemApi) -> AppCanister:
            installed.append(AppCanister(system, app, config))
            return installed[-1]

        self.bench = CanisterBench(factory)
        self.cdk = installed[0].cdk
        self.sides: dict[str, ClientSide] = {}
        self.nonce = 0
        self.taken: set[Any] = set()

    def opened(self, context: AppContext, client: Principal) -> None:
        self.calls.append(("call_on_open", client))

    def heard(self, context: AppContext, client: Principal, message: Any) -> None:
        if message == "close":
            context.close(client)
        else:
            self.calls.append(("call_on_message", client))

    def closed(self, context: AppContext, client: Principal) -> None:
        self.calls.append(("call_on_close", client))

    def state(self, key: ClientKey) -> CanisterSideState:
        return state_of(self.cdk.snapshot(), key)

    def queued(self, key: ClientKey) -> dict[str, WebsocketMessage]:
        """What is queued for a client, under the keys it was certified with."""
        held = self.cdk.messages_from(GATEWAY, 0)
        return {message.key: WebsocketMessage.decode(message.content) for message in held if message.client_key == key}

    def watch(self, triggers: dict[ClientKey, CanisterSideTriggerKind], act: Callable[[], Outcome | None]) -> None:
        """Do one thing, and compare what it did to each client with the model."""
        before = {key: (self.state(key), set(self.queued(key))) for key in triggers}
        guards = {key: self.guards(key) for key in triggers}
        self.calls.clear()
        outcome = act()
        err = isinstance(outcome, Reply) and self.bench.error(outcome) is not None
        for key, kind in triggers.items():
            state, held = before[key]
            model = CanisterSide(state)
            row = CANISTER_SIDE_TRANSITIONS.fire(model, CanisterSideTrigger(kind, frozenset(guards[key])))
            answers = ["answer_err"] if err and kind in ANSWERED and row is not None else []
            if row is not None:
                self.taken.add(row)
            assert self.state(key) is model.state, (state, kind)
            assert sorted([*self.did(key, held), *answers]) == sorted(set(model.done) & OBSERVED), (state, kind)

    def did(self, key: ClientKey, before: set[str]) -> list[str]:
        """The service messages queued for a client, and the handlers called for it; a takeover calls for both keys."""
        sent = [
            SENDS[type(decode_service(message.content))]
            for name, message in self.queued(key).items()
            if message.is_service_message and name not in before
        ]
        return sent + [name for name, client in self.calls if client == key.client_principal]

    def guards(self, key: ClientKey) -> set[str]:
        client = self.cdk.snapshot().clients.get(key)
        if client is None:
            return set()
        age_ns = self.due_ns() - client.last_keep_alive_ns
        return self.said | ({"is_keep_alive_overdue"} if age_ns > TIMEOUT_MS * NS_PER_MS else set())

    def due_ns(self) -> int:
        """When the next timer goes off; the canister's timers are looked at one at a time."""
        at_ns = self.bench.host.next_timer_ns
        assert at_ns is not None
        return at_ns

    said: frozenset[str] = frozenset()  # the guards that the call at hand fulfils by what is in it

    def take(self, kind: str, what: Any) -> None:
        if kind == "wait":
            self.wait(what)
            return
        self.said = frozenset(
            {"wrong number": {"is_wrong_sequence_num"}, "keep alive": {"is_keep_alive", "is_service_message"},
             "other service": {"is_service_message"}, "ws_close": {"is_own_gateway"}}.get(kind, set())
        )  # fmt: skip
        if kind in ("open", "open again"):
            self.open(what, again=kind == "open again")
        elif what in self.sides:
            self.call(kind, self.sides[what])

    def open(self, name: str, *, again: bool) -> None:
        old = self.sides.get(name)
        if again and old is not None:
            if self.state(old.key) is CanisterSideState.ABSENT:
                old.next_sequence_num = 1
            self.watch({old.key: _K.WS_OPEN}, lambda: self.bench.open(old.key))
            return
        self.nonce += 1
        new = ClientSide(client_key(name, self.nonce), GATEWAY)
        if old is not None and self.state(old.key) is not CanisterSideState.ABSENT:
            # Two clients of one principal: the handlers tell them apart by nothing but the order of the calls.
            self.watch({old.key: _K.ANOTHER_OPEN}, lambda: self._only(self.bench.open(new.key), "call_on_close"))
        else:
            self.watch({new.key: _K.WS_OPEN}, lambda: self.bench.open(new.key))
        self.sides[name] = new

    def _only(self, outcome: Outcome, name: str) -> Outcome:
        assert [call for call, _ in self.calls] == ["call_on_close", "call_on_open"]
        self.calls[:] = [call for call in self.calls if call[0] == name]
        return outcome

    def call(self, kind: str, side: ClientSide) -> None:
        key, bench = side.key, self.bench
        if kind == "wrong number":
            side.next_sequence_num += 7
        acts: dict[str, tuple[CanisterSideTriggerKind, Callable[[], Outcome]]] = {
            "message": (_K.WS_MESSAGE, lambda: bench.message(side, encode([TEXT], ["x"]))),
            "wrong number": (_K.WS_MESSAGE, lambda: bench.message(side, b"")),
            "keep alive": (_K.WS_MESSAGE, lambda: bench.keep_alive(side)),
            "other service": (_K.WS_MESSAGE, lambda: bench.service(side, AckMessage(1))),
            "close": (_K.CLOSED_BY_APPLICATION, lambda: bench.message(side, encode([TEXT], ["close"]))),
            "ws_close": (_K.WS_CLOSE, lambda: bench.close_by_gateway(key)),
            "foreign ws_close": (_K.WS_CLOSE, lambda: bench.close_by_gateway(key, OTHER_GATEWAY)),
        }
        trigger, act = acts[kind]
        if kind == "close" and self.state(key) is CanisterSideState.ABSENT:
            trigger = _K.WS_MESSAGE
        self.watch({key: trigger}, act)

    def wait(self, milliseconds: int) -> None:
        """Let time pass, timer by timer."""
        end_ns = self.bench.now_ns + milliseconds * NS_PER_MS
        self.said = frozenset()
        while (at_ns := self.due_ns()) <= end_ns:
            is_ack = (at_ns - START_NS) % (INTERVAL_MS * NS_PER_MS) == 0
            trigger = _K.ACK_TICK if is_ack else _K.KEEP_ALIVE_CHECK
            self.watch({side.key: trigger for side in self.sides.values()}, lambda at_ns=at_ns: self._to(at_ns))
        self._to(end_ns)

    def _to(self, at_ns: int) -> None:
        self.bench.now_ns = at_ns
        self.bench.host.advance(at_ns)


def walk(steps: list[tuple[str, Any]], flavour: Flavour) -> Scene:
    scene = Scene(flavour)
    for step in steps:
        scene.take(*step)
    return scene


FLAVOURS: tuple[Flavour, ...] = ("rust", "motoko")


@pytest.mark.parametrize("flavour", FLAVOURS)
class TestEveryChangeIsARow:
    @given(st.lists(STEPS, max_size=25))
    def test_of_random_sessions(self, flavour: Flavour, steps: list[tuple[str, Any]]) -> None:
        walk(steps, flavour)

    def test_every_row_is_walked(self, flavour: Flavour) -> None:
        act: list[tuple[str, Any]] = [
            ("message", "ada"), ("keep alive", "ada"), ("other service", "ada"), ("open again", "ada"),
            ("foreign ws_close", "ada"),
        ]  # fmt: skip
        ends = ("wrong number", "close", "ws_close", "open")
        steps: list[tuple[str, Any]] = []
        for end in ends:
            steps += [("open", "ada"), *act, (end, "ada"), ("ws_close", "ada"), ("message", "ada")]
            steps += [("open", "ada"), ("wait", 90_000), *act, ("wait", 60_000), ("wait", 30_000), (end, "ada")]
            steps += [("close", "ada")]
        steps += [("open", "bob"), ("wait", 90_000), ("wait", 60_000)]
        scene = walk(steps, flavour)
        anonymous = ClientKey(Principal.ANONYMOUS, 1)
        assert scene.bench.error(scene.bench.open(anonymous)) is not None
        assert scene.state(anonymous) is CanisterSideState.ABSENT
        left = [row for row in CANISTER_SIDE_TRANSITIONS if row not in scene.taken]
        assert [row.guard for row in left] == [IS_ANONYMOUS]
