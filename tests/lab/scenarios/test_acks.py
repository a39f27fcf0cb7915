"""The scenarios about acks, keep-alives and sequence numbers: the right party does the wrong thing."""

from __future__ import annotations

import pytest

from icws_explore.lab.scenarios import scenario
from icws_explore.protocol.constants import NS_PER_S


class TestAckTimeouts:
    @pytest.mark.parametrize(("name", "after_s"), [("NO_ACKS", 330), ("ACK_DEFAULTS_SKEW", 90)])
    def test_follow_the_first_message(self, name, after_s):
        run = scenario(name).run(1)
        assert run.truth.acks == ()
        assert all(message.fate == "accepted" for message in run.truth.of("message"))
        first = run.truth.of("message")[0]
        closed = run.raw.frames[-1]
        assert (closed.code, closed.reason) == (4000, "Ack message timeout")
        assert round(closed.t - first.sent_ns / NS_PER_S, 3) == after_s


class TestAckTooHigh:
    def test_the_ack_covers_more_than_was_sent(self):
        run = scenario("ACK_TOO_HIGH").run(1)
        (ack,) = run.truth.acks
        assert ack.number > max(message.sequence_num for message in run.truth.of("message"))
        assert run.truth.sessions[0].failures == (
            "Ack message error: Error: Sequence number 8 is greater than last: 2",
        )


class TestMissingKeepAlives:
    @pytest.mark.parametrize(("name", "sent"), [("NO_KEEPALIVE", 0), ("KEEPALIVE_LATE", 1)])
    def test_make_the_canister_close_a_minute_after_its_ack(self, name, sent):
        run = scenario(name).run(1)
        (ack,), (closing,) = run.truth.acks, run.truth.of("close")
        assert round((closing.executed_ns - ack.executed_ns) / NS_PER_S, 3) == 60
        assert len(run.truth.keep_alives) == sent
        assert all(keep_alive.sent_ns > closing.executed_ns for keep_alive in run.truth.keep_alives)


class TestAckIntervalMismatch:
    def test_acks_arrive_too_late_for_the_client(self):
        run = scenario("ACK_INTERVAL_MISMATCH").run(1)
        closed_s = run.raw.frames[-1].t - run.raw.frames[0].t
        assert run.world.replica.config.send_ack_interval_ms == 200_000
        assert run.info.ack_interval_ms == 90_000
        assert 120 < closed_s < 200  # 90 s + 30 s after the first message


class TestLostUp:
    def test_the_replica_refuses_the_large_message_and_the_canister_the_next_one(self):
        run = scenario("LOST_UP").run(1)
        _, refused, third = run.truth.of("message")
        assert refused.executed_ns is None
        assert "too large" in " ".join(event.text for event in run.log)
        assert third.fate == "Expected incoming sequence number 2 but got 3"
        assert run.truth.sessions[0].close_reason == "Received close message from canister"


class TestKeepAliveRace:
    def test_the_message_is_sent_after_the_keep_alive_with_the_higher_number(self):
        run = scenario("KEEPALIVE_RACE").run(1)
        (keep_alive,), last = run.truth.keep_alives, run.truth.of("message")[-1]
        assert keep_alive.sequence_num == last.sequence_num + 1
        assert keep_alive.sent_ns < last.sent_ns < keep_alive.executed_ns
        assert run.truth.sessions[0].close_reason == "Message sending failed"
