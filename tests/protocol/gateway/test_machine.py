"""Gateway 1.4.6 as a whole: sessions, canisters, pollers, relayed messages and ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icws_explore.protocol.client.events import HandshakeReceived, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import ArgumentValueError, StateError
from icws_explore.protocol.gateway.events import (
    AgentFailed,
    CallClose,
    DropClient,
    FrameKind,
    GatewayEvent,
    Log,
    Poll,
    PollOutcome,
    Rejected,
    RelayCall,
    SendToClient,
)
from icws_explore.protocol.gateway.machine import GatewayConfig, GatewayMachine
from icws_explore.protocol.gateway.session import SessionState
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed
from support.gateway_scene import (
    ALICE,
    BOB,
    CANISTER,
    CAROL,
    DAVE,
    GATEWAY,
    OTHER_CANISTER,
    START_NS,
    TIMEOUT_MS,
    WARN_POLLER,
    Client,
    Play,
    answers,
    connected,
    new_play,
    nothing,
    opened,
    poll_started,
    set_up,
    to_client,
)
from support.playbook import NS_PER_MS, do, pause, wait


@pytest.fixture
def play() -> Play:
    return new_play()


class TestSetup:
    def test_the_handshake_is_sent_first(self, play: Play) -> None:
        assert connected(play, ALICE)
        assert play.machine.sessions == {ALICE.session: SessionState.INIT}
        assert play.machine.deadline_ns is None

    def test_ws_open_is_relayed_before_the_poller_starts(self, play: Play) -> None:
        assert set_up(play, ALICE)
        assert play.machine.sessions == {ALICE.session: SessionState.SETUP}
        assert play.machine.clients == {CANISTER: (ALICE.key,)}
        assert play.machine.deadlines == {str(CANISTER): START_NS + TIMEOUT_MS * NS_PER_MS}

    def test_the_first_message_opens_the_session(self, play: Play) -> None:
        assert opened(play, ALICE)
        assert play.machine.sessions == {ALICE.session: SessionState.OPEN}

    def test_a_session_id_cannot_be_used_twice_at_a_time(self, play: Play) -> None:
        connected(play, ALICE)
        with pytest.raises(StateError, match="open already"):
            play >> ALICE.connects()
        assert play >> ALICE.vanishes() << Log
        assert connected(play, ALICE)

    def test_it_accepts_the_frames_of_the_client_machine(self, play: Play) -> None:
        """The two machines together, up to the envelope that reaches the replica."""
        client = ClientMachine(ClientConfig(CANISTER), Ed25519Identity.from_secret(bytes(32)), entropy=bytes)
        assert play >> do_connect("js") << SendToClient
        handshake, ws_open = client.receive(play.last(SendToClient).data, START_NS)
        assert handshake == HandshakeReceived(GATEWAY)
        assert isinstance(ws_open, SendFrame)
        assert play >> do("frame_received", "js", "binary", ws_open.data) << RelayCall << poll_started() << Poll
        assert play.machine.clients == {CANISTER: (client.client_key,)}
        envelope = Envelope.decode(play.last(RelayCall).envelope)
        assert passed(check_envelope(envelope, now_ns=START_NS, canister_id=CANISTER))


def do_connect(session: str) -> object:
    client = Client(9)
    client.session = session
    return client.connects()


class TestRelaying:
    def test_messages_go_to_the_session_of_their_client_key(self, play: Play) -> None:
        play = set_up(set_up(play, ALICE), BOB, is_first=False)
        assert (
            play
            >> answers(ALICE.poll(BOB, ALICE, BOB))
            << to_client(BOB, 0)
            << to_client(ALICE, 1)
            << to_client(BOB, 2)
        )

    def test_messages_for_unknown_client_keys_are_dropped_and_counted(self, play: Play) -> None:
        play = set_up(play, ALICE) >> answers(ALICE.poll(CAROL, ALICE, CAROL)) << to_client(ALICE, 1)
        assert play >> wait(100) << Poll(CANISTER, 3, 1)

    def test_a_message_for_a_client_of_another_canister_is_unknown(self, play: Play) -> None:
        play = set_up(set_up(play, ALICE), DAVE)
        assert play >> answers(ALICE.poll(DAVE))

    def test_calls_go_to_the_canister_of_the_first_envelope(self, play: Play) -> None:
        elsewhere = ALICE.envelope("ws_message", b"DIDL\0\0", OTHER_CANISTER)
        assert opened(play, ALICE) >> ALICE.sends(elsewhere) << RelayCall(ALICE.session, CANISTER, elsewhere.encode())

    def test_the_method_is_not_checked(self, play: Play) -> None:
        anything = ALICE.envelope("transfer", b"DIDL\0\0")
        assert opened(play, ALICE) >> ALICE.sends(anything) << ALICE.relayed(anything)

    def test_results_of_calls_are_only_logged(self, play: Play) -> None:
        call = RelayCall(ALICE.session, CANISTER, b"")
        close = CallClose(CANISTER, ALICE.key)
        assert (
            opened(play, ALICE)
            >> do("call_result", call, None)
            << Log("Relayed client message to canister", "trace")
            >> do("call_result", call, "The replica returned an HTTP Error: 400")
            << Log("Error relaying envelope to canister: The replica returned an HTTP Error: 400", "error")
            >> do("call_result", close, None)
            << Log("Canister closed connection with client", "debug")
            >> do("call_result", close, "Client doesn't have an open connection")
            << Log("Calling ws_close on canister failed: Client doesn't have an open connection", "warn")
        )
        assert play.machine.sessions == {ALICE.session: SessionState.OPEN}


class TestPollers:
    def test_one_for_each_canister(self, play: Play) -> None:
        play = set_up(set_up(play, ALICE), BOB, is_first=False)
        assert set_up(play, DAVE)
        assert set(play.machine.clients) == {CANISTER, OTHER_CANISTER}

    def test_polls_follow_each_other_in_the_order_in_which_they_are_due(self, play: Play) -> None:
        play = set_up(play, DAVE) >> pause(30)
        play = set_up(play, ALICE) >> answers(nothing(), OTHER_CANISTER) >> answers(nothing())
        assert list(play.machine.deadlines) == [str(OTHER_CANISTER), str(CANISTER)]
        assert play >> wait(70) << Poll(OTHER_CANISTER, 0, 1) >> wait(30) << Poll(CANISTER, 0, 1)

    def test_a_late_tick_polls_all_of_them_soonest_first(self, play: Play) -> None:
        play = set_up(play, DAVE) >> pause(30)
        play = set_up(play, ALICE) >> answers(nothing(), OTHER_CANISTER) >> answers(nothing())
        assert play >> wait(500) << Poll(OTHER_CANISTER, 0, 1) << Poll(CANISTER, 0, 1)

    def test_idle_rounds_can_be_skipped(self, play: Play) -> None:
        """For a simulator: the next poll has the time and ticket that it would have without the skip."""
        play = set_up(play, ALICE) >> pause(750)
        assert play.machine.polls(CANISTER)
        assert not play.machine.polls(OTHER_CANISTER)
        play.machine.skip_polls(CANISTER, 7, START_NS + 700 * NS_PER_MS, START_NS + 710 * NS_PER_MS)
        assert play >> wait(49) >> wait(1) << Poll(CANISTER, 0, 8)
        with pytest.raises(StateError, match="not polled"):
            play.machine.skip_polls(OTHER_CANISTER, 1, START_NS, None)

    @pytest.mark.parametrize(("ms", "counts"), [(-1, True), (0, True), (1, False)])
    def test_an_answer_counts_until_the_timeout(self, play: Play, ms: int, counts: bool) -> None:
        play = set_up(play, ALICE) >> pause(TIMEOUT_MS + ms) >> answers(ALICE.poll(ALICE))
        if counts:
            assert play << to_client(ALICE, 0) << Log << Poll(CANISTER, 1, 1)
        else:
            assert play << Log("Poller timed out. Polling immediately", "warn") << Poll(CANISTER, 0, 1)

    def test_a_ticket_distinguishes_a_late_answer_from_the_next(self, play: Play) -> None:
        play = set_up(play, ALICE) >> wait(TIMEOUT_MS) << Log << Poll(CANISTER, 0, 1)
        assert play >> answers(ALICE.poll(ALICE), ticket=0)
        assert play >> answers(ALICE.poll(ALICE), ticket=1) << to_client(ALICE, 0)

    def test_an_answer_for_a_canister_without_a_poller(self, play: Play) -> None:
        assert play >> answers(ALICE.poll(ALICE))

    def test_a_longer_queue_is_polled_at_once_after_relaying(self, play: Play) -> None:
        assert (
            set_up(play, ALICE)
            >> answers(ALICE.poll(ALICE, more=True))
            << to_client(ALICE, 0)
            << Log("Canister queue is not fully drained. Polling immediately", "warn")
            << Poll(CANISTER, 1, 1)
        )

    def test_a_poller_stops_with_the_last_client(self, play: Play) -> None:
        play = opened(play, ALICE) >> ALICE.closes() << CallClose << DropClient
        assert play.machine.clients == {CANISTER: ()}
        assert play >> wait(99) >> wait(1) << Log(f"Poller for canister {CANISTER} terminated", "info")
        assert play.machine.clients == {}
        assert play.machine.deadline_ns is None

    def test_a_new_one_starts_at_nonce_0(self, play: Play) -> None:
        play = opened(play, ALICE) >> ALICE.closes() << CallClose << DropClient >> wait(100) << Log
        assert set_up(play, BOB)

    def test_a_client_that_joins_during_the_rest_keeps_the_old_one(self, play: Play) -> None:
        play = opened(play, ALICE) >> ALICE.closes() << CallClose << DropClient >> wait(50)
        assert set_up(play, BOB, is_first=False) >> wait(50) << Poll(CANISTER, 1, 1)

    def test_no_client_while_a_poll_is_running(self, play: Play) -> None:
        play = set_up(play, ALICE) >> ALICE.vanishes() << CallClose(CANISTER, ALICE.key)
        assert (
            play >> answers(ALICE.poll(ALICE)) >> wait(100) << Log(f"Poller for canister {CANISTER} terminated", "info")
        )


class TestPollerDead:
    """POLLER_DEAD: every session of the canister ends with a close frame without a code, and without ws_close."""

    REJECTED = Rejected(3, "canister not found")

    def test_ends_all_sessions_of_the_canister_only(self, play: Play) -> None:
        play = set_up(set_up(opened(play, ALICE), BOB, is_first=False), DAVE)
        assert (
            connected(play, CAROL)
            >> wait(100)
            << Poll(CANISTER, 1, 1)
            >> answers(self.REJECTED)
            << Log("Error polling canister: Unrecoverable agent error: reject code 3: canister not found", "error")
            << WARN_POLLER
            << DropClient(ALICE.session, None)
            << WARN_POLLER
            << DropClient(BOB.session, None)
            << (
                Log,
                {"level": "warn", "text": lambda t: t.startswith(f"Poller for canister {CANISTER} terminated with")},
            )
        )
        assert play.machine.sessions == {DAVE.session: SessionState.SETUP, CAROL.session: SessionState.INIT}

    def test_the_next_client_starts_a_new_poller(self, play: Play) -> None:
        play = set_up(play, ALICE) >> answers(self.REJECTED) << Log << WARN_POLLER << DropClient << Log
        assert set_up(play, BOB)

    def test_a_nonce_gap_relays_nothing(self, play: Play) -> None:
        """STALE_NONCE: an upgraded canister counts from 0 again."""
        play = opened(play, ALICE) >> wait(100) << Poll(CANISTER, 1, 1) >> answers(ALICE.poll(ALICE, base=0))
        assert (
            play
            << Log("Error polling canister: Non consecutive nonce: expected 1, got 0", "error")
            << WARN_POLLER
            << DropClient(ALICE.session, None)
            << Log
        )

    @pytest.mark.parametrize("outcome", [Rejected(2, "busy"), AgentFailed("TransportError", "refused")])
    def test_recoverable_errors_end_nothing(self, play: Play, outcome: object) -> None:
        assert set_up(play, ALICE) >> answers(outcome) << Log >> wait(100) << Poll(CANISTER, 0, 1)


class World:
    """A gateway, and canisters that usually answer with the expected nonces."""

    def __init__(self) -> None:
        self.machine = GatewayMachine(GATEWAY)
        self.now_ns = START_NS
        self.nonces: dict[Principal, int] = {}

    def step(self, kind: str, client: Client, number: int) -> list[GatewayEvent]:
        events = self._step(kind, client, number)
        self.nonces |= {event.canister_id: event.nonce for event in events if isinstance(event, Poll)}
        return events

    def _step(self, kind: str, client: Client, number: int) -> list[GatewayEvent]:
        machine, now_ns, session = self.machine, self.now_ns, client.session
        frames: dict[str, tuple[FrameKind, bytes]] = {
            "open": ("binary", client.ws_open.encode_frame()),
            "message": ("binary", client.ws_message.encode_frame()),
            "close": ("close", b""),
            "ping": ("ping", b""),
        }
        base = self.nonces.get(client.canister, 0)
        outcomes: dict[str, PollOutcome] = {
            "messages": client.poll(client, ALICE, base=base, more=number % 3 == 0),
            "nothing": nothing(),
            "fatal": Rejected(5, ""),
        }
        if kind in frames:
            return machine.frame_received(session, *frames[kind], now_ns)
        if kind in outcomes:
            return machine.poll_result(client.canister, outcomes[kind], now_ns)
        if kind == "vanish":
            return machine.session_closed(session, now_ns)
        if kind == "connect" and session not in machine.sessions:
            return machine.session_opened(session)
        self.now_ns += number * 97 * NS_PER_MS
        return machine.tick(self.now_ns)


KINDS = ("connect", "open", "message", "close", "ping", "vanish", "messages", "nothing", "fatal", "later")


class TestManyClients:
    def test_a_thousand_clients_start_one_poller(self, play: Play) -> None:
        """should_insert_new_client_channels_and_get_new_poller_state_once of gateway-state."""
        polls = 0
        template = ALICE.ws_open
        for number in range(1_000):
            client = Client(1)
            client.session = str(number)
            frame = Envelope({**template.content, "sender": number.to_bytes(4, "big")}).encode_frame()
            play = play >> client.connects()
            events = play.skip().machine.frame_received(str(number), "binary", frame, START_NS)
            polls += sum(isinstance(event, Poll) for event in events)
        assert polls == 1
        assert len(play.machine.clients[CANISTER]) == 1_000

    def test_the_same_client_key_twice(self, play: Play) -> None:
        """The second session gets the messages; the first session's channel is dropped, as when the poller ends."""
        play = connected(opened(play, ALICE), BOB)
        frame = ALICE.ws_open.encode_frame()
        assert (
            play
            >> BOB.frame(frame)
            << WARN_POLLER
            << DropClient(ALICE.session, None)
            << RelayCall(BOB.session, CANISTER, ALICE.ws_open.encode())
        )
        assert play.machine.clients == {CANISTER: (ALICE.key,)}
        assert (
            play >> wait(100) << Poll >> answers(ALICE.poll(ALICE, base=1)) << (SendToClient, {"session": BOB.session})
        )

    @given(
        st.lists(
            st.tuples(st.sampled_from(KINDS), st.sampled_from([ALICE, BOB, CAROL, DAVE]), st.integers(0, 99)),
            max_size=60,
        )
    )
    @settings(max_examples=200)
    def test_sessions_clients_and_pollers_stay_consistent(self, life: list[tuple[str, Client, int]]) -> None:
        world = World()
        dropped: set[object] = set()
        for kind, client, number in life:
            if kind == "connect":  # a new connection with the same name
                dropped.discard(client.session)
            for event in world.step(kind, client, number):
                assert not (isinstance(event, SendToClient) and event.session in dropped), "it was dropped"
                if isinstance(event, DropClient):
                    dropped.add(event.session)
            machine = world.machine
            registered = [key for keys in machine.clients.values() for key in keys]
            in_use = [state for state in machine.sessions.values() if state is not SessionState.INIT]
            assert len(registered) == len(in_use)
            assert len(machine.deadlines) == len(machine.clients)
            assert SessionState.CLOSED not in machine.sessions.values()


class TestConfig:
    def test_the_defaults_are_the_real_gateways(self) -> None:
        assert GatewayConfig() == GatewayConfig(polling_interval_ms=100, poll_timeout_ms=5_000)

    @pytest.mark.parametrize(("interval_ms", "timeout_ms"), [(-1, 5_000), (100, 0)])
    def test_impossible_values_are_refused(self, interval_ms: int, timeout_ms: int) -> None:
        with pytest.raises(ArgumentValueError):
            GatewayConfig(interval_ms, timeout_ms)

    def test_another_interval(self) -> None:
        play = set_up(new_play(polling_interval_ms=7), ALICE) >> answers(nothing())
        assert play >> wait(6) >> wait(1) << Poll(CANISTER, 0, 1)
