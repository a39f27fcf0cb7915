"""Gap, duplicate or swap on the way down; and who is to blame for WrongSequenceNumber."""

from __future__ import annotations

import pytest

from icws_explore.protocol.service_messages import CloseReason
from support.doctor_findings import ids, the_one
from support.session_captures import SessionScript


def closed(script: SessionScript, at: float) -> SessionScript:
    script.canister_closes(at, CloseReason.WRONG_SEQUENCE_NUMBER)
    return script.closed(at + 0.1, "out", 4000, "Received close message from canister")


class TestDown:
    def told(self, *numbers: int) -> str:
        script = SessionScript().opened()
        for at, number in enumerate(numbers, 4):
            script.app_says(at, "x", sequence_num=number)
        return the_one(script).explanation

    def test_a_gap(self):
        assert "message 5, but 3 was next: 3 and 4 never came" in self.told(2, 5)

    def test_a_gap_though_the_client_sends_that_number(self):
        script = SessionScript().opened().app_says(4, "x").app_says(5, "x", sequence_num=5)
        for at in (6, 7, 8, 9):
            script.client_says(at, "y")
        assert "3 and 4 never came" in the_one(script).explanation

    def test_a_duplicate(self):
        assert "message 2, but 3 was next: a duplicate of frame 3" in self.told(2, 2, 3)

    def test_a_swap(self):
        assert "message 4, but 3 was next: 3 follows in frame 5" in self.told(2, 4, 3)

    def test_a_swap_whose_other_half_comes_after_the_close(self):
        script = SessionScript().opened().app_says(4, "x", sequence_num=3)
        script.closed(4.1, "out", 4000, "Error receiving message").app_says(4.2, "y", sequence_num=2)
        assert "2 follows in frame 5" in the_one(script).explanation

    def test_a_huge_gap_is_summarised(self):
        assert len(self.told(2, 2**63)) < 200


class TestUp:
    def test_a_race(self):
        finding = the_one("KEEPALIVE_RACE")
        assert "number 3 (keep-alive, frame 5) before number 2 (message, frame 6), 10 ms apart" in finding.explanation

    def test_too_large(self):
        finding = the_one("LOST_UP")
        assert "message 2 (frame 4): it has 2,200" in finding.explanation

    def test_a_number_that_never_left(self):
        script = SessionScript().opened().client_says(5, "a").client_says(20, "c", sequence_num=3)
        finding = the_one(closed(script, 21))
        assert (finding.id, "Number 2 is not in the recording" in finding.explanation) == ("LOST_UP", True)

    @pytest.mark.parametrize(("apart_s", "expected"), [(0.2, "REORDERED_RELAY"), (15, "ON_MESSAGE_TRAP")])
    def test_close_together_or_far_apart(self, apart_s, expected):
        script = SessionScript().opened().client_says(5, "a").client_says(5 + apart_s, "b")
        finding = the_one(closed(script, 22))
        assert finding.id == expected

    @pytest.mark.parametrize(("answered_at", "expected"), [(5.05, "ON_MESSAGE_TRAP"), (None, "REORDERED_RELAY")])
    def test_messages_that_were_answered_one_by_one_did_not_overtake_each_other(self, answered_at, expected):
        script = SessionScript().opened().client_says(5, "a")
        if answered_at is not None:
            script.app_says(answered_at, "A")
        script.client_says(5.1, "boom").client_says(30, "c")
        assert the_one(closed(script, 31)).id == expected

    def test_a_message_of_the_canisters_own_is_no_answer(self):
        script = SessionScript().opened().client_says(4.9, "a").client_says(5, "b").app_says(5.05, "news")
        script.client_says(5.1, "c")
        assert the_one(closed(script, 6)).id == "REORDERED_RELAY"

    def test_a_trap_names_the_message_that_did_not_count(self):
        script = SessionScript().opened()
        for number in range(4):
            script.client_says(10 + 20 * number, "a")
        finding = the_one(closed(script, 72))
        assert "after 4 (frame 6)" in finding.explanation
        assert "3 (frame 5) did not count" in finding.explanation
        assert "2.0 s after 4" in finding.explanation

    def test_the_only_message_has_none_before_it(self):
        assert ids(closed(SessionScript().opened().client_says(5, "a"), 6)) == ("UNEXPLAINED_END",)

    def test_a_keep_alive_that_did_not_arrive(self):
        script = SessionScript().opened().client_says(5, "a").acked(290, answered_after=0.1)
        script.canister_closes(350, CloseReason.KEEP_ALIVE_TIMEOUT)
        finding = the_one(script.closed(350.1, "out", 4000, "Received close message from canister"))
        assert finding.id == "LOST_UP"
        assert "left 0.10 s after its AckMessage, well within the 60.0 s allowed" in finding.explanation
