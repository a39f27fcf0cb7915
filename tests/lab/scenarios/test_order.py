"""What goes wrong with numbers on the way up really does, at the party that the catalogue names."""

from __future__ import annotations

from icws_explore.lab.scenarios import scenario


class TestLostUp:
    def test_the_replica_refuses_what_is_too_large_and_the_canister_the_next_one(self):
        run = scenario("LOST_UP").run(1)
        _, refused, third = run.truth.of("message")
        assert refused.executed_ns is None
        assert "too large" in " ".join(event.text for event in run.log)
        assert third.fate == "Expected incoming sequence number 2 but got 3"
        assert run.truth.sessions[0].close_reason == "Received close message from canister"


class TestKeepaliveRace:
    def test_the_message_leaves_behind_the_keep_alive_that_has_the_higher_number(self):
        run = scenario("KEEPALIVE_RACE").run(1)
        (keep_alive,), last = run.truth.keep_alives, run.truth.of("message")[-1]
        assert keep_alive.sequence_num == last.sequence_num + 1
        assert keep_alive.sent_ns < last.sent_ns < keep_alive.executed_ns
        assert run.truth.sessions[0].close_reason == "Message sending failed"
