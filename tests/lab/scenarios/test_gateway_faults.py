"""The faults at their seams: what they let pass, change, hold back."""

from __future__ import annotations

from icws_explore.lab.scenarios.gateways import Downward, Muted, Stall, Stopped, Upgrade, is_ack
from icws_explore.lab.simulator import Truth, simulate
from support.session_captures import healthy


class TestDownward:
    def test_counts_each_sessions_messages_and_lets_the_handshake_pass(self):
        seen: list[int] = []

        def change(number: int, data: bytes) -> list[bytes]:
            seen.append(number)
            return [data]

        simulation = simulate("ticker", duration="30s", sessions=2, faults=Downward(change))
        assert simulation.counts.opened == 2
        assert seen.count(1) == seen.count(2) == 2

    def test_is_late_as_told(self):
        def run(late_ms: float) -> Truth:
            faults = Downward(lambda _, data: [data], late_ms=lambda _: late_ms)
            return simulate("ticker", duration="30s", faults=faults).truth

        quick, slow = run(0), run(700)
        opened = [each.sessions[0].opened_ns for each in (quick, slow)]
        assert opened[0] is not None
        assert opened[1] is not None
        assert opened[1] - opened[0] == 700_000_000


class TestOthers:
    def test_muted_says_nothing(self):
        assert [f.op for f in simulate(duration="20s", faults=Muted()).raw.frames] == ["close"]

    def test_a_stall_lets_nothing_in(self):
        simulation = simulate("ticker", duration="2m", faults=Stall(30, 60))
        start = simulation.raw.frames[0].t
        times = [f.t - start for f in simulation.raw.frames if f.direction == "in"]
        assert not [t for t in times if 31 < t < 59]
        assert [t for t in times if t > 60]

    def test_a_stopped_canister_drops_everybody(self):
        simulation = simulate(duration="1m", sessions=2, faults=Stopped(30))
        assert simulation.counts.ended == {"1005": 2}

    def test_an_upgrade_forgets_the_clients(self):
        assert simulate("echo", duration="8m", faults=Upgrade(60)).counts.ended == {"4000 Ack message timeout": 1}


class TestIsAck:
    def test_tells_them_from_everything_else(self):
        frames = [f for f in healthy().frames if f.direction == "in"]
        assert sum(is_ack(f.data) for f in frames) == 3
        assert not is_ack(b"nonsense")
