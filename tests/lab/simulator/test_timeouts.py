"""Every timeout of the protocol, end to end, exact to the millisecond and mostly to the nanosecond.

The cases are those of ic-websocket.test.ts and queues.test.ts of ic-websocket-js 0.5.0, and of
g_messages_acknowledgement.rs, h_multiple_gateways.rs and the unit tests of the Rust CDK 0.4.1.
"""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.lab.simulator import (
    CanisterSettings,
    MessageTruth,
    NetworkConditions,
    Population,
    Script,
    Simulation,
    simulate,
)
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.messages import parse_message_key
from support.simulator_faults import Withholding, is_ack, is_keep_alive

START_NS = 1_767_225_600 * NS_PER_S  # the simulator's default start
UP_MS = 20 + 5 + 50  # client → gateway → replica → execution, with the default network
T_MS = 300_000


def closed_ms(simulation: Simulation, session: str | None = None) -> float:
    """When the client closed, in ms after the start, by its own clock."""
    (t,) = [f.t for f in simulation.raw.session(session).frames if f.op == "close" and f.direction == "out"]
    return round((t - START_NS / NS_PER_S) * 1000, 3)


def ms(at_ns: int | None) -> float:
    assert at_ns is not None
    return (at_ns - START_NS) / NS_PER_MS


def only(messages: tuple[MessageTruth, ...]) -> MessageTruth:
    (message,) = messages
    return message


class SendsOnce(Script):
    """Sends one message ``after_ms`` after the session has opened."""

    def __init__(self, after_ms: float) -> None:
        self.after_ms = after_ms

    def opened(self, client: Any) -> None:
        client.after(self.after_ms, client.send, {"text": "hello"})


class Leaves(Script):
    """Closes the session ``after_ms`` after it has opened."""

    def __init__(self, after_ms: float) -> None:
        self.after_ms = after_ms

    def opened(self, client: Any) -> None:
        client.after(self.after_ms, client.close)


class TestOpenTimeout:
    """closes the connection if the open message is not received in time"""

    @pytest.mark.parametrize("client_latency_ms", [0, 20, 1_234.567])
    def test_60_s_after_ws_open_was_sent(self, client_latency_ms):
        conditions = NetworkConditions(client_latency_ms=client_latency_ms, call_loss=1)
        simulation = simulate(duration="3m", conditions=conditions)
        asked = only(simulation.truth.of("open_request"))
        assert closed_ms(simulation) == pytest.approx(ms(asked.sent_ns) + 60_000, abs=0.001)
        assert simulation.counts.ended == {"4000 Open connection timeout": 1}

    # ws_open is sent at 40 ms. Polls are answered at 70 ms, 170 ms and so on, and a message reaches the client 20 ms
    # later. So the last poll in time is at the canister at 59,965 ms; ws_open is executed 115 ms after the start.
    @pytest.mark.parametrize(("late_ms", "opened"), [(59_850, 1), (59_850.001, 0)])
    def test_the_open_message_may_arrive_until_then(self, late_ms, opened):
        simulation = simulate(
            duration="2m", faults=Withholding(up_delay_ms=late_ms), population=Population(script=Script())
        )
        assert simulation.counts.opened == opened
        received_ns = only(simulation.truth.of("open")).received_ns
        assert received_ns == (START_NS + 59_990 * NS_PER_MS if opened else None)
        assert simulation.counts.ended == ({"1000": 1} if opened else {"4000 Open connection timeout": 1})


