"""The faults of scenarios: what they pass on, change, drop and delay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.lab.faults import Delivery
from icws_explore.lab.scenarios.faults import (
    Downward,
    Gateway105,
    GivesAway,
    IdleProxy,
    Muted,
    Stall,
    Stopped,
    Upgrade,
    is_ack,
)
from icws_explore.lab.scenarios.scripts import texts
from icws_explore.lab.simulator import Population, Truth, simulate
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake
from icws_explore.protocol.principal import Principal
from support.certified_canister import GATEWAY, CertifiedCanister
from support.session_captures import healthy


class TestDownward:
    def test_counts_each_session_s_messages_and_passes_the_handshake_on(self):
        seen: list[int] = []

        def change(number: int, data: bytes) -> list[bytes]:
            seen.append(number)
            return [data]

        simulation = simulate("ticker", duration="30s", population=2, faults=Downward(change))
        assert simulation.counts.opened == 2
        assert seen.count(1) == seen.count(2) == 2

    def test_delays_by_the_given_time(self):
        def run(late_ms: float) -> Truth:
            faults = Downward(lambda _, data: [data], late_ms=lambda _: late_ms)
            return simulate("ticker", duration="30s", faults=faults).truth

        quick, slow = run(0), run(700)
        opened = [each.sessions[0].opened_ns for each in (quick, slow)]
        assert opened[0] is not None
        assert opened[1] is not None
        assert opened[1] - opened[0] == 700_000_000


class TestMuted:
    def test_sends_nothing(self):
        assert [f.op for f in simulate(duration="20s", faults=Muted()).raw.frames] == ["close"]


class TestStall:
    def test_sends_nothing_and_then_everything(self):
        simulation = simulate("ticker", duration="2m", faults=Stall(30, 60))
        start = simulation.raw.frames[0].t
        times = [f.t - start for f in simulation.raw.frames if f.direction == "in"]
        assert not [t for t in times if 31 < t < 59]
        assert [t for t in times if t > 60]


class TestStopped:
    def test_every_client_is_dropped(self):
        simulation = simulate(duration="1m", population=2, faults=Stopped(30))
        assert simulation.counts.ended == {"1005": 2}


class TestUpgrade:
    def test_the_clients_are_forgotten(self):
        assert simulate("echo", duration="8m", faults=Upgrade(60)).counts.ended == {"4000 Ack message timeout": 1}


class TestIsAck:
    def test_is_true_only_for_ack_messages(self):
        frames = [f for f in healthy().frames if f.direction == "in"]
        assert sum(is_ack(f.data) for f in frames) == 3
        assert not is_ack(b"nonsense")


class TestIdleProxy:
    def cut_s(self, *sent_s: float, idle_s: float = 60.0) -> float:
        """Seconds from the last frame to the cut, for a client that sends messages at these times."""
        script = texts(*((at_s, "hello") for at_s in sent_s))
        run = simulate("echo", duration="10m", population=Population(script=script), faults=IdleProxy(idle_s))
        (session,) = run.truth.sessions
        assert session.close_code == 1006
        frames = run.raw.frames
        return round(frames[-1].t - frames[-2].t)

    @pytest.mark.parametrize("idle_s", [20, 60, 100])
    def test_cuts_after_the_given_silence(self, idle_s):
        assert self.cut_s(5, idle_s=idle_s) == idle_s

    def test_a_frame_in_either_direction_restarts_the_timer(self):
        assert self.cut_s(5, 50, 100, 150) == 60

    def test_passes_frames_on_unchanged(self):
        proxy = IdleProxy()
        run = simulate("echo", duration="30s", population=Population(script=texts((5, "a"))), faults=proxy)
        assert run.doctor() == []
        assert proxy.client_frame(0, b"x") == [Delivery(b"x")] == proxy.gateway_frame(0, b"x")


class TestGateway105:
    def test_drops_its_handshake_and_passes_other_frames_on(self):
        message = CanisterMessage("key", b"content", b"cert", b"tree").encode()
        gateway = Gateway105()
        assert gateway.gateway_frame(0, Handshake(Principal.ANONYMOUS).encode()) == []
        assert gateway.gateway_frame(0, message) == [Delivery(message)]

    def test_keeps_a_client_with_valid_requests(self):
        class OnlyTheRefusals(Gateway105):
            def gateway_frame(self, session, data):
                return [Delivery(data)]

        assert simulate("echo", duration="1m", faults=OnlyTheRefusals()).doctor() == []


class Sent:
    """A stage that only notes what is sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, session, data):
        assert session == 0
        self.frames.append(data)


class TestGivesAway:
    """In any order of arrival, session 0 gets 1, 2, 3 and so on, and number 3 is session 1's."""

    @given(st.permutations([0] * 5 + [1] * 5))
    def test_keeps_the_order_of_the_numbers(self, turns):
        faults, stage = GivesAway(3), Sent()
        faults.begin(stage)
        said = [CertifiedCanister(ClientKey(GATEWAY, session)) for session in (0, 1)]
        got: list[list[bytes]] = [stage.frames, []]
        for session in turns:
            data = said[session].says(b"", 0)
            got[session] += [each.data for each in faults.gateway_frame(session, data)]
        messages = [[CanisterMessage.decode(data).message for data in frames] for frames in got]
        assert [[m.sequence_num for m in each] for each in messages] == [[1, 2, 3, 4, 5]] * 2
        assert [m.client_key.client_nonce for m in messages[0]] == [0, 0, 1, 0, 0]
        assert [m.client_key.client_nonce for m in messages[1]] == [1] * 5
