"""Faults act on every connection, on the clocks, and on the canister."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.lab.faults import Delivery, Faults, RelayFaults, tampered
from icws_explore.lab.simulator import Population, Script, simulate
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.gateway.events import AgentFailed, Rejected


def ended(faults: Faults, **options: Any) -> dict[str, int]:
    return simulate(**{"duration": "8m", "faults": faults, "crypto": "stand-in"} | options).counts.ended


class TestNoFaults:
    def test_change_nothing(self):
        plain = simulate(duration="2m")
        assert simulate(duration="2m", faults=Faults()).raw.frames == plain.raw.frames


class TestRelayFaults:
    @pytest.mark.parametrize("crypto", ["real", "stand-in"])
    def test_tamper_with_messages(self, crypto):
        faults = RelayFaults(tamper=1, spare=6, seed=1)
        assert ended(faults, crypto=crypto) == {"4000 Error receiving message": 1}

    def test_duplicate_messages_and_the_client_notices(self):
        assert ended(RelayFaults(duplicate=1, spare=3)) == {"4000 Error receiving message": 1}

    def test_duplicate_calls_which_are_executed_once(self):
        simulation = simulate(duration="3m", faults=RelayFaults(duplicate=1, direction="up"))
        assert simulation.counts.ended == {"1000": 1}
        assert any("not executed twice" in event.text for event in simulation.log)


class TestHooks:
    def test_client_frame(self):
        class Mangled(Faults):
            def client_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(b"nonsense")]

        assert ended(Mangled()) == {"1005": 1}

    def test_client_frame_with_a_delay(self):
        class Late(Faults):
            def client_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(data, 1_000)]

        simulation = simulate(duration="1m", faults=Late())
        assert all(m.relayed_ns - m.sent_ns >= NS_PER_S for m in simulation.truth.of("message") if m.relayed_ns)

    def test_call(self):
        class Altered(Faults):
            def call(self, session: int, envelope: bytes) -> list[Delivery]:
                return [Delivery(envelope.replace(b"ws_open", b"ws_opem"))]

        for crypto in ("real", "stand-in"):
            simulation = simulate(duration="2m", faults=Altered(), crypto=crypto)
            assert simulation.counts.ended == {"4000 Open connection timeout": 1}
            assert any("Invalid signature" in event.text for event in simulation.log)

    @pytest.mark.parametrize(
        ("outcome", "what"),
        [
            (Rejected(5, "the canister is stopped"), {"1005": 1}),
            (AgentFailed("HttpError", "HTTP 503"), {"4000 Open connection timeout": 1}),
        ],
        ids=["fatal", "recoverable"],
    )
    def test_poll_answer(self, outcome, what):
        class Answers(Faults):
            def poll_answer(self, gateway: int, _outcome: Any) -> tuple[Any, float]:
                return outcome, 0.0

        assert ended(Answers(), duration="2m") == what

    def test_poll_answer_with_a_delay(self):
        class Late(Faults):
            def poll_answer(self, gateway: int, outcome: Any) -> tuple[Any, float]:
                return outcome, 1_500.0

        simulation = simulate(duration="2m", faults=Late())
        late = [m for m in simulation.truth.of("app") if m.polled_ns]
        assert late
        assert all(m.polled_ns - m.certified_ns >= 1_500_000_000 for m in late)

    def test_poll_answer_after_the_time_out(self):
        class TooLate(Faults):
            def poll_answer(self, gateway: int, outcome: Any) -> tuple[Any, float]:
                return outcome, 6_000.0

        simulation = simulate(duration="2m", faults=TooLate())
        assert simulation.counts.opened == 0
        assert any("Poller timed out" in event.text for event in simulation.log)

    def test_gateway_frame(self):
        class Altered(Faults):
            def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(tampered(data))]

        assert ended(Altered()) == {"4000 Error receiving message": 1}


class TestClocks:
    @pytest.mark.parametrize("part", ["client", "canister"])
    def test_that_jump_make_certificates_invalid(self, part):
        """Six minutes ahead from the second minute on: certificates do not fit the client's time."""

        class Jump(Faults):
            def clock_error_ns(self, clock: str, number: int, now_ns: int) -> int:
                return 360 * NS_PER_S if clock == part and now_ns % (3600 * NS_PER_S) > 120 * NS_PER_S else 0

        assert list(ended(Jump())) != ["1000"]

    @pytest.mark.parametrize(("duration", "what"), [("80s", "open"), ("81s", "4000 Open connection timeout")])
    def test_that_are_set_back_make_timers_longer(self, duration, what):
        """The open timer runs 20 s longer by a clock that is set back by 20 s in between."""

        class Back(Faults):
            def relay(self, direction: Any, data: bytes) -> list[Delivery]:
                return [Delivery(data)] if direction == "down" else []

            def clock_error_ns(self, clock: str, number: int, now_ns: int) -> int:
                return -20 * NS_PER_S if clock == "client" and now_ns % (3600 * NS_PER_S) > 30 * NS_PER_S else 0

        assert ended(Back(), duration=duration, close_at_end=False) == {what: 1}


class TestPlannedActions:
    def at(self, seconds: float, action: str) -> Faults:
        class Event(Faults):
            def begin(self, world: Any) -> None:
                def act() -> None:
                    actions = {
                        "upgrade": world.replica.upgrade,
                        "restart": world.gateways[0].restart,
                        "cut": world.clients[0].cut,
                    }
                    actions[action]()

                world.at(seconds, act)

        return Event()

    def test_an_upgrade_forgets_the_sessions(self):
        """UPGRADE_WIPE: the client hears nothing until its ack timeout."""
        assert ended(self.at(60, "upgrade")) == {"4000 Ack message timeout": 1}

    def test_a_restart_of_the_gateway_cuts_every_connection(self):
        simulation = simulate(duration="8m", population=2, faults=self.at(60, "restart"))
        assert simulation.counts.ended == {"1006": 2}
        # No gateway called ws_close, so the canister closes when the keep-alives are missing.
        assert len(simulation.truth.of("close")) == 2

    def test_a_connection_breaks(self):
        simulation = simulate(duration="8m", faults=self.at(60, "cut"))
        assert simulation.counts.ended == {"1006": 1}
        assert simulation.truth.of("close") == ()

    def test_a_broken_connection_does_not_break_again(self):
        class Twice(Script):
            def opened(self, client: Any) -> None:
                client.cut()
                client.cut()

        assert ended(Faults(), population=Population(script=Twice())) == {"1006": 1}