class TestAckTimeout:
    """describe("Messages acknowledgement") and AckMessagesQueue"""

    @pytest.mark.parametrize("sent_ms", [0, 100, 5_000, 123_456.789])
    def test_fails_if_messages_are_never_acknowledged(self, sent_ms):
        """Ack interval + 30 s after the first message, even if later messages are younger."""
        simulation = simulate(
            "echo",
            duration="10m",
            population=Population(script=SendsOnce(sent_ms)),
            faults=Withholding(down=is_ack),
            canister=CanisterSettings(keep_alive_timeout_ms=500_000),
        )
        first = min(m.sent_ns for m in simulation.truth.of("message"))
        assert closed_ms(simulation) == pytest.approx(ms(first) + T_MS + 30_000, abs=0.001)
        assert simulation.counts.ended == {"4000 Ack message timeout": 1}
        assert simulation.truth.sessions[0].failures == (
            "Ack message timeout. Not received ack for sequence numbers: 1",
        )

    def test_depends_on_the_interval_that_the_client_is_configured_with(self):
        """ACK_INTERVAL_MISMATCH: the canister acks at its own interval."""
        simulation = simulate(
            "echo", duration="10m", population=Population(script=SendsOnce(0), ack_interval_ms=100_000)
        )
        first = only(simulation.truth.of("message"))
        assert closed_ms(simulation) == pytest.approx(ms(first.sent_ns) + 130_000, abs=0.001)

    # The message is sent at 190 ms. Acks reach the client at 90 ms, 190 ms and so on, 25 ms after their poll was at the
    # canister. The ack at 330,190 ms arrives at the time at which the timer expires, and the SDK's timer runs first.
    @pytest.mark.parametrize(("interval_ms", "survives"), [(330_065, True), (330_066, False)])
    def test_an_ack_may_arrive_until_then(self, interval_ms, survives):
        """The client expects acks every 300 s; a later ack arrives just before or just after the timer expires."""
        simulation = simulate(
            "echo",
            duration="340s",
            population=Population(script=SendsOnce(0), ack_interval_ms=T_MS),
            ack_interval_ms=interval_ms,
        )
        assert ms(only(simulation.truth.of("message")).sent_ns) == 190
        assert ms(only(simulation.truth.acks).received_ns) == (330_090 if survives else 330_190)
        assert simulation.counts.ended == ({"1000": 1} if survives else {"4000 Ack message timeout": 1})

    def test_restarts_at_every_ack(self):
        """Two acks arrive, then none: the timeout counts from the second ack, not from a message."""
        seen = []

        def third_and_later(what: Any) -> bool:
            seen.append(what) if is_ack(what) else None
            return is_ack(what) and len(seen) > 2

        simulation = simulate(
            "echo",
            duration="25m",
            population=Population(script=SendsOnce(0)),
            faults=Withholding(down=third_and_later),
            canister=CanisterSettings(keep_alive_timeout_ms=2_000_000),
        )
        second = simulation.truth.acks[1]
        assert closed_ms(simulation) == pytest.approx(ms(second.received_ns) + T_MS + 30_000, abs=0.001)

    def test_an_empty_queue_has_no_timer(self):
        """For a client that only listens, no timer runs until the first ack starts it."""
        listening = simulate("echo", duration="299s", population=Population(script=Script()), close_at_end=False)
        assert listening.world.clients[0].machine.deadlines == {}
        acked = simulate("echo", duration="301s", population=Population(script=Script()), close_at_end=False)
        received = only(acked.truth.acks).received_ns
        assert acked.world.clients[0].machine.deadlines == {"ack": received + (T_MS + 30_000) * NS_PER_MS}

    def test_calls_the_callback_for_expired_items_when_receiving_the_ack(self):
        """The canister never gets the message. Its acks restart the timer until one finds the message too old."""
        interval_ms = 100_000
        simulation = simulate(
            "echo",
            duration="10m",
            population=Population(script=SendsOnce(0)),
            ack_interval_ms=interval_ms,
            canister=CanisterSettings(keep_alive_timeout_ms=1_000_000),
            faults=Withholding(up=lambda what: what != "ws_open"),
        )
        first, (one, two) = simulation.truth.of("message")[0], simulation.truth.acks[:2]
        assert (one.number, two.number) == (0, 0)
        assert ms(one.received_ns) - ms(first.sent_ns) < interval_ms + 30_000 < ms(two.received_ns) - ms(first.sent_ns)
        assert closed_ms(simulation) == pytest.approx(ms(two.received_ns), abs=0.001)
        assert simulation.truth.sessions[0].failures == (
            "Ack message timeout. Not received ack for sequence numbers: 1",
        )

    def test_follows_the_client_s_own_clock(self):
        """A skewed clock runs at the same speed, so the timeout is at the same true time."""
        right, skewed = (
            simulate(
                "echo",
                duration="10m",
                population=Population(script=SendsOnce(0), skew_ms=skew_ms, ack_interval_ms=100_000),
            )
            for skew_ms in (0.0, 5_000.0)
        )
        assert closed_ms(skewed) == pytest.approx(closed_ms(right) + 5_000, abs=0.001)


