"""What crossing the network costs, and what gets lost."""

import random

import pytest

from icws_explore.lab.simulator import Constant, LogNormal, NetworkConditions, Uniform
from icws_explore.lab.simulator.conditions import MAX_RETRANSMITS, LatencyModel
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError


class TestNetworkConditions:
    def test_take_delays_in_their_short_forms(self):
        conditions = NetworkConditions(client_latency_ms=5, replica_latency_ms=(1, 2), update_latency_ms=LogNormal(80))
        names = ("client_latency_ms", "replica_latency_ms", "update_latency_ms")
        assert [conditions.delay_of(name) for name in names] == [Constant(5), Uniform(1, 2), LogNormal(80)]

    def test_one_loss_is_for_all_unless_one_is_set_apart(self):
        assert NetworkConditions(loss=0.1).losses == (0.1, 0.1, 0.1)
        assert NetworkConditions(loss=0.1, call_loss=0, poll_loss=0.5).losses == (0.1, 0, 0.5)

    @pytest.mark.parametrize(
        "options",
        [
            {"loss": 1.1}, {"call_loss": -0.1}, {"poll_interval_ms": 0}, {"client_latency_ms": -1},
            {"retransmit_ms": -1}, {"loss": "much"}, {"poll_interval_ms": 2.5}, {"ordered": "yes"},
        ],
        ids=str,
    )  # fmt: skip
    def test_refuse_wrong_types_and_values(self, options):
        (name,) = options
        with pytest.raises(
            (ArgumentTypeError, ArgumentValueError), match=name if name != "client_latency_ms" else "at least 0"
        ):
            NetworkConditions(**options)


class TestLatencyModel:
    def test_a_lost_packet_is_sent_again_and_again(self):
        latency = LatencyModel(NetworkConditions(client_latency_ms=20, packet_loss=0.5, retransmit_ms=100))
        rng = random.Random(1)
        drawn = {latency.packet_ns(rng) // 1_000_000 for _ in range(300)}
        assert {20, 120, 320, 720} <= drawn
        certain = LatencyModel(NetworkConditions(client_latency_ms=20, packet_loss=1, retransmit_ms=1))
        assert certain.packet_ns(rng) == (20 + 2**MAX_RETRANSMITS - 1) * 1_000_000

    def test_a_lost_call_never_arrives(self):
        latency, rng = LatencyModel(NetworkConditions(call_loss=0.25)), random.Random(1)
        drawn = [latency.call_ns(rng) for _ in range(2000)]
        assert drawn.count(None) == pytest.approx(500, abs=60)
        assert set(drawn) - {None} == {5_000_000}

    def test_a_poll_takes_two_latencies_and_may_fail(self):
        latency, rng = LatencyModel(NetworkConditions(replica_latency_ms=(1, 3), poll_loss=0.25)), random.Random(1)
        request, response, fails = zip(*(latency.poll_ns(rng) for _ in range(2000)), strict=True)
        assert sum(fails) == pytest.approx(500, abs=60)
        assert all(1_000_000 <= ns <= 3_000_000 for ns in (*request, *response))

    def test_a_poll_s_round_trip_is_known_if_nothing_varies(self):
        assert LatencyModel(NetworkConditions(replica_latency_ms=4)).fixed_poll_ns == 8_000_000
        assert LatencyModel(NetworkConditions(replica_latency_ms=(4, 5))).fixed_poll_ns is None
        assert LatencyModel(NetworkConditions(poll_loss=0.1)).fixed_poll_ns is None
