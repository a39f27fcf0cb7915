"""What the hops take and lose."""

import random

import pytest

from icws_explore.lab.simulator import Constant, LogNormal, Network, Uniform
from icws_explore.lab.simulator.conditions import MAX_RETRANSMITS, Legs
from icws_explore.protocol.errors import LabError


class TestNetwork:
    def test_takes_delays_in_their_short_forms(self):
        network = Network(client_latency_ms=5, replica_latency_ms=(1, 2), update_latency_ms=LogNormal(80))
        names = ("client_latency_ms", "replica_latency_ms", "update_latency_ms")
        assert [network.delay_of(name) for name in names] == [Constant(5), Uniform(1, 2), LogNormal(80)]

    def test_one_loss_is_meant_for_all_unless_set_apart(self):
        assert Network(loss=0.1).losses == (0.1, 0.1, 0.1)
        assert Network(loss=0.1, call_loss=0, poll_loss=0.5).losses == (0.1, 0, 0.5)

    @pytest.mark.parametrize(
        "options",
        [{"loss": 1.1}, {"call_loss": -0.1}, {"poll_interval_ms": 0}, {"client_latency_ms": -1}, {"retransmit_ms": -1}],
        ids="-".join,
    )
    def test_refuses_what_no_network_has(self, options):
        with pytest.raises(LabError):
            Network(**options)


class TestLegs:
    def test_a_lost_packet_is_sent_again_and_again(self):
        legs = Legs(Network(client_latency_ms=20, packet_loss=0.5, retransmit_ms=100))
        dice = random.Random(1)
        drawn = {legs.client_ns(dice) // 1_000_000 for _ in range(300)}
        assert {20, 120, 320, 720} <= drawn
        certain = Legs(Network(client_latency_ms=20, packet_loss=1, retransmit_ms=1))
        assert certain.client_ns(dice) == (20 + 2**MAX_RETRANSMITS - 1) * 1_000_000

    def test_a_lost_call_is_gone(self):
        legs, dice = Legs(Network(call_loss=0.25)), random.Random(1)
        drawn = [legs.call_ns(dice) for _ in range(2000)]
        assert drawn.count(None) == pytest.approx(500, abs=60)
        assert set(drawn) - {None} == {5_000_000}

    def test_a_poll_goes_there_and_back_and_may_fail(self):
        legs, dice = Legs(Network(replica_latency_ms=(1, 3), poll_loss=0.25)), random.Random(1)
        there, back, fails = zip(*(legs.poll_ns(dice) for _ in range(2000)), strict=True)
        assert sum(fails) == pytest.approx(500, abs=60)
        assert all(1_000_000 <= ns <= 3_000_000 for ns in (*there, *back))

    def test_polls_are_predictable_where_nothing_varies(self):
        assert Legs(Network(replica_latency_ms=4)).fixed_poll_ns == (4_000_000, 4_000_000)
        assert Legs(Network(replica_latency_ms=(4, 5))).fixed_poll_ns is None
        assert Legs(Network(poll_loss=0.1)).fixed_poll_ns is None