class TestAcksOfTheCanister:
    def test_are_sent_at_every_interval_after_its_installation(self):
        simulation = simulate(duration="20m", canister=CanisterSettings(age="70s"), population=2)
        assert {ms(ack.executed_ns) for ack in simulation.truth.acks} == {230_000, 530_000, 830_000, 1_130_000}

    def test_1_client_should_receive_ack_messages_with_what_was_received(self):
        simulation = simulate("echo", duration="301s", population=Population(script=SendsOnce(10_000)))
        ack = only(simulation.truth.acks)
        assert (ack.number, ms(ack.executed_ns)) == (1, T_MS)


class TestKeepAliveTimeout:
    """g_messages_acknowledgement.rs"""

    def test_2_client_is_removed_if_keep_alive_timeout_is_reached(self):
        simulation = simulate(
            "echo", duration="10m", population=Population(script=Script()), faults=Withholding(up=is_keep_alive)
        )
        assert ms(only(simulation.truth.acks).executed_ns) == T_MS
        close = only(simulation.truth.of("close"))
        assert ms(close.executed_ns) == T_MS + 60_000
        assert closed_ms(simulation) == pytest.approx(ms(close.received_ns), abs=0.001)
        assert simulation.counts.ended == {"4000 Received close message from canister": 1}

    def test_3_client_is_not_removed_if_it_sends_a_keep_alive_before_timeout(self):
        simulation = simulate("echo", duration="22m", population=Population(script=Script()))
        assert len(simulation.truth.acks) == len(simulation.truth.keep_alives) == 4
        assert simulation.counts.ended == {"1000": 1}

    # The keep-alive is sent at 300.19 s, because the poll at 300.06 s is too early, and is executed 75 ms later.
    @pytest.mark.parametrize(("late_ms", "removed"), [(59_700, False), (60_000, True)])
    def test_a_keep_alive_must_have_arrived_by_the_check(self, late_ms, removed):
        class Late(Withholding):
            def relay(self, direction: Any, data: bytes) -> Any:
                deliveries = super().relay(direction, data)
                self.up_delay_ms = late_ms if direction == "up" and b"ws_message" in data else 0.0
                return deliveries if direction == "down" else super().relay(direction, data)

        simulation = simulate("echo", duration="8m", population=Population(script=Script()), faults=Late())
        keep_alive = only(simulation.truth.keep_alives)
        assert (ms(keep_alive.executed_ns) > T_MS + 60_000) is removed
        assert (len(simulation.truth.of("close")) == 1) is removed

    def test_4_client_is_not_removed_if_it_connects_while_canister_is_waiting_for_keep_alive(self):
        """It got no ack, so it needs no keep-alive at this check, but at the next one."""
        simulation = simulate(
            "echo",
            duration="12m",
            population=Population(script=Script(), arrivals=lambda _: 310),
            faults=Withholding(up=is_keep_alive),
        )
        assert ms(only(simulation.truth.acks).executed_ns) == 2 * T_MS
        assert ms(only(simulation.truth.of("close")).executed_ns) == 2 * T_MS + 60_000

    # ws_open is executed 20 ms (connecting) + 20 ms (handshake) + 75 ms after the start of connecting.
    @pytest.mark.parametrize(("before_ns", "acks"), [(1, 1), (0, 0)])
    def test_a_client_that_opens_just_before_the_ack_must_answer_it_too(self, before_ns, acks):
        """A client that is there when the timer fires gets the ack; one nanosecond decides."""
        starts_ns = T_MS * NS_PER_MS - (20 + 20 + UP_MS) * NS_PER_MS - before_ns
        simulation = simulate(
            "echo",
            duration="400s",
            population=Population(script=Script(), arrivals=lambda _: starts_ns / NS_PER_S),
            faults=Withholding(up=is_keep_alive),
        )
        assert only(simulation.truth.of("open")).executed_ns == START_NS + T_MS * NS_PER_MS - before_ns
        assert len(simulation.truth.acks) == acks
        closes = [ms(close.executed_ns) for close in simulation.truth.of("close")]
        assert closes == [T_MS + 60_000] * acks

    def test_application_messages_do_not_count(self):
        simulation = simulate(
            "echo", duration="6m", population=Population(think_ms=2_000), faults=Withholding(up=is_keep_alive)
        )
        # The missing keep-alive leaves a gap in the sequence numbers, and the next message reveals it.
        assert simulation.counts.ended == {"4000 Received close message from canister": 1}
        assert ms(only(simulation.truth.of("close")).executed_ns) < T_MS + 2_000


