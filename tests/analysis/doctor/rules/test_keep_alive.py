"""KeepAliveTimeout: none, a late one, or one that was lost."""

from __future__ import annotations

import pytest

from icws_explore.protocol.service_messages import CloseReason
from support.doctor_findings import the_one
from support.session_captures import SessionScript


def timed_out(answered_after: float | None) -> SessionScript:
    script = SessionScript().opened().client_says(5, "a").acked(290, answered_after=answered_after)
    script.canister_closes(350, CloseReason.KEEP_ALIVE_TIMEOUT)
    return script.closed(350.2, "out", 4000, "Received close message from canister")


class TestKeepAliveTimeout:
    @pytest.mark.parametrize(
        ("answered_after", "expected"),
        [(None, "NO_KEEPALIVE"), (0.1, "LOST_UP"), (29, "LOST_UP"), (31, "KEEPALIVE_LATE"), (59, "KEEPALIVE_LATE")],
    )
    def test_by_when_the_answer_left(self, answered_after, expected):
        assert the_one(timed_out(answered_after)).id == expected

    def test_late_says_how_late(self):
        assert "left 66.0 s after the AckMessage" in the_one("KEEPALIVE_LATE").explanation
        assert "The keep-alive had 1.0 s left" in the_one(timed_out(59)).explanation

    def test_application_messages_are_mentioned(self):
        script = SessionScript().opened().client_says(5, "a").acked(290, answered_after=None).client_says(300, "b")
        script.canister_closes(350, CloseReason.KEEP_ALIVE_TIMEOUT)
        assert "(only 1 application message)" in the_one(script).explanation

    def test_an_ack_that_came_late_is_no_lost_answer(self):
        """The canister counts from when it made the ack: a gateway that held it 61 s left no time to answer."""
        from icws_explore.lab.scenarios.faults import Downward
        from icws_explore.lab.simulator import simulate

        held = Downward(lambda _number, delivery: [delivery], late_ms=lambda number: 61_000 if number > 3 else 0)
        findings = simulate("ticker", duration="8m", seed=7, faults=held).doctor()
        assert [finding.id for finding in findings if finding.severity != "info"] == ["KEEPALIVE_LATE"]
        assert "took 61.0 s longer than" in findings[0].explanation
