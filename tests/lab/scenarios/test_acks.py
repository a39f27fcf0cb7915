"""What goes wrong with acks and keep-alives really does, at the party that the catalogue names."""

from __future__ import annotations

import pytest

from icws_explore.lab.scenarios import scenario
from icws_explore.protocol.constants import NS_PER_S


class TestAckTimeouts:
    @pytest.mark.parametrize(("name", "after_s"), [("NO_ACKS", 330), ("ACK_DEFAULTS_SKEW", 90)])
    def test_come_that_long_after_the_first_message(self, name, after_s):
        run = scenario(name).run(1)
        assert run.truth.acks == ()
        assert all(message.fate == "accepted" for message in run.truth.of("message"))
        first = run.truth.of("message")[0]
        closed = run.raw.frames[-1]
        assert (closed.code, closed.reason) == (4000, "Ack message timeout")
        assert round(closed.t - first.sent_ns / NS_PER_S, 3) == after_s


class TestAckTooHigh:
    def test_is_for_more_than_was_sent(self):
        run = scenario("ACK_TOO_HIGH").run(1)
        (ack,) = run.truth.acks
        assert ack.number > max(message.sequence_num for message in run.truth.of("message"))
        assert run.truth.sessions[0].failures == (
            "Ack message error: Error: Sequence number 8 is greater than last: 2",
        )


class TestKeepAlives:
    @pytest.mark.parametrize(("name", "sent"), [("NO_KEEPALIVE", 0), ("KEEPALIVE_LATE", 1)])
    def test_the_canister_closes_a_minute_after_its_ack(self, name, sent):
        run = scenario(name).run(1)
        (ack,), (closing,) = run.truth.acks, run.truth.of("close")
        assert round((closing.executed_ns - ack.executed_ns) / NS_PER_S, 3) == 60
        assert len(run.truth.keep_alives) == sent
        assert all(keep_alive.sent_ns > closing.executed_ns for keep_alive in run.truth.keep_alives)
