"""Rules that hold for every order and timing of what clients and gateways do."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.arguments import PollResult
from icws_explore.protocol.candid import TEXT, encode
from icws_explore.protocol.canister import App, AppContext, CdkConfig, Flavour, Outcome, Reject
from icws_explore.protocol.hashtree import decode, leaves
from icws_explore.protocol.messages import ClientKey, WebsocketMessage, parse_message_key
from icws_explore.protocol.principal import Principal
from support.canister_host import GATEWAY, OTHER_GATEWAY, CanisterBench, ClientSide, client_key

GATEWAYS = (GATEWAY, OTHER_GATEWAY)
STRANGER = Principal(b"a stranger")
CLIENTS = st.sampled_from(["ada", "bob", "cyd"])
GATEWAY_NAMES = st.sampled_from(GATEWAYS)
STEPS = st.one_of(
    st.tuples(st.just("open"), CLIENTS, GATEWAY_NAMES),
    st.tuples(st.just("message"), CLIENTS, st.sampled_from(["echo", "all", "close", "trap"])),
    st.tuples(st.just("keep alive"), CLIENTS, st.none()),
    st.tuples(st.just("malformed"), CLIENTS, st.none()),
    st.tuples(st.just("wrong number"), CLIENTS, st.integers(0, 2**64 - 1)),
    st.tuples(st.just("ws_close"), CLIENTS, GATEWAY_NAMES),
    st.tuples(st.just("wait"), st.none(), st.sampled_from([0, 1, 500, 30_000, 60_000, 60_001, 89_999, 90_000])),
)


def on_message(context: AppContext, client: Principal, message: Any) -> None:
    if message == "all":
        context.broadcast(message)
    elif message == "close":
        context.close(client)
    else:
        context.send(client, message)
    if message == "trap":
        context.trap("as told")


class World:
    """The canister, each client's view of its own session, and every message polled so far."""

    def __init__(self, flavour: Flavour, limit: int) -> None:
        app = App("any", TEXT, on_message=on_message)
        config = CdkConfig(max_messages=limit, send_ack_interval_ms=90_000, flavour=flavour)
        self.bench = CanisterBench.of(app, config)
        self.sides: dict[str, ClientSide] = {}
        self.openings = 0
        self.relayed: dict[Principal, list[tuple[str, WebsocketMessage]]] = {gateway: [] for gateway in GATEWAYS}

    def take(self, kind: str, name: str | None, what: Any) -> None:
        if kind == "wait":
            self.bench.advance_ms(what)
            return
        assert name is not None
        if kind == "open":
            self.openings += 1
            self.sides[name] = ClientSide(client_key(name, self.openings), what)
            self.no_fault(self.bench.open(self.sides[name].key, what))
        elif name in self.sides:
            self.no_fault(self._call(kind, self.sides[name], what))

    def _call(self, kind: str, side: ClientSide, what: Any) -> Outcome:
        if kind == "message":
            return self.bench.message(side, encode([TEXT], [what]))
        if kind == "keep alive":
            return self.bench.keep_alive(side)
        if kind == "malformed":
            return self.bench.message(side, b"garbage", is_service_message=True)
        if kind == "wrong number":
            side.next_sequence_num = what
            return self.bench.message(side, b"")
        return self.bench.close_by_gateway(side.key, what)

    def no_fault(self, outcome: Outcome) -> None:
        """A call may end with a Trap, but never with a Python error in the canister's code."""
        assert not isinstance(outcome, Reject) or outcome.cause is None, outcome

    def relay(self) -> None:
        """Each gateway polls from its own nonce to the end of the queue, as the real gateway does."""
        for gateway, seen in self.relayed.items():
            is_end_of_queue = False
            while not is_end_of_queue:
                nonce = parse_message_key(seen[-1][0])[1] + 1 if seen else 0
                result = self.bench.poll(gateway, nonce)
                self.check_proofs(gateway, result)
                seen += [(message.key, WebsocketMessage.decode(message.content)) for message in result.messages]
                is_end_of_queue = bool(result.is_end_of_queue)
            if not self.bench.poll(gateway, 0).messages:
                seen.clear()  # the canister may have removed the gateway, and its nonces restart

    def check_proofs(self, gateway: Principal, result: PollResult) -> None:
        """The witness shows exactly the returned messages, all of this gateway (CanisterBench.poll checks its root)."""
        if result.messages:
            shown = dict(leaves(decode(result.tree)))
            wanted = {
                (b"websocket", message.key.encode()): sha256(message.content).digest() for message in result.messages
            }
            assert shown == wanted
        for message in result.messages:
            assert parse_message_key(message.key)[0] == gateway
            assert WebsocketMessage.decode(message.content).client_key == message.client_key


def gaps(numbers: list[int]) -> list[int]:
    return [after - before for before, after in pairwise(numbers)]


class TestAnyInterleaving:
    @given(st.lists(STEPS, max_size=40), st.sampled_from(["rust", "motoko"]), st.integers(1, 7))
    def test_numbers_proofs_and_callers(
        self, steps: list[tuple[str, str | None, Any]], flavour: Flavour, limit: int
    ) -> None:
        world = World(flavour, limit)
        sessions: dict[ClientKey, list[int]] = {}
        for step in steps:
            world.take(*step)
            before = {gateway: len(seen) for gateway, seen in world.relayed.items()}
            world.relay()
            assert world.bench.poll(STRANGER).messages == ()
            for gateway, seen in world.relayed.items():
                assert set(gaps([parse_message_key(key)[1] for key, _ in seen])) <= {1}
                for _, message in seen[before[gateway] :]:
                    sessions.setdefault(message.client_key, []).append(message.sequence_num)
        for key, numbers in sessions.items():
            assert numbers == list(range(1, len(numbers) + 1)), key