class TestGatewayRemoval:
    """remove_empty_expired_gateways: at a keep-alive check, more than an interval after the last client has left.

    A gateway that was removed starts at nonce 0 again, as the key of the next OpenMessage shows.
    """

    @staticmethod
    def nonces(simulation: Simulation) -> list[int]:
        keys = [
            (d.frame.session, parse_message_key(d.canister_message.key)[1])
            for d in simulation
            if d.kind == "open" and d.canister_message is not None
        ]
        return [nonce for _, nonce in sorted(keys)]

    # The first client leaves at 10 s. Checks are at 360 s, 660 s and so on.
    @pytest.mark.parametrize(("returns_s", "nonce"), [(350, 1), (365, 0)])
    def test_when_the_client_has_left(self, returns_s, nonce):
        """It left at 10 s, so at the check at 360 s more than an interval has passed."""
        simulation = simulate(
            "echo",
            duration="8m",
            population=Population(sessions=2, script=Leaves(10_000), arrivals=lambda n: returns_s * n),
        )
        assert self.nonces(simulation) == [0, nonce]

    # The check at 360 s removes the client. At 660 s the gateway is empty for exactly an interval, at 960 s for longer.
    @pytest.mark.parametrize(("returns_s", "nonce"), [(659, 3), (661, 3), (959, 3), (961, 0)])
    def test_one_interval_later_when_a_check_had_removed_the_client(self, returns_s, nonce):
        first_session_only = []

        def keep_alives_of_the_first(what: Any) -> bool:
            first_session_only.append(what) if is_keep_alive(what) else None
            return is_keep_alive(what) and len(first_session_only) == 1

        simulation = simulate(
            "echo",
            duration="17m",
            population=Population(sessions=2, script=Script(), arrivals=lambda n: returns_s * n),
            faults=Withholding(up=keep_alives_of_the_first),
        )
        assert ms(only(simulation.truth.of("close", 0)).executed_ns) == 360_000
        assert self.nonces(simulation) == [0, nonce]

    def test_1_client_can_switch_to_another_gateway(self):
        """Each gateway has its own nonces, and never gets the other gateway's messages."""
        simulation = simulate(
            "echo",
            duration="5m",
            population=Population(sessions=2, gateways=2, script=Leaves(20_000), arrivals=lambda n: 30 * n),
        )
        assert self.nonces(simulation) == [0, 0]
        gateways = {parse_message_key(d.canister_message.key)[0] for d in simulation if d.canister_message}
        assert len(gateways) == 2


class TestMinimum:
    """test_ws_init_params_keep_alive_greater and …_equal: the ack interval must be longer than 60 s."""

    @pytest.mark.parametrize("interval_ms", [1, 59_999, 60_000])
    def test_of_the_ack_interval_is_enforced_where_the_cdk_does(self, interval_ms):
        with pytest.raises(LabError, match="send_ack_interval_ms must be greater than CLIENT_KEEP_ALIVE_TIMEOUT_MS"):
            simulate(ack_interval_ms=interval_ms, canister=CanisterSettings(enforce_minimum=True))

    def test_just_above_it_everything_works(self):
        simulation = simulate(duration="590s", ack_interval_ms=60_001, canister=CanisterSettings(enforce_minimum=True))
        assert [ms(ack.executed_ns) for ack in simulation.truth.acks] == [60_001 * n for n in range(1, 10)]
        assert simulation.counts.ended == {"1000": 1}

    def test_below_it_a_check_follows_the_next_ack_and_a_client_that_answers_each_ack_stays(self):
        simulation = simulate(duration="295s", ack_interval_ms=20_000)
        assert [ms(ack.executed_ns) for ack in simulation.truth.acks] == [20_000 * n for n in range(1, 15)]
        assert simulation.counts.ended == {"1000": 1}
