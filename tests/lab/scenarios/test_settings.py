"""What was configured wrongly is wrong at the party that the catalogue names."""

from __future__ import annotations

from icws_explore.lab.scenarios import scenario


class TestIngressExpiry:
    def test_the_replica_refuses_the_requests_of_a_slow_clock(self):
        run = scenario("INGRESS_EXPIRY").run(1)
        (opening,) = run.truth.of("open_request")
        assert "Invalid request expiry" in next(event.text for event in run.log if event.kind == "refused")
        assert opening.executed_ns is None


class TestAckIntervalMismatch:
    def test_acks_come_but_too_late_for_the_client(self):
        run = scenario("ACK_INTERVAL_MISMATCH").run(1)
        closed_s = run.raw.frames[-1].t - run.raw.frames[0].t
        assert run.world.replica.config.send_ack_interval_ms == 200_000
        assert run.info.ack_interval_ms == 90_000
        assert 120 < closed_s < 200  # 90 s + 30 s from the first message on
